"""The hierarchical QKFormer: sizes by hand and as its authors logged them, forward and backward passes written out."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from plain_images import convolved, gradients, pictures, settle, tokens
from torch import Tensor, nn

from snnctl.backbones import QKFormerStages
from snnctl.backbones.parts.layers import fold_norms
from snnctl.backbones.parts.patch_embed import PatchEmbedding
from snnctl.backbones.parts.transformer import NoLayer
from snnctl.backbones.parts.weights import ConvWeights
from snnctl.core.catalog import POSITIONS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.encoders import Repeat
from snnctl.encoders.direct import NoEncoder
from snnctl.neurons.base import SpikingNeuron
from snnctl.readouts.linear import MeanLinear

CIFAR = SignalSpec(4, 1024, 3, grid=(32, 32))
TINY = SignalSpec(4, 4096, 3, grid=(64, 64))
DVS = SignalSpec(4, 128 * 128, 2, grid=(128, 128))
FOR_DVS: dict[str, Any] = {
    "dim": 256,
    "depths": [1, 1],
    "heads": 16,
    "mlp_ratio": 1.0,
    "first_layers": 4,
    "first_pools": [2, 3, 4],
}
IMAGE = SignalSpec(4, 48, 3, grid=(8, 6))
SMALL: dict[str, Any] = {"dim": 16, "depths": [1, 1, 1], "heads": 2, "norm_gain": 3.0, "attention_scale": 0.25}


def cpg(neurons: int) -> Any:
    return partial(POSITIONS.get("cpg"), neurons=neurons)


def count(signal: SignalSpec, classes: int = 0, **knobs: Any) -> int:
    """Weights of the backbone, and of a read-out of so many classes."""
    with torch.device("meta"):
        body = QKFormerStages(signal, **knobs)
        parts = [body, MeanLinear(body.output, classes)] if classes else [body]
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


def by_hand(dim: int, depths: list[int], ratio: int, first: list[int], past: int, classes: int) -> int:
    """Layer by layer, with the biases of the authors' network: none before q, k and v.

    Args:
        first: channels from the pixels to the first stage.
        past: channels from which the first shortcut comes.
    """
    image = lambda a, b, k: k * k * a * b + 2 * b  # noqa: E731  # no bias; gain and shift
    dense = lambda a, b: a * b + b + 2 * b  # noqa: E731
    total = sum(image(a, b, 3) for a, b in pairwise(first)) + image(past, first[-1], 1)
    widths = [dim // 2**halvings for halvings in range(len(depths))][::-1]
    for width in widths[1:]:
        total += image(width // 2, width, 3) + image(width, width, 3) + image(width // 2, width, 1)
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
        packed = 3 if stage == len(depths) else 2
        mlp = dense(width, ratio * width) + dense(ratio * width, width)
        total += depth * (packed * (width * width + 2 * width) + dense(width, width) + mlp)
    return total + dim * classes + classes


def biases(dim: int, depths: list[int]) -> int:
    """Those of queries, keys and values, which a norm takes out again: the authors' network has none."""
    widths = [dim // 2**halvings for halvings in range(len(depths))][::-1]
    packed = [2] * (len(depths) - 1) + [3]
    return sum(depth * parts * width for depth, parts, width in zip(depths, packed, widths, strict=True))


def test_sizes_are_those_of_the_authors_logs() -> None:
    cifar = by_hand(384, [1, 1, 2], 4, [3, 48, 96], 48, 10)
    dvs = by_hand(256, [1, 1], 1, [2, 16, 32, 64, 128], 32, 10)
    assert (cifar, dvs) == (6_706_234, 1_504_138)  # the logs in their repository
    assert (biases(384, [1, 1, 2]), biases(256, [1, 1])) == (2880, 1024)
    assert count(CIFAR, 10) == cifar + 2880
    assert count(DVS, 10, **FOR_DVS) == dvs + 1024
    assert count(CIFAR, 10, spiking=False) == cifar + 2880


@pytest.mark.parametrize(
    ("signal", "classes", "knobs", "printed", "within"),
    [
        (CIFAR, 10, {}, 6.74, 0.035),  # what is printed is the size with 100 classes
        (CIFAR, 100, {}, 6.76, 0.02),
        (TINY, 200, {"first_pools": [2]}, 6.78, 0.005),
        (DVS, 10, FOR_DVS, 1.50, 0.006),
    ],
)
def test_sizes_as_printed(signal: SignalSpec, classes: int, knobs: Any, printed: float, within: float) -> None:
    """Rows "Conv-PE" of arXiv 2501.16745; a layer for it would add 1.33 million at width 384, .59 at 256."""
    plain = count(signal, classes, **knobs)
    assert plain / 1e6 == pytest.approx(printed, abs=within)
    dim = knobs.get("dim", 384)
    assert count(signal, classes, position="conv", **knobs) - plain == 9 * dim * dim + 2 * dim


def test_sizes_with_a_code() -> None:
    """Printed are 7.01, 7.04 and 7.08 million, and 1.58: one layer for 40 neurons fits the last alone."""
    for signal, classes, knobs, printed in (
        (CIFAR, 10, {}, 7.01),
        (CIFAR, 100, {}, 7.04),
        (TINY, 200, {}, 7.08),
        (DVS, 10, FOR_DVS, 1.58),
    ):
        dim = int(knobs.get("dim", 384))  # type: ignore[call-overload]
        found = count(signal, classes, position=cpg(40), **knobs)  # type: ignore[arg-type]
        assert found - count(signal, classes, **knobs) == (dim + 40) * dim + 3 * dim  # type: ignore[arg-type]
        assert printed - found / 1e6 == pytest.approx(0.135 if dim == 384 else 0.0, abs=0.005)
    assert count(DVS, 10, position=cpg(64), **FOR_DVS) / 1e6 == pytest.approx(1.588, abs=5e-4)


@pytest.mark.parametrize(
    ("signal", "knobs", "grids"),
    [
        (CIFAR, {}, [(32, 32), (16, 16), (8, 8)]),
        (TINY, {"first_pools": [2]}, [(32, 32), (16, 16), (8, 8)]),
        (DVS, FOR_DVS, [(16, 16), (8, 8)]),
        (SignalSpec(2, 35, 1, grid=(5, 7)), {"first_pools": [1]}, [(3, 4), (2, 2), (1, 1)]),
        (SignalSpec(2, 35, 1, grid=(5, 7)), {"depths": [2]}, [(5, 7)]),
    ],
)
def test_grids(signal: SignalSpec, knobs: Any, grids: list[tuple[int, int]]) -> None:
    with torch.device("meta"):
        made = QKFormerStages(signal, **knobs)
        out = made(torch.empty(signal.shape(2)))
    embeddings = [part for part in made.modules() if isinstance(part, PatchEmbedding)]
    assert [part.grid for part in embeddings] == grids
    assert made.output.grid == grids[-1]
    assert tuple(out.shape) == made.output.shape(2) == (signal.steps, 2, math.prod(grids[-1]), knobs.get("dim", 384))


def lif(x: Tensor, threshold: float = 1.0) -> Tensor:
    """tau 2, hard reset without gradient, arctan surrogate of width 2 over the membrane as a share of the threshold."""
    v, out = torch.zeros_like(x[0]), []
    for x_t in x:
        v = v + (x_t - v) / 2.0
        above = (v - threshold) / threshold
        smooth = torch.atan(math.pi * above) / math.pi
        s = (above >= 0).to(v) + (smooth - smooth.detach())
        v = v * (1 - s.detach())
        out.append(s)
    return torch.stack(out)


def dense(x: Tensor, layer: Any) -> Tensor:
    """Linear map and norm of [T, B, L, D]."""
    rows = x @ layer.linear.weight.T + layer.linear.bias
    norm = layer.norm
    if norm.training:
        mean, var = rows.mean((0, 1, 2)), rows.var((0, 1, 2), unbiased=False)
    else:
        mean, var = norm.running_mean, norm.running_var
    scaled: Tensor = (rows - mean) / (var + norm.eps).sqrt() * norm.weight + norm.bias
    return scaled


def embedded(x: Tensor, part: Any, pools: set[int], start: int, unit: Any) -> Tensor:
    past, halved = x, 0
    for number, layer in enumerate(part.layers, start=1):
        x = convolved(x, layer)
        if number in pools:
            x = torch.stack([F.max_pool2d(x_t, 3, 2, 1) for x_t in x])
            halved += number > start
        x = unit(x)
        past = x if number == start else past
    spikes: Tensor = x + unit(convolved(past, part.shortcut, 2**halved))
    return spikes


def attended(x: Tensor, attention: Any, packed: int, spiking: bool, scale: float) -> Tensor:
    heads = attention.heads
    parts = (dense(x, attention.qk) if packed == 2 else dense(x, attention.qkv)).chunk(packed, -1)
    if spiking:
        parts = tuple(lif(part) for part in parts)
    out = []
    for own in zip(*(part.chunk(heads, -1) for part in parts), strict=True):
        q, k, v = own if packed == 3 else (*own, own[1])
        if not spiking:
            out.append((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v)
        elif packed == 2:
            out.append(lif(q.sum(-1, keepdim=True), 0.5) * k)
        else:
            out.append(lif(q @ k.mT @ v * scale, 0.5))
    y = dense(torch.cat(out, -1), attention.projection)
    return lif(y) if spiking else y


def plain(x: Tensor, network: Any, pools: set[int], start: int, spiking: bool = True, scale: float = 0.25) -> Tensor:
    """The whole network: pixels [T, B, C, H, W] -> tokens [T, B, L', D]."""
    unit = lif if spiking else torch.relu
    stages = [(stage.embedding, stage.blocks, 2) for stage in network.token_stages]
    for embedding, blocks, packed in [*stages, (network.embedding, network.blocks, 3)]:
        x = embedded(x, embedding, pools, start, unit)
        shape, (pools, start) = x.shape, ({2}, 0)
        x = tokens(x)
        for block in blocks:
            x = x + attended(x, block.attention, packed, spiking, scale)
            y = dense(unit(dense(x, block.mlp.widen)), block.mlp.narrow)
            x = x + (unit(y) if spiking else y)
        x = x.transpose(2, 3).unflatten(3, shape[3:])
    return tokens(x)


CASES: list[Any] = [
    ({}, set(), 1, IMAGE, 2),
    ({"depths": [2, 1]}, set(), 1, IMAGE.replace(steps=1), 3),
    ({"first_layers": 3, "first_pools": [1, 3], "mlp_ratio": 1.0}, {1, 3}, 1, SignalSpec(3, 165, 1, grid=(11, 15)), 1),
    (
        {"depths": [1, 2], "first_layers": 4, "first_pools": [2, 3, 4]},
        {2, 3, 4},
        2,
        SignalSpec(2, 256, 2, grid=(16, 16)),
        4,
    ),
]


def small(signal: SignalSpec, **knobs: Any) -> QKFormerStages:
    torch.manual_seed(0)
    return QKFormerStages(signal, **{**SMALL, **knobs}).double()


def as_images(x: Tensor, signal: SignalSpec) -> Tensor:
    assert signal.grid is not None
    return x.unflatten(2, signal.grid).movedim(-1, 2)


@pytest.mark.parametrize(("knobs", "pools", "start", "signal", "batch"), CASES)
def test_spikes_and_gradients_written_out(knobs: Any, pools: Any, start: int, signal: SignalSpec, batch: int) -> None:
    network = small(signal, **knobs)
    x = pictures(*signal.shape(batch))
    settle(network, x)
    x.requires_grad_()
    for training in (True, False):
        network.train(training)
        out, expected = network(x), plain(as_images(x, signal), network, pools, start)
        assert out.any()
        assert tuple(out.shape) == network.output.shape(batch)
        assert out.max() <= network.output.levels
        assert torch.equal(out, expected.round())
        torch.testing.assert_close(expected, out, rtol=0, atol=1e-12)
        leaves = [x, *network.parameters()]
        for mine, theirs in zip(gradients(out, leaves), gradients(expected, leaves), strict=True):
            assert mine.isfinite().all()
            torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(fold_norms(network)(x), network(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("knobs", "pools", "start", "signal", "batch"), CASES)
def test_the_twin_written_out(knobs: Any, pools: Any, start: int, signal: SignalSpec, batch: int) -> None:
    network = small(signal, spiking=False, **knobs)
    assert not any(isinstance(part, SpikingNeuron) for part in network.modules())
    assert network.output.kind == "real"
    x = pictures(*signal.shape(batch)).requires_grad_()
    out = network(x)
    expected = plain(as_images(x, signal), network, pools, start, spiking=False)
    torch.testing.assert_close(out, expected, rtol=1e-9, atol=1e-9)
    leaves = [x, *network.parameters()]
    for mine, theirs in zip(gradients(out, leaves), gradients(expected, leaves), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-8)
    weights = {name: p.shape for name, p in network.named_parameters()}
    assert weights == {name: p.shape for name, p in small(signal, **knobs).named_parameters()}


@pytest.mark.parametrize("position", ["none", "cpg", "conv", "sinusoid", "cpg_linear", "gray"])
def test_every_parameter_gets_a_gradient(position: str) -> None:
    network = small(IMAGE, position=position, attention_scale=0.5, learn_attention_scale=True)
    out = network(pictures(*IMAGE.shape(5)))
    for gradient, (name, parameter) in zip(
        gradients(out, list(network.parameters())), network.named_parameters(), strict=True
    ):
        # A bias before a norm moves nothing.
        assert gradient.any() or name.endswith(("linear.bias", "code_weight")), name
        assert gradient.shape == parameter.shape


def test_a_repeated_image_is_convolved_once() -> None:
    encoder = Repeat(SignalSpec(0, 48, 3, grid=(8, 6)), steps=5, neuron=None)
    network = small(encoder.output)
    seen: list[tuple[int, ...]] = []
    first = next(part for part in network.modules() if isinstance(part, nn.Conv2d))
    first.register_forward_pre_hook(lambda module, given: seen.append(tuple(given[0].shape)))
    x = pictures(2, 48, 3)
    out = network(encoder(x))
    repeated = network(x.repeat(5, 1, 1, 1))
    assert seen == [(2, 3, 8, 6), (10, 3, 8, 6)]
    torch.testing.assert_close(repeated, out, rtol=0, atol=1e-9)


def test_event_frames_pass() -> None:
    encoder = NoEncoder(SignalSpec(0, 16 * 16, 2, grid=(16, 16), frames=3))
    network = small(encoder.output, depths=[1, 1], first_layers=4, first_pools=[2, 3, 4])
    frames = torch.randint(0, 3, (2, 3, 256, 2), generator=torch.Generator().manual_seed(1)).double()
    out = network(encoder(frames))
    assert out.shape == (3, 2, 1, 16)
    assert not torch.equal(out, network(encoder(frames.flip(1))).flip(0))  # a neuron remembers


def after_permutation(network: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean over the last stage's tokens, which come to the position in their order, or in another."""
    straight = network(x).mean(2)

    def permute(module: nn.Module, given: tuple[Tensor]) -> Tensor:
        length = given[0].shape[2]
        return given[0][:, :, torch.randperm(length, generator=torch.Generator().manual_seed(2))]

    handle = network.position.register_forward_pre_hook(permute)
    permuted = network(x).mean(2)
    handle.remove()
    return straight, permuted


@pytest.mark.parametrize("position", ["none", "cpg", "conv", "learned", "gray", "log"])
def test_the_last_stage_knows_order_by_its_position_alone(position: str) -> None:
    given = partial(POSITIONS.get("conv"), norm_gain=3.0) if position == "conv" else position
    network = small(IMAGE, depths=[1, 2], position=given)
    if position == "learned":
        nn.init.normal_(network.position.rows)  # type: ignore[union-attr, arg-type]
    x = pictures(*IMAGE.shape(4))
    settle(network, x)
    straight, permuted = after_permutation(network.eval(), x)
    assert straight.std(1).max() > 1e-3
    if position == "none":
        torch.testing.assert_close(permuted, straight, rtol=0, atol=1e-12)
    else:
        assert (permuted - straight).abs().max() > 1e-3


def test_pixels_are_not_blind_to_order() -> None:
    """The convolutions are an encoding of their own: only the last stage's tokens can be permuted."""
    network = small(IMAGE, depths=[1, 2])
    x = pictures(*IMAGE.shape(4))
    order = torch.randperm(48, generator=torch.Generator().manual_seed(2))
    assert (network(x).mean(2) - network(x[:, :, order]).mean(2)).abs().max() > 1e-3


def test_positions_find_the_last_stage() -> None:
    network: Any = small(IMAGE, position="gray")
    assert (network.position.grid, network.position.bits) == ((2, 2), 1)
    assert isinstance(network.embed, NoLayer)
    assert network.blocks[0].attention.kind == "xnor"
    network = small(IMAGE, position=partial(POSITIONS.get("cpg"), neurons=5, where="all"))
    with_code = [name for name, _ in network.named_parameters() if name.endswith("code_weight")]
    assert with_code
    assert all(name.startswith("blocks.") for name in with_code)
    assert network.embed.linear.in_features == 21


@pytest.mark.parametrize(
    ("knobs", "knob", "words"),
    [
        ({"dim": 18}, "dim", "multiple of 4"),
        ({"heads": 8}, "heads", "divide 4"),
        ({"first_layers": 4}, "first_layers", "halved 3 times"),
        ({"first_pools": [3]}, "first_pools", "no convolution 3"),
        ({"first_pools": [2, 2]}, "first_pools", "twice"),
        ({"depths": []}, "depths", "one stage"),
        ({"learn_attention_scale": True, "attention_scale": 1.0}, "attention_scale", "below 1"),
    ],
)
def test_what_cannot_be(knobs: Any, knob: str, words: str) -> None:
    with pytest.raises(ShapeError, match=words) as caught:
        QKFormerStages(IMAGE, **{**SMALL, **knobs})
    assert caught.value.knob == knob


def test_a_sequence_is_refused() -> None:
    with pytest.raises(ShapeError, match="no grid") as caught:
        QKFormerStages(IMAGE.replace(grid=None), **SMALL)
    assert caught.value.help


def test_a_strided_convolution_of_single_pixels_steps_before_it_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer channels than a vector register holds, oneDNN's own backward pass writes beyond its memory."""
    strides: list[Any] = []
    real = F.conv2d

    def watched(x: Tensor, weight: Tensor, bias: Any, stride: Any, *rest: Any) -> Tensor:
        strides.append(tuple(stride))
        return real(x, weight, bias, stride, *rest)

    monkeypatch.setattr(F, "conv2d", watched)
    conv = ConvWeights(8, 16, 1, 2, 0, bias=False)
    x = torch.randn(4, 63, 64, 8, generator=torch.Generator().manual_seed(1)).permute(0, 3, 1, 2).requires_grad_()
    out = conv(x)
    assert strides == [(1, 1)]
    expected = torch.einsum("oi,nihw->nohw", conv.weight[:, :, 0, 0], x[:, :, ::2, ::2])
    assert out.is_contiguous(memory_format=torch.channels_last)  # what is behind gets views
    torch.testing.assert_close(out, expected)
    for mine, theirs in zip(gradients(out, [x, conv.weight]), gradients(expected, [x, conv.weight]), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-3)
