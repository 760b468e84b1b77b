"""Which plug-in files may run on this machine: those whose content its user has approved.

A plug-in is Python that runs with the rights of who calls snnctl, and a recipe or a run may come from anyone. So a file
that a recipe or a run names is run only if its SHA-256 was approved: by `snnctl trust FILE`, by a yes on the terminal,
by `--trust-plugins` for one call, or by naming the file oneself (`--plugin FILE`). Another content is another file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.files import home, write_json, writing

# The way for scripts that cannot put a flag in: SNNCTL_TRUST_PLUGINS=1 in their environment.
_VARIABLE = "SNNCTL_TRUST_PLUGINS"


@dataclass(frozen=True)
class Approved:
    """A content that may run.

    Args:
        sha256: of it.
        path: where it lay when it was approved.
        when: then, UTC, ISO 8601.
    """

    sha256: str
    path: str
    when: str


# Asked for a file that is not approved yet, with its path and content; None where nobody can be asked.
Ask = Callable[[Path, bytes], bool]
_ask: ContextVar[Ask | None] = ContextVar("ask", default=None)
_all: ContextVar[bool] = ContextVar("all", default=False)


def store() -> Path:
    """The file of approvals: `$XDG_CONFIG_HOME/snnctl/trusted.json`, or below `~/.config`."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if os.path.isabs(base) else home() / ".config") / "snnctl" / "trusted.json"


def approved() -> tuple[Approved, ...]:
    """What may run on this machine, in the order of approval.

    Raises:
        DiagnosticError: U550, the file is damaged.
    """
    path = store()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return tuple(Approved(**{key: str(one[key]) for key in ("sha256", "path", "when")}) for one in found["plugins"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError) as error:
        help = "remove it, and approve anew what you trust"
        reason = {"reason": f"{type(error).__name__}: {error}"}
        raise DiagnosticError(Diagnostic("U550", file=str(path), facts=reason, help=help)) from error


def approve(path: Path, content: bytes | None = None) -> Approved:
    """Let this file run from now on, as it is.

    Raises:
        DiagnosticError: R121 it cannot be read, U550 and U453 the file of approvals is damaged or cannot be written.
    """
    if content is None:
        content = read(path)
    sha256, now = hashlib.sha256(content).hexdigest(), datetime.now(UTC).isoformat(timespec="seconds")
    made = Approved(sha256, str(path.resolve()), now)
    _write([*(one for one in approved() if one.sha256 != sha256), made])
    return made


def withdraw(what: str) -> tuple[Approved, ...]:
    """Let a file run no more: those that were approved under this path, or whose SHA-256 begins so.

    Raises:
        DiagnosticError: U551, there is none.
    """
    every = approved()
    path = str(Path(what).expanduser().resolve())
    out = tuple(one for one in every if one.path == path or (len(what) >= 6 and one.sha256.startswith(what.lower())))
    if not out:
        raise DiagnosticError(
            Diagnostic("U551", facts={"what": what}, help="snnctl trust --list shows what is approved")
        )
    _write([one for one in every if one not in out])
    return out


def _write(every: list[Approved]) -> None:
    path = store()
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"schema": 1, "plugins": [vars(one) for one in every]})


def read(path: Path) -> bytes:
    """The content of a plug-in file.

    Raises:
        DiagnosticError: R121.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DiagnosticError(Diagnostic("R121", f"plug-in `{path}` cannot be read: {error.strerror}")) from None


@contextmanager
def trusting(ask: Ask | None = None, *, every: bool = False) -> Iterator[None]:
    """Within the block, ask for files that are not approved, or let all of them run."""
    asked, all_ = _ask.set(ask), _all.set(every)
    try:
        yield
    finally:
        _ask.reset(asked)
        _all.reset(all_)


def trusts_all() -> bool:
    """Whether every file may run now."""
    return _all.get() or os.environ.get(_VARIABLE, "") == "1"


def refuse_unapproved(path: Path, content: bytes) -> None:
    """Nothing where `content` may run, or its user says now that it may.

    Raises:
        DiagnosticError: R127, it may not.
    """
    if trusts_all():
        return
    sha256 = hashlib.sha256(content).hexdigest()
    if any(one.sha256 == sha256 for one in approved()):
        return
    ask = _ask.get()
    if ask is not None and ask(path, content):
        approve(path, content)
        return
    help = f"read it, then `snnctl trust {path}`; or --trust-plugins for this call alone"
    raise DiagnosticError(Diagnostic("R127", facts=_facts(path, sha256), help=help))


def _facts(path: Path, sha256: str) -> dict[str, Any]:
    before = next((one for one in approved() if one.path == str(path)), None)
    changed = f"; another content of it was approved on {before.when[:10]}" if before is not None else ""
    return {"path": path, "sha256": sha256[:12], "changed": changed}
