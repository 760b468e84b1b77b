"""Encoders: the equation of each one, which positions it sees, and what it refuses."""

import pytest
import torch
from torch import Tensor, nn

from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.encoders import Conv, Delta, Encoder, Patch, Repeat
from snnctl.neurons import LIF

RAW = SignalSpec(steps=0, length=12, features=3)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(5, 12, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2


def small_threshold(channels: int) -> LIF:
    """Fires often, so that a change of the current is seen in the spikes."""
    return LIF(channels, v_threshold=1e-3)


def changed_positions(encoder: Encoder, x: Tensor, position: int) -> set[int]:
    """Output positions whose current depends on one input position (eval mode)."""
    encoder.eval()
    other = x.clone()
    other[:, position] += 1.0
    difference = (encoder.currents(x) - encoder.currents(other)).abs().amax(dim=(0, 1, 3))
    return set(difference.nonzero().flatten().tolist())


def test_repeat_is_a_neuron_on_a_constant_current(x: Tensor) -> None:
    spikes = Repeat(RAW, steps=5)(x)
    assert torch.equal(spikes, LIF(3)(torch.stack([x] * 5)))
    # tau 2, constant 1.5: fires at every other step (see the golden trace of LIF)
    constant = Repeat(SignalSpec(0, 1, 1), steps=4)(torch.full((1, 1, 1), 1.5))
    assert constant.flatten().tolist() == [0, 1, 0, 1]


def test_repeat_has_no_parameters() -> None:
    assert list(Repeat(RAW).parameters()) == []


def test_delta_sees_only_differences(x: Tensor) -> None:
    encoder = Delta(RAW, steps=4).double().eval()
    torch.testing.assert_close(encoder.currents(x + 7.0), encoder.currents(x), rtol=0, atol=1e-12)
    assert changed_positions(encoder, x, 5) == {5, 6}


def test_delta_by_hand() -> None:
    # Values 1, 4, 2 -> d = 0, 3, -2. Fresh BN in eval mode divides by sqrt(1 + 1e-5).
    encoder = Delta(SignalSpec(0, 3, 1), steps=2).double().eval()
    with torch.no_grad():
        encoder.linear.weight.copy_(torch.tensor([[1.0], [-2.0]]))
        encoder.linear.bias.copy_(torch.tensor([0.5, 0.25]))
    currents = encoder.currents(torch.tensor([1.0, 4.0, 2.0], dtype=torch.float64).view(1, 3, 1))
    d = torch.tensor([0.0, 3.0, -2.0], dtype=torch.float64) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(currents[0].flatten(), d + 0.5)
    torch.testing.assert_close(currents[1].flatten(), -2 * d + 0.25)


def test_delta_of_a_constant_series_is_constant(x: Tensor) -> None:
    currents = Delta(RAW).double().eval().currents(torch.full_like(x, 3.0))
    assert torch.equal(currents, currents[:, :1, :1, :1].expand_as(currents))


def test_conv_window(x: Tensor) -> None:
    encoder = Conv(RAW, kernel=3, neuron=small_threshold).double()
    assert changed_positions(encoder, x, 6) == {5, 6, 7}
    assert changed_positions(encoder, x, 0) == {0, 1}
    causal = Conv(RAW, kernel=4, causal=True, neuron=small_threshold).double()
    assert changed_positions(causal, x, 6) == {6, 7, 8, 9}
    assert changed_positions(causal, x, 11) == {11}


def test_conv_equals_a_convolution_over_positions(x: Tensor) -> None:
    encoder = Conv(RAW, steps=4, kernel=3).double()
    # The same filters on each variable alone: [B*C, 1, L] -> [B*C, T, L].
    filters = nn.Conv1d(1, 4, 3, padding=1).double()
    with torch.no_grad():
        filters.weight.copy_(encoder.conv.weight.squeeze(-1))
        filters.bias.copy_(encoder.conv.bias)  # type: ignore[union-attr, arg-type]
    columns = filters(x.transpose(1, 2).reshape(15, 1, 12))
    expected = nn.BatchNorm1d(4).double()(columns).view(5, 3, 4, 12).permute(2, 0, 3, 1)
    torch.testing.assert_close(encoder.currents(x), expected)


def test_conv_refuses_an_even_kernel_without_causal() -> None:
    with pytest.raises(ShapeError, match="`kernel` must be odd unless `causal` is true") as caught:
        Conv(RAW, kernel=4)
    assert caught.value.knob == "kernel"
    assert list(Conv.rules({"kernel": 4, "causal": True})) == []
    assert list(Conv.rules({"kernel": 3, "causal": False})) == []


def test_patch_is_linear_norm_neuron_on_a_constant_current(x: Tensor) -> None:
    encoder = Patch(RAW, length=4, dim=6, steps=5).double()
    flat = x.reshape(5, 3, 4 * 3)  # patch of 4 positions, features fastest
    current = encoder.linear(flat).reshape(15, 6)
    current = 2.0 * (current - current.mean(0)) / (current.var(0, unbiased=False) + 1e-5).sqrt()
    expected = LIF(6)(torch.stack([current.view(5, 3, 6)] * 5))
    spikes = encoder(x)
    assert encoder.output == SignalSpec(5, 3, 6, kind="spikes")
    assert torch.equal(spikes, expected)
    assert spikes.mean() > 0.05


def test_patch_current_is_expanded_not_copied(x: Tensor) -> None:
    assert Patch(RAW, length=4, dim=6).double().currents(x).stride(0) == 0


def test_overlapping_patches(x: Tensor) -> None:
    encoder = Patch(RAW, length=4, dim=6, stride=2).double().eval()
    assert encoder.output.length == 5  # (12 - 4) / 2 + 1
    whole = encoder.currents(x)
    for i in range(5):
        alone = encoder.norm(encoder.linear(x[:, 2 * i : 2 * i + 4].reshape(5, 12)))
        torch.testing.assert_close(whole[0, :, i], alone)


@pytest.mark.parametrize(
    ("length", "stride", "knob", "message"),
    [
        (5, None, "length", "patch `length` 5 does not divide the window of 12"),
        (13, None, "length", "patch `length` 13 exceeds the window of 12"),
        (13, 2, "length", "patch `length` 13 exceeds the window of 12"),
        (5, 3, "stride", "patches of 5 with `stride` 3 leave the last 1 of 12 positions out"),
        (2, 5, "stride", "`stride` must not exceed `length`: positions between patches would be lost"),
    ],
)
def test_patch_refuses_to_lose_data(length: int, stride: int | None, knob: str, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        Patch(RAW, length=length, dim=6, stride=stride)
    assert caught.value.message == message
    assert caught.value.knob == knob


def test_patch_help_names_the_divisors() -> None:
    with pytest.raises(ShapeError) as caught:
        Patch(RAW, length=5, dim=6)
    assert caught.value.help == "divisors of 12: 1, 2, 3, 4, 6, 12"


def test_an_encoded_signal_is_refused() -> None:
    with pytest.raises(ShapeError, match="takes raw data"):
        Repeat(SignalSpec(4, 12, 3))


def test_the_neuron_is_built_for_the_features() -> None:
    asked: list[int] = []

    def factory(channels: int) -> LIF:
        asked.append(channels)
        return LIF(channels)

    for encoder in (Repeat, Delta, Conv):
        encoder(RAW, neuron=factory)
    Patch(RAW, length=4, dim=6, neuron=factory)
    assert asked == [3, 3, 3, 6]


@pytest.mark.parametrize("make", [Repeat, Delta, Conv])
def test_without_a_neuron_the_currents_go_on(make: type[Repeat] | type[Delta] | type[Conv], x: Tensor) -> None:
    encoder = make(RAW, neuron=None).double().eval()
    assert encoder.neuron is None
    assert encoder.output == SignalSpec(4, 12, 3, kind="real")
    assert torch.equal(encoder(x), encoder.currents(x))
