"""Effective operations of single products against brute force."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.energy.count.products import codes_of, convolution, convolution_fan, matmul, not_spikes, popcount
from snnctl.energy.count.signals import Signal

REAL, SPIKE, WEIGHT = Signal("real"), Signal("spike"), Signal("weight")


def total(tensor: torch.Tensor) -> float:
    return float(tensor.sum())


def test_neurobench_example_by_hand() -> None:
    """Rows of W meet x = (0, 1.3, -1): 1 (row 1: -3.2), 2 (row 2: 1.2 and -5.1), 1 (row 3: 2.7)."""
    w = torch.tensor([[1.3, 0.0, -3.2], [0.0, 1.2, -5.1], [-1.1, 2.7, 0.0]])
    x = torch.tensor([[0.0, 1.3, -1.0]])
    found = matmul(x, w.t(), REAL, WEIGHT)
    assert (total(found.events), found.dense) == (4.0, 9.0)


def test_half_spikes_count_like_whole_ones() -> None:
    spikes = (torch.rand(5, 7) < 0.4).float()
    w = torch.randn(7, 3)
    whole = matmul(spikes, w, SPIKE, WEIGHT)
    half = matmul(spikes * 0.5, w, Signal("spike", scale=0.5), WEIGHT)
    assert torch.equal(whole.events, half.events)
    assert torch.equal(whole.unary, half.unary)


@pytest.mark.parametrize(
    ("values", "signal", "reason"),
    [
        ([0.7, 0.7], SPIKE, "0.7 is not a whole multiple of 1"),
        ([0.0, 2.0], SPIKE, "codes run from 0 to 2, declared are 0 to 1"),
        ([0.0, -1.0], SPIKE, "codes run from -1 to 0"),
        ([1.0, -1.0], Signal("spike", signed=True), ""),
        ([1.0, -2.0], Signal("spike", signed=True), "codes run from -2 to 1, declared are -1 to 1"),
        ([0.0, 0.5], Signal("spike", scale=0.5), ""),
        ([0.0, 3.0], Signal("spike", levels=3), ""),
        ([0.7, 0.7], REAL, ""),
    ],
)
def test_declared_spikes_have_to_be_spikes(values: list[float], signal: Signal, reason: str) -> None:
    said = not_spikes(torch.tensor(values), signal)
    assert said.startswith(reason) if reason else said == ""


@settings(deadline=None, max_examples=60)
@given(bits=st.integers(1, 6), scale=st.floats(2**-10, 10.0, width=32))
def test_codes_are_whole_whatever_their_scale(bits: int, scale: float) -> None:
    # A threshold that was calibrated is no power of two: its multiples are rounded in float32.
    levels = 2**bits - 1
    codes = torch.arange(levels + 1.0)
    signal = Signal("spike", levels=levels, scale=scale)
    assert not_spikes(codes * scale, signal) == ""
    assert torch.equal(codes_of(codes * scale, signal)[2], codes)
    assert not_spikes((codes + 1) * scale, signal).startswith(f"codes run from 1 to {levels + 1}")
    assert "is not a whole multiple" in not_spikes((codes + 0.3) * scale, signal)


def test_popcount_counts_bits() -> None:
    codes = torch.arange(32.0)
    assert popcount(codes).tolist() == [bin(i).count("1") for i in range(32)]


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_a_product_counts_what_a_loop_counts(data: st.DataObject) -> None:
    m, k, n, levels = (data.draw(st.integers(1, 4)) for _ in range(4))
    seed = data.draw(st.integers(0, 10**6))
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, levels + 1, (m, k), generator=generator).float()
    w = torch.randn(k, n, generator=generator) * (torch.rand(k, n, generator=generator) < 0.7)
    found = matmul(codes, w, Signal("spike", levels=levels), WEIGHT)
    events = bits = units = 0
    for i in range(m):
        for j in range(k):
            for o in range(n):
                if w[j, o] != 0 and codes[i, j] != 0:
                    events += 1
                    bits += bin(int(codes[i, j])).count("1")
                    units += int(codes[i, j])
    assert (total(found.events), total(found.popcount), total(found.unary)) == (events, bits, units)


def test_two_spike_signals_count_coincidences() -> None:
    """q k^T with q = [1 0 1; 0 0 1], k = [1 1 0; 1 0 1]: q0k0 1, q0k1 2, q1k0 0, q1k1 1: four coincidences."""
    q = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    k = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    found = matmul(q, k.t(), SPIKE, SPIKE)
    assert total(found.events) == total(q @ k.t()) == 4.0
    assert found.dense == 12.0


def brute_force_fan(shape: tuple[int, ...], weight: torch.Tensor, **geometry: object) -> torch.Tensor:
    """Outputs that change when one input does, one input at a time."""
    run = {3: torch.conv1d, 4: torch.conv2d}[weight.dim()]
    mask = (weight != 0).double()
    fan = torch.zeros(shape)
    for place in np.ndindex(*shape):
        x = torch.zeros(1, *shape, dtype=torch.float64)
        x[(0, *place)] = 1.0
        fan[place] = run(x, mask, None, **geometry).sum()  # type: ignore[arg-type]
    return fan


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_fan_out_of_a_convolution_is_exact(data: st.DataObject) -> None:
    axes = data.draw(st.sampled_from([1, 2]))
    groups = data.draw(st.sampled_from([1, 2, 4]))
    stride, padding = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 2))
    kernel, dilation = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
    sides = tuple(data.draw(st.integers(5, 7)) for _ in range(axes))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 10**6)))
    weight = torch.randn(4, 4 // groups, *[kernel] * axes, generator=generator)
    weight = weight * (torch.rand(weight.shape, generator=generator) < 0.8)
    geometry = {"stride": [stride] * axes, "padding": [padding] * axes, "dilation": [dilation] * axes, "groups": groups}
    x = (torch.rand(2, 4, *sides, generator=generator) < 0.5).float()
    out = {1: torch.conv1d, 2: torch.conv2d}[axes](x, weight, None, **geometry)  # type: ignore[arg-type]
    fan, inside = convolution_fan(x.shape, weight, out.shape, **geometry)  # type: ignore[arg-type]
    expected = brute_force_fan((4, *sides), weight, **geometry)
    assert torch.equal(fan, expected)
    dense = float(out[0].numel() * weight[0].numel())
    found = convolution(x, SPIKE, fan, dense=dense, inside=inside)
    assert found.events.tolist() == [total(image * expected) for image in x]
    # Rate times dense exceeds the exact count of a full input by the taps on padding alone.
    if (weight != 0).all():
        full = convolution(torch.ones_like(x), SPIKE, fan, dense=dense, inside=inside)
        assert total(full.events) == found.inside <= found.dense
        assert (found.inside == found.dense) or padding > 0


def test_depthwise_convolution_without_padding() -> None:
    """3 x 3 on 5 x 5, valid: the middle input reaches 9 outputs, a corner 1; 9 outputs x 9 taps a channel."""
    weight = torch.ones(2, 1, 3, 3)
    x = torch.zeros(1, 2, 5, 5)
    x[0, 0, 2, 2] = x[0, 1, 0, 0] = 1.0
    geometry = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 2}
    fan, inside = convolution_fan(x.shape, weight, torch.Size((1, 2, 3, 3)), **geometry)  # type: ignore[arg-type]
    found = convolution(x, SPIKE, fan, dense=162.0, inside=inside)
    assert (total(found.events), found.inside) == (10.0, 162.0)


@pytest.mark.parametrize(("stride", "padding", "groups"), [(1, 0, 1), (2, 1, 1), (2, 0, 2), (3, 1, 2)])
def test_fan_out_of_a_transposed_convolution_is_exact(stride: int, padding: int, groups: int) -> None:
    torch.manual_seed(0)
    weight = torch.randn(4, 6 // groups, 3, 3)
    weight = weight * (torch.rand(weight.shape) < 0.8)
    out = torch.conv_transpose2d(torch.ones(1, 4, 4, 4), weight, None, stride, padding, 0, groups)
    geometry = {"stride": [stride] * 2, "padding": [padding] * 2, "dilation": [1, 1], "groups": groups}
    shape = torch.Size((1, 4, 4, 4))
    fan, _ = convolution_fan(shape, weight, out.shape, **geometry, transposed=True)  # type: ignore[arg-type]
    mask = (weight != 0).float()
    for place in np.ndindex(4, 4, 4):
        x = torch.zeros(shape)
        x[(0, *place)] = 1.0
        assert fan[place] == torch.conv_transpose2d(x, mask, None, stride, padding, 0, groups).sum()


def test_spikes_below_zero_are_counted_by_their_size() -> None:
    x = torch.tensor([[1.0, -1.0, 0.0, 1.0]])
    w = torch.ones(4, 3)
    signed = matmul(x, w, Signal("spike", signed=True), WEIGHT)
    plain = matmul(x.abs(), w, SPIKE, WEIGHT)
    assert torch.equal(signed.events, plain.events)
