"""Time constants of a trained network, stage by stage: how they lie, and how far they drifted from where they began."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.engine.warm_start import warm_start
from snnctl.finished import FinishedRun
from snnctl.inspect.time_constants.ordering import OrderTest, order_test
from snnctl.neurons.base import SpikingNeuron, neurons_in

QUANTILES = {"q15": 0.15, "q50": 0.5, "q85": 0.85}
_AT_BOUND = 1e-6  # a leak that near to its bound has been clipped: time constants are kept in float32


@dataclass(frozen=True)
class StageTaus:
    """Time constants of the neurons of one stage."""

    name: str
    number: int  # depth, counted from 1 over all stages of the network
    steps: Tensor  # [neurons] float64, in steps; a constant that channels share counts once for each
    # neurons whose leak is at the bound of its neuron; None where leaks have no bounds
    at_low: int | None = None
    at_high: int | None = None
    longest: float | None = None  # the time constant at the upper bound, in steps, or None

    @property
    def median(self) -> float:
        """In steps."""
        return quantile(self.steps, 0.5)


@dataclass(frozen=True)
class RunTaus:
    """One run: its folder, what it found, and from which weights."""

    run: str
    seed: int
    checkpoint: dict[str, Any]
    trained: list[StageTaus]  # one per stage that has time constants
    initial: list[StageTaus] | None  # the same before training; None where that cannot be told

    @property
    def medians(self) -> list[float]:
        """In steps, by depth."""
        return [stage.median for stage in self.trained]


@dataclass(frozen=True)
class TauSurvey:
    """Runs that differ in their seed alone."""

    name: str
    dt_ms: float  # what a step lasts, or 0 where the data does not say
    runs: list[RunTaus]  # at least one, all of the same stages

    @property
    def unit(self) -> str:
        """`ms` or `steps`."""
        return "ms" if self.dt_ms else "steps"

    @property
    def scale(self) -> float:
        """Units per step."""
        return self.dt_ms or 1.0

    @property
    def pooled(self) -> list[StageTaus]:
        """The neurons of all runs together, by stage."""
        return [_together(stages) for stages in zip(*(run.trained for run in self.runs), strict=True)]

    @property
    def initial(self) -> list[StageTaus] | None:
        """The same before training; None where any run cannot tell."""
        known = [run.initial for run in self.runs if run.initial is not None]
        if len(known) < len(self.runs):
            return None
        return [_together(stages) for stages in zip(*known, strict=True)]

    @property
    def test(self) -> OrderTest | None:
        """Whether medians rise with depth, over all runs; None for a single stage."""
        return order_test([run.medians for run in self.runs]) if len(self.pooled) > 1 else None


def with_initial(
    trained: Sequence[StageTaus], initial: Sequence[StageTaus] | None
) -> list[tuple[StageTaus, StageTaus | None]]:
    """Each stage with what it was before training, or None where that cannot be told."""
    begun: Sequence[StageTaus | None] = [None] * len(trained) if initial is None else initial
    return list(zip(trained, begun, strict=True))


def quantile(values: Tensor, share: float) -> float:
    """Linear between neighbours; infinite where a neighbour is."""
    found = float(torch.quantile(values, share))
    return found if found == found else float("inf")


def stage_taus(network: nn.Module) -> list[StageTaus]:
    """The time constants of each of the `stages` that a network's backbone names; stages without any are left out.

    Raises:
        DiagnosticError: U471, no stage has a neuron with a time constant, or there are no stages.
    """
    stages = getattr(network.backbone, "stages", None)
    kind = type(network.backbone).__name__
    if stages is None:
        raise _nothing(f"the backbone {kind} does not say what its stages are")
    names = {id(module): name for name, module in network.named_modules()}
    found, neurons = [], set()
    for number, stage in enumerate(stages, 1):
        inside = list(neurons_in(stage).values())
        neurons |= {type(neuron).__name__ for neuron in inside}
        name = names.get(id(stage), f"stage {number}")
        parts = [one for neuron in inside if (one := _of_neuron(name, number, neuron)) is not None]
        if parts:
            found.append(_together(parts))
    if not found:
        which = f"its neurons ({', '.join(sorted(neurons))}) have none" if neurons else "nothing in it spikes"
        raise _nothing(f"no stage of {kind} has a time constant: {which}")
    return found


def _nothing(message: str) -> DiagnosticError:
    help = "a time constant has a neuron whose membrane loses the same share at every step, as `lif` or `plif`"
    return DiagnosticError(Diagnostic("U471", message, path="model", help=help))


def _of_neuron(name: str, number: int, neuron: SpikingNeuron) -> StageTaus | None:
    taus = neuron.time_constants()
    if taus is None:
        return None
    steps = taus.detach().double().cpu().expand(neuron.channels).clone()
    if neuron.leak_bounds is None:
        return StageTaus(name, number, steps)
    low, high = neuron.leak_bounds
    leak = torch.exp(-1 / steps)
    longest = float(-1 / torch.tensor(high, dtype=torch.float64).log())
    at_low, at_high = int((leak <= low + _AT_BOUND).sum()), int((leak >= high - _AT_BOUND).sum())
    return StageTaus(name, number, steps, at_low, at_high, longest)


def _together(parts: Sequence[StageTaus]) -> StageTaus:
    """The neurons of all parts as one stage; bounds are told where all have some."""
    first = parts[0]
    low = [part.at_low for part in parts if part.at_low is not None]
    high = [part.at_high for part in parts if part.at_high is not None]
    longest = {part.longest for part in parts}
    bounded = len(low) == len(parts)
    return StageTaus(
        first.name,
        first.number,
        torch.cat([part.steps for part in parts]),
        sum(low) if bounded else None,
        sum(high) if bounded else None,
        first.longest if len(longest) == 1 else None,
    )


def run_taus(run: FinishedRun) -> RunTaus:
    """Time constants of a run's weights, not loaded yet, and of what it began with: a pure function of the seed.

    Raises:
        DiagnosticError: U471 as `stage_taus`; E410, E411 as `load_weights`.
    """
    network, settings = run.experiment.network, run.experiment.train
    stage_taus(network)  # says what is missing before anything is read
    initial: list[StageTaus] | None = None
    with suppress(DiagnosticError):  # the weights that it was started from may have gone
        if settings.init_from is not None:
            warm_start(network, Path(settings.init_from), settings.init_match)
        initial = stage_taus(network)
    facts = run.load()
    return RunTaus(
        str(run.folder.path), settings.seed, {"path": run.weights.name, **facts}, stage_taus(network), initial
    )
