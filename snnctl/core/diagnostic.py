"""Diagnostics: every failure a user can meet, as one value that is rendered elsewhere. `codes.toml` lists the codes."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, replace
from enum import IntEnum
from typing import Any, Literal

from snnctl.core.codes import message_of

Severity = Literal["error", "warning"]

_LONGEST_MESSAGE = 400


class ExitCode(IntEnum):
    """Exit codes of every command; a public interface."""

    DONE = 0
    CHECK_FAILED = 1
    USAGE = 2
    DATA = 3
    TRAINING = 4
    INTERNAL = 70
    INTERRUPTED = 75


@dataclass(frozen=True)
class Diagnostic:
    """One failure or warning.

    Args:
        code: stable identifier ("R201").
        message: one terse sentence that stands alone; "" takes the text of the code, with `facts` filled in.
        severity: "error" or "warning".
        path: the recipe key concerned ("model.neuron.tau"), or "".
        file, line, column: where it stands; line and column count from 1, 0 = unknown.
        length: how many characters to underline.
        override: the `--set` that brought the value, in place of a file position.
        label: what to write under the underlined text.
        help: what to do next.
        notes: further facts, one sentence each.
        facts: what the text of the code names in braces.
    """

    code: str
    message: str = ""
    severity: Severity = "error"
    path: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    length: int = 1
    override: str = ""
    label: str = ""
    help: str = ""
    notes: tuple[str, ...] = ()
    facts: InitVar[Mapping[str, object] | None] = None

    def __post_init__(self, facts: Mapping[str, object] | None) -> None:
        if not self.message:
            object.__setattr__(self, "message", message_of(self.code, facts or {}))
        # Messages quote what stands in files, which may hold escape sequences or megabytes.
        object.__setattr__(self, "message", printable(self.message, _LONGEST_MESSAGE))
        object.__setattr__(self, "override", printable(self.override, _LONGEST_MESSAGE))

    def to_json(self) -> dict[str, Any]:
        """The public form: `{code, severity, message, file, line, column, path, help}` and what else is set."""
        document: dict[str, Any] = {"code": self.code, "severity": self.severity, "message": self.message}
        document |= {name: getattr(self, name) or None for name in ("file", "line", "column", "path", "help")}
        if self.override:
            document["override"] = self.override
        if self.notes:
            document["notes"] = list(self.notes)
        return document

    def to_line(self) -> str:
        """One plain line, for logs and for terminals without colour."""
        where = self.place()
        more = [*(f"note: {note}" for note in self.notes), *([f"help: {self.help}"] if self.help else [])]
        head = f"{where}: " if where else ""
        return "; ".join([f"{head}{self.severity}[{self.code}]: {self.message}", *more])

    def place(self) -> str:
        """`file:line:column` as far as it is known, or the override, or ""."""
        if self.override:
            return self.override
        if not self.file:
            return ""
        position = [str(number) for number in (self.line, self.column) if number]
        return ":".join([self.file, *position])

    def at(self, file: str) -> Diagnostic:
        """The same diagnostic, located in `file` if it had no file."""
        return self if self.file or self.override else replace(self, file=file)


class DiagnosticError(Exception):
    """Carries diagnostics up to the command line, which renders them and exits.

    Args:
        diagnostics: what went wrong.
        code: the exit code; else that which the first error stands for.
    """

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic], code: ExitCode | None = None) -> None:
        found = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        super().__init__("\n".join(d.to_line() for d in found))
        self.diagnostics: tuple[Diagnostic, ...] = found
        self.exit_code = exit_code_of(found) if code is None else code


_FAMILIES = {"R": ExitCode.USAGE, "U": ExitCode.USAGE, "D": ExitCode.DATA, "E": ExitCode.TRAINING}
# A checkpoint is data that a command reads: damaged, unfit or of another run, nothing was trained that failed.
_CHECKPOINTS = ("E410", "E411", "E413")


def exit_code_of(diagnostics: Sequence[Diagnostic]) -> ExitCode:
    """0 when there is no error; recipe errors win over those of data and checkpoints, those over run errors."""
    errors = [d.code for d in diagnostics if d.severity == "error"]
    if not errors:
        return ExitCode.DONE
    found = {ExitCode.DATA if code in _CHECKPOINTS else _FAMILIES.get(code[0], ExitCode.INTERNAL) for code in errors}
    return next((code for code in _FAMILIES.values() if code in found), ExitCode.INTERNAL)


def warnings_of(data: object) -> tuple[Diagnostic, ...]:
    """What data says it found odd, see `snnctl.data.base.Probe`; that of a plug-in may have no word for it."""
    found = getattr(data, "warnings", ())
    return tuple(one for one in found if isinstance(one, Diagnostic)) if isinstance(found, Sequence) else ()


def said_of_data(results: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the data of these runs found odd, each thing once; runs that were made before it was noted say nothing."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for one in (warning for run in results for warning in run.get("data_warnings", ())):
        found.setdefault((one["code"], one["path"], one["message"]), one)
    return list(found.values())


def as_warnings(diagnostics: Sequence[Diagnostic]) -> None:
    """Python's own warnings, where nobody else is told."""
    for one in diagnostics:
        warnings.warn(one.to_line(), stacklevel=3)


def printable(text: str, longest: int) -> str:
    """`text` with control characters escaped, cut to `longest` characters."""
    cut = text if len(text) <= longest else f"{text[: longest - 3]}..."
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def nearest(word: str, known: Iterable[str]) -> str:
    """The most similar of `known`, whatever the case, or ""."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), list(names), n=len(names) or 1, cutoff=0.6)
    if not near:
        return ""
    score = {name: difflib.SequenceMatcher(None, name, word.lower()).ratio() for name in near}
    return names[max(names, key=lambda name: score.get(name, 0.0))]  # the first of equals


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`"did you mean `tau`?"` for the nearest of `known`, or ""."""
    near = nearest(word, known)
    return f"did you mean `{near}`?" if near else ""


def choices(word: str, known: Iterable[str]) -> str:
    """A help text: the nearest name, then all names."""
    names = list(known)
    parts = [did_you_mean(word, names), f"allowed: {', '.join(names)}" if names else ""]
    return "  ".join(part for part in parts if part)
