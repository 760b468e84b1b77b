"""Cases of whole blocks and networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnctl.backbones import Spikformer
from snnctl.backbones.parts.layers import SpikingLinear
from snnctl.backbones.spike_mlp import SelfRecurrent
from snnctl.bench.case import Case, Contender, firing_rates, kept
from snnctl.bench.peer_networks import (
    FromRest,
    JellyLayer,
    JellySpikformer,
    TorchFeedForward,
    TorchRecurrent,
    jelly_feedforward,
    jelly_recurrent,
)
from snnctl.bench.peers import snntorch, spikingjelly
from snnctl.core.shapes import SignalSpec
from snnctl.neurons import LIF
from snnctl.neurons.base import NeuronFactory
from snnctl.neurons.kernels import Kernel, spike_linear, use_kernel

NAMES = ("linear_norm_lif", "spikformer", "feedforward", "recurrent", "streaming_product", "streaming")
PRECISIONS = ("fp32", "bf16")
NORM_GAIN = 2.0  # so that a layer behind BatchNorm fires from the start
ATTENTION_SCALE = 0.125
Loss = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Sizes:
    """The sizes of the cases; `tiny` ones only show that everything runs."""

    steps: int = 4
    batch: int = 16
    length: int = 168
    events: tuple[int, int] = (250, 128)  # steps, batch
    dim: int = 256
    hidden: int = 1024
    depth: int = 2
    heads: int = 8
    layers: tuple[int, ...] = (700, 256, 256, 20)
    recurrent: tuple[int, ...] = (700, 128, 128, 20)
    stream: int = 1024
    calls: int = 50


FULL = Sizes()
TINY = Sizes(2, 2, 8, (10, 4), 16, 32, 1, 2, (30, 16, 16, 4), (30, 16, 16, 4), 32, 5)


def block_cases(names: Sequence[str] = (), sizes: Sizes = FULL) -> list[Case]:
    """The cases called `names`, all if there are none."""
    tokens = (sizes.steps, sizes.batch, sizes.length, sizes.dim)
    events = (*sizes.events, sizes.layers[0])
    every = [
        Case("linear_norm_lif", tokens, "forward+backward", partial(_linear_norm_lif, sizes)),
        Case("spikformer", tokens, "forward+backward", partial(_spikformer, sizes)),
        Case("feedforward", events, "forward+backward", partial(_feedforward, sizes)),
        Case("recurrent", (*sizes.events, sizes.recurrent[0]), "forward+backward", partial(_recurrent, sizes)),
        Case("streaming_product", (1, 1, sizes.stream), "forward", partial(_streaming_product, sizes), sizes.calls),
        Case("streaming", (1, 1, sizes.stream), "forward", partial(_streaming, sizes), sizes.calls),
    ]
    return [case for case in every if not names or case.name in names]


def _autocast(precision: str) -> AbstractContextManager[Any]:
    return torch.autocast("cpu", dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


def step(
    engine: str, network: nn.Module, x: Tensor, loss: Loss, precision: str, *, kernel: Kernel = "auto"
) -> Contender:
    """Forward, loss, backward of `network`; no optimiser. Gradients of all parameters, and of `x` if it wants one."""

    def call() -> None:
        wanted = [p for p in (*network.parameters(), x) if p.requires_grad]
        with use_kernel(kernel):
            with _autocast(precision):
                found = network(x)
            torch.autograd.grad(loss(found.float()), wanted)

    def run() -> None:
        with torch.no_grad(), use_kernel(kernel), _autocast(precision):
            network(x)

    return Contender(engine, call, precision, kept(network), lambda: {"rates": firing_rates(network, run)})


def spikes(shape: Sequence[int], rate: float, seed: int = 0) -> Tensor:
    """Zeros and ones [*shape] with a share `rate` of ones."""
    return (torch.rand(tuple(shape), generator=torch.Generator().manual_seed(seed)) < rate).float()


def _linear_norm_lif(sizes: Sizes) -> list[Contender]:
    torch.manual_seed(0)
    ours = SpikingLinear(sizes.dim, sizes.hidden, LIF, norm_gain=NORM_GAIN)
    x = spikes((sizes.steps, sizes.batch, sizes.length, sizes.dim), 0.15).requires_grad_()
    weights = torch.randn(sizes.hidden, generator=torch.Generator().manual_seed(1))
    jelly = spikingjelly()
    theirs = None if jelly is None else FromRest(jelly, JellyLayer(jelly, ours))
    return _both(ours, theirs, x, lambda out: (out @ weights).mean())


def _spikformer(sizes: Sizes) -> list[Contender]:
    ours = make_spikformer(sizes)
    x = spikes((sizes.steps, sizes.batch, sizes.length, sizes.dim), 0.15)
    jelly = spikingjelly()
    theirs = None if jelly is None else JellySpikformer(jelly, ours, ATTENTION_SCALE)
    return _both(ours, theirs, x, lambda out: out.mean())


def make_spikformer(sizes: Sizes) -> Spikformer:
    """A Spikformer on tokens as wide as the model."""
    torch.manual_seed(0)
    return Spikformer(
        SignalSpec(sizes.steps, sizes.length, sizes.dim, kind="spikes"),
        dim=sizes.dim,
        depth=sizes.depth,
        heads=sizes.heads,
        hidden=sizes.hidden,
        attention_scale=ATTENTION_SCALE,
        norm_gain=NORM_GAIN,
        embed_norm=True,
    )


def _both(ours: nn.Module, theirs: nn.Module | None, x: Tensor, loss: Loss) -> list[Contender]:
    """snnctl and spikingjelly in both precisions, and our definition in float32."""
    made = [step("reference", ours, x, loss, "fp32", kernel="reference")]
    for precision in PRECISIONS:
        made.append(step("snnctl", ours, x, loss, precision))
        if theirs is not None:
            made.append(step("spikingjelly", theirs, x, loss, precision))
    return made


def slow_lif(channels: int) -> LIF:
    """LIF for events: tau 20 steps, input not decayed, hard reset."""
    return LIF(channels, tau=20.0, decay_input=False)


def feedforward(layers: Sequence[int], neuron: NeuronFactory) -> nn.Sequential:
    """Spiking layers without norm: [T, B, inputs] -> spikes [T, B, outputs]."""
    return nn.Sequential(*(SpikingLinear(i, o, neuron, norm_gain=None) for i, o in pairwise(layers)))


def make_feedforward(sizes: Sizes, x: Tensor, rate: float = 0.1) -> nn.Sequential:
    """The network for input `x`, weights of each layer scaled until it fires at about `rate`."""
    torch.manual_seed(0)
    network = feedforward(sizes.layers, slow_lif)
    make_fire(network, x[:, :8], rate)
    return network


def make_fire(network: nn.Sequential, current: Tensor, rate: float) -> None:
    """Scale the weights of each layer until it fires at about `rate`."""
    for layer in network:
        assert isinstance(layer, SpikingLinear)
        start = layer.linear.weight.detach().clone()
        low, high = 0.0, 64.0
        with torch.no_grad():
            for _ in range(12):
                middle = (low + high) / 2
                layer.linear.weight.copy_(start * middle)
                out = layer(current)
                low, high = (low, middle) if float(out.mean()) > rate else (middle, high)
        current = out


def _events(sizes: Sizes, layers: tuple[int, ...]) -> tuple[Tensor, Loss]:
    """Input at 3 %, and a loss: spikes counted, a tenth of them as logits."""
    steps, batch = sizes.events
    x = spikes((steps, batch, layers[0]), 0.03)
    labels = torch.randint(layers[-1], (batch,), generator=torch.Generator().manual_seed(1))
    return x, lambda out: F.cross_entropy(out.sum(0) / 10, labels)


def make_recurrent(layers: Sequence[int], neuron: NeuronFactory) -> nn.Sequential:
    """Spiking layers without norm, recurrent but for the last: [T, B, inputs] -> spikes [T, B, outputs]."""
    *hidden, last = pairwise(layers)
    made = [SelfRecurrent(i, o, neuron, norm_gain=None) for i, o in hidden]
    return nn.Sequential(*made, SpikingLinear(*last, neuron, norm_gain=None))


def _recurrent(sizes: Sizes) -> list[Contender]:
    x, loss = _events(sizes, sizes.recurrent)
    torch.manual_seed(0)
    ours = make_recurrent(sizes.recurrent, slow_lif)
    make_fire(ours, x[:, :8], 0.1)
    layers = [cast(SpikingLinear, layer) for layer in ours]
    jelly, torch_ = spikingjelly(), snntorch()
    made = _both(ours, None if jelly is None else jelly_recurrent(jelly, layers), x, loss)
    if torch_ is not None:
        made += [step("snntorch", TorchRecurrent(torch_, layers), x, loss, p) for p in PRECISIONS]
    return made


def _feedforward(sizes: Sizes) -> list[Contender]:
    x, loss = _events(sizes, sizes.layers)
    ours = make_feedforward(sizes, x)
    weights = [cast(nn.Linear, layer.linear) for layer in ours]
    like = cast(LIF, ours[0].neuron)
    jelly, torch_ = spikingjelly(), snntorch()
    made = _both(ours, None if jelly is None else jelly_feedforward(jelly, weights, like), x, loss)
    if torch_ is not None:
        made += [step("snntorch", TorchFeedForward(torch_, weights, like), x, loss, p) for p in PRECISIONS]
    return made


# Streaming: one sample, one step at a time, no gradients. `snnctl` is SpikingLinear as it is, by whatever path it takes
# for one row; `dense` is the matrix product and the neuron one after the other; the peers do a single step of theirs.
def _streaming_product(sizes: Sizes) -> list[Contender]:
    """Weights times one row of spikes: event by event, and densely."""
    layer, inputs = _stream(sizes)
    weight, bias = layer.linear.weight, layer.linear.bias
    return [
        _over("snnctl", inputs, lambda x: spike_linear(x, weight, bias), layer),
        _over("dense", inputs, lambda x: F.linear(x, weight, bias), layer),
    ]


def _streaming(sizes: Sizes) -> list[Contender]:
    """A layer, step after step with its state carried on; only ours multiplies event by event."""
    layer, inputs = _stream(sizes)
    linear, neuron = layer.linear, cast(LIF, layer.neuron)
    states: dict[str, Any] = {"snnctl": None, "dense": None, "snntorch": None}

    def ours(x: Tensor) -> None:
        _, states["snnctl"] = layer(x, states["snnctl"], return_state=True)

    def dense(x: Tensor) -> None:
        current = F.linear(x, linear.weight, linear.bias)
        _, states["dense"] = neuron(current, states["dense"], return_state=True)

    runs: list[tuple[str, Callable[[Tensor], object]]] = [("snnctl", ours), ("dense", dense)]
    jelly, torch_ = spikingjelly(), snntorch()
    if jelly is not None:
        node = jelly.lif(neuron, step_mode="s")
        runs.append(("spikingjelly", lambda x: node(F.linear(x[0], linear.weight, linear.bias))))
    if torch_ is not None:
        leaky = torch_.leaky(neuron)

        def leaky_step(x: Tensor) -> None:
            before = leaky.reset_mem() if states["snntorch"] is None else states["snntorch"]
            _, states["snntorch"] = leaky(F.linear(x[0], linear.weight, linear.bias), before)

        runs.append(("snntorch", leaky_step))
    return [_over(engine, inputs, one, layer) for engine, one in runs]


def _stream(sizes: Sizes) -> tuple[SpikingLinear, list[Tensor]]:
    """A layer, and a new row of 5 % spikes for every call."""
    torch.manual_seed(0)
    layer = SpikingLinear(sizes.stream, sizes.stream, LIF, norm_gain=None).eval()
    return layer, list(spikes((sizes.calls, 1, 1, sizes.stream), 0.05))


def _over(engine: str, inputs: list[Tensor], one: Callable[[Tensor], object], layer: SpikingLinear) -> Contender:
    def call() -> None:
        with torch.no_grad():
            for x in inputs:
                one(x)

    return Contender(engine, call, "fp32", kept(layer))
