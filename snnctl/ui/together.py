"""Runs that train at the same time: a bar for each on a terminal, a line for each that ends elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import TaskID

from snnctl.ui.console import progress, write_line
from snnctl.ui.words import duration, figure

if TYPE_CHECKING:
    from snnctl.sweep.jobs import Ended, Job


class Clock:
    """How long all of it will take, by the share of each run that is done.

    Args:
        at_once: runs at the same time.
        now: seconds.
    """

    def __init__(self, at_once: int, now: Callable[[], float] = time.monotonic) -> None:
        self._at_once, self._now = at_once, now
        self._begun: dict[Path, tuple[float, float]] = {}
        self._whole: list[float] = []

    def begin(self, run: Path, done: float) -> None:
        """A run trains; a share of it may have been done before."""
        self._begun.setdefault(run, (self._now(), done))

    def end(self, run: Path, *, whole: bool) -> None:
        """A run has ended; how long it took counts if it went through."""
        begun, before = self._begun.pop(run, (self._now(), 0.0))
        if whole and before < 1.0:
            self._whole.append((self._now() - begun) / (1.0 - before))

    def left(self, done: Mapping[Path, float], waiting: int) -> float | None:
        """Seconds, or None before there is an epoch to go by; `done` are shares of the runs that train.

        Each run goes on at the mean pace of all: those of a single run are few, and a first epoch compiles.
        """
        spent = {run: (self._now() - begun, done.get(run, 0.0) - first) for run, (begun, first) in self._begun.items()}
        whole = [seconds / share for seconds, share in spent.values() if share > 0] + self._whole
        if not whole:
            return None
        mean = sum(whole) / len(whole)
        here = [mean * (1.0 - done.get(run, 0.0)) for run in spent]
        return max([*here, (sum(here) + waiting * mean) / self._at_once, 0.0])


class LiveRuns:
    """A bar for each run that trains, with its validation metric; above them a line for each that is done."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console, self._clock = console, clock
        self._bars: dict[Path, TaskID] = {}
        self._progress = progress(console, *(f"{{task.fields[{name}]}}" for name in ("count", "score", "left")))
        self._all = self._progress.add_task("all", total=1.0, count="", score="", left="")
        self._progress.start()
        self._ended = 0

    def look(self, running: Sequence[Job], waiting: int) -> None:
        """Draw where each is."""
        done = {}
        for job in running:
            epochs, value = job.progress()
            done[job.out] = epochs / job.epochs
            self._clock.begin(job.out, done[job.out])
            shown: dict[str, Any] = {
                "score": "" if value is None else f"{job.watched} {value:.4g}",
                "count": f"epoch {epochs}/{job.epochs}",
            }
            if job.out not in self._bars:
                self._bars[job.out] = self._progress.add_task(escape(job.label), total=1.0, left="", **shown)
            self._progress.update(self._bars[job.out], completed=done[job.out], **shown)
        left, of = self._clock.left(done, waiting), self._ended + len(running) + waiting
        self._progress.update(
            self._all,
            total=of,
            completed=self._ended + sum(done.values()),
            count=f"{self._ended} of {of} done",
            left="" if left is None else f"[key]left[/] {duration(left)}",
        )

    def ended(self, found: Ended) -> None:
        """A line, and its bar goes."""
        self._clock.end(found.job.out, whole=found.state == "done")
        self._ended += 1
        if found.job.out in self._bars:
            self._progress.remove_task(self._bars.pop(found.job.out))
        self._console.print(escape(f"{found.job.label}  {_state(found)}"), soft_wrap=True)

    def close(self) -> None:
        """Take the bars away."""
        self._progress.stop()


class PlainRuns:
    """One line on stderr for each run that has ended, with the time that is left."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._done: dict[Path, float] = {}
        self._waiting = 0
        self._forecast_told = False

    def look(self, running: Sequence[Job], waiting: int) -> None:
        """Say how long it will take, once that is known."""
        self._waiting = waiting
        self._done = {job.out: job.progress()[0] / job.epochs for job in running}
        for run, done in self._done.items():
            self._clock.begin(run, done)
        left = self._clock.left(self._done, waiting)
        if not self._forecast_told and left is not None:
            self._forecast_told = True
            write_line(f"about {duration(left)} to go")

    def ended(self, found: Ended) -> None:
        """A line."""
        self._clock.end(found.job.out, whole=found.state == "done")
        self._done.pop(found.job.out, None)
        left = self._clock.left(self._done, self._waiting)
        more = f"  left {duration(left)}" if left else ""
        write_line(f"{found.job.label}  {_state(found)}{more}")

    def close(self) -> None:
        """Nothing to take away."""


def _state(found: Ended) -> str:
    if found.state == "done":
        return result_line(found.results)
    words = {"interrupted": "interrupted, saved", "stopped": "not begun", "given_up": "given up"}
    return words.get(found.state, "failed")


def result_line(results: Mapping[str, Any]) -> str:
    """`test/accuracy 0.947  29 s`: the first metric that is not the loss."""
    scores = {name: value for name, value in results["metrics"].items() if not name.endswith("/loss")}
    return "".join(f"{name} {figure(value)}  " for name, value in list(scores.items())[:1]) + duration(
        results["training_seconds"]
    )
