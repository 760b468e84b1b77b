"""Cases of one neuron layer: forward alone (no gradients), and forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.bench.case import Case, Contender, Pass
from snnctl.bench.peers import snntorch, spikingjelly, torch_scan
from snnctl.core.catalog import NEURONS
from snnctl.core.signature import knobs
from snnctl.neurons import LIF, SpikingNeuron
from snnctl.neurons.kernels import Kernel, use_kernel

# Input [T, B, *, channels].
SHAPES: dict[str, tuple[int, ...]] = {
    "short": (4, 64, 256),
    "tokens": (4, 64, 168, 256),
    "tokens16": (16, 64, 168, 256),
    "long": (100, 64, 256),
    "maps": (19, 8, 16, 16, 64),  # a layer of images: H and W before the channels
    "tiny": (4, 8, 32),
}
STANDARD = ("short", "tokens", "tokens16", "long")
OVER_SPACE = ("maps",)  # what neurons are measured on whose kernels span rows and columns
PASSES: tuple[Pass, ...] = ("forward", "forward+backward")
Layer = Callable[[Tensor], Tensor]
_SPREAD = 1.5  # of the normal input current; LIF then fires at about a tenth of all steps


def neuron_cases(neuron: str = "lif", names: Sequence[str] = STANDARD, *, named: bool = False) -> list[Case]:
    """The cases called `names` for the registered neuron `neuron` with its defaults.

    For `lif` also spikingjelly and snntorch, as far as they are there, and snnctl with a bfloat16 input.

    Args:
        named: whether the cases carry the neuron's name: there are those of others beside them.
    """
    return [
        Case(
            f"{neuron} {name}" if named else name,
            SHAPES[name],
            passes,
            partial(_contenders, neuron, SHAPES[name], passes),
        )
        for name in names
        for passes in PASSES
    ]


def make_neuron(name: str, shape: Sequence[int]) -> SpikingNeuron:
    """The neuron called `name` for input of `shape` [T, B, *, channels].

    Raises:
        ValueError: it needs more than the number of steps to be told.
    """
    component = NEURONS.get(name)
    needed = [knob.name for knob in knobs(component) if knob.required]
    if set(needed) - {"steps"}:
        raise ValueError(f"`{name}` has knobs without a default: {', '.join(needed)}")
    made: SpikingNeuron = component(shape[-1], **dict.fromkeys(needed, shape[0]))
    if len(shape) == len(SHAPES["maps"]):
        made.over_space(2)
    return made


def standard_cases(name: str) -> Sequence[str]:
    """The cases that the neuron called `name` is measured on unless others are asked for."""
    return OVER_SPACE if NEURONS.get(name).over_space is not SpikingNeuron.over_space else STANDARD  # type: ignore[attr-defined]


def _contenders(name: str, shape: tuple[int, ...], passes: Pass) -> list[Contender]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator) * _SPREAD
    grad = torch.randn(shape, generator=generator)
    torch.manual_seed(0)
    neuron = make_neuron(name, shape)

    def ours(kernel: Kernel, x: Tensor) -> Tensor:
        with use_kernel(kernel):
            return neuron(x)

    auto, reference = partial(ours, "auto"), partial(ours, "reference")
    layers: list[tuple[str, Layer, str]] = [("snnctl", auto, "fp32"), ("reference", reference, "fp32")]
    if name == "lif":
        layers += _peers(neuron)
        layers.append(("snnctl", auto, "bf16"))
    made = []
    for engine, layer, precision in layers:
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        kept = list(neuron.parameters())
        call = _pass(layer, x.to(dtype), grad.to(dtype), kept, passes)
        made.append(Contender(engine, call, precision, kept, partial(_rate, layer, x.to(dtype))))
    return made


def _pass(layer: Layer, x: Tensor, grad: Tensor, parameters: list[nn.Parameter], passes: Pass) -> Callable[[], Any]:
    """One call: both the gradient of the input and those of parameters are asked for."""
    if passes == "forward":

        def forward() -> None:
            with torch.no_grad():
                layer(x)

        return forward
    leaf = x.detach().requires_grad_()
    wanted = [leaf, *parameters]
    return lambda: torch.autograd.grad(layer(leaf), wanted, grad, allow_unused=True)


@torch.no_grad()
def _rate(layer: Layer, x: Tensor) -> dict[str, Any]:
    return {"rates": [round(float(layer(x).float().mean()), 4)]}


def _peers(like: nn.Module) -> list[tuple[str, Layer, str]]:
    assert isinstance(like, LIF)
    found: list[tuple[str, Layer, str]] = []
    jelly, torch_ = spikingjelly(), snntorch()
    if jelly is not None:
        node = jelly.lif(like)

        def jelly_run(x: Tensor) -> Tensor:
            jelly.reset(node)
            return node(x)

        found.append(("spikingjelly", jelly_run, "fp32"))
    if torch_ is not None:
        leaky = torch_.leaky(like)
        found.append(("snntorch", lambda x: torch_scan(leaky, x), "fp32"))
    return found
