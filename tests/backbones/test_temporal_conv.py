"""Temporal convolution: taps, causality, a plain loop, the published sizes, matched widths, dropout."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sequence_networks import lif_spikes, make, rates, spikes, warmed
from torch import Tensor, nn

from snnctl.backbones import TemporalConv, fold_norms
from snnctl.backbones.parts.weights import TimeConv, time_conv
from snnctl.backbones.temporal_conv import count_weights, dilations_by_depth, kernels_by_depth, matching_width
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.neurons.kernels import use_kernel

FRAMES = SignalSpec(12, 2, 3, kind="spikes", dt_ms=10.0)
SHD = SignalSpec(200, 1, 700, kind="spikes")


def by_hand(x: Tensor, kernel: Tensor, dilation: int) -> Tensor:
    """One sum per step, tap and pair of channels."""
    steps, batch, _ = x.shape
    outputs, taps, _ = kernel.shape
    y = torch.zeros(steps, batch, outputs, dtype=x.dtype)
    for t in range(steps):
        for k in range(taps):
            if t - k * dilation >= 0:
                for o in range(outputs):
                    y[t, :, o] += (kernel[o, k] * x[t - k * dilation]).sum(-1)
    return y


class TestTimeConv:
    @settings(deadline=None, max_examples=40)
    @given(
        steps=st.integers(1, 9),
        batch=st.integers(1, 3),
        inputs=st.integers(1, 4),
        outputs=st.integers(1, 4),
        taps=st.integers(1, 4),
        dilation=st.integers(1, 4),
        seed=st.integers(0, 10**6),
    )
    def test_both_paths_equal_a_plain_loop(
        self, steps: int, batch: int, inputs: int, outputs: int, taps: int, dilation: int, seed: int
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(steps, batch, inputs, dtype=torch.float64, generator=generator, requires_grad=True)
        kernel = torch.randn(outputs, taps, inputs, dtype=torch.float64, generator=generator, requires_grad=True)
        bias = torch.randn(outputs, dtype=torch.float64, generator=generator, requires_grad=True)
        expected = by_hand(x, kernel, dilation) + bias
        weights = torch.randn(expected.shape, dtype=torch.float64, generator=generator)
        wanted = torch.autograd.grad((expected * weights).sum(), (x, kernel, bias))
        for path in ("auto", "reference"):
            with use_kernel(path):  # type: ignore[arg-type]
                found = time_conv(x, kernel, bias, dilation)
                torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
                gradients = torch.autograd.grad((found * weights).sum(), (x, kernel, bias))
            for gradient, theirs in zip(gradients, wanted, strict=True):
                torch.testing.assert_close(gradient, theirs, rtol=0, atol=1e-12)

    def test_takes_any_layout_and_needs_no_gradient_of_the_data(self) -> None:
        x = torch.randn(3, 7, 4, dtype=torch.float64).transpose(0, 1)  # as `none` hands it on
        kernel = torch.randn(5, 3, 4, dtype=torch.float64, requires_grad=True)
        found = time_conv(x, kernel, dilation=2)
        torch.testing.assert_close(found, by_hand(x, kernel, 2), rtol=0, atol=1e-12)
        cut = found.transpose(0, 2)[:, 1:2]  # a gradient that lies elsewhere in memory
        (gradient,) = torch.autograd.grad(cut.square().sum(), kernel)
        (expected,) = torch.autograd.grad(by_hand(x, kernel, 2)[:, 1].square().sum(), kernel)
        torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-11)

    def test_the_paths_are_two(self) -> None:
        x, kernel = torch.randn(4, 2, 3), torch.randn(5, 2, 3, requires_grad=True)
        assert type(time_conv(x, kernel).grad_fn).__name__ == "_ShiftsBackward"
        with use_kernel("reference"):
            assert type(time_conv(x, kernel).grad_fn).__name__ == "PermuteBackward0"

    def test_weights_start_like_those_of_torch(self) -> None:
        torch.manual_seed(0)
        conv = TimeConv(30, 40, 3, bias=True)
        bound = 90**-0.5
        for values in (conv.weight, conv.bias):
            assert values is not None
            assert 0.9 * bound < values.abs().max() <= bound


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (3, 4), (2, 9)])
@torch.no_grad()
def test_an_impulse_comes_out_at_the_taps_alone(kernel: int, dilation: int) -> None:
    conv = TimeConv(1, 1, kernel, bias=False, dilation=dilation).double()
    x = torch.zeros(20, 1, 1, dtype=torch.float64)
    x[2] = 1.0
    found = conv(x)[:, 0, 0]
    expected = {2 + k * dilation: float(conv.weight[0, k, 0]) for k in range(kernel)}
    assert {int(t): float(found[t]) for t in found.nonzero()[:, 0]} == expected
    assert conv.reach == (kernel - 1) * dilation


def lif(current: Tensor) -> Tensor:
    v, out = torch.zeros_like(current[0]), []
    for now in current:
        s, v = lif_spikes(now, v)
        out.append(s)
    return torch.stack(out)


@pytest.mark.parametrize("kernels", [[3, 3], [1, 4], [2]])
@torch.no_grad()
def test_network_equals_a_plain_loop(kernels: list[int]) -> None:
    knobs: dict[str, Any] = {"kernels": kernels, "layers": len(kernels), "dilations": [2, 3][: len(kernels)]}
    network = warmed("temporal_conv", FRAMES, width=7, norm_gain=2.0, **knobs)
    x = spikes(signal=FRAMES)
    y = x.flatten(2)
    for layer, gap in zip(network.layers, knobs["dilations"], strict=True):
        y = lif(layer.norm(by_hand(y, layer.synapses.weight, gap)))
    assert 0.02 < y.mean() < 0.7
    torch.testing.assert_close(network(x), y.unsqueeze(2), rtol=0, atol=1e-9)
    torch.testing.assert_close(fold_norms(network)(x), network(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("spiking", [True, False])
def test_no_step_sees_a_later_one(spiking: bool) -> None:
    network = warmed("temporal_conv", FRAMES, width=16, kernel=3, dilation=2, norm_gain=2.0, spiking=spiking)
    x = spikes(signal=FRAMES, batch=8)
    reached = set()
    with torch.no_grad():
        before = network(x)
        for t0 in range(12):
            other = x.clone()
            other[t0] = 1 - other[t0]
            changed = (network(other) != before).flatten(1).any(1).nonzero().flatten().tolist()
            assert min(changed) >= t0
            reached |= {t - t0 for t in changed}
    # Without membranes an output reaches just as far back as is said.
    assert network.receptive_field == 9
    assert (reached >= set(range(9))) if spiking else (reached == {0, 2, 4, 6, 8})


PUBLISHED_KERNELS = {
    -4: [7, 3],
    -3: [6, 3],
    -2: [6, 4],
    -1: [5, 4],
    0: [5, 5],
    1: [4, 5],
    2: [4, 6],
    3: [3, 6],
    4: [3, 7],
}
PUBLISHED_WEIGHTS = {
    -4: 678_912,
    -3: 589_312,
    -2: 605_696,
    -1: 516_096,
    0: 532_480,
    1: 442_880,
    2: 459_264,
    3: 369_664,
    4: 386_048,
}
PUBLISHED_DILATIONS = {-3: [6, 3], -2: [6, 4], -1: [5, 4], 0: [5, 5], 1: [4, 5], 2: [4, 6], 3: [3, 6]}


class TestPublishedSizes:
    @pytest.mark.parametrize("delta", PUBLISHED_KERNELS)
    def test_kernels_and_weights(self, delta: int) -> None:
        with torch.device("meta"):
            network = TemporalConv(SHD, kernel_delta=float(delta), match_outputs=20)
        assert network.kernels == PUBLISHED_KERNELS[delta]
        assert network.dilations == [5, 5]
        assert network.weight_count == PUBLISHED_WEIGHTS[delta]
        made = sum(layer.synapses.weight.numel() for layer in network.layers)
        assert made + 20 * 128 == network.weight_count
        assert [layer.synapses.taps for layer in network.layers] == network.kernels

    @pytest.mark.parametrize("delta", PUBLISHED_DILATIONS)
    def test_dilations(self, delta: int) -> None:
        with torch.device("meta"):
            network = TemporalConv(SHD, dilation_delta=float(delta), match_outputs=20)
        assert network.dilations == [layer.synapses.dilation for layer in network.layers] == PUBLISHED_DILATIONS[delta]
        assert network.kernels == [5, 5]
        assert network.weight_count == 532_480

    def test_more_layers_truncate_between_the_ends(self) -> None:
        assert kernels_by_depth(3, 5, 3.0) == [3, 4, 6]
        assert kernels_by_depth(4, 5, -4.0) == [7, 5, 4, 3]
        assert kernels_by_depth(3, 5, 12.0) == [1, 6, 11]
        assert dilations_by_depth(4, 5, 3.0) == [3, 4, 5, 6]
        assert dilations_by_depth(3, 5, -6.0) == [8, 5, 2]

    def test_ssc(self) -> None:
        assert count_weights(256, 700, [5, 5], 35) == 1_232_640
        assert count_weights(256, 700, [3, 6], 35) == 939_776

    def test_receptive_fields(self) -> None:
        with torch.device("meta"):
            assert TemporalConv(SHD).receptive_field == 41
            assert TemporalConv(SHD, kernel_delta=3.0, dilation_delta=2.0).receptive_field == 39

    @pytest.mark.parametrize(
        ("target", "kernels", "width"),
        [
            (532_480, [3, 6], 170),
            (532_480, [4, 5], 149),
            (532_480, [4, 6], 144),
            (532_480, [3, 7], 163),
            (532_480, [6, 3], 117),
            (532_480, [7, 3], 102),
            (369_664, [5, 5], 93),
        ],
    )
    def test_matched_widths(self, target: int, kernels: list[int], width: int) -> None:
        with torch.device("meta"):
            network = TemporalConv(SHD, kernels=kernels, match_parameters=target, match_outputs=20)
        assert network.width == network.output.features == width
        assert abs(network.weight_count / target - 1) < 0.005
        shown = repr(network)
        assert f"width={width}" in shown
        assert f"weights={network.weight_count}, match_parameters={target}" in shown


@given(
    target=st.integers(1, 10**7),
    inputs=st.integers(1, 800),
    kernels=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    outputs=st.integers(0, 40),
)
def test_no_width_comes_nearer(target: int, inputs: int, kernels: list[int], outputs: int) -> None:
    width = matching_width(target, inputs, kernels, outputs)

    def off(other: int) -> int:
        return abs(count_weights(other, inputs, kernels, outputs) - target)

    assert width >= 1
    assert off(width) <= off(width + 1)
    assert width == 1 or off(width) < off(width - 1)


@given(layers=st.integers(2, 6), size=st.integers(1, 9), delta=st.floats(-20, 20))
def test_nearest_keeps_the_mean(layers: int, size: int, delta: float) -> None:
    for rounded in (kernels_by_depth, dilations_by_depth):
        found = rounded(layers, size, delta, "nearest")
        assert sum(found) == layers * size
        assert min(found) >= 1
        assert found == sorted(found, reverse=delta < 0)
        exact = [size + delta * (at / (layers - 1) - 0.5) for at in range(layers)]
        if min(exact) >= 1:
            assert max(abs(a - b) for a, b in zip(found, exact, strict=True)) <= 0.5 + 1e-9


def test_nearest_by_hand() -> None:
    assert kernels_by_depth(2, 5, 3.0, "nearest") == [3, 7]
    assert kernels_by_depth(2, 5, -1.0, "nearest") == [6, 4]
    assert kernels_by_depth(3, 2, 9.0, "nearest") == [1, 2, 3]
    assert dilations_by_depth(4, 5, 3.0, "nearest") == [3, 4, 6, 7]


@pytest.mark.parametrize(
    ("knobs", "knob", "message"),
    [
        ({"kernels": [3]}, "kernels", "`kernels` has 1 entries, `layers` is 2"),
        ({"dilations": [1, 2, 3]}, "dilations", "`dilations` has 3 entries, `layers` is 2"),
        ({"layers": 1, "kernel_delta": 2.0}, "kernel_delta", "and there is one"),
        ({"layers": 1, "dilation_delta": -1.0}, "dilation_delta", "and there is one"),
        ({"dilation_delta": 10.0}, "dilation_delta", "a dilation of 0: 0, 10"),
        ({"dilation": 1, "dilation_delta": 1.0}, "dilation_delta", "a dilation of 0: 0, 1"),
    ],
)
def test_what_cannot_be_is_refused(knobs: dict[str, Any], knob: str, message: str) -> None:
    with pytest.raises(ShapeError, match=message) as caught:
        TemporalConv(FRAMES, **knobs)
    assert caught.value.knob == knob


def test_lists_take_the_place_of_sizes_and_deltas() -> None:
    network = TemporalConv(FRAMES, layers=1, kernels=[2], dilations=[7], kernel_delta=3.0, dilation_delta=3.0)
    assert (network.kernels, network.dilations, network.receptive_field) == ([2], [7], 8)


def test_what_comes_out_is_one_place_and_no_image() -> None:
    with torch.device("meta"):
        network = TemporalConv(SignalSpec(5, 6, 2, kind="spikes", grid=(2, 3), dt_ms=2.0), width=4)
    assert network.output == SignalSpec(5, 1, 4, kind="spikes", dt_ms=2.0)


def test_stages_are_the_hidden_layers_each_with_a_neuron_of_its_own() -> None:
    network = TemporalConv(FRAMES, width=4, layers=3)
    assert network.stages == list(network.layers)
    assert len({id(stage.neuron) for stage in network.stages}) == 3  # type: ignore[arg-type]


def test_every_layer_fires_from_the_start() -> None:
    found = rates(make("temporal_conv", FRAMES, width=32, layers=3), spikes(signal=FRAMES, batch=16))
    assert len(found) == 3
    assert min(found.values()) > 0.02
    assert max(found.values()) < 0.7


class TestDropout:
    @torch.no_grad()
    def test_spikes_are_dropped_on_their_way_on_and_neurons_do_not_see_it(self) -> None:
        network = make("temporal_conv", FRAMES, width=64, layers=1, dropout=0.25)
        x = spikes(signal=FRAMES, batch=64)
        fired: list[Tensor] = []
        network.layers[0].neuron.register_forward_hook(lambda m, i, out: fired.append(out))
        first, second = (network(x).squeeze(2) for _ in range(2))
        torch.testing.assert_close(fired[0], fired[1])  # batch statistics and spikes are the same, what is kept is not
        for out in (first, second):
            assert out.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
            assert not out[fired[0] == 0].any()
            kept = float((out != 0).sum() / fired[0].sum())
            assert abs(kept - 0.75) < 4 * (0.75 * 0.25 / float(fired[0].sum())) ** 0.5
        assert not torch.equal(first, second)
        network.eval()
        assert torch.equal(network(x), fired[-1].unsqueeze(2))

    def test_none_of_it(self) -> None:
        network = make("temporal_conv", FRAMES, width=8, dropout=0.0)
        out = network(spikes(signal=FRAMES))
        assert torch.equal(out, out.round())


def test_without_norms_there_is_a_bias() -> None:
    with_norm, without = (TemporalConv(FRAMES, width=4, norm_gain=gain) for gain in (1.0, None))
    names = {name.split(".")[-1] for name, _ in with_norm.layers[0].synapses.named_parameters()}  # type: ignore[union-attr]
    assert names == {"weight"}
    layer: Any = without.double().layers[0]
    x = torch.randn(5, 2, 6, dtype=torch.float64)
    torch.testing.assert_close(layer.synapses(x), by_hand(x, layer.synapses.weight, 5) + layer.synapses.bias)
    assert isinstance(layer.norm, nn.Identity)
