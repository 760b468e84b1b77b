"""Time constants that depend on depth: a profile over the layers of a network, and a spread within each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Lt
from torch import nn

from snnctl.backbones.parts.units import Integrator
from snnctl.core.seeds import run_seed, stream_seed
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.neurons.base import SpikingNeuron, neurons_in

Profile = Literal["tanh", "linear", "none"]
Order = Literal["increasing", "decreasing", "permuted"]
LONGEST = 10_000.0  # ms, or steps; as published
SHORTEST = 1e-3
ALL_ORDERS_UP_TO = 3


@dataclass(frozen=True)
class Within:
    """How time constants differ within a layer.

    Args:
        type: uniform draws tau * (1 +- spread), normal has a standard deviation of tau * spread, none gives a layer one
            time constant.
        spread: relative to the layer's tau (.2 with uniform, .1 with normal as published).
    """

    type: Literal["uniform", "normal", "none"] = "uniform"
    spread: Annotated[float, Ge(0.0), Lt(1.0)] = 0.2


@dataclass(frozen=True)
class Hierarchy:
    """Time constants over the layers l = 1..H of a network, in ms where the data says what a step lasts, else in steps.

    Equation:
        x_l   = (l - 1) / (H - 1)
        g_l   = tanh((x_l - centre) / steepness)                        profile: tanh
        u_l   = (g_l - min g) / max |g - min g| - 1/2                   from -1/2 to 1/2
        tau_l = tau_mean + delta * u_l                                  linear: u_l = x_l - 1/2; none: u_l = 0
        keep_mean: tau_l + (tau_mean - mean of all tau_l)

    Args:
        profile: shape over depth; with two layers tanh and linear are the same.
        tau_mean: the middle, > 0; the mean over layers only where centre is .5, or with keep_mean.
        delta: last minus first; above 0 the first layers are fast, below 0 slow.
        centre: where tanh bends, in units of depth.
        steepness: divides: small is steep.
        keep_mean: shift all layers so that their mean is tau_mean (ours): else centre changes the mean as well.
        within: the spread within a layer.
        order: increasing leaves the profile as it is, decreasing turns it round, permuted draws another order from the
            seed, a list such as [2, 1, 3] gives it: layer 1 gets the profile's second value.

    Source: Moro et al. 2024, arXiv 2407.18838, and its code, github.com/EIS-Hub/hSNN (centre and steepness .5).
    """

    profile: Profile = "tanh"
    tau_mean: Annotated[float, Gt(0.0)] = 100.0
    delta: float = 0.0
    centre: float = 0.5
    steepness: Annotated[float, Gt(0.0)] = 0.5
    keep_mean: bool = False
    within: Within = Within()
    order: Order | list[Annotated[int, Ge(1)]] = "increasing"


@dataclass(frozen=True)
class LayerTau:
    """What one layer got: its nominal tau, the one in use after the neuron's bounds, and the unit (`ms` or `steps`)."""

    tau: float
    used: float
    unit: str


def profile(wanted: Hierarchy, layers: int) -> list[float]:
    """The nominal tau of each layer, before it is put in another order.

    Raises:
        ShapeError: one layer cannot have a profile, or a tau is not above 0.
    """
    if wanted.profile == "none" or (wanted.delta == 0.0 and layers > 0):
        return [wanted.tau_mean] * layers
    if layers < 2:
        message = f"a hierarchy over depth needs two layers of neurons, this network has {layers}"
        raise ShapeError(message, knob="hierarchy", help="add layers, or set `profile: none`")
    places = [layer / (layers - 1) for layer in range(layers)]
    if wanted.profile == "linear":
        taus = [wanted.tau_mean + wanted.delta * (x - 0.5) for x in places]
    else:
        bent = [math.tanh((x - wanted.centre) / wanted.steepness) for x in places]
        span = max(bent) - min(bent)
        if span == 0.0:
            message = "tanh is flat to machine precision over all layers"
            raise ShapeError(message, knob="steepness", help="bring centre into 0..1, or raise steepness")
        taus = [wanted.tau_mean + wanted.delta * ((g - min(bent)) / span - 0.5) for g in bent]
    if wanted.keep_mean:
        shift = wanted.tau_mean - math.fsum(taus) / layers
        taus = [tau + shift for tau in taus]
    if min(taus) <= 0.0:
        shown = ", ".join(f"{tau:g}" for tau in taus)
        message = f"a time constant must be above 0, these layers get {shown}"
        raise ShapeError(message, knob="delta", help=f"|delta| must stay below {2 * wanted.tau_mean:g}")
    return taus


