"""Data diagnostics: problems of a file, of what stands in it, and of a recipe that does not fit it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from snnctl.core.diagnostic import Diagnostic, DiagnosticError


def data_error(
    code: str,
    message: str = "",
    *,
    file: Path | str = "",
    line: int = 0,
    path: str = "data.source",
    help: str = "",
    notes: tuple[str, ...] = (),
    facts: Mapping[str, object] | None = None,
) -> DiagnosticError:
    """One data problem as an exception, located in the data file and at the recipe key that names it."""
    return DiagnosticError(
        Diagnostic(code, message, file=str(file), line=line, path=path, help=help, notes=notes, facts=facts)
    )


def data_warning(
    code: str, message: str, *, file: Path | str = "", path: str = "data.source", help: str = ""
) -> Diagnostic:
    """What was found odd in data that is read all the same, for `Probe.warnings`."""
    return Diagnostic(code, message, severity="warning", file=str(file), path=path, help=help)


def unreadable(path: Path, kind: str, error: BaseException, key: str = "data.source") -> DiagnosticError:
    """D104 for a file that a library could not read as `kind`: with the first line of what it says."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return data_error("D104", f"cannot be read{' as ' * bool(kind)}{kind}: {text}", file=path, path=key)
