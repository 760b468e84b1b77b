"""Rate, latency and phase codes: traces by hand, parity with spikingjelly, what evaluation draws, what twins get."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from snnctl.core.seeds import building_with
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.encoders import Latency, Phase, Rate
from snnctl.encoders.coding import Coding

ONE = SignalSpec(steps=0, length=1, features=1)
RAW = SignalSpec(steps=0, length=12, features=3)


def spikes_of(encoder: Coding, value: float) -> list[int]:
    """The spikes of a single value, step by step."""
    out = encoder.eval()(torch.full((1, 1, 1), value, dtype=torch.float64))
    return [int(spike) for spike in out.flatten().tolist()]


def evenly(count: int = 97) -> Tensor:
    """Values over 0..1, both ends included, as data of one position and channel."""
    return torch.linspace(0, 1, count, dtype=torch.float64).view(count, 1, 1)


@pytest.mark.parametrize(
    ("value", "spikes"),
    [(0.75, [1, 1, 0, 0]), (0.5, [1, 0, 0, 0]), (0.0625, [0, 0, 0, 1]), (1.0, [1, 1, 1, 1]), (0.1, [0, 0, 0, 1])],
)
def test_phase_by_hand(value: float, spikes: list[int]) -> None:
    assert spikes_of(Phase(ONE, low=0, high=1, steps=4), value) == spikes
    assert spikes_of(Phase(ONE, low=-2, high=2, steps=4), 4 * value - 2) == spikes


@pytest.mark.parametrize(
    ("value", "linear", "log"), [(1.0, 0, 0), (0.5, 2, 1), (0.2, 3, 2), (0.05, 4, 3), (0.0, 4, 4), (-3.0, 4, 4)]
)
def test_latency_by_hand(value: float, linear: int, log: int) -> None:
    # log: 4 - ln(53.598 u + 1) = 0, .675, 1.539, 2.697, 4 for the values above
    assert spikes_of(Latency(ONE, low=0, high=1, steps=5), value) == [int(t == linear) for t in range(5)]
    assert spikes_of(Latency(ONE, low=0, high=1, steps=5, curve="log"), value) == [int(t == log) for t in range(5)]


def test_a_background_may_be_silent() -> None:
    encoder = Latency(ONE, low=0, high=1, steps=5, silent=True)
    assert spikes_of(encoder, 0.0) == [0] * 5
    assert spikes_of(encoder, 1e-6) == [0, 0, 0, 0, 1]


@given(steps=st.integers(1, 24))
def test_phase_is_the_value_as_far_as_there_are_digits(steps: int) -> None:
    u = evenly()
    spikes = Phase(ONE, low=0, high=1, steps=steps)(u)
    weights = 0.5 ** torch.arange(1, steps + 1, dtype=torch.float64).view(-1, 1, 1, 1)
    left = u - (spikes * weights).sum(0)
    assert (left >= 0).all()
    assert (left[:-1] < 0.5**steps).all()
    assert left[-1] == 0.5**steps  # 1 itself is written as the largest number below it


@given(steps=st.integers(1, 300), curve=st.sampled_from(["linear", "log"]))
def test_latency_is_one_spike_and_never_later_for_a_larger_value(steps: int, curve: str) -> None:
    for dtype in (torch.float32, torch.float64):
        spikes = Latency(ONE, low=0, high=1, steps=steps, curve=curve)(evenly().to(dtype))  # type: ignore[arg-type]
        assert (spikes.sum(0) == 1).all()
        when = spikes.argmax(0).flatten()
        assert (when.diff() <= 0).all()
        assert when[-1] == 0
        assert when[0] == steps - 1


def test_rate_is_the_mean_over_time() -> None:
    torch.manual_seed(0)
    u = evenly(9)
    encoder = Rate(ONE, low=0, high=1, steps=20000)
    for training in (True, False):
        mean = encoder.train(training)(u).mean(0)
        assert ((mean - u).abs() <= 4 * (u * (1 - u) / 20000).sqrt()).all()


def test_evaluation_draws_the_same_for_every_item_and_call() -> None:
    x = torch.rand(4, 12, 3, generator=torch.Generator().manual_seed(1))
    encoder = Rate(RAW, low=0, high=1)
    assert not torch.equal(encoder(x), encoder(x))  # training
    encoder.eval()
    before = torch.get_rng_state()
    out = encoder(x)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(out, encoder(x))
    assert torch.equal(out[:, 2:], encoder(x[2:]))
    with building_with(7):
        other = Rate(RAW, low=0, high=1).eval()
    assert not torch.equal(out, other(x))


@pytest.mark.parametrize("code", [Rate, Latency, Phase])
def test_a_twin_is_given_the_value_itself(code: type[Coding]) -> None:
    encoder = code(RAW, low=-2.0, high=2.0, steps=3, spiking=False)
    x = torch.randn(4, 12, 3, generator=torch.Generator().manual_seed(1)) * 2
    assert torch.equal(encoder(x), ((x + 2) / 4).clamp(0, 1).expand(3, 4, 12, 3))
    assert (encoder.output.kind, code(RAW, low=0, high=1).output.kind) == ("real", "spikes")


@pytest.mark.parametrize("code", [Rate, Latency, Phase])
def test_an_empty_range_is_refused(code: type[Coding]) -> None:
    with pytest.raises(ShapeError, match="must be below"):
        code(RAW, low=1.0, high=1.0)


def test_against_spikingjelly() -> None:
    encoding = pytest.importorskip(
        "spikingjelly.activation_based.encoding", reason="the extra `peers` is not installed"
    )
    u = evenly(256) * (255 / 256)
    for steps in (1, 2, 7, 16):
        peer = encoding.LatencyEncoder(steps, "linear").single_step_encode(u)
        assert torch.equal(Latency(ONE, low=0, high=1, steps=steps)(u), peer)
        logarithmic = encoding.LatencyEncoder(steps, "log").single_step_encode(u)
        assert torch.equal(Latency(ONE, low=0, high=1, steps=steps, curve="log")(u), logarithmic)
    peer = encoding.WeightedPhaseEncoder(8).single_step_encode(u * 255 / 256)
    assert torch.equal(Phase(ONE, low=0, high=1, steps=8)(u * 255 / 256).to(peer), peer)
