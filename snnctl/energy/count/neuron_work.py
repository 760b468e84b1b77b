"""What one update of a neuron costs, read off its step equation rather than assumed."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from snnctl.energy.count.counts import SINGLE, Elementwise
from snnctl.energy.count.operations import ELEMENTWISE, PRODUCTS, base_name
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.kernels import use_kernel

# A batch no other size of the probe divides: work on parameters alone (an exponential of a learned time constant, say)
# is done once, not per update, and is told apart by its size.
_BATCH = 7


class _Work(TorchDispatchMode):
    """Sums elementwise work whose result has `elements` numbers or a multiple."""

    def __init__(self, elements: int) -> None:
        super().__init__()
        self.elements = elements
        self.sums = dict.fromkeys(SINGLE, 0.0)
        self.unknown: set[str] = set()
        self.apart = 0  # how many circuits are running, whose work is counted elsewhere

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = base_name(func.overloadpacket.__name__)
        made = out[0] if isinstance(out, (tuple, list)) and out else out
        if self.apart or not isinstance(made, Tensor) or not made.numel() or made.numel() % self.elements:
            return out
        if name in PRODUCTS:
            inner = args[-2].shape[-1] if name.startswith("add") or name == "baddbmm" else args[0].shape[-1]
            self.sums["adds"] += made.numel() * inner
            self.sums["muls"] += made.numel() * inner
        elif name in ELEMENTWISE:
            found = ELEMENTWISE[name][1](args[0].numel() if isinstance(args[0], Tensor) else 0, made.numel())
            if name == "div" and not (len(args) > 1 and isinstance(args[1], Tensor) and args[1].dim()):
                found = Elementwise(muls=made.numel())  # by a constant: its reciprocal is known
            for key in self.sums:
                self.sums[key] += float(getattr(found, key))
        return out


@torch.no_grad()
def work_per_update(neuron: SpikingNeuron, steps: int) -> Elementwise:
    """Operations of one update of a membrane, from running the definition, without `circuits`; `steps` is T."""
    steps = neuron.fixed_steps or min(steps, 4)
    parameter = next(iter(neuron.parameters()), torch.zeros(()))
    space = (2, 2) if neuron.circuits else ()  # for kernels of any number of axes
    x = torch.zeros(steps, _BATCH, *space, neuron.channels, device=parameter.device)
    work = _Work(x[0].numel())

    def set_apart(change: int, *_: Any) -> None:
        work.apart += change

    with ExitStack() as stack:
        stack.callback(neuron.train, neuron.training)
        neuron.eval()
        for circuit in neuron.circuits:
            stack.enter_context(circuit.register_forward_pre_hook(partial(set_apart, 1)))
            stack.enter_context(circuit.register_forward_hook(partial(set_apart, -1)))
        with use_kernel("reference"), work:
            neuron(x)
    return Elementwise(**{key: value / x.numel() for key, value in work.sums.items()})
