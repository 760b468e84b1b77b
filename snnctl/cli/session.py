"""What all subcommands share: the global flags, one way to answer and one way to fail.

stdout carries results, stderr carries people's text; with `--json` stdout carries exactly one JSON document,
on failure too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from snnctl.core.diagnostic import Diagnostic, ExitCode
from snnctl.core.documents import finite

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = 1
GLOBAL_FLAGS = ("--json", "--quiet", "--debug")


@dataclass
class Session:
    """The global flags of one call.

    Args:
        json: print one JSON document instead of text.
        quiet: no progress and no tables, only failures.
        debug: show the trace of an internal error.
        diagnostics: what has been reported so far.
        answered: whether the JSON document has been printed.
        stdout: where it goes.
    """

    json: bool = False
    quiet: bool = False
    debug: bool = False
    diagnostics: list[Diagnostic] = field(default_factory=list)
    answered: bool = False
    stdout: TextIO = field(default_factory=lambda: sys.stdout)

    @classmethod
    def take(cls, arguments: list[str]) -> Session:
        """Remove the global flags from `arguments`, wherever they stand before a `--`, and note them."""
        end = arguments.index("--") if "--" in arguments else len(arguments)
        found = {flag for flag in GLOBAL_FLAGS if flag in arguments[:end]}
        arguments[:] = [a for i, a in enumerate(arguments) if i >= end or a not in GLOBAL_FLAGS]
        return cls(json="--json" in found, quiet="--quiet" in found, debug="--debug" in found)

    @property
    def console(self) -> Console:
        """Where people's text goes: stderr."""
        from snnctl.ui.console import stderr_console

        return stderr_console()

    @property
    def out(self) -> Console:
        """Where results go: stdout."""
        from snnctl.ui.console import stdout_console

        return stdout_console()

    def warn(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Show warnings at once and keep them for the JSON document."""
        self.diagnostics += diagnostics
        if diagnostics and not self.json and not self.quiet:
            self._render(diagnostics)

    def answer(
        self,
        document: dict[str, Any],
        show: Callable[[Console], None],
        code: ExitCode = ExitCode.DONE,
    ) -> int:
        """Print the result in the form asked for; the exit code."""
        if self.json:
            self._print_json(document, code)
        elif not self.quiet:
            show(self.out)
        return int(code)

    def fail(self, diagnostics: Sequence[Diagnostic], code: ExitCode) -> int:
        """Show what went wrong; the exit code."""
        self.diagnostics += diagnostics
        if self.json:
            self._print_json({}, code)
        else:
            self._render(diagnostics, code)
        return int(code)

    def _render(self, diagnostics: Sequence[Diagnostic], code: ExitCode | None = None) -> None:
        from snnctl.ui.diagnostics import render

        render(self.console, diagnostics, code)

    def _print_json(self, document: dict[str, Any], code: ExitCode) -> None:
        head = {
            "schema": SCHEMA,
            "ok": code == ExitCode.DONE,
            "exit_code": int(code),
            "diagnostics": [d.to_json() for d in self.diagnostics],
        }
        self.stdout.write(json.dumps(finite({**head, **document})) + "\n")
        self.stdout.flush()
        self.answered = True
