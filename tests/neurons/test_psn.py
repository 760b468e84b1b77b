"""PSN and masked PSN: golden products, who sees whom, number of steps, streaming, gradients."""

from typing import Any

import pytest
import torch
from state_traces import Smooth, gradients_are_exact, random_current
from torch import Tensor

from snnctl.core.shapes import ShapeError
from snnctl.neurons import PSN, ATan, MaskedPSN


def with_weight(neuron: Any, rows: list[list[float]], bias: list[float] | None = None) -> Any:
    with torch.no_grad():
        neuron.weight.copy_(torch.tensor(rows))
        if bias is not None:
            neuron.bias.copy_(torch.tensor(bias).unsqueeze(-1))
    return neuron


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)


def test_golden() -> None:
    # h0 = 1 + .5 * 2 - 2 = 0 fires (at the threshold); h1 = -1 + 2 - 1.5 = -.5; h2 = .25 * 4 - 1 = 0 fires
    rows = [[1.0, 0.5, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.25]]
    neuron = with_weight(PSN(1, steps=3), rows, [-2.0, -1.5, -1.0])
    assert neuron(column(1.0, 2.0, 4.0)).flatten().tolist() == [1, 0, 1]


def test_starts_as_a_linear_layer_with_threshold_one() -> None:
    torch.manual_seed(3)
    neuron = PSN(1, steps=5)
    torch.manual_seed(3)
    assert torch.equal(neuron.weight, torch.nn.Linear(5, 5).weight)
    assert torch.equal(neuron.bias, torch.full((5, 1), -1.0))


def test_later_input_may_make_it_fire() -> None:
    neuron = with_weight(PSN(1, steps=2), [[0.0, 1.0], [0.0, 0.0]])
    assert neuron(column(0.0, 1.0)).flatten().tolist() == [1, 0]


@pytest.mark.parametrize("steps", [1, 4, 6])
def test_another_number_of_steps_is_refused(steps: int) -> None:
    with pytest.raises(ShapeError, match=f"psn is made for 5 steps, the input has {steps}") as caught:
        PSN(2, steps=5)(torch.zeros(steps, 1, 2))
    assert (caught.value.knob, caught.value.help) == ("steps", f"use `steps: {steps}`")


def test_a_state_is_refused() -> None:
    for call in ({"state": ()}, {"return_state": True}):
        with pytest.raises(ValueError, match="PSN cannot stream"):
            PSN(2, steps=5)(torch.zeros(5, 1, 2), **call)


@pytest.mark.parametrize(("order", "expected"), [(1, [1, 0, 1, 1]), (2, [1, 1, 1, 1]), (None, [1, 1, 1, 1])])
def test_mask(order: int | None, expected: list[int]) -> None:
    # all weights 1, bias -1.   x = 1, .5, 1, 1: a step fires if the sum of the last `order` is 1 or more
    neuron = with_weight(MaskedPSN(1, steps=4, order=order), [[1.0] * 4] * 4)
    assert neuron(column(1.0, 0.5, 1.0, 1.0)).flatten().tolist() == expected


@pytest.mark.parametrize(
    ("order", "mask"),
    [
        (1, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        (2, [[1, 0, 0], [1, 1, 0], [0, 1, 1]]),
        (3, [[1, 0, 0], [1, 1, 0], [1, 1, 1]]),
        (9, [[1, 0, 0], [1, 1, 0], [1, 1, 1]]),
        (None, [[1, 0, 0], [1, 1, 0], [1, 1, 1]]),
    ],
)
def test_mask_of_each_order(order: int | None, mask: list[list[int]]) -> None:
    neuron = MaskedPSN(2, steps=3, order=order)
    assert neuron.mask.tolist() == mask
    neuron(random_current(3, 4, 2).float()).sum().backward()
    assert neuron.weight.grad is not None
    assert (neuron.weight.grad != 0).int().tolist() == mask


def test_masked_is_psn_with_masked_weights() -> None:
    masked, full = MaskedPSN(3, steps=6, order=3).double(), PSN(3, steps=6).double()
    with torch.no_grad():
        full.weight.copy_(masked.weight * masked.mask)
    x = random_current(6, 5, 3, scale=4.0)
    assert masked(x).sum() > 10
    assert torch.equal(masked(x), full(x))


def test_masked_streams_up_to_its_steps() -> None:
    neuron = MaskedPSN(3, steps=4, order=2)
    x = torch.ones(6, 2, 3)
    _, state = neuron(x[:3], return_state=True)
    assert torch.equal(state, x[:3])
    _, state = neuron(x[3:4], state, return_state=True)
    with pytest.raises(ShapeError, match="masked_psn is made for up to 4 steps, the input has 5"):
        neuron(x[4:5], state)
    with pytest.raises(ShapeError, match="the input has 6"):
        neuron(x)


@pytest.mark.parametrize("neuron", [PSN(2, steps=4), MaskedPSN(2, steps=4, order=2)], ids=["psn", "masked_psn"])
def test_gradients_by_hand(neuron: PSN | MaskedPSN) -> None:
    # dh = w g(h); dW = dh x^T over batch and channels, where not masked; dbias = sum of dh; dx = W^T dh
    neuron = neuron.double()
    x = random_current(4, 3, 2).requires_grad_()
    weights = random_current(4, 3, 2, seed=1)
    (neuron(x) * weights).sum().backward()
    flat = x.detach().flatten(1)
    mask = neuron.mask if isinstance(neuron, MaskedPSN) else torch.ones(4, 4, dtype=torch.float64)
    effective = neuron.weight.detach() * mask
    dh = weights.flatten(1) * ATan().gradient(effective @ flat + neuron.bias.detach())
    torch.testing.assert_close(neuron.weight.grad, dh @ flat.T * mask, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(neuron.bias.grad, dh.sum(1, keepdim=True), rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(x.grad, (effective.T @ dh).view_as(x), rtol=1e-12, atol=1e-13)


def test_gradients_are_those_of_the_smooth_neuron() -> None:
    assert gradients_are_exact(PSN(2, steps=5, surrogate=Smooth()))
    assert gradients_are_exact(MaskedPSN(2, steps=5, order=2, surrogate=Smooth()))


def test_the_product_stays_wide_under_autocast() -> None:
    x = random_current(8, 64, 16).float()
    for neuron in (PSN(16, steps=8), MaskedPSN(16, steps=8)):
        expected = neuron(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(neuron(x), expected)
