"""Sets that have a name: what is known of each, whatever its kind."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import ClassVar

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.problems import data_error


@dataclass(frozen=True)
class Known:
    """One named set; each kind adds what only its own have.

    Args:
        name: what a recipe writes in `data.source`.
        summary: what it holds.
        licence: as its source states it.
        note: what to mind.
        url: where `snnctl data prep` gets it; "" when it does not come from a plain address.
        brought: what lies where `--from` points.
    """

    asks: ClassVar[str] = "FOLDER"  # what `--from` wants, in messages

    name: str
    summary: str
    _: KW_ONLY
    licence: str = "none stated"
    note: str = ""
    url: str = ""
    brought: str = ""

    def absent(self, message: str, why: str = "") -> DiagnosticError:
        """D101 for a set that is not there; `why` stands behind the command that makes it ready."""
        return data_error("D101", message, help=f"run: {self.command}" + (f"  ({why})" if why else ""))

    @property
    def fetchable(self) -> bool:
        """Whether `snnctl data prep` gets it; else the user must bring it."""
        return bool(self.url)

    @property
    def command(self) -> str:
        """The command that makes it ready."""
        return f"snnctl data prep {self.name}" + ("" if self.fetchable else f" --from {self.asks}")

    def not_genuine(
        self, has: str, wants: str, file: Path | str, *, path: str = "", them: str = "it"
    ) -> DiagnosticError:
        """D107 for files that are not this set: "`has`; a genuine NAME has `wants`"."""
        help = f"to use {them} all the same, give {'its' if them == 'it' else 'their'} path as `data.source`"
        return data_error("D107", f"{has}; a genuine `{self.name}` has {wants}", file=file, path=path, help=help)
