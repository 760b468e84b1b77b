"""Spikes kept as bytes: exact, checked, and only where it pays."""

import pytest
import torch
from torch import Tensor, nn

from snnctl.neurons.kernels import pack_spikes, packed, spike_linear, unpack_spikes, use_kernel

LARGE = (3, 5, 37, 129)  # above the size from which packing pays, no whole number of vectors


def whole(*shape: int, top: int = 3) -> Tensor:
    return torch.randint(0, top + 1, shape, generator=torch.Generator().manual_seed(0)).float()


@pytest.mark.parametrize("top", [1, 3, 255])
def test_there_and_back(top: int) -> None:
    x = whole(*LARGE, top=top)
    assert x.numel() * 4 >= packed.WORTH_BYTES
    kept = pack_spikes(x)
    assert kept is not None
    assert torch.equal(kept, x.to(torch.uint8))
    assert torch.equal(unpack_spikes(kept), x)
    assert torch.equal(unpack_spikes(x), x)


@pytest.mark.parametrize("odd", [0.5, -1.0, 256.0, 1e10, float("nan"), float("inf"), 1.0000001])
@pytest.mark.parametrize("place", [0, 40_000, -1])
def test_one_value_that_does_not_fit_is_found(odd: float, place: int) -> None:
    x = whole(*LARGE)
    x.view(-1)[place] = odd
    assert pack_spikes(x) is None


def test_what_is_left_alone() -> None:
    assert pack_spikes(whole(10, 10)) is None  # small
    assert pack_spikes(whole(*LARGE).double()) is None
    assert pack_spikes(whole(*LARGE).mT) is None
    with use_kernel("reference"):
        assert pack_spikes(whole(*LARGE)) is None


def kept_bytes(run: object, exclude: Tensor) -> int:
    found: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() != exclude.untyped_storage().data_ptr():
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run()  # type: ignore[operator]
    return sum(found.values())


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("has_bias", [False, True])
def test_linear_layers_learn_the_same_and_keep_a_quarter(real: bool, has_bias: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(129, 70, bias=has_bias)
    x = whole(*LARGE) + (0.25 if real else 0.0)
    found = []
    for kernel in ("auto", "reference"):
        leaf = x.clone().requires_grad_()
        layer.zero_grad()
        with use_kernel(kernel):  # type: ignore[arg-type]
            out = spike_linear(leaf, layer.weight, layer.bias)
            size = kept_bytes(lambda leaf=leaf: spike_linear(leaf, layer.weight, layer.bias), layer.weight)
        assert size == (x.numel() if kernel == "auto" and not real else 4 * x.numel())
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        found.append([out.detach(), leaf.grad, *(p.grad for p in layer.parameters())])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_no_gradient_of_a_gradient() -> None:
    layer, x = nn.Linear(129, 70), whole(*LARGE).requires_grad_()
    with pytest.raises(RuntimeError, match="first gradients only"):
        torch.autograd.grad(spike_linear(x, layer.weight, layer.bias).sum(), x, create_graph=True)


def test_data_and_narrow_layers_are_kept_as_they_are() -> None:
    x = whole(*LARGE)
    for leaf, outputs in ((x, 70), (x.clone().requires_grad_(), 20)):
        layer = nn.Linear(129, outputs)
        run = lambda leaf=leaf, layer=layer: spike_linear(leaf, layer.weight, layer.bias)  # noqa: E731
        assert kept_bytes(run, layer.weight) == 4 * x.numel()
