import torch
from neuron_fakes import Floor
from torch import nn

from snnctl.measure.gradients import GradientMeter


class Chain(nn.Module):
    """scale -> neuron (+ skip) -> neuron -> sum, with one weight per channel before the first neuron."""

    def __init__(self, scale: list[float], skip: bool = False) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.skip = skip
        self.a, self.b = Floor(len(scale)), Floor(len(scale))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        current = x * self.scale
        spikes = self.a(current)
        return self.b(spikes + current if self.skip else spikes).sum()


def measure(network: Chain):
    with GradientMeter(network) as meter:
        network(torch.ones(2, 1, len(network.scale))).backward()
    return {layer.name: (layer.zero_share, layer.zero_share_above) for layer in meter.summary()}


def test_shares_per_channel():
    # inputs 1.2, 0.6, 5, 0: the surrogate is active for |x - 1| < 0.5, so in channels 0 and 1 of `a`;
    # `a` fires 1, 0, 1, 0, so `b` is active in channels 0 and 2, and only there does gradient come to `a`.
    assert measure(Chain([1.2, 0.6, 5.0, 0.0])) == {"a": (0.75, 0.5), "b": (0.5, 0.0)}


def test_a_residual_branch_does_not_hide_a_dead_surrogate():
    # current 0.4: `a` is silent and inactive; `b` gets 0 + 0.4 -> inactive too unless the skip lifts it
    network = Chain([0.4, 0.4], skip=True)
    network.b.step = lambda x, s: (x * 1.0, s)  # passes every gradient
    assert measure(network) == {"a": (1.0, 0.0), "b": (0.0, 0.0)}
    assert network.scale.grad is not None
    assert (network.scale.grad != 0).all()


def test_steps_accumulate_and_hooks_leave():
    network = Chain([1.0, 5.0])
    with GradientMeter(network) as meter:
        network(torch.tensor([[[1.0, 1.0]]])).backward()  # currents 1, 5: channel 0 active
        network(torch.tensor([[[9.0, 0.2]]])).backward()  # currents 9, 1: channel 1 active
    assert meter.summary()[0].zero_share == 0.0
    assert not network.a._forward_hooks
    assert not network.a._forward_pre_hooks


def test_a_layer_without_anything_trainable_before_it_is_left_out():
    network = nn.Sequential(Floor(2), nn.Linear(2, 2))
    with GradientMeter(network) as meter:
        network(torch.ones(1, 1, 2)).sum().backward()
        with torch.no_grad():
            network(torch.ones(1, 1, 2))
    assert meter.summary() == []


def test_watching_changes_no_gradient():
    plain, watched = Chain([1.2, 0.6]), Chain([1.2, 0.6])
    plain(torch.ones(2, 1, 2)).backward()
    measure(watched)
    assert torch.equal(plain.scale.grad, watched.scale.grad)
