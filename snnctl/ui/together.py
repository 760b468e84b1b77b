"""Seeds that train at the same time: a bar for each on a terminal, a line for each that ends elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from snnctl.ui.words import duration, figure

Look = Callable[[Path], tuple[int, float | None]]  # a run's folder -> epochs that are done, the watched metric


class SeedsView(Protocol):
    """What is told of seeds that train together."""

    def look(self, running: Mapping[int, Path], waiting: int) -> None:
        """Called again and again: folders of the seeds that train now, and how many have not begun."""

    def ended(self, seed: int, out: Path, code: int) -> None:
        """A seed's process has ended."""

    def close(self) -> None:
        """Nothing more is to come."""


class Clock:
    """How long all of it will take, by the epochs that are done.

    Args:
        epochs: of each seed.
        jobs: seeds at once.
        now: seconds.
    """

    def __init__(self, epochs: int, jobs: int, now: Callable[[], float] = time.monotonic) -> None:
        self._epochs, self._jobs, self._now = epochs, jobs, now
        self._begun: dict[int, tuple[float, int]] = {}
        self._whole: list[float] = []

    def begin(self, seed: int, done: int) -> None:
        """A seed trains; some of its epochs may have been done before."""
        self._begun.setdefault(seed, (self._now(), done))

    def end(self, seed: int, *, whole: bool) -> None:
        """A seed has ended; how long it took counts if it went through."""
        begun, before = self._begun.pop(seed, (self._now(), 0))
        if whole and before < self._epochs:
            self._whole.append((self._now() - begun) * self._epochs / (self._epochs - before))

    def left(self, done: Mapping[int, int], waiting: int) -> float | None:
        """Seconds, or None before there is an epoch to go by; `done` are epochs of the seeds that train."""
        spent = {seed: (self._now() - begun, done.get(seed, 0) - first) for seed, (begun, first) in self._begun.items()}
        paces = [seconds / epochs for seconds, epochs in spent.values() if epochs > 0]
        paces += [whole / self._epochs for whole in self._whole]
        if not paces:
            return None
        pace = sum(paces) / len(paces)
        here = [pace * (self._epochs - done.get(seed, 0)) for seed in spent]
        return max([*here, (sum(here) + waiting * pace * self._epochs) / self._jobs, 0.0])


class LiveSeeds:
    """A bar for each seed that trains, with its validation metric; above them a line for each that is done."""

    def __init__(
        self, console: Console, clock: Clock, epochs: int, watched: str, look: Look, result: Callable[[Path], str]
    ) -> None:
        self._console, self._clock, self._epochs, self._watched = console, clock, epochs, watched
        self._look, self._result = look, result
        self._bars: dict[int, TaskID] = {}
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[score]}"),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
        )
        self._all = self._progress.add_task("all seeds", total=epochs, score="", left="")
        self._progress.start()
        self._ended = 0

    def look(self, running: Mapping[int, Path], waiting: int) -> None:
        """Draw where each is."""
        done = {}
        for seed, out in running.items():
            done[seed], value = self._look(out)
            self._clock.begin(seed, done[seed])
            score = "" if value is None else f"{self._watched} {value:.4g}"
            if seed not in self._bars:
                self._bars[seed] = self._progress.add_task(f"seed {seed}", total=self._epochs, score=score, left="")
            self._progress.update(self._bars[seed], completed=done[seed], score=score)
        left = self._clock.left(done, waiting)
        self._progress.update(
            self._all,
            total=(self._ended + len(running) + waiting) * self._epochs,
            completed=self._ended * self._epochs + sum(done.values()),
            left="" if left is None else f"[key]left[/] {duration(left)}",
        )

    def ended(self, seed: int, out: Path, code: int) -> None:
        """A line, and its bar goes."""
        self._clock.end(seed, whole=code == 0)
        self._ended += 1
        if seed in self._bars:
            self._progress.remove_task(self._bars.pop(seed))
        self._console.print(f"seed {seed}  {self._result(out) if code == 0 else _state(code)}", soft_wrap=True)

    def close(self) -> None:
        """Take the bars away."""
        self._progress.stop()


class PlainSeeds:
    """One line on stderr for each seed that has ended, with the time that is left."""

    def __init__(self, clock: Clock, look: Look, result: Callable[[Path], str]) -> None:
        self._clock, self._look, self._result = clock, look, result
        self._done: dict[int, int] = {}
        self._waiting = self._ended = 0
        self._forecast_told = False

    def look(self, running: Mapping[int, Path], waiting: int) -> None:
        """Say how long it will take, once that is known."""
        self._waiting = waiting
        self._done = {seed: self._look(out)[0] for seed, out in running.items()}
        for seed, done in self._done.items():
            self._clock.begin(seed, done)
        left = self._clock.left(self._done, waiting)
        if not self._forecast_told and left is not None:
            self._forecast_told = True
            self._line(f"about {duration(left)} to go")

    def ended(self, seed: int, out: Path, code: int) -> None:
        """A line."""
        self._clock.end(seed, whole=code == 0)
        self._done.pop(seed, None)
        left = self._clock.left(self._done, self._waiting)
        more = f"  left {duration(left)}" if left else ""
        self._line(f"seed {seed}  {self._result(out) if code == 0 else _state(code)}{more}")

    def close(self) -> None:
        """Nothing to take away."""

    def _line(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def _state(code: int) -> str:
    return "interrupted, saved" if code == 75 else "failed"


def result_line(results: Mapping[str, Any] | None) -> str:
    """`test/accuracy 0.947  29 s`: the first metric that is not the loss."""
    if results is None:
        return "done"
    scores = {name: value for name, value in results["metrics"].items() if not name.endswith("/loss")}
    return "".join(f"{name} {figure(value)}  " for name, value in list(scores.items())[:1]) + duration(
        results["training_seconds"]
    )
