"""Learned delays: shifts in a plain loop, gradients of delays, how Gaussians narrow, a task that needs a delay."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sequence_networks import lif_spikes, make, rates, spikes, warmed
from torch import Tensor

from snnctl.backbones import DelayMLP, fold_norms
from snnctl.backbones.delay_mlp import DelayedWeights, delay_in_steps
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.training import ParameterGroup
from snnctl.engine.groups import parameter_groups

FRAMES = SignalSpec(12, 2, 3, kind="spikes", dt_ms=10.0)


def synapses(inputs: int, outputs: int, max_delay: int, *, bias: bool = False, **knobs: Any) -> DelayedWeights:
    torch.manual_seed(0)
    knobs = {"sigma": max(max_delay / 2, 0.5), **knobs}
    return DelayedWeights(inputs, outputs, max_delay, bias=bias, **knobs).double()


def shifted(x: Tensor, weight: Tensor, delay: Tensor) -> Tensor:
    """Every input goes to every output, so many whole steps later."""
    steps = len(x)
    y = torch.zeros(steps, x.shape[1], len(weight), dtype=x.dtype)
    for o in range(weight.shape[0]):
        for i in range(weight.shape[1]):
            late = int(delay[o, i])
            for t in range(late, steps):
                y[t, :, o] += weight[o, i] * x[t - late, :, i]
    return y


@settings(deadline=None, max_examples=40)
@given(
    steps=st.integers(1, 9),
    batch=st.integers(1, 3),
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 4),
    max_delay=st.integers(0, 10),
    bias=st.booleans(),
    seed=st.integers(0, 10**6),
)
@torch.no_grad()
def test_in_evaluation_every_input_is_shifted_by_its_delay(
    steps: int, batch: int, inputs: int, outputs: int, max_delay: int, bias: bool, seed: int
) -> None:
    layer = synapses(inputs, outputs, max_delay, bias=bias).eval()
    generator = torch.Generator().manual_seed(seed)
    whole = torch.randint(0, max_delay + 1, (outputs, inputs), generator=generator).double()
    x = torch.randn(steps, batch, inputs, dtype=torch.float64, generator=generator)
    expected = shifted(x, layer.weight, whole) + (layer.bias if bias else 0.0)  # type: ignore[operator]
    for near in (0.0, 0.4, -0.4):  # what lies next to a whole step counts as that
        layer.delay.copy_(whole + near)
        torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_delays_are_held_within_their_range_where_they_are_used() -> None:
    layer = synapses(2, 1, 4).eval()
    layer.delay.copy_(torch.tensor([[-3.0, 9.0]]))
    x = torch.randn(8, 2, 2, dtype=torch.float64)
    torch.testing.assert_close(layer(x), shifted(x, layer.weight, torch.tensor([[0, 4]])))
    assert layer.delay.tolist() == [[-3.0, 9.0]]


def gaussian(layer: DelayedWeights, o: int, i: int) -> list[float]:
    """The kernel of one synapse, from its definition."""
    d = min(max(float(layer.delay[o, i].detach()), 0.0), layer.max_delay)
    bumps = [torch.tensor(-((k - d) ** 2) / (2 * layer.sigma**2)).double().exp() for k in range(layer.max_delay + 1)]
    return [float(layer.weight[o, i].detach() * bump / sum(bumps)) for bump in bumps]


def test_while_training_a_synapse_is_a_gaussian_of_sum_one() -> None:
    layer = synapses(3, 2, 6)
    with torch.no_grad():
        layer.delay[0, 0], layer.delay[1, 2] = -2.0, 7.5
    for sigma in (3.0, 0.5, 0.2):
        layer.sigma = sigma
        kernel = layer.kernel().detach()
        assert kernel.shape == (2, 7, 3)
        torch.testing.assert_close(kernel.sum(1), layer.weight.detach(), rtol=0, atol=1e-12)
        for o in range(2):
            for i in range(3):
                expected = torch.tensor(gaussian(layer, o, i), dtype=torch.float64)
                torch.testing.assert_close(kernel[o, :, i], expected, rtol=0, atol=1e-7)


def test_without_delay_and_spread_it_is_a_linear_layer() -> None:
    for max_delay, sigma in ((5, 1e-3), (5, 1e-9), (0, 0.5)):
        layer = synapses(4, 3, max_delay, bias=True, sigma=sigma)
        with torch.no_grad():
            layer.delay.zero_()
        x = torch.randn(7, 2, 4, dtype=torch.float64)
        expected = torch.nn.functional.linear(x, layer.weight, layer.bias)
        torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-12)
        torch.testing.assert_close(layer.eval()(x), expected, rtol=0, atol=1e-12)


def test_gradient_of_delays_and_weights_by_finite_differences() -> None:
    """Through a whole twin of two layers."""
    network = make("delay_mlp", FRAMES, width=3, max_delay=50.0, spiking=False, dropout=0.0)
    x = torch.randn(FRAMES.shape(4), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights = torch.randn(network(x).shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def value() -> Tensor:
        found: Tensor = (network(x) * weights).sum()
        return found

    value().backward()
    step = 1e-6
    for layer in network.layers:
        for parameter in (layer.synapses.delay, layer.synapses.weight):
            assert parameter.grad.abs().max() > 1e-3
            for at in [(0, 0), (1, 2), (2, 1)]:
                with torch.no_grad():
                    kept = float(parameter[at])
                    parameter[at] = kept + step
                    above = float(value())
                    parameter[at] = kept - step
                    below = float(value())
                    parameter[at] = kept
                assert float(parameter.grad[at]) == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-6)


def test_a_delay_at_the_end_of_its_range_can_turn_back_and_not_leave() -> None:
    layer = synapses(1, 1, 4, sigma=1.0)
    x = torch.zeros(8, 1, 1, dtype=torch.float64)
    x[1] = 1.0
    # The end itself would have more, were the centre beyond it.
    stays = ((0.0, 0, False), (-1.0, 0, False), (4.0, 4, False), (6.0, 4, False))
    for start, wanted, moves in ((0.0, 3, True), (-1.0, 3, True), (4.0, 2, True), (5.0, 2, True), *stays):
        with torch.no_grad():
            layer.delay.fill_(start)
            layer.weight.fill_(1.0)
        (gradient,) = torch.autograd.grad(-layer(x)[1 + wanted].sum(), layer.delay)
        assert bool(gradient.any()) is moves, (start, wanted)
        if moves:
            assert float(-gradient.sign()) == (1.0 if wanted > start else -1.0)


def test_sigma_falls_to_its_end_and_knows_nothing_but_the_share() -> None:
    layer = synapses(2, 2, 24, anneal=0.25)
    seen = []
    for share in (0.0, 0.125, 0.25, 0.6, 1.0):
        layer.training_progress(share)
        seen.append(layer.sigma)
    assert seen == pytest.approx([12.0, (12.0 * 0.5) ** 0.5, 0.5, 0.5, 0.5])
    layer.training_progress(0.125)
    assert layer.sigma == seen[1]


@pytest.mark.parametrize(
    ("max_delay", "dt_ms", "steps"),
    [(250.0, 10.0, 25), (250.0, 14.1414, 17), (250.0, 0.0, 250), (0.3, 0.1, 3), (7.9, 0.0, 7), (0.0, 10.0, 0)],
)
def test_longest_delay_in_steps(max_delay: float, dt_ms: float, steps: int) -> None:
    assert delay_in_steps(max_delay, dt_ms) == steps
    with torch.device("meta"):
        network = DelayMLP(FRAMES.replace(dt_ms=dt_ms), width=4, max_delay=max_delay)
    assert network.max_delay == steps
    layer: Any = network.layers[0]
    assert layer.synapses.sigma == max(steps / 2, 0.5)
    assert layer.synapses.delay.shape == layer.synapses.weight.shape == (4, 6)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ShapeError, match="shorter than a step of 10 ms") as caught:
        DelayMLP(FRAMES, max_delay=9.0)
    assert (caught.value.knob, caught.value.help) == ("max_delay", "0 builds the network without delays")
    with pytest.raises(ShapeError, match="is below `sigma_end`") as caught:
        DelayMLP(FRAMES, sigma=0.4)
    assert caught.value.knob == "sigma"


def test_delays_start_anywhere_in_their_range() -> None:
    torch.manual_seed(0)
    layer: Any = DelayMLP(FRAMES, width=400, layers=1).layers[0]
    delay: Tensor = layer.synapses.delay.detach()
    assert 0 <= delay.min() < 0.5
    assert 24.5 < delay.max() <= 25
    assert abs(float(delay.mean()) - 12.5) < 4 * 25 / 12**0.5 / delay.numel() ** 0.5


@torch.no_grad()
def test_network_equals_a_plain_loop() -> None:
    network = warmed("delay_mlp", FRAMES, width=7, max_delay=60.0, norm_gain=2.0)
    x = spikes(signal=FRAMES)
    y = x.flatten(2)
    for layer in network.layers:
        current = layer.norm(shifted(y, layer.synapses.weight, layer.synapses.delay.round()))
        v, out = torch.zeros_like(current[0]), []
        for now in current:
            s, v = lif_spikes(now, v)
            out.append(s)
        y = torch.stack(out)
    assert 0.02 < y.mean() < 0.7
    torch.testing.assert_close(network(x), y.unsqueeze(2), rtol=0, atol=1e-9)
    torch.testing.assert_close(fold_norms(network)(x), network(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("training", [True, False])
def test_no_output_before_its_input(training: bool) -> None:
    """Without a norm, whose statistics in training run over all of time."""
    network = make("delay_mlp", FRAMES, width=24, max_delay=40.0, norm_gain=None, dropout=0.0, neuron=leaky)
    network.train(training)
    x = spikes(signal=FRAMES, batch=8)
    reached = set()
    with torch.no_grad():
        before = network(x)
        for t0 in range(12):
            other = x.clone()
            other[t0] = 1 - other[t0]
            changed = (network(other) != before).flatten(1).any(1).nonzero().flatten().tolist()
            assert not changed or min(changed) >= t0
            reached |= {t - t0 for t in changed}
    assert reached >= set(range(9))


def leaky(channels: int) -> Any:
    from snnctl.neurons import LIF

    return LIF(channels, v_threshold=0.1)


def test_every_layer_fires_from_the_start() -> None:
    found = rates(make("delay_mlp", FRAMES, width=32, layers=3), spikes(signal=FRAMES, batch=16))
    assert len(found) == 3
    assert min(found.values()) > 0.02
    assert max(found.values()) < 0.7


def test_stages_and_a_group_of_delays() -> None:
    network = DelayMLP(FRAMES, width=4, layers=3)
    assert network.stages == list(network.layers)
    _, delays = parameter_groups(network, [ParameterGroup(match="*.delay", lr_scale=100.0, weight_decay_scale=0.0)])
    assert [id(p) for p in delays.parameters] == [id(layer.synapses.delay) for layer in network.layers]  # type: ignore[union-attr]


@pytest.mark.parametrize("start", [1.0, 9.0])
def test_training_finds_the_delay_that_lets_spikes_coincide(start: float) -> None:
    """The second channel fires four steps before the first; one neuron should fire where both arrive together."""
    late, steps, epochs = 4, 30, 40
    generator = torch.Generator().manual_seed(0)
    first = (torch.rand(steps, 64, generator=generator) < 0.15).float()
    x = torch.stack((first, torch.roll(first, -late, 0)), dim=-1)
    x[steps - late :, :, 1] = 0.0
    network = make("delay_mlp", SignalSpec(steps, 1, 2, kind="spikes"), width=1, layers=1, max_delay=10.0,
                   norm_gain=None, dropout=0.0, neuron=coincidence).float()  # fmt: skip
    layer = network.layers[0].synapses
    with torch.no_grad():
        layer.weight.fill_(0.7)
        layer.bias.zero_()
        layer.delay.copy_(torch.tensor([[0.0, start]]))
    layer.weight.requires_grad_(False)
    layer.bias.requires_grad_(False)
    optimizer = torch.optim.Adam([layer.delay], lr=0.1)
    for epoch in range(epochs):
        layer.training_progress(epoch / epochs)
        for _ in range(5):
            loss = (network(x)[..., 0, 0] - first).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    d = layer.delay.detach()
    assert int((d[0, 1].clamp(0, 10) - d[0, 0].clamp(0, 10)).round()) == late
    found = network.eval()(x)[..., 0, 0]
    assert torch.equal(found[late:], first[late:])


def coincidence(channels: int) -> Any:
    """Forgets at once, and needs both inputs."""
    from snnctl.neurons import LIF

    return LIF(channels, tau=1.0001, v_threshold=1.0, surrogate="sigmoid")
