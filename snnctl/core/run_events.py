"""What happens during a run, as values. The engine emits them; observers draw, log or store them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from snnctl.core.diagnostic import Diagnostic


@dataclass(frozen=True)
class RunStarted:
    """A run begins or resumes; `steps_per_epoch` optimiser steps in each of `epochs` epochs."""

    name: str
    directory: str
    epochs: int
    steps_per_epoch: int
    train_items: int
    parameters: int
    start_epoch: int = 0
    device: str = "cpu"
    seed: int = 0


@dataclass(frozen=True)
class StepDone:
    """One optimiser step is done; `loss` is the mean over the epoch so far."""

    epoch: int
    step: int
    loss: float
    items_per_second: float
    mean_rate: float
    seconds_left: float


@dataclass(frozen=True)
class EpochDone:
    """One epoch is trained and validated. Times in seconds."""

    epoch: int
    epochs: int
    step: int
    train_loss: float
    validation: Mapping[str, float]
    watched: str
    best: bool
    lr: float
    mean_rate: float
    items_per_second: float
    seconds: float
    seconds_left: float
    rates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint lies on disk, complete."""

    path: str
    epoch: int
    step: int


@dataclass(frozen=True)
class HealthNoted:
    """A layer looks ill (silent, saturated, no gradient); the diagnostic says what to try."""

    epoch: int
    diagnostic: Diagnostic


@dataclass(frozen=True)
class RunFinished:
    """The run has ended: "done", "early_stop" or "interrupted"."""

    status: str
    epochs_done: int
    seconds: float


Event = RunStarted | StepDone | EpochDone | CheckpointSaved | HealthNoted | RunFinished


class Observer(Protocol):
    """Anything that wants to know what happens in a run."""

    def notify(self, event: Event) -> None:
        """Take note of `event`; must not change the run."""


class Observers:
    """Passes each event on to several observers, in order."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = tuple(observers)

    def notify(self, event: Event) -> None:
        for observer in self._observers:
            observer.notify(event)
