"""What the cases of whole networks share: a training step, precision, firing rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.bench.timing import Contender
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.kernels import Kernel, use_kernel

_DIGITS = 4


def autocast(precision: str) -> AbstractContextManager[Any]:
    """bfloat16 matrix products for `bf16`, else nothing."""
    return torch.autocast("cpu", dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


def kept(network: nn.Module) -> list[Tensor]:
    """What a network holds anyway."""
    return [*network.parameters(), *network.buffers()]


def step(
    engine: str,
    network: nn.Module,
    x: Tensor,
    loss: Callable[[Tensor], Tensor],
    precision: str,
    *,
    kernel: Kernel = "auto",
) -> Contender:
    """Forward, loss, backward of `network`; no optimiser. Gradients of all parameters, and of `x` if it wants one."""

    def call() -> None:
        wanted = [p for p in (*network.parameters(), x) if p.requires_grad]
        with use_kernel(kernel):
            with autocast(precision):
                found = network(x)
            torch.autograd.grad(loss(found.float()), wanted)

    def run() -> None:
        with torch.no_grad(), use_kernel(kernel), autocast(precision):
            network(x)

    return Contender(engine, call, precision, kept(network), lambda: {"rates": firing_rates(network, run)})


def firing_rates(network: nn.Module, run: Callable[[], object]) -> list[float]:
    """Mean of the output of every neuron layer during `run`, in the order of the calls.

    A neuron that is called once per step counts as one layer.
    """
    sums: dict[str, tuple[float, int]] = {}

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, output: Any) -> None:
            spikes = output[0] if isinstance(output, tuple) else output
            total, count = sums.get(name, (0.0, 0))
            sums[name] = total + float(spikes.float().mean()), count + 1

        return hook

    hooks = [m.register_forward_hook(watch(n)) for n, m in network.named_modules() if _is_neuron(m)]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return [round(total / count, _DIGITS) for total, count in sums.values()]


def _is_neuron(module: nn.Module) -> bool:
    return isinstance(module, SpikingNeuron) or type(module).__name__ in ("LIFNode", "Leaky")


def spikes(shape: Sequence[int], rate: float, seed: int = 0) -> Tensor:
    """Zeros and ones [*shape] with a share `rate` of ones."""
    return (torch.rand(tuple(shape), generator=torch.Generator().manual_seed(seed)) < rate).float()
