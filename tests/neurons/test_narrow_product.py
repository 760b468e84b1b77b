"""Products with few outputs equal the plain ones, gradients too, and are used where they pay."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.neurons.kernels import spike_linear, use_kernel
from snnctl.neurons.kernels.products import NarrowLinear


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 40),
    inputs=st.integers(1, 20),
    outputs=st.integers(1, 33),
    bias=st.booleans(),
    data=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_values_and_gradients_are_those_of_the_plain_product(rows, inputs, outputs, bias, data, seed):
    torch.manual_seed(seed)
    x = torch.randn(2, rows, inputs, dtype=torch.float64, requires_grad=not data)
    weight = torch.randn(outputs, inputs, dtype=torch.float64, requires_grad=True)
    offset = torch.randn(outputs, dtype=torch.float64, requires_grad=True) if bias else None
    leaves = [leaf for leaf in (x, weight, offset) if leaf is not None and leaf.requires_grad]
    upstream = torch.randn(2, rows, outputs, dtype=torch.float64)

    found = NarrowLinear.apply(x, weight, offset)
    expected = F.linear(x, weight, offset)

    torch.testing.assert_close(found, expected)
    for ours, plain in zip(
        torch.autograd.grad(found, leaves, upstream), torch.autograd.grad(expected, leaves, upstream), strict=True
    ):
        torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize(
    ("rows", "outputs", "used"),
    [(4096, 10, True), (4096, 16, False), (4096, 2, False), (4096, 40, False), (100, 10, False)],
)
def test_it_is_used_for_many_rows_of_few_outputs(rows, outputs, used):
    x, weight = torch.rand(rows, 7), torch.rand(outputs, 7, requires_grad=True)
    assert ("NarrowLinear" in type(spike_linear(x, weight, None).grad_fn).__name__) is used
    with use_kernel("reference"):
        assert "NarrowLinear" not in type(spike_linear(x, weight, None).grad_fn).__name__
