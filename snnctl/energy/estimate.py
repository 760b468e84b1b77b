"""The energy of a trained run: its count on real samples, priced, beside its twins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from snnctl.build import build_network
from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import DiagnosticError
from snnctl.energy.count.counts import CountMean, Counts, Spread, mean
from snnctl.energy.count.dispatch import OperationCounter
from snnctl.energy.judge.neurobench import metrics
from snnctl.energy.judge.thresholds import Verdict, active_share, firing_rate, spikes_per_synapse, verdicts
from snnctl.energy.price.bill import Bill, Options
from snnctl.energy.price.joules import price, price_dense
from snnctl.energy.price.rules import RULES, RuleName
from snnctl.energy.price.sections import IntScaled
from snnctl.energy.price.table import Table, load_table
from snnctl.engine.experiment import Experiment, Network
from snnctl.recipe import Recipe
from snnctl.report.saving import Tell

# The twin in whole numbers is priced by width; a table that has no prices by width leaves that to this one.
BY_WIDTH = "int_scaled"


def data_steps(experiment: Experiment) -> int:
    """Steps that the data bring: their frames, with those that a network makes and goes on from; else 1."""
    signal = experiment.task.input_signal
    if signal.ahead and getattr(experiment.network.backbone, "makes_frames", False):
        return max(signal.frames, experiment.network.signals["backbone"].steps)
    return signal.frames or 1


@dataclass(frozen=True)
class Priced:
    bill: Bill  # of the network as it ran
    standard_error: float | None  # of its joules, over samples
    by_rule: dict[RuleName, float]  # joules under every rule for spikes of several levels
    twin: Bill | None  # the non-spiking twin, dense, in one step or in each of the data; None where there is none
    quantised: Bill | None  # the twin in whole numbers of as many values; None where the table has no prices by width

    @property
    def joules(self) -> float:
        """Per sample."""
        return mean(self.bill.joules)


@dataclass(frozen=True)
class Estimate:
    """All that is known about the energy of one network."""

    name: str
    counts: Counts  # mean over the samples
    event_errors: tuple[float | None, ...]  # standard error of each row's events
    tables: tuple[Priced, ...]  # one entry per cost table
    by_width: Priced  # under a table that prices by width, for the quantised twin, whatever tables were asked for
    verdicts: tuple[Verdict, ...]  # under the first table
    twin_note: str  # how the twin was made, or why there is none
    neurobench: dict[str, Any]  # its metrics
    facts: dict[str, Any]  # what was measured: run, split, samples, checkpoint

    @property
    def per_synapse(self) -> float:
        """Spikes per synapse per inference."""
        return mean(spikes_per_synapse(self.counts))

    @property
    def rate(self) -> float:
        """Share of neurons that spike in a step."""
        return mean(firing_rate(self.counts))

    @property
    def active(self) -> float:
        """Share of neurons that spike at least once in a sample."""
        return mean(active_share(self.counts))


def estimate(
    experiment: Experiment,
    recipe: Recipe,
    tables: Sequence[Table],
    options: Options,
    *,
    split: SplitName = "test",
    samples: int = 256,
    batch_size: int | None = None,
    facts: dict[str, Any] | None = None,
    tell: Tell = lambda *_: None,
) -> Estimate:
    """Count what the network of `experiment` computes on the first `samples` of a split, at most, and price it.

    Args:
        experiment: with the weights that are to be measured, on its device.
        recipe: what it was built from, for the twin.
        batch_size: samples per pass; None = the run's own, up to fourfold: counting has a fixed cost per pass.
    """
    data = experiment.data.split(split)
    wanted = min(samples, len(data))
    usual = experiment.eval_batch_size
    if experiment.network.ragged:
        batch_size = 1  # texts of a batch lie packed in one row: only alone can their work be told apart
    size = min(batch_size or max(usual, min(256, 4 * usual)), wanted)
    device = next(experiment.network.parameters()).device
    network = experiment.network.eval()
    count = _counter(experiment, network)
    running, spreads = CountMean(), [Spread() for _ in tables]
    for first in range(0, wanted, size):
        indices = torch.arange(first, min(first + size, wanted))
        batch = data.batch(indices).to(device)
        found = count(batch)
        running.add(found, len(indices))
        for spread, table in zip(spreads, tables, strict=True):
            spread.add(price(found, table, options).joules, len(indices))
        tell("count", 0.05 + 0.75 * (first + len(indices)) / wanted)
    counts = running.counts()
    tell("twin", 0.82)
    # Dense work is the same for every sample, except where samples differ in length.
    few = torch.arange(wanted).split(1) if experiment.network.ragged else (torch.arange(min(8, wanted)),)
    twin_counts, note = _twin(experiment, recipe, (data.batch(indices).to(device) for indices in few))
    priced = tuple(
        _priced(table, options, counts, spread, twin_counts) for table, spread in zip(tables, spreads, strict=True)
    )
    own = next((found for found in priced if found.quantised is not None), None)
    return Estimate(
        name=experiment.name,
        counts=counts,
        event_errors=tuple(spread.standard_error for spread in running.events.values()),
        tables=priced,
        by_width=own or _priced(load_table(BY_WIDTH), options, counts, Spread(), twin_counts),
        verdicts=tuple(verdicts(counts, tables[0])),
        twin_note=note,
        neurobench=metrics(network, counts),
        facts={**(facts or {}), "split": split, "samples": wanted, "of": len(data), "steps": counts.steps},
    )


def _counter(experiment: Experiment, network: Network, *, check: bool = True) -> Callable[[Any], Counts]:
    counter = OperationCounter(
        network, encoded=network.signals["encoder"], check=check, data_steps=data_steps(experiment)
    )
    return lambda batch: counter.count(partial(experiment.task.predict, network, batch), batch.inputs, len(batch))


def _priced(table: Table, options: Options, counts: Counts, spread: Spread, twin: Counts | None) -> Priced:
    rules = {} if table.device is not None else RULES
    comparable = isinstance(table.arithmetic, IntScaled) and bool(counts.neurons)
    return Priced(
        bill=price(counts, table, options),
        standard_error=spread.standard_error,
        by_rule={name: mean(price(counts, table, replace(options, rule=name)).joules) for name in rules},
        twin=None if twin is None else price_dense(twin, table, options),
        quantised=price_dense(counts, table, options) if comparable else None,
    )


def _twin(experiment: Experiment, recipe: Recipe, batches: Iterable[Any]) -> tuple[Counts | None, str]:
    """The count of the same recipe with `model.spiking: false`, untrained: its dense work does not need weights."""
    if not experiment.network.spikes:
        return None, "this network is a non-spiking twin itself"
    if "spiking" not in recipe.values["model"]:
        return None, f"`{recipe.values['model']['type']}` has no non-spiking twin (`model.spiking`)"
    values = {**recipe.values, "model": {**recipe.values["model"], "spiking": False}}
    try:
        network = build_network(replace(recipe, values=values), experiment.task.input_signal, experiment.task.outputs)
    except DiagnosticError as error:
        return None, f"the twin cannot be built: {error.diagnostics[0].message}"
    network = network.to(next(experiment.network.parameters()).device).eval()
    count, running, frames = _counter(experiment, network, check=False), CountMean(), data_steps(experiment)
    for batch in batches:
        running.add(count(batch), len(batch))
    steps = "one step" if frames == 1 else f"all {frames} steps of the data"
    return running.counts(), (
        f"the same recipe with model.spiking=false, {steps}, every product charged; its weights do not matter for that"
    )
