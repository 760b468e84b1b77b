"""The one door to a run that lies on disk: its folder, its recipe, the experiment with its weights, changed data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from snnctl.build import build, data_warnings
from snnctl.core.choices import Checkpoint, refuse_other
from snnctl.core.diagnostic import Diagnostic, as_warnings
from snnctl.engine.checkpoint import load_weights, weights_folder
from snnctl.engine.experiment import Experiment
from snnctl.engine.run_dir import RunDir
from snnctl.engine.train import changed_data
from snnctl.recipe import Recipe, load_recipe

Warn = Callable[[Sequence[Diagnostic]], None]


@dataclass(frozen=True)
class FinishedRun:
    """A run on disk. Nothing is built or read before it is asked for.

    Args:
        folder: the run directory.
        recipe: as the run was trained.
        checkpoint: which weights.
        warn: told once, when the experiment is built, what the data found odd, and that it is not the data that the
            run began with.
    """

    folder: RunDir
    recipe: Recipe
    checkpoint: Checkpoint
    warn: Warn

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment with a fresh network; `load` reads the weights.

        Raises:
            DiagnosticError: as `snnctl.build.build`.
        """
        built = build(self.recipe)
        said = data_warnings(self.recipe, built.data)
        if said:
            self.warn(said)
        changed = changed_data(built, self.folder)
        if changed is not None:
            self.warn([replace(changed, severity="warning", help="")])
        return built

    @property
    def weights(self) -> Path:
        """The checkpoint's folder; that of the last weights where none were the best."""
        return weights_folder(self.folder, self.checkpoint)

    def load(self) -> dict[str, Any]:
        """Read the weights into the experiment's network: `{path, epoch, step}` says which they are.

        Raises:
            DiagnosticError: E410, E411 as `snnctl.engine.checkpoint.load_weights`.
        """
        return {"path": self.weights.name, **load_weights(self.weights, self.experiment.network)}


def open_run(
    path: Path | str,
    checkpoint: Checkpoint = "best",
    *,
    sets: Sequence[str] = (),
    unsets: Sequence[str] = (),
    allow_plugins: bool = True,
    warn: Warn = as_warnings,
) -> FinishedRun:
    """The run that lies in `path`.

    Args:
        checkpoint: which weights; the last stand in where none were the best.
        sets, unsets: changes of its recipe, as `--set` and `--unset` take them.
        warn: see `FinishedRun`.

    Raises:
        DiagnosticError: U408, no such checkpoint; U413, it is no run directory; R1xx to R3xx, its recipe is not valid
            (any more).
    """
    refuse_other("checkpoint", checkpoint, get_args(Checkpoint))
    folder = RunDir.open(Path(path))
    recipe = load_recipe(folder.recipe, sets, unsets, allow_plugins=allow_plugins)
    return FinishedRun(folder, recipe, checkpoint, warn)
