"""How far membranes are from their threshold before the reset, by running neurons' definitions on recorded input.

The protocol: a neuron fires by `self.surrogate.spike(x)` in `step`, where x is the distance of the membrane from the
threshold (`snnctl.neurons.surrogate.Surrogate`), of several thresholds the lowest one first. That call is watched. What
was seen counts only if it explains the spikes: x >= 0 exactly where the neuron fires, or x <= 0 where it does not
(neurons that fire strictly above the threshold). A neuron that has no state, or whose spikes are not explained, is
named with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from snnctl.measure.spikes import codes
from snnctl.measure.watcher import Watcher
from snnctl.neurons.base import SpikingNeuron, State, neurons_in
from snnctl.neurons.stc import STC
from snnctl.neurons.surrogate import Surrogate

NO_STATE = "it keeps no state, so it has no membrane"
NO_MEMBRANE = "its state is no membrane: nothing in it has the shape of one time step"
NO_SURROGATE = "it does not fire by a surrogate, so its distance from the threshold is not known"
UNEXPLAINED = "the argument of its surrogate does not explain its spikes"

MEMBRANE_SAMPLES = 8  # of a split: the definition runs step by step
MOST_VALUES = 2**19  # kept of one layer and call, evenly taken
BINS = 60


@dataclass(frozen=True)
class Potentials:
    """Membranes of one layer before the reset."""

    name: str
    neuron: str  # class of the layer's neurons
    # membrane minus threshold, in units of the membrane, float32 [N]; `alif` gives it in thresholds. 0 and above has
    # fired. Empty if `reason` is not
    distances: Tensor
    agreement: float  # share of spikes that the definition and the kernel in use have alike; nan without distances
    reason: str = ""  # why there are none

    @property
    def share_above(self) -> float:
        """Share of neurons and steps that fire."""
        return float((self.distances >= 0).double().mean())

    def histogram(self) -> tuple[Any, Any, int]:
        """Counts and edges over the middle 99.8 % of the values, an edge at the threshold; how many lie outside."""
        values = self.distances.numpy()
        low, high = (float(v) for v in np.quantile(values, (0.001, 0.999)))
        low, high = min(low, 0.0), max(high, 0.0)
        width = max(high - low, 1e-6) / BINS
        below, above = int(np.ceil(-low / width)), max(1, int(np.ceil(high / width)))
        edges = width * np.arange(-below, above + 1)
        counts, _ = np.histogram(values, bins=edges)
        return counts, edges, len(values) - int(counts.sum())


class _Watched(Surrogate):
    def __init__(self, inner: Surrogate) -> None:
        self.inner = inner
        self.seen: list[Tensor] = []

    def forward_smooth(self, x: Tensor) -> Tensor:
        return self.inner.forward_smooth(x)

    def gradient(self, x: Tensor) -> Tensor:
        return self.inner.gradient(x)

    def spike(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach())
        return self.inner.spike(x)


@torch.no_grad()
def distances(neuron: SpikingNeuron, x: Tensor, state: State | None = None) -> tuple[Tensor, Tensor] | str:
    """Distances from the threshold and spikes, both [T, B, *, channels], or the reason why they are not known.

    The neuron runs through the input current `x` [T, B, *, channels] step by step, as its definition says, from `state`
    or, if that is None, from rest.
    """
    if not neuron.streams:
        return NO_STATE
    state = neuron.initial_state(x[0]) if state is None else state
    parts = state if isinstance(state, tuple) else (state,)
    if not parts:
        return NO_STATE
    if not any(isinstance(part, Tensor) and part.shape == x.shape[1:] for part in parts):
        return NO_MEMBRANE
    surrogate = getattr(neuron, "surrogate", None)
    if not isinstance(surrogate, Surrogate):
        return NO_SURROGATE
    found, fired = [], []
    neuron.surrogate = watched = _Watched(surrogate)
    try:
        for x_t in x.unbind(0):
            watched.seen.clear()
            spikes, state = neuron.step(x_t, state)
            if not watched.seen or watched.seen[0].shape != spikes.shape:
                return UNEXPLAINED
            found.append(watched.seen[0])
            fired.append(spikes)
    finally:
        neuron.surrogate = surrogate
    return _explained(neuron, torch.stack(found), torch.stack(fired))


def _explained(neuron: SpikingNeuron, x: Tensor, spikes: Tensor) -> tuple[Tensor, Tensor] | str:
    if torch.equal(x >= 0, spikes > 0) and neuron.levels == 1:
        return x, spikes
    if torch.equal(x < 0, spikes > 0) and neuron.levels == 1:
        return -x, spikes
    threshold = _threshold(neuron)
    if neuron.levels > 1 and threshold is not None:  # x is the distance from the nearest of several thresholds
        spikes = codes(neuron, spikes)
        for u, above in ((x, x >= 0), (-x, x < 0)):
            distance = u + (spikes - above.to(spikes.dtype)) * threshold
            if torch.equal(distance >= 0, spikes > 0):
                return distance, spikes
    return UNEXPLAINED


def _threshold(neuron: SpikingNeuron) -> float | Tensor | None:
    if isinstance(neuron, STC):
        neuron = neuron.host
    dynamics = getattr(neuron, "dynamics", None)
    found = getattr(neuron, "v_threshold", None) if dynamics is None else dynamics().v_threshold
    return found if isinstance(found, float | Tensor) else None


class PotentialMeter(Watcher):
    """Runs the definition of every `SpikingNeuron` on the input it gets while the `with` block runs.

    For a few samples, in evaluation mode: it keeps up to `MOST_VALUES` distances per layer and call.
    """

    def __init__(self, network: nn.Module) -> None:
        self._neurons = neurons_in(network)
        self._found: dict[str, list[Tensor]] = {}
        self._alike: dict[str, list[Tensor]] = {}
        self._reasons: dict[str, str] = {}

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        for name, neuron in self._neurons.items():
            yield neuron.register_forward_hook(partial(self._measure, name), with_kwargs=True)

    def _measure(self, name: str, neuron: Any, inputs: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        given = dict(zip(("x", "state"), inputs, strict=False)) | named
        x, norm, offset = given["x"].detach(), given.get("norm"), given.get("offset")
        if norm is not None:
            x = norm(x if offset is None else x + offset)
        found = distances(neuron, x, given.get("state"))
        if isinstance(found, str):
            self._reasons[name] = found
            return
        spikes = output[0] if isinstance(output, tuple) else output
        values = found[0].flatten()
        kept = values[:: -(-len(values) // MOST_VALUES)] if len(values) else values
        self._found.setdefault(name, []).append(kept.float().cpu())
        self._alike.setdefault(name, []).append((found[1] == spikes).flatten().double().mean().cpu())

    def summary(self) -> list[Potentials]:
        """One entry per layer that has run, in the network's order."""
        found = []
        for name, neuron in self._neurons.items():
            kind = type(neuron).__name__
            if name in self._reasons:
                found.append(Potentials(name, kind, torch.empty(0), float("nan"), self._reasons[name]))
            elif name in self._found:
                alike = float(torch.stack(self._alike[name]).mean())
                found.append(Potentials(name, kind, torch.cat(self._found[name]), alike))
        return found
