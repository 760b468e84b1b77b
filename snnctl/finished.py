"""The one door to a run that lies on disk: its folder, its recipe, the experiment with its weights.

What is opened belongs together: recipe, plug-ins, weights and data are those that the run was made with, or the door
stays shut (`snnctl.engine.belonging`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from snnctl.build import build, data_warnings
from snnctl.core.choices import Checkpoint, refuse_other
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, as_warnings
from snnctl.engine.belonging import (
    Record,
    Warn,
    changed_data,
    changed_plugins,
    changed_recipe,
    foreign,
    recorded,
    settle,
)
from snnctl.engine.checkpoint import WEIGHTS, load_weights, weights_folder, weights_identity
from snnctl.engine.elsewhere import noted
from snnctl.engine.experiment import Experiment
from snnctl.engine.run_dir import RunDir
from snnctl.recipe import Recipe, load_recipe
from snnctl.recipe.source import parse_yaml, read_file


@dataclass(frozen=True)
class FinishedRun:
    """A run on disk. Nothing is built or read before it is asked for.

    Args:
        folder: the run directory.
        recipe: as the run was trained.
        checkpoint: which weights.
        warn: told once, when the experiment is built, what the data found odd, and what has changed where that is
            accepted.
        record: what the run says of what made it.
    """

    folder: RunDir
    recipe: Recipe
    checkpoint: Checkpoint
    warn: Warn
    record: Record

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment with a fresh network; `load` reads the weights.

        Raises:
            DiagnosticError: as `snnctl.build.build`; D401, the data is not the data that the run was made with.
        """
        built = build(self.recipe)
        said = data_warnings(self.recipe, built.data)
        if said:
            self.warn(said)
        built.start = self.record.start
        settle(self.folder, changed_data(self.record, built.identity.data), self.warn)
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
    training: bool = False,
) -> FinishedRun:
    """The run that lies in `path`.

    Args:
        checkpoint: which weights; the last stand in where none were the best.
        sets, unsets: changes of its recipe, as `--set` and `--unset` take them.
        warn: see `FinishedRun`; told here of other versions or another machine than those that made the run.
        training: it is opened to go on with: that looks at the weights itself.

    Raises:
        DiagnosticError: U408, no such checkpoint; U413, it is no run directory; R1xx to R3xx, its recipe is not valid
            (any more); U423, U424, E413, its plug-ins, its recipe or its weights are not those that made it.
    """
    refuse_other("checkpoint", checkpoint, get_args(Checkpoint))
    folder = RunDir.open(Path(path))
    record = recorded(folder)
    values = parse_yaml(read_file(folder.recipe), str(folder.recipe)).values
    # Before a plug-in is loaded: one that was changed must not run, nor fail in words about the recipe.
    changed = [*changed_plugins(record, _plugin_files(folder, values)), *changed_recipe(record, folder, values)]
    if not training:
        changed += _foreign_weights(weights_folder(folder, checkpoint), record)
    bundled = bool(folder.manifest().get("bundle"))  # its own digests were checked; they bind its members together
    settle(folder, [] if bundled else changed, warn)
    recipe = load_recipe(folder.recipe, sets, unsets, allow_plugins=allow_plugins)
    said = [] if bundled else noted(folder, record, training=training)
    if said:
        warn(said)
    return FinishedRun(folder, recipe, checkpoint, warn, record)


def _plugin_files(folder: RunDir, values: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    """Path and SHA-256 hex of each plug-in file that a run's recipe names; None where they cannot be read."""
    listed = values.get("plugins", [])
    try:
        paths = [folder.path / Path(text).expanduser() for text in listed]
        return [(str(path), hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]
    except (OSError, TypeError, ValueError, RuntimeError):
        return None  # reading the recipe says what is wrong with them


def _foreign_weights(checkpoint: Path, record: Record) -> list[Diagnostic]:
    try:
        return foreign(record, checkpoint / WEIGHTS, weights_identity(checkpoint / WEIGHTS))
    except DiagnosticError:
        return []  # missing or damaged: whoever loads them says so
