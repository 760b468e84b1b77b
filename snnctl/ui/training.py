"""A run as it happens: a live view on a terminal, one plain line per epoch elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from snnctl.core.run_events import EpochDone, Event, HealthNoted, RunFinished, RunStarted, StepDone
from snnctl.ui.diagnostics import render
from snnctl.ui.words import duration, figure, rate

_STEPS_BEFORE_FORECAST = 3  # the first step is slower than the rest


class LiveTraining:
    """Bar with loss, validation metric, samples/s, firing rate and time left; one line per epoch above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._bar: TaskID | None = None
        self._per_epoch = 1
        self._told: set[tuple[str, str]] = set()

    def notify(self, event: Event) -> None:
        """Draw `event`."""
        match event:
            case RunStarted():
                self._start(event)
            case StepDone():
                self._step(event)
            case EpochDone():
                self._epoch(event)
            case HealthNoted():
                key = (event.diagnostic.code, event.diagnostic.path)
                if key not in self._told:
                    self._told.add(key)
                    render(self._console, [event.diagnostic])
            case RunFinished():
                self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _start(self, event: RunStarted) -> None:
        self._per_epoch = event.steps_per_epoch
        self._console.print(header(event))
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("[key]loss[/] {task.fields[loss]}"),
            TextColumn("[key]samples/s[/] {task.fields[speed]}"),
            TextColumn("[spike]rate[/] {task.fields[rate]}"),
            TextColumn("[key]left[/] {task.fields[left]}"),
            console=self._console,
            transient=True,
        )
        self._bar = self._progress.add_task(
            f"epoch {event.start_epoch + 1}/{event.epochs}",
            total=event.epochs * event.steps_per_epoch,
            completed=event.start_epoch * event.steps_per_epoch,
            loss="-",
            speed="-",
            rate="-",
            left="-",
        )
        self._progress.start()

    def _step(self, event: StepDone) -> None:
        if self._progress is None or self._bar is None:
            return
        self._progress.update(
            self._bar,
            completed=event.epoch * self._per_epoch + event.step,
            loss=f"{event.loss:.4g}",
            speed=rate(event.items_per_second),
            rate=figure(event.mean_rate, 3),
            left=duration(event.seconds_left),
        )

    def _epoch(self, event: EpochDone) -> None:
        self._console.print(epoch_text(event))
        if self._progress is not None and self._bar is not None:
            self._progress.update(
                self._bar,
                description=f"epoch {min(event.epoch + 2, event.epochs)}/{event.epochs}",
                completed=(event.epoch + 1) * self._per_epoch,
            )


class PlainTraining:
    """One line per `every` epochs on stderr, with rate and time left."""

    def __init__(self, every: int = 1) -> None:
        self._every = every
        self._forecast_told = False
        self._told: set[tuple[str, str]] = set()

    def notify(self, event: Event) -> None:
        """Write a line for `event`, if it is worth one."""
        match event:
            case RunStarted():
                self._line(header(event).plain)
            case StepDone() if not self._forecast_told and event.step >= _STEPS_BEFORE_FORECAST:
                self._forecast_told = True
                self._line(f"about {duration(event.seconds_left)} to go")
            case EpochDone() if (event.epoch + 1) % self._every == 0 or event.epoch + 1 == event.epochs:
                self._line(epoch_text(event).plain)
            case HealthNoted():
                key = (event.diagnostic.code, event.diagnostic.path)
                if key not in self._told:
                    self._told.add(key)
                    self._line(event.diagnostic.to_line())
            case RunFinished():
                self._line(f"{event.status} after {event.epochs_done} epochs, {duration(event.seconds)}")

    def _line(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def header(event: RunStarted) -> Text:
    """What is trained, on how much, where it goes."""
    text = Text()
    text.append(event.name, "bold")
    text.append(f"  seed {event.seed}  {event.parameters:,} parameters  {event.train_items:,} training items  ")
    text.append(f"{event.epochs} epochs x {event.steps_per_epoch} steps  {event.device}\n", "")
    text.append(f"{event.directory}", "dim")
    return text


def epoch_text(event: EpochDone) -> Text:
    """One epoch as one line."""
    text = Text()
    text.append(f"epoch {event.epoch + 1:>{len(str(event.epochs))}}/{event.epochs}", "bold")
    text.append(f"  train loss {event.train_loss:.4g}")
    for name, value in _shown(event.validation, event.watched).items():
        text.append(f"  {name} {value:.4g}", "good" if event.best and name == event.watched else "")
    text.append(" *" if event.best else "  ", "good")
    text.append(f"  {rate(event.items_per_second)} samples/s")
    text.append(f"  rate {figure(event.mean_rate, 3)}", "spike")
    text.append(f"  left {duration(event.seconds_left)}", "dim")
    return text


def _shown(validation: Mapping[str, float], watched: str) -> dict[str, float]:
    """The watched metric first, then two more."""
    names = [watched, *[name for name in validation if name not in (watched, "val/loss")][:2]]
    return {name: validation[name] for name in dict.fromkeys(names)}
