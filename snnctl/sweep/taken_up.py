"""Runs that lie where a recipe would be trained: whether they are its own, before they are counted or gone on with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from snnctl.build import load_data
from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.identity import recipe_digest
from snnctl.engine.belonging import (
    Record,
    Warn,
    changed_data,
    changed_plugins,
    changed_start,
    foreign_results,
    recorded,
    settle,
)
from snnctl.engine.elsewhere import noted
from snnctl.engine.run_dir import RunDir
from snnctl.engine.warm_start import start_digest
from snnctl.recipe import Recipe


class TakenUp:
    """Looks at the runs of one command; what they share is read once, and told once.

    Args:
        warn: told what has changed where that is accepted, and of other versions and machines.
    """

    def __init__(self, warn: Warn) -> None:
        self._warn = warn
        self._fingerprints: dict[str, str] = {}
        self._told: set[tuple[str, tuple[str, ...]]] = set()

    def done(self, run: RunDir, recipe: Recipe) -> dict[str, Any] | None:
        """The results of the run that lies there, or None while it is not done.

        Raises:
            DiagnosticError: as `check`.
        """
        results = run.results()
        if results is not None:
            self.check(run, recipe)
        return results

    def check(self, run: RunDir, recipe: Recipe, *, data: bool = True) -> None:
        """Nothing where the run that lies there is the one that the recipe makes.

        Args:
            data: whether to read the data for it: training that goes on looks at it anyway.

        Raises:
            DiagnosticError: U405 another recipe made it, D401 other data, U423 another plug-in, U418 other weights to
                start from; E413, its results are another run's.
        """
        record, results = recorded(run), run.results()
        if not _same_recipe(run, record, recipe):
            help = "name another --out; `snnctl show RUN/recipe.yaml` shows what it was"
            raise DiagnosticError(Diagnostic("U405", facts={"path": run.path}, help=help))
        changed = changed_plugins(record, recipe.plugin_files)
        if recipe.train.init_from is not None:
            changed += changed_start(record, start_digest(Path(recipe.train.init_from)))
        if data and not changed:  # a plug-in may be what reads it
            changed += changed_data(record, self._fingerprint(recipe))
        if results is not None:
            changed += foreign_results(record, run, results)
        settle(run, [_of(run, one) for one in changed], self._warn)
        said = noted(run, record, training=results is None)
        new = [one for one in said if (one.code, one.notes) not in self._told]
        self._told |= {(one.code, one.notes) for one in new}
        if new:
            self._warn(new)

    def _fingerprint(self, recipe: Recipe) -> str:
        key = json.dumps([recipe.values["data"], recipe.train.seed if _drawn(recipe) else None], sort_keys=True)
        if key not in self._fingerprints:
            self._fingerprints[key] = str(load_data(recipe).fingerprint)
        return self._fingerprints[key]


def _same_recipe(run: RunDir, record: Record, recipe: Recipe) -> bool:
    if record.identity is None:
        return bool(run.manifest().get("digest") == recipe.digest())
    return record.identity.recipe == recipe_digest(recipe.values)


def _of(run: RunDir, found: Diagnostic) -> Diagnostic:
    """With the run in its notes: of many it must be known which."""
    return replace(found, notes=(*found.notes, f"the run: {run.path}"))


def _drawn(recipe: Recipe) -> bool:
    """Whether the data may depend on the run's seed: seeds of its own are left open, or it is a plug-in's."""
    data = recipe.values["data"]
    open_ = any(key.endswith("seed") and value is None for key, value in data.items())
    return open_ or REGISTRIES["data"].source(data["type"]) != "snnctl"
