"""The coupled pair, integrated numerically, is the closed form of CPG-PE."""

import math

import pytest
import torch

from snnctl.positions import CPG
from snnctl.positions.oscillator import METHODS, Method, advance, integrate


@pytest.mark.parametrize("base", [1000.0, 10000.0])
def test_rk4_gives_the_closed_form_over_5000_positions(base: float) -> None:
    position = CPG(neurons=40, base=base)
    error = (integrate(40, base, 5000) - position.membrane(5000)).abs().max()
    assert error < 1e-6


@pytest.mark.parametrize("base", [1000.0, 10000.0])
def test_rk4_gives_every_bit(base: float) -> None:
    position = CPG(neurons=40, base=base)
    found = integrate(40, base, 672)
    assert (found - position.membrane(672)).abs().max() < 1e-7
    assert torch.equal(found >= 0.8, position.code(672) == 1)


def test_rotation_is_exact_and_euler_fails() -> None:
    exact = CPG(neurons=40).membrane(672)
    errors = {m: float((integrate(40, 10000.0, 672, method=m) - exact).abs().max()) for m in METHODS}
    assert errors["rotation"] < 1e-10
    assert float((integrate(40, 10000.0, 672, method="rotation", step=1.0) - exact).abs().max()) < 1e-12
    assert errors["rk4"] < 1e-7
    assert 1e-3 < errors["symplectic"] < 1e-2
    assert errors["euler"] > 20


@pytest.mark.parametrize("method", METHODS)
def test_positions_are_reached_step_by_step(method: Method) -> None:
    # The definition: a loop over every small step, without the matrix that `integrate` makes of them.
    w = torch.tensor([1.0, 0.3], dtype=torch.float64)
    state = torch.tensor([[0.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    reached = [state]
    for _ in range(5):
        for _ in range(20):
            state = advance(state, w, 0.05, method)
        reached.append(state)
    found = integrate(4, 0.3**-2, 6, method=method, step=0.05).view(6, 2, 2)
    torch.testing.assert_close(found, torch.stack(reached), rtol=0, atol=1e-12)


def test_rk4_is_of_fourth_order() -> None:
    exact = CPG(neurons=2, base=2.0).membrane(50)
    coarse, fine = ((integrate(2, 2.0, 50, step=h) - exact).abs().max() for h in (0.2, 0.1))
    assert 12 < coarse / fine < 20


def test_amplitude_is_kept() -> None:
    pairs = integrate(8, 100.0, 1000).view(1000, 4, 2)
    assert (pairs.square().sum(-1) - 1).abs().max() < 1e-6


def test_odd_numbers_and_no_position() -> None:
    assert integrate(9, 100.0, 7).shape == (7, 9)
    assert integrate(9, 100.0, 0).shape == (0, 9)


@pytest.mark.parametrize("step", [0.03, 2.0])
def test_steps_meet_positions(step: float) -> None:
    with pytest.raises(ValueError, match="step must divide 1"):
        integrate(2, 10.0, 5, step=step)


def test_duty_cycle() -> None:
    code = CPG(neurons=40, base=1000.0).code(100_000)[:, :22].double()
    assert (code.mean(0) - math.acos(0.8) / math.pi).abs().max() < 0.005
    assert math.acos(0.8) / math.pi == pytest.approx(0.205, abs=5e-4)
