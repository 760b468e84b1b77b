"""A conversion from end to end: refuse, calibrate, build, correct, measure, write a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from snnctl.build import build
from snnctl.convert.calibrate import correct_biases, tops
from snnctl.convert.measure import Cell, LayerError, answers, batches, layer_errors, measured
from snnctl.convert.spiking import Wanted, spiking_recipe, transfer
from snnctl.convert.support import refuse_unsupported
from snnctl.core.choices import Calibration, Offset, SplitName
from snnctl.energy.estimate import estimate
from snnctl.energy.price.bill import Options
from snnctl.energy.price.table import load_table
from snnctl.engine.checkpoint import save_weights
from snnctl.engine.environment import environment
from snnctl.engine.experiment import Experiment, Network
from snnctl.engine.run_dir import RunDir
from snnctl.engine.runtime import Runtime
from snnctl.engine.train import measure_run
from snnctl.finished import FinishedRun
from snnctl.recipe import Recipe
from snnctl.report.saving import Tell


@dataclass(frozen=True)
class Settings:
    """How thresholds are found and what is measured."""

    method: Calibration = "mse"  # see `snnctl.convert.calibrate.tops`
    percentile: float = 99.9  # for the method of that name
    samples: int = 512  # of the training split, to calibrate on
    offset: Offset = "bias"  # bias corrects biases, see `correct_biases`
    energy_samples: int = 0  # to estimate the energy of each cell on; 0 leaves it out
    costs: str | None = None  # tables of costs, separated by commas; None takes the recipe's


@dataclass(frozen=True)
class Converted:
    """What a conversion found."""

    run: RunDir  # the new run's folder
    name: str  # of the non-spiking network
    metric: str  # the task's headline
    split: SplitName  # everything was measured on
    source: dict[str, float]  # metrics of the non-spiking network
    chosen: Wanted  # bits and steps of the run
    cells: tuple[Cell, ...]  # every number of bits and steps that was asked for, the run's own first
    layers: tuple[LayerError, ...]  # of the run's own, on what it was calibrated on, which is of train
    layers_on_split: tuple[LayerError, ...]  # the same on the whole split
    calibrated_on: int  # samples of train
    corrected: dict[str, float]  # mean change of each layer's bias
    # whether the non-spiking network's activations were in steps, and in how many; None = rectifiers
    quantised: int | None


def convert(
    trained: FinishedRun,
    chosen: Wanted,
    more: Sequence[Wanted],
    settings: Settings,
    *,
    parent: Path,
    out: Path | None = None,
    split: SplitName = "test",
    tell: Tell = lambda *_: None,
    finish: Callable[[Converted, Path], None] = lambda *_: None,
) -> Converted:
    """Convert the weights of `trained` and write the spiking network as a run, which is there whole or not at all.

    Args:
        chosen: bits and steps of the run that is written.
        more: further ones for the table.
        parent, out: where the run goes, as for training.
        split: what is measured on.
        finish: puts what else belongs to the run into the folder that it is given, before that gets its name.

    Raises:
        DiagnosticError: U490 before any work; E491 as `tops`; E410, E411 as `load_weights`; U412 as `RunDir.create`.
    """
    recipe, experiment = trained.recipe, trained.experiment
    runtime = Runtime.of(recipe.train)
    refuse_unsupported(recipe, experiment.network)
    trained.load()
    source = experiment.network.eval()
    tell("the non-spiking network", 0.05)
    reference = measured(source, experiment, split, runtime).metrics
    given = answers(source, experiment, split)
    everything = [chosen, *(wanted for wanted in more if wanted != chosen)]
    cells, corrected = [], {}
    layers: tuple[LayerError, ...] = ()
    on_split: tuple[LayerError, ...] = ()
    first: tuple[Recipe, Experiment] | None = None
    for number, wanted in enumerate(everything):
        tell(f"{wanted.bits} bits, {wanted.steps} steps", 0.1 + 0.85 * number / len(everything))
        made = spiking_recipe(recipe, wanted)
        spiking = build(made)
        found, changed = _spiking_network(experiment, spiking, wanted, settings)
        cells.append(_cell(spiking, made, wanted, given, split, settings, runtime))
        if number == 0:
            first, corrected = (made, spiking), changed
            calibration = batches(experiment, "train", settings.samples)
            layers = tuple(layer_errors(source, spiking.network, found, experiment, calibration))
            reported = batches(experiment, split, None)
            on_split = tuple(layer_errors(source, spiking.network, found, experiment, reported))
    assert first is not None
    made, spiking = first
    final = out or RunDir.unused(parent, spiking.name, made.digest())
    converted = Converted(
        run=RunDir(final),
        name=recipe.name,
        metric=experiment.task.headline,
        split=split,
        source=reference,
        chosen=chosen,
        cells=tuple(cells),
        layers=layers,
        layers_on_split=on_split,
        calibrated_on=min(settings.samples, len(experiment.data.split("train"))),
        corrected=corrected,
        quantised=recipe.values["model"].get("levels"),
    )

    def fill(run: RunDir) -> None:
        _write(made, spiking, trained, settings, run)
        results = measure_run(spiking, run, runtime, split=split, baselines=False)
        twin = {f"{split}/{name}": value for name, value in reference.items()}
        done = {"run": str(final), "status": "done", "converted_from": str(trained.folder.path), "twin": twin}
        run.write_results({**results, **done})
        run.update_manifest(status="done", metrics=results["metrics"])
        finish(converted, run.path)

    RunDir.create(parent, spiking.name, made.digest(), fill, final)
    return converted


def _spiking_network(
    experiment: Experiment, spiking: Experiment, wanted: Wanted, settings: Settings
) -> tuple[dict[str, float], dict[str, float]]:
    """Fill `spiking` with weights and thresholds; the tops and what biases were changed by."""
    source, target = experiment.network, spiking.network.eval()
    calibration = partial(batches, experiment, "train", settings.samples)

    def forward(network: Network, batch: Any) -> object:
        return experiment.task.predict(network, batch)

    how: Any = {"method": settings.method, "levels": wanted.levels, "percentile": settings.percentile}
    found = tops(source, calibration, partial(forward, source), **how)
    transfer(source, target, found, wanted)
    if settings.offset == "none":
        return found, {}
    return found, correct_biases(source, target, calibration, forward)


def _cell(
    spiking: Experiment,
    recipe: Recipe,
    wanted: Wanted,
    given: torch.Tensor | None,
    split: SplitName,
    settings: Settings,
    runtime: Runtime,
) -> Cell:
    found = measured(spiking.network, spiking, split, runtime)
    own = answers(spiking.network, spiking, split)
    different = None if own is None or given is None else int((own != given).sum())
    costs: dict[str, float] = {}
    if settings.energy_samples:
        tables = [load_table(name.strip()) for name in (settings.costs or recipe.energy.costs).split(",")]
        options, samples = Options(recipe.energy.rule), settings.energy_samples
        priced = estimate(spiking, recipe, tables, options, split=split, samples=samples)
        costs = {one.bill.table.name: one.joules for one in priced.tables}
    return Cell(wanted.bits, wanted.steps, found.metrics, different, found.totals.mean_rate, costs)


def _write(recipe: Recipe, spiking: Experiment, trained: FinishedRun, settings: Settings, run: RunDir) -> None:
    """The converted network as a run like any other: recipe, weights, manifest."""
    origin = {"from": str(trained.folder.path), "identity": trained.experiment.identity.digest}
    run.write_head(recipe.to_yaml(), recipe.to_yaml(), environment())
    for folder in (run.last, run.best):
        save_weights(folder, spiking.network, {"epoch": 0, "step": 0}, spiking.identity.digest)
    run.update_manifest(
        name=spiking.name,
        status="running",
        seed=spiking.train.seed,
        data_fingerprint=spiking.data.fingerprint,
        leaks=list(spiking.data.leaks),
        digest=recipe.digest(),
        identity=spiking.identity.to_json(),
        plugins=[{"path": path, "sha256": sha256} for path, sha256 in recipe.plugin_files],
        converted={**origin, "method": settings.method, "offset": settings.offset},
    )
