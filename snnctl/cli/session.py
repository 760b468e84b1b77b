"""What all subcommands share: the global flags, one way to answer and one way to fail.

stdout carries results, stderr carries people's text; with `--json` stdout carries exactly one JSON document,
on failure too.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from snnctl.commands.listener import Listener
from snnctl.core.diagnostic import Diagnostic, ExitCode
from snnctl.core.files import finite
from snnctl.core.trust import trusting

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console

    from snnctl.bench.suite import Progress
    from snnctl.core.run_events import Observer
    from snnctl.data.cache import Progress as Transfer
    from snnctl.report.saving import Tell
    from snnctl.sweep.jobs import View

SCHEMA = 1
GLOBAL_FLAGS = ("--json", "--quiet", "--debug", "--trust-plugins", "--accept-changes")


@dataclass
class Session(Listener):
    """The global flags of one call; what a command tells is drawn on the terminal, as far as they allow.

    Args:
        json: print one JSON document instead of text.
        quiet: no progress and no tables, only failures.
        debug: show the trace of an internal error.
        trust_plugins: run the plug-in files that recipes and runs name, approved or not.
        accept_changes: go on where data, plug-ins or files of a run are not what made it, and note it there.
        diagnostics: what has been reported so far.
        answered: whether the JSON document has been printed.
        stdout: where it goes.
    """

    json: bool = False
    quiet: bool = False
    debug: bool = False
    trust_plugins: bool = False
    accept_changes: bool = False
    diagnostics: list[Diagnostic] = field(default_factory=list)
    answered: bool = False
    stdout: TextIO = field(default_factory=lambda: sys.stdout)

    @classmethod
    def take(cls, arguments: list[str]) -> Session:
        """Remove the global flags from `arguments`, wherever they stand before a `--`, and note them."""
        end = arguments.index("--") if "--" in arguments else len(arguments)
        found = {flag for flag in GLOBAL_FLAGS if flag in arguments[:end]}
        arguments[:] = [a for i, a in enumerate(arguments) if i >= end or a not in GLOBAL_FLAGS]
        json, quiet, debug, trust, accept = (flag in found for flag in GLOBAL_FLAGS)
        return cls(json, quiet, debug, trust, accept)

    @property
    def console(self) -> Console:
        """Where people's text goes: stderr."""
        from snnctl.ui.console import make_console

        return make_console(stderr=True)

    @property
    def out(self) -> Console:
        """Where results go: stdout."""
        from snnctl.ui.console import make_console

        return make_console(stderr=False)

    @property
    def call(self) -> str:
        """The command line, so that a reader can repeat it."""
        return f"snnctl {shlex.join(sys.argv[1:])}"

    @property
    def shows(self) -> bool:
        """Whether people's text is wanted."""
        return not (self.json or self.quiet)

    @contextmanager
    def trusting(self) -> Iterator[None]:
        """Within the block, plug-ins that nobody has approved yet are asked for, where somebody can be asked."""
        # Whatever stands in for a stream (a notebook's, None without a console) may lack the method.
        asks = self.shows and all(getattr(stream, "isatty", bool)() for stream in (sys.stdin, sys.stderr))
        with trusting(self._approves if asks else None, every=self.trust_plugins):
            yield

    def _approves(self, path: Path, content: bytes) -> bool:
        from snnctl.ui.trust import approves

        return approves(self.console, path, content)

    def warn(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Show warnings at once and keep them for the JSON document."""
        self.diagnostics += diagnostics
        if diagnostics and self.shows:
            self._render(diagnostics)

    def training(self, log_every: int) -> Observer | None:
        """A live view on a terminal, plain lines elsewhere."""
        if not self.shows:
            return None
        from snnctl.ui.training import LiveTraining, PlainTraining

        console = self.console
        return LiveTraining(console) if console.is_terminal else PlainTraining(log_every)

    def runs(self, what: str, at_once: int) -> View | None:
        """A bar for each on a terminal, lines elsewhere."""
        if not self.shows:
            return None
        from snnctl.sweep.jobs import threads_each
        from snnctl.ui.together import Clock, LiveRuns, PlainRuns

        console, clock = self.console, Clock(at_once)
        console.print(f"{what}, {at_once} at a time, threads for each: {threads_each(at_once)}", highlight=False)
        return LiveRuns(console, clock) if console.is_terminal else PlainRuns(clock)

    def work(self) -> AbstractContextManager[Tell]:
        """A bar on a terminal, elsewhere a line per kind of work."""
        from snnctl.ui.report import follow

        return follow(self.console, shown=self.shows)

    def transfer(self, name: str) -> AbstractContextManager[Transfer | None]:
        """A bar on a terminal."""
        from snnctl.ui.report import transfer

        return transfer(self.console, name, shown=self.shows)

    def measuring(self) -> AbstractContextManager[Callable[[Progress], None]]:
        """A bar on a terminal, elsewhere a line per case."""
        from snnctl.ui.bench import follow

        return follow(self.console, shown=self.shows)

    def answer(
        self, document: dict[str, Any], show: Callable[[Console, Any], None], code: ExitCode = ExitCode.DONE
    ) -> int:
        """Print the document in the form asked for; the exit code."""
        if self.json:
            self._print_json(document, code)
        elif not self.quiet:
            show(self.out, document)
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
