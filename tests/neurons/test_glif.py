"""GLIF: golden traces, gates as parameters or constants, conductance per step, strict threshold."""

import math

import pytest
import torch
from state_traces import Smooth, gradients_are_exact, trace

from snnctl.core.shapes import ShapeError
from snnctl.neurons import GLIF, Rectangle
from snnctl.neurons.membrane import spike_above


@pytest.mark.parametrize("learn_gates", [True, False])
def test_golden(learn_gates: bool) -> None:
    # keeps 1 - .55 * .75 = .5875, leaks .45 * .0625 = .028125, lets in .75 (1 - .65 / 2) = .50625, takes .45 / 2 = .225
    # t0 -.028125 + .50625                                     = .478125
    # t1 .5875 * .478125 + .478125                             = .7590234  > .5 fires
    # t2 .5875 * .7590234 * .45 + .478125 - .225               = .4537918
    # t3 .5875 * .4537918 + .478125                            = .7447277  fires
    spikes, states = trace(GLIF(1, learn_gates=learn_gates), [0.75] * 8)
    assert spikes == [0, 1, 0, 1, 0, 1, 0, 1]
    membrane = [0.478125, 0.759023, 0.453792, 0.744728, 0.450012, 0.742507, 0.449425, 0.742162]
    assert [u for u, _ in states] == pytest.approx(membrane, abs=1e-6)
    assert [s for _, s in states] == spikes


def test_eight_parameters_per_channel_or_five_and_three_constants() -> None:
    learned, frozen = GLIF(7), GLIF(7, learn_gates=False)
    assert [tuple(p.shape) for p in learned.parameters()] == [(7,)] * 8
    assert len(list(frozen.parameters())) == 5
    assert {name for name, _ in frozen.named_buffers()} == {"alpha_logit", "beta_logit", "gamma_logit"}
    frozen.load_state_dict(learned.state_dict())  # the same names, whether learned or not
    frozen(torch.rand(6, 2, 7)).sum().backward()
    assert all(p.grad is not None for p in frozen.parameters())
    assert not any(b.requires_grad for b in frozen.buffers())


def test_channels_have_their_own_parameters() -> None:
    neuron = GLIF(2)
    with torch.no_grad():
        neuron.v_threshold_logit[1] = 10.0  # a threshold of almost 1; without a spike u tends to .913
    silent, busy = neuron(torch.full((8, 1, 2), 0.6)).sum((0, 1)).tolist()[::-1]
    assert (busy > 2, silent) == (True, 0)


def test_gates_at_their_ends_are_lif_with_hard_or_soft_reset() -> None:
    # alpha 1: u decay; beta 0: the input as it is; gamma 1: hard, 0: soft.  decay .25, x = .9
    # t0 .9 fires; t1 hard: .9, soft: .225 + .9 - .5 = .625, fires both; t2 soft: .15625 + .9 - .5 = .55625
    tiny = 1e-12
    for gamma, expected in ((1 - tiny, [0.9, 0.9, 0.9]), (tiny, [0.9, 0.625, 0.55625])):
        _, states = trace(GLIF(1, alpha=1 - tiny, beta=tiny, gamma=gamma).double(), [0.9] * 3)
        assert [u for u, _ in states] == pytest.approx(expected, abs=1e-4)  # the logits are float32


def test_conductance_of_each_step() -> None:
    # u = .5875 u - .028125 + .75 (1 - .65 (1 - conduct)) with conduct .5, then .9
    neuron = GLIF(1, conduct_steps=2).double()
    with torch.no_grad():
        neuron.conduct_logit[1] = math.log(9.0)
    _, states = trace(neuron, [0.75, 0.75])
    first = -0.028125 + 0.75 * 0.675
    assert [u for u, _, _ in states] == pytest.approx([first, 0.5875 * first - 0.028125 + 0.75 * 0.935], abs=1e-6)
    assert [seen for _, _, seen in states] == [1, 2]


def test_every_conductance_learns_and_there_is_none_beyond_the_last() -> None:
    neuron = GLIF(3, conduct_steps=4)
    neuron(torch.full((4, 2, 3), 0.75)).sum().backward()
    assert neuron.conduct_logit.grad is not None
    assert neuron.conduct_logit.grad.all()
    with pytest.raises(ShapeError, match="conductances for 4 steps") as caught:
        neuron(torch.zeros(5, 2, 3))
    assert caught.value.knob == "conduct_steps"


def test_does_not_fire_exactly_at_the_threshold() -> None:
    # one step is u = a + b x; of many x around the solution of u = .5 some round to .5 exactly
    neuron = GLIF(1).double()
    assert neuron.v_threshold_logit.sigmoid().item() == 0.5
    _, (line, _) = neuron(torch.tensor([[[0.0], [1.0]]], dtype=torch.float64), return_state=True)
    a, b = line[0].item(), (line[1] - line[0]).item()
    near = (0.5 - a) / b * (1 + torch.arange(-64, 65, dtype=torch.float64) * 2.0**-53)
    spikes, (u, _) = neuron(near.view(1, -1, 1), return_state=True)
    assert (u == 0.5).any()
    assert torch.equal(spikes[0], (u > 0.5).double())


def test_spike_above_is_strict_and_has_the_surrogates_derivative() -> None:
    x = torch.linspace(-1, 1, 9, dtype=torch.float64).requires_grad_()
    spikes = spike_above(Rectangle(), x)
    assert torch.equal(spikes, (x > 0).double())
    (grad,) = torch.autograd.grad(spikes.sum(), x)
    assert torch.equal(grad, Rectangle().gradient(x))


@pytest.mark.parametrize("conduct_steps", [None, 5])
def test_gradients_are_those_of_the_smooth_neuron(conduct_steps: int | None) -> None:
    assert gradients_are_exact(GLIF(2, conduct_steps=conduct_steps, surrogate=Smooth()))
