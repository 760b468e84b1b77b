"""How far back a neuron's gradient reaches: dU[T] / dU[T - lag] of untrained neurons under noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from snnctl.build import initialising, make
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.seeds import stream_seed
from snnctl.core.shapes import ShapeError
from snnctl.inspect.specs import component_of, components_of, names_of
from snnctl.neurons.base import Host, SpikingNeuron
from snnctl.neurons.stc import HOSTS, STC
from snnctl.report.saving import Tell

_SOFT = "reset: soft, detach_reset: false, surrogate: sigmoid"
DEFAULTS = (
    f"lif: {{{_SOFT}}}",
    f"if: {{{_SOFT}}}",
    "stc_lif",
    "stc_plif",
    "stc_lif: {circuit: temporal}",
    "stc_lif: {circuit: spatial}",
)
CONTROL = DEFAULTS[1]
NOISE_GROUPS = 16


@dataclass(frozen=True)
class Setting:
    """What the neurons are put under."""

    steps: int = 30  # T
    channels: int = 32
    size: int = 16  # of maps, size x size
    batch: int = 4
    held: float = 0.0  # share of the noise's variance that is the same at every step, 0 to 1
    seeds: tuple[int, ...] = (0, 1, 2)  # each draws the neuron's parameters and the noise anew


@dataclass(frozen=True)
class Run:
    """One neuron under one seed's noise; sums over all neurons of the map and the batch."""

    rate: float  # mean spikes per neuron and step
    largest: np.ndarray[Any, Any]  # max |U| of each step, [T]
    # mean and median of |dU[T-1] / dU[T-1-lag]| for each lag from 1, [T - 1]
    mean: np.ndarray[Any, Any]
    median: np.ndarray[Any, Any]
    # mean of the same times the surrogate's derivative at U[T-1]: what a loss on the last spikes sees
    effective: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Lags:
    """One neuron under all seeds."""

    name: str  # type, and the knobs in which neurons of the same type differ
    config: dict[str, Any]  # `{type, knobs...}`
    runs: list[Run]  # one per seed
    parts: str = ""  # "" where the derivative is whole; else what is left out

    def curve(self, which: str) -> np.ndarray[Any, Any]:
        """Mean over seeds of `mean`, `median`, `effective` or `largest`."""
        return np.mean([getattr(run, which) for run in self.runs], axis=0)


@dataclass(frozen=True)
class Study:
    setting: Setting
    neurons: list[Lags]
    notes: list[str] = field(default_factory=list)


def parse_neurons(texts: Sequence[str]) -> tuple[list[tuple[dict[str, Any], str]], list[str]]:
    """(config, label) of the neurons that were named, or of the usual ones, IF beside STC as the control; and notes.

    Raises:
        DiagnosticError: as `components_of`.
    """
    found, notes = components_of("neuron", texts or DEFAULTS), []
    kinds = {config["type"] for config, _ in found}
    if any(kind.startswith("stc") for kind in kinds) and "if" not in kinds:
        found.append(component_of("neuron", CONTROL, 0))
        notes.append("if is added: it is what an stc around it is without its circuits")
    unique: list[tuple[dict[str, Any], str]] = []
    for config, label in found:
        if all(config != other for other, _ in unique):
            unique.append((config, label))
    return unique, notes


def study(
    wanted: Sequence[tuple[dict[str, Any], str]],
    setting: Setting,
    notes: Sequence[str] = (),
    tell: Tell = lambda *_: None,
) -> Study:
    """Measure each neuron under each seed.

    Raises:
        DiagnosticError: R401, a neuron does not fit the channels; U456, a neuron's step is not told in two halves.
    """
    for config, label in wanted:  # all that can be refused, before the first is measured
        _made(config, label, setting, setting.seeds[0])
    found = []
    total = len(wanted) * len(setting.seeds)
    for place, (name, (config, label)) in enumerate(zip(names_of([c for c, _ in wanted]), wanted, strict=True)):
        runs, parts = [], ""
        for number, seed in enumerate(setting.seeds):
            tell(f"neuron {name}, seed {seed}", 0.9 * (place * len(setting.seeds) + number) / total)
            neuron, parts = _made(config, label, setting, seed)
            runs.append(measured(neuron, noise(setting, seed)))
        found.append(Lags(name, config, runs, parts))
    return Study(setting, found, list(notes))


def _made(config: dict[str, Any], label: str, setting: Setting, seed: int) -> tuple[Host | STC, str]:
    """An untrained neuron for maps, and what its derivative leaves out."""
    try:
        with initialising(seed):
            made: SpikingNeuron = make("neuron", config, setting.channels)
            made.over_space(2)
    except ShapeError as error:
        problem = Diagnostic("R401", error.message, path=error.knob, override=label, help=error.help)
        raise DiagnosticError(problem) from error
    if not isinstance(made, Host | STC):
        message = f"the step of `{config['type']}` is not told in two halves: its membrane cannot be followed"
        help = f"neurons that can: {', '.join((*HOSTS, 'stc', 'stc_lif', 'stc_lmh', 'stc_plif'))}"
        raise DiagnosticError(Diagnostic("U456", message, override=label, help=help))
    parts = ""
    if isinstance(made, STC) and made.circuits and not made.detach:
        made.detach = True
        parts = "paths through its circuits are left out, as if they were detached: they lead to other neurons"
    return made.double(), parts


def noise(setting: Setting, seed: int) -> Tensor:
    """Currents [T, B, size, size, channels] in float64: normal noise, group-normalised at each step."""
    generator = torch.Generator().manual_seed(stream_seed(seed, "data"))
    shape = (setting.batch, setting.channels, setting.size, setting.size)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    drawn = math.sqrt(setting.held) * draw(*shape) + math.sqrt(1 - setting.held) * draw(setting.steps, *shape)
    groups = math.gcd(NOISE_GROUPS, setting.channels)
    return F.group_norm(drawn.flatten(0, 1), groups).unflatten(0, (setting.steps, -1)).movedim(2, -1)


def measured(neuron: Host | STC, currents: Tensor) -> Run:
    """The gradient against lag of one neuron whose step Jacobian is diagonal.

    Each membrane then depends on its own past alone, so the gradient of the sum of all is the diagonal, whole: through
    every compartment, and with what reset and surrogate make of it.
    """
    with torch.enable_grad():
        state = neuron.initial_state(currents[0])
        membranes: list[Tensor] = []
        largest, fired = [], 0.0
        for t, x in enumerate(currents):
            u, *rest = neuron.charge(x, state)
            if t == 0:
                u = u.detach().requires_grad_()
            spikes, state = neuron.fire((u, *rest), x.dtype)
            membranes.append(u)
            largest.append(float(u.detach().abs().max()))
            fired += float(spikes.detach().sum())
        back = torch.autograd.grad(u.sum(), membranes, retain_graph=True, allow_unused=True)
        (slope,) = torch.autograd.grad(spikes.sum(), u)
    products = [torch.zeros_like(u) if grad is None else grad.abs() for grad in reversed(back[:-1])]
    return Run(
        rate=fired / currents.numel(),
        largest=np.array(largest),
        mean=np.array([float(product.mean()) for product in products]),
        median=np.array([float(product.median()) for product in products]),
        effective=np.array([float((product * slope).mean()) for product in products]),
    )
