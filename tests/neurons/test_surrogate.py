"""Surrogates: the gradient belongs to the primitive, the forward pass is a step."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

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
