"""Bytes of functions whose bytes are known."""

import pytest
import torch
from torch import Tensor, nn

from snnctl.bench.case import peak_bytes, saved_bytes
from snnctl.neurons import LIF
from snnctl.neurons.kernels import use_kernel

N = 1000
BYTES = 4 * N


def leaf() -> Tensor:
    return torch.linspace(0.1, 1.0, N).requires_grad_()


def test_a_result_that_is_kept_counts() -> None:
    x = leaf()
    assert saved_bytes(lambda: x.exp().sum().backward()) == BYTES


def test_an_input_that_is_kept_counts_once() -> None:
    x = leaf()
    assert saved_bytes(lambda: (x.sin() + x.cos() + x[: N // 2].sin().sum()).sum().backward()) == BYTES


def test_parameters_do_not_count() -> None:
    x, linear = torch.ones(3, N), nn.Linear(N, 5)
    assert saved_bytes(lambda: linear(x).sum().backward(), linear.parameters()) == 3 * BYTES
    assert saved_bytes(lambda: linear(x).sum().backward()) == 3 * BYTES  # no gradient of the input, so no weights


def test_what_needs_no_backward_saves_nothing() -> None:
    x = leaf()
    with torch.no_grad():
        assert saved_bytes(lambda: x.exp()) == 0


def test_custom_functions_count() -> None:
    class Keeps(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):  # type: ignore[no-untyped-def]
            ctx.save_for_backward(x, torch.zeros(N // 2))
            return x * 1

        @staticmethod
        def backward(ctx, grad):  # type: ignore[no-untyped-def]
            assert len(ctx.saved_tensors) == 2
            return grad

    x = leaf()
    assert saved_bytes(lambda: Keeps.apply(x).sum().backward()) == BYTES + BYTES // 2


@pytest.mark.parametrize("kernel", ["auto", "reference"])
def test_lif_keeps_at_least_its_input(kernel: str) -> None:
    neuron, x = LIF(N), torch.zeros(4, 2, N, requires_grad=True)
    with use_kernel(kernel):  # type: ignore[arg-type]
        neuron(x).sum().backward()
        found = saved_bytes(lambda: neuron(x).sum().backward())
    assert found % BYTES == 0
    assert 8 * BYTES <= found <= 32 * BYTES


def test_peak_is_the_most_at_a_time() -> None:
    x = torch.ones(N)

    def work() -> Tensor:
        a = torch.empty(N)
        b = torch.empty(2 * N)
        del a
        c = torch.empty(N)
        del b, c
        return x

    assert peak_bytes(work) == 3 * BYTES


def test_peak_does_not_count_what_was_there() -> None:
    x = torch.ones(100 * N)
    assert peak_bytes(lambda: x[:N].clone()) == BYTES


def test_peak_includes_the_backward_pass() -> None:
    x = leaf()

    def work() -> None:
        torch.autograd.grad(x.exp(), x, x.detach())

    assert peak_bytes(work) == 2 * BYTES
