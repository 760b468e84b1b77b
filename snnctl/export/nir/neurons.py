"""A spiking neuron of snnctl as a node of NIR, with words in its metadata for what NIR's own equations lack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from snnctl.export.nir.graph import Shape, nir
from snnctl.neurons.cuba_lif import CubaLIF
from snnctl.neurons.integrate_fire import IntegrateAndFire

# Time constant in steps of a membrane that does not leak: a power of two, so that no digit of a current is lost, and so
# long that float32 keeps every membrane.
ENDLESS = 2.0**30
MOST_LEVELS = 15  # of spikes that are expanded into as many binary ones


def neuron_problems(neuron: nn.Module) -> Iterator[str]:
    """What of a neuron has no form in NIR."""
    if isinstance(neuron, CubaLIF):
        return
    if not isinstance(neuron, IntegrateAndFire):
        yield f"the neuron {type(neuron).__name__}"
        return
    if neuron.levels > 1 and neuron.reset == "hard":
        yield "spikes of several values with `reset: hard`"
    if neuron.levels > MOST_LEVELS:
        yield f"spikes of {neuron.levels} values: each is a threshold of its own, and {MOST_LEVELS} are the most"
    if neuron.signed:
        yield "spikes below zero"
    if neuron.start:
        yield "membranes that start above rest"


def spiking_node(neuron: nn.Module, shape: Shape) -> Any:
    """The node of a neuron whose channels are the first axis of `shape`; time constants in steps.

    Metadata: `fires`, at or above the threshold; `reset`, hard, soft or delayed; `levels`, the highest spike; `early`,
    by how much of a threshold spikes come early.
    """

    def full(value: Tensor | float) -> Any:
        tensor = torch.as_tensor(value).detach().double()
        spread = tensor.reshape((-1,) + (1,) * (len(shape) - 1)) if tensor.dim() else tensor
        return spread.expand(shape).numpy().copy()

    rest = np.zeros(shape)
    if isinstance(neuron, CubaLIF):
        syn, mem, threshold = full(neuron.tau_syn), full(neuron.tau), full(neuron.v_threshold)
        node = nir().CubaLIF(syn, mem, mem.copy(), rest, threshold, rest.copy(), syn.copy())
        node.metadata = {"fires": "at", "reset": neuron.reset}
        return node
    assert isinstance(neuron, IntegrateAndFire)
    dynamics = neuron.dynamics()
    if dynamics.tau is not None:
        tau, gain = full(dynamics.tau), full(1.0 / dynamics.tau)
    else:
        leak, gain = full(dynamics.leak), full(dynamics.gain)
        tau = np.where(leak >= 1.0, ENDLESS, 1.0 / (1.0 - np.minimum(leak, 1.0 - 1.0 / ENDLESS)))
    threshold = full(dynamics.v_threshold)
    if bool((tau == ENDLESS).all()):
        node = nir().IF(gain, threshold, rest)
    else:
        node = nir().LIF(tau, gain * tau, rest, threshold, rest.copy())
    node.metadata = {"fires": "above" if dynamics.strict else "at", "reset": dynamics.reset}
    if dynamics.levels > 1 or dynamics.early:
        node.metadata |= {"levels": dynamics.levels, "early": dynamics.early}
    return node
