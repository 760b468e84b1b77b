"""Products and weight gradients from few spikes in many rows: equal to the dense ones."""

import pytest
import torch
from torch import Tensor, nn

from snnctl.neurons.kernels import event_rows, spike_linear


def spikes(rows: int, inputs: int, rate: float) -> Tensor:
    return (torch.rand(rows, inputs, generator=torch.Generator().manual_seed(0)) < rate).double()


@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(1, 1, 16), (37, 45, 32), (300, 130, 144)])
@pytest.mark.parametrize("rate", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_dense_product(rows: int, inputs: int, outputs: int, rate: float, dtype: torch.dtype) -> None:
    x = (spikes(rows, inputs, rate) * 2).to(dtype)
    grad = torch.randn(rows, outputs, dtype=dtype)
    columns = torch.randn(inputs, outputs, dtype=dtype)
    torch.testing.assert_close(event_rows.outer(grad, x), grad.t() @ x, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(event_rows.gathered(x, columns), x @ columns, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("wants_input", [False, True])
@pytest.mark.parametrize("rate", [0.05, 0.6])
def test_layers_take_it_where_few_fire(rate: float, wants_input: bool) -> None:
    layer = nn.Linear(128, 64)
    x = spikes(1024, 128, rate).float().view(8, 128, 128).requires_grad_(wants_input)
    assert event_rows.pays(x.detach().flatten(0, 1), 64) == (rate < 0.1)
    leaves = [layer.weight, layer.bias, *([x] if wants_input else [])]
    weights = torch.randn(8, 128, 64)
    found, expected = spike_linear(x, layer.weight, layer.bias), layer(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    for a, b in zip(*(torch.autograd.grad((y * weights).sum(), leaves) for y in (found, expected)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-3)


def test_same_with_any_number_of_threads() -> None:
    x, grad = spikes(500, 64, 0.1).float(), torch.randn(500, 32)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(event_rows.outer(grad, x))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)
