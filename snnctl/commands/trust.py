"""What `snnctl trust` does: approving plug-in files, withdrawing approvals, listing them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.trust import approve, approved, read, withdraw


def trust(files: Sequence[Path | str] = (), remove: Sequence[str] = (), *, every: bool = False) -> dict[str, Any]:
    """Approve files as they are now, and withdraw what was approved.

    Args:
        files: Python files; nothing in them is run.
        remove: paths, or beginnings of SHA-256 of six letters or more.
        every: list all that is approved then; without `files` and `remove` they are listed anyway.

    Returns:
        `approved`, `withdrawn` and `plugins` (all of them), where asked for: lists of `{sha256, path, when}`.

    Raises:
        DiagnosticError: R121 a file cannot be read or is no Python file, U550 the file of approvals is damaged, U551
            what is to be withdrawn was not approved.
    """
    contents = []
    for path in map(Path, files):
        if path.suffix != ".py":
            message = f"plug-in `{path}` is not a Python file"
            raise DiagnosticError(Diagnostic("R121", message, help="name a .py file"))
        contents.append((path, read(path)))
    found: dict[str, Any] = {}
    if remove:
        found["withdrawn"] = [vars(one) for what in remove for one in withdraw(what)]
    if contents:
        found["approved"] = [vars(approve(path, content)) for path, content in contents]
    if every or not found:
        found["plugins"] = [vars(one) for one in approved()]
    return found
