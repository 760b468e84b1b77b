"""Time-chunk checkpointing: the same numbers, less memory."""

from typing import Any

import pytest
import torch
from torch import Tensor

from snnctl.core.catalog import NEURONS
from snnctl.neurons import SpikingNeuron
from snnctl.neurons.chunks import use_time_chunks
from snnctl.neurons.kernels import use_kernel

STREAMING = [name for name in NEURONS.builtin if name != "psn"]


def run(name: str, x: Tensor, chunk: int | None) -> tuple[list[Tensor], int]:
    torch.manual_seed(0)
    knobs = {"steps": len(x)} if name == "masked_psn" else {"groups": 1} if name.startswith("stc") else {}
    neuron: SpikingNeuron = NEURONS.get(name)(x.shape[-1], **knobs).double()
    leaf = x.clone().requires_grad_()
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with use_kernel("reference"), use_time_chunks(chunk):
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            spikes: Any = neuron(leaf)
        weights = torch.linspace(-1, 1, spikes.numel(), dtype=x.dtype).view_as(spikes)
        (spikes * weights).sum().backward()
    grads = [leaf.grad, *(p.grad for p in neuron.parameters())]
    return [spikes.detach(), *(g for g in grads if g is not None)], sum(kept.values())


@pytest.mark.parametrize("name", STREAMING)
@pytest.mark.parametrize("chunk", [1, 3, 8, 20])
def test_same_spikes_and_gradients(name: str, chunk: int) -> None:
    x = torch.randn(8, 3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3
    whole, _ = run(name, x, None)
    parts, _ = run(name, x, chunk)
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["alif", "lif", "plif"])
def test_less_is_kept(name: str) -> None:
    x = torch.randn(64, 8, 50, dtype=torch.float64)
    _, everything = run(name, x, None)
    _, little = run(name, x, 8)
    # The input, which was there already, and the states between chunks.
    assert little < 1.2 * x.numel() * 8 < everything


def test_a_chunk_has_a_step() -> None:
    with pytest.raises(ValueError, match="at least one step, got 0"), use_time_chunks(0):
        pass