def ordered(taus: Sequence[float], order: Order | list[int]) -> list[float]:
    """The taus in the order in which layers get them.

    Raises:
        ShapeError: a list that does not name every layer once.
    """
    count = len(taus)
    if isinstance(order, list):
        if sorted(order) != list(range(1, count + 1)):
            message = f"`order` must name each of the layers 1 to {count} once, got {order}"
            raise ShapeError(message, knob="order")
        return [taus[number - 1] for number in order]
    if order != "permuted" or count < 2:
        return list(taus)[::-1] if order == "decreasing" else list(taus)
    random = _random(0)
    if count <= ALL_ORDERS_UP_TO:
        others = [o for o in permutations(range(count)) if o != tuple(range(count))]
        return [taus[i] for i in others[random.integers(len(others))]]
    while True:
        drawn = random.permutation(count)
        if (drawn != np.arange(count)).any():
            return [taus[i] for i in drawn]


def _random(use: int) -> np.random.Generator:
    """A stream of its own: the weights of two networks that differ in their hierarchy alone are the same."""
    return np.random.default_rng(stream_seed(run_seed(), "hierarchy", use))


def impose(hierarchy: Hierarchy | None, stages: Iterable[nn.Module], signal: SignalSpec) -> tuple[LayerTau, ...]:
    """Give the neurons of each stage the time constants of its depth, and say what each got.

    Args:
        hierarchy: None leaves the neurons as they are.
        stages: layers or blocks in order of depth; those without neurons (of a twin) are passed over.
        signal: what the network gets; its `dt_ms` is the unit.

    Raises:
        ShapeError: as `profile` and `ordered`; or a neuron has no time constant to set.
    """
    if hierarchy is None:
        return ()
    found = [_leaky_parts(stage) for stage in stages]
    if not any(found):
        return ()
    neurons = [leaky for stage in found if (leaky := [part for part in stage if part.leak_per_step() is not None])]
    if not neurons:
        message = f"{type(max(found, key=len)[0]).__name__} has no time constant of its membrane"
        raise ShapeError(message, knob="hierarchy", help="neurons with one: tau_lif, lif, plif, alif, cuba_lif")
    taus = ordered(profile(hierarchy, len(neurons)), hierarchy.order)
    step, unit = (signal.dt_ms, "ms") if signal.dt_ms else (1.0, "steps")
    random = _random(1)
    given = []
    for tau, stage in zip(taus, neurons, strict=True):
        for neuron in stage:
            drawn = _drawn(random, tau, hierarchy.within, neuron.channels)
            leak = torch.tensor(np.exp(-step / drawn), dtype=torch.float32)
            try:
                neuron.set_leak(leak)
            except ValueError as error:
                raise ShapeError(str(error), knob="hierarchy", help="or set `within: {type: none}`") from None
        given.append(LayerTau(tau, _in_use(tau, step, stage), unit))
    return tuple(given)


def _leaky_parts(stage: nn.Module) -> list[SpikingNeuron | Integrator]:
    """The neurons of a stage in order, without those inside others, or what stands for them in a twin."""
    neurons = {id(neuron) for neuron in neurons_in(stage).values()}
    return [part for part in stage.modules() if isinstance(part, Integrator) or id(part) in neurons]  # type: ignore[misc]


def _in_use(tau: float, step: float, stage: Sequence[SpikingNeuron | Integrator]) -> float:
    """The time constant that is left when the neurons have bounded their leak."""
    leak = math.exp(-step / tau)
    low, high = next((b for neuron in stage if (b := neuron.leak_bounds) is not None), (0.0, 1.0))
    return tau if low <= leak <= high else -step / math.log(min(max(leak, low), high))


def cautions(layers: Sequence[LayerTau]) -> tuple[str, ...]:
    """What a reader of the recipe would not expect: a time constant that the neuron's bounds do not let through."""
    return tuple(
        f"layer {number} of the hierarchy wants tau {layer.tau:.4g} {layer.unit}; "
        f"the bounds of its neurons' leak make it {layer.used:.4g} {layer.unit}"
        for number, layer in enumerate(layers, 1)
        if layer.used != layer.tau
    )


def _drawn(random: np.random.Generator, tau: float, within: Within, channels: int) -> Any:
    """One tau, or one for each channel."""
    if within.type == "none" or within.spread == 0.0:
        return np.asarray(tau)
    if within.type == "uniform":
        drawn = random.uniform(tau * (1 - within.spread), tau * (1 + within.spread), channels)
    else:
        drawn = random.normal(tau, tau * within.spread, channels)
    return np.clip(drawn, SHORTEST, LONGEST)
