"""Trainings of a backtest: one after the other, each kept in its folder, so that the same command goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from snnctl.backtest.refits import Refit
from snnctl.commands.listener import Listener
from snnctl.commands.train import How, train_one
from snnctl.core.choices import Device
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.run_events import EpochDone, Event, Observer, RunStarted, StepDone
from snnctl.engine.run_dir import RunDir
from snnctl.recipe import Recipe, load_recipe
from snnctl.report.saving import Tell


def train_all(
    source: Path,
    sets: Sequence[str],
    unsets: Sequence[str],
    wanted: Sequence[Refit],
    until: Sequence[str],
    folder: Path,
    fingerprint: str,
    device: Device,
    listener: Listener,
    *,
    allow_plugins: bool,
) -> list[Path] | int:
    """Train what is not trained yet.

    Args:
        source: the recipe; `sets` and `unsets` change it for all.
        until: the last stamp that each may see, in words.
        folder: of their folders.
        fingerprint: of the data.

    Returns:
        The runs; or how many are done, where one was interrupted.

    Raises:
        DiagnosticError: U405 there lies a run of another recipe, D401 one that was trained on other data; as
            `snnctl.engine.train.train_run`.
    """
    recipes = [load_recipe(source, [*sets, *one.sets], unsets, allow_plugins=allow_plugins) for one in wanted]
    places = [folder / one.name for one in wanted]
    for place, recipe in zip(places, recipes, strict=True):
        _refuse_stale(place, recipe, fingerprint)  # before hours are spent on those before it
    how = How(runs=folder, continue_=True, device=device)
    with listener.work() as tell:
        quiet = _Told(listener, tell, len(wanted))
        for number, (place, recipe) in enumerate(zip(places, recipes, strict=True)):
            quiet.begin(number, until[number])
            found = train_one(recipe, place, replace(how, out=place), quiet)
            if found["status"] == "interrupted":
                return number
            quiet.end()
    return places


def _refuse_stale(place: Path, recipe: Recipe, fingerprint: str) -> None:
    run = RunDir(place)
    if not run.begun:
        return
    manifest = run.manifest()
    help = "name another --out, or remove that folder"
    if manifest.get("digest") != recipe.digest():
        raise DiagnosticError(Diagnostic("U405", facts={"path": place}, help=help))
    if manifest.get("data_fingerprint") != fingerprint:
        raise DiagnosticError(Diagnostic("D401", path="data", help=help))


class _Told(Listener):
    """Tells of all trainings together: which one, how far, and how long all of them still take."""

    def __init__(self, listener: Listener, tell: Tell, count: int) -> None:
        self._listener, self._tell, self._count = listener, tell, count
        self._number, self._until = 0, ""
        self._warned: set[tuple[str, str]] = set()
        self._seconds: list[float] = []  # of trainings that ran
        self._begun = 0.0

    @property
    def call(self) -> str:
        return self._listener.call

    def warn(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Each once: all trainings are on the same data."""
        new = [one for one in diagnostics if (one.code, one.path) not in self._warned]
        self._warned |= {(one.code, one.path) for one in new}
        if new:
            self._listener.warn(new)

    def training(self, log_every: int) -> Observer:
        return self

    def begin(self, number: int, until: str) -> None:
        """The training of that number begins."""
        self._number, self._until, self._begun = number, until, time.perf_counter()
        self._say(0.0, None)

    def end(self) -> None:
        """It is done; one that lay there already tells nothing of how long one takes."""
        spent = time.perf_counter() - self._begun
        if spent > 0.5:
            self._seconds.append(spent)

    def notify(self, event: Event) -> None:
        """Of one training."""
        match event:
            case RunStarted():
                self._epochs, self._steps = event.epochs, event.steps_per_epoch
            case StepDone():
                done = (event.epoch * self._steps + event.step % self._steps) / max(1, self._epochs * self._steps)
                self._say(min(done, 1.0), event.seconds_left)
            case EpochDone():
                self._say((event.epoch + 1) / event.epochs, event.seconds_left)

    def _say(self, done: float, left: float | None) -> None:
        each = sum(self._seconds) / len(self._seconds) if self._seconds else None
        if each is None and left is not None and 0 < done < 1:
            each = left / (1 - done)
        behind = self._count - self._number - 1
        if each is not None:
            left = (each * (1 - done) if left is None else left) + each * behind
        words = (
            ""
            if left is None or left != left
            else f"; {left / 60:.0f} min left"
            if left > 90
            else f"; {left:.0f} s left"
        )
        text = f"[{self._number + 1}/{self._count}] training on rows up to {self._until.replace(':', '.')}{words}"
        self._tell(text, (self._number + done) / self._count)


def interrupted(out: Path, done: int, of: int) -> dict[str, Any]:
    """What stands for a document where trainings were stopped."""
    return {"status": "interrupted", "out": str(out), "refits_done": done, "refits": of}
