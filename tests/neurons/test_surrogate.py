"""Surrogates: the gradient belongs to the primitive, the forward pass is a step."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnctl.neurons import LIF
from snnctl.neurons.stc_forms import STCLIF
from snnctl.neurons.surrogate import (
    ATan,
    FastSigmoid,
    Rectangle,
    Sigmoid,
    Surrogate,
    Triangle,
    make_surrogate,
)

EXAMPLES = [
    ATan(),
    ATan(alpha=5.0),
    Sigmoid(),
    Sigmoid(alpha=1.0),
    FastSigmoid(),
    FastSigmoid(slope=2.0),
    Rectangle(),
    Rectangle(width=3.0),
    Triangle(),
    Triangle(width=0.5),
]


@pytest.mark.parametrize("surrogate", EXAMPLES, ids=repr)
def test_gradient_is_the_derivative_of_the_primitive(surrogate: Surrogate) -> None:
    # An irregular grid keeps clear of the kinks of the piecewise ones (at -w/2, 0 and w/2).
    x = torch.linspace(-3.0137, 3.0291, 401, dtype=torch.float64)
    step = 1e-6
    numerical = (surrogate.forward_smooth(x + step) - surrogate.forward_smooth(x - step)) / (2 * step)
    torch.testing.assert_close(surrogate.gradient(x), numerical, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("surrogate", EXAMPLES, ids=repr)
def test_gradcheck_of_the_smooth_pair(surrogate: Surrogate) -> None:
    x = torch.linspace(-2.0137, 2.0291, 23, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(surrogate.forward_smooth, (x,))
    (by_autograd,) = torch.autograd.grad(surrogate.forward_smooth(x).sum(), x)
    torch.testing.assert_close(by_autograd, surrogate.gradient(x.detach()))


@pytest.mark.parametrize("surrogate", EXAMPLES, ids=repr)
def test_spike_is_a_step_with_the_surrogate_behind_it(surrogate: Surrogate) -> None:
    x = torch.tensor([-1.0, -1e-9, 0.0, 1e-9, 2.0], dtype=torch.float64, requires_grad=True)
    spikes = surrogate.spike(x)
    assert spikes.tolist() == [0.0, 0.0, 1.0, 1.0, 1.0]  # 0 fires: H(0) = 1
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0], dtype=torch.float64)
    (spikes * weights).sum().backward()
    torch.testing.assert_close(x.grad, weights * surrogate.gradient(x.detach()))


def test_peaks_by_hand() -> None:
    zero = torch.zeros(1, dtype=torch.float64)
    peaks = {
        ATan(alpha=3.0): 1.5,  # alpha / 2
        Sigmoid(alpha=4.0): 1.0,  # alpha / 4
        FastSigmoid(slope=25.0): 1.0,
        Rectangle(width=4.0): 0.25,  # 1 / width
        Triangle(width=4.0): 0.5,  # 2 / width
    }
    for surrogate, peak in peaks.items():
        assert surrogate.gradient(zero).item() == pytest.approx(peak, abs=1e-15)
    # ATan, alpha 2, x = 1/pi: 1 / (1 + 1^2) = 1/2
    assert ATan().gradient(zero + 1 / math.pi).item() == pytest.approx(0.5, abs=1e-15)
    # Triangle, width 2, half way down at x = 1/2; nothing from x = 1 on
    assert Triangle().gradient(torch.tensor([0.5, -0.5, 1.0, 7.0])).tolist() == [0.5, 0.5, 0.0, 0.0]
    assert Rectangle().gradient(torch.tensor([0.49, -0.49, 0.5, -7.0])).tolist() == [1.0, 1.0, 0.0, 0.0]


@given(st.sampled_from(EXAMPLES), st.floats(-50, 50))
def test_gradient_is_even_and_never_negative(surrogate: Surrogate, x: float) -> None:
    pair = torch.tensor([x, -x], dtype=torch.float64)
    left, right = surrogate.gradient(pair).tolist()
    assert left >= 0
    assert left == pytest.approx(right, rel=1e-9, abs=1e-12)


def test_make_surrogate() -> None:
    assert repr(make_surrogate("atan")) == "ATan(alpha=2.0)"
    given_one = Triangle(width=3.0)
    assert make_surrogate(given_one) is given_one
    with pytest.raises(LookupError, match="unknown surrogate `tan`"):
        make_surrogate("tan")


@pytest.mark.parametrize(
    ("surrogate", "half", "end"),
    [
        (ATan(alpha=2.0, sharpen=4.0), ATan(alpha=4.0), ATan(alpha=8.0)),
        (Sigmoid(alpha=4.0, sharpen=0.25), Sigmoid(alpha=2.0), Sigmoid(alpha=1.0)),
        (FastSigmoid(slope=2.0, sharpen=16.0), FastSigmoid(slope=8.0), FastSigmoid(slope=32.0)),
        (Rectangle(width=2.0, sharpen=4.0), Rectangle(width=1.0), Rectangle(width=0.5)),
        (Triangle(width=2.0, sharpen=4.0), Triangle(width=1.0), Triangle(width=0.5)),
    ],
    ids=repr,
)
def test_a_surrogate_gets_steeper_while_training(surrogate: Surrogate, half: Surrogate, end: Surrogate) -> None:
    neuron = LIF(3, surrogate=surrogate)
    for share, wanted in ((0.5, half), (1.0, end), (0.5, half)):  # of the share alone: a resumed run says it again
        neuron.training_progress(share)
        assert repr(surrogate) == repr(wanted)
        grads = []
        for one in (neuron, LIF(3, surrogate=wanted)):
            x = (torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(0)) * 2).requires_grad_()
            (one(x) * torch.linspace(-1, 1, 72).view(6, 4, 3)).sum().backward()
            grads.append(x.grad)
        assert torch.equal(grads[0], grads[1])  # type: ignore[arg-type]
        assert grads[0].any()  # type: ignore[union-attr]


def test_a_surrogate_stays_as_it_is_unless_told_otherwise() -> None:
    surrogate = ATan(alpha=3.0)
    LIF(3, surrogate=surrogate).training_progress(0.7)
    assert surrogate.alpha == 3.0
    neuron = STCLIF(16, groups=1, surrogate=Sigmoid(alpha=4.0, sharpen=2.0))
    neuron.training_progress(1.0)
    assert neuron.surrogate.alpha == 8.0  # type: ignore[attr-defined]  # the host's
