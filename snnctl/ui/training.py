"""A run as it happens: a live view on a terminal, one plain line per epoch elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.text import Text

from snnctl.core.diagnostic import Diagnostic
from snnctl.core.run_events import EpochDone, Event, HealthNoted, RunFinished, RunStarted, StepDone
from snnctl.ui.console import progress, write_line
from snnctl.ui.diagnostics import render
from snnctl.ui.words import duration, figure, rate

_STEPS_BEFORE_FORECAST = 3  # the first step is slower than the rest


class _Training:
    """What is told of a layer's health is told once."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def _is_new(self, said: Diagnostic) -> bool:
        key, before = (said.code, said.path), len(self._told)
        self._told.add(key)
        return len(self._told) > before


class LiveTraining(_Training):
    """Bar with loss, validation metric, samples/s, firing rate and time left; one line per epoch above it."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._progress: Progress | None = None
        self._bar: TaskID | None = None
        self._per_epoch = 1

    def notify(self, event: Event) -> None:
        """Draw `event`."""
        match event:
            case RunStarted():
                self._start(event)
            case StepDone():
                self._step(event)
            case EpochDone():
                self._epoch(event)
            case HealthNoted() if self._is_new(event.diagnostic):
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
        self._progress = progress(
            self._console,
            "{task.percentage:>3.0f}%",
            "[key]loss[/] {task.fields[loss]}",
            "[key]samples/s[/] {task.fields[speed]}",
            "[spike]rate[/] {task.fields[rate]}",
            "[key]left[/] {task.fields[left]}",
        )
        unknown: dict[str, Any] = dict.fromkeys(("loss", "speed", "rate", "left"), "-")
        self._bar = self._progress.add_task(
            f"epoch {event.start_epoch + 1}/{event.epochs}",
            total=event.epochs * event.steps_per_epoch,
            completed=event.start_epoch * event.steps_per_epoch,
            **unknown,
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


class PlainTraining(_Training):
    """One line per `every` epochs on stderr, with rate and time left."""

    def __init__(self, every: int = 1) -> None:
        super().__init__()
        self._every = every
        self._forecast_told = False

    def notify(self, event: Event) -> None:
        """Write a line for `event`, if it is worth one."""
        match event:
            case RunStarted():
                write_line(header(event).plain)
            case StepDone() if not self._forecast_told and event.step >= _STEPS_BEFORE_FORECAST:
                self._forecast_told = True
                write_line(f"about {duration(event.seconds_left)} to go")
            case EpochDone() if (event.epoch + 1) % self._every == 0 or event.epoch + 1 == event.epochs:
                write_line(epoch_text(event).plain)
            case HealthNoted() if self._is_new(event.diagnostic):
                write_line(event.diagnostic.to_line())
            case RunFinished():
                write_line(f"{event.status} after {event.epochs_done} epochs, {duration(event.seconds)}")


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
