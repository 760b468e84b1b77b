"""Whom a command tells what goes on: warnings, training, long work. By default nobody but Python's own warnings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from snnctl.core.diagnostic import Diagnostic, as_warnings

if TYPE_CHECKING:
    from snnctl.bench.suite import Progress
    from snnctl.core.run_events import Observer
    from snnctl.data.cache import Progress as Transfer
    from snnctl.report.saving import Tell
    from snnctl.sweep.jobs import View


class Listener:
    """Told what a command does while it does it; subclasses draw, log or keep it."""

    @property
    def call(self) -> str:
        """How the command was called, for the foot of a page."""
        return "called from Python"

    def warn(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Take note of what does not end the command."""
        as_warnings(diagnostics)

    def training(self, log_every: int) -> Observer | None:
        """Who is told of a run's events, a line per `log_every` epochs where lines are written."""
        return None

    def runs(self, what: str, at_once: int) -> View | None:
        """Who is told of runs that train at the same time.

        Args:
            what: they are, for people: `3 seeds`.
            at_once: how many train at the same time.
        """
        return None

    def work(self) -> AbstractContextManager[Tell]:
        """A callback for long work: what is being done, and which share of all of it is."""
        return nullcontext(lambda text, done: None)

    def transfer(self, name: str) -> AbstractContextManager[Transfer | None]:
        """A callback for bytes on their way: those that are done, and all of them or None."""
        return nullcontext()

    def measuring(self) -> AbstractContextManager[Callable[[Progress], None]]:
        """A callback for measurements of time, which nothing may disturb."""
        return nullcontext(lambda stand: None)


NOBODY = Listener()
