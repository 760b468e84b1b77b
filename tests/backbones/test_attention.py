"""Spiking self-attention: packed projections, order of the product, scale and threshold."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnctl.backbones import SpikingLinear, SpikingSelfAttention
from snnctl.backbones.parts.attention import attend, attend_packed
from snnctl.neurons import IF, LIF
from snnctl.neurons.kernels import use_kernel


def make(dim: int, heads: int, *, scale: float = 1.0, threshold: float = 0.5) -> SpikingSelfAttention:
    torch.manual_seed(0)
    return SpikingSelfAttention(dim, heads, LIF, scale=scale, threshold=threshold, norm_gain=2.0).double()


def spikes(*shape: int) -> Tensor:
    return torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(1)).double()


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
def test_both_orders_of_the_product_agree_exactly(length: int, width: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    q, k, v = torch.randint(0, 4, (3, 2, length, width), generator=generator).float().unbind(0)
    assert torch.equal(attend(q, k, v), q @ k.mT @ v)
    assert torch.equal(attend(q, k, v), q @ (k.mT @ v))


@pytest.mark.parametrize("length", [3, 11])  # the two orders of the product, with 4 columns per head
def test_packed_projection_equals_three(length: int) -> None:
    attention = make(8, 2)
    x = spikes(4, 5, length, 8)

    def part(i: int) -> Tensor:
        layer = SpikingLinear(8, 8, LIF, norm_gain=2.0).double()
        rows = slice(8 * i, 8 * i + 8)
        layer.load_state_dict(
            {name: value[rows] if value.ndim else value for name, value in attention.qkv.state_dict().items()}
        )
        out: Tensor = layer(x)
        return out

    q, k, v = part(0), part(1), part(2)
    mixed = torch.empty_like(q)
    for head in range(2):
        columns = slice(4 * head, 4 * head + 4)
        scores = q[..., columns] @ k[..., columns].mT
        mixed[..., columns] = scores @ v[..., columns]
    inner = LIF(8, v_threshold=0.5)(mixed)  # half the threshold, said directly
    assert inner.sum() > 0
    assert torch.equal(attention(x), attention.projection(inner))


@pytest.mark.parametrize("neuron", [LIF(3), LIF(3, reset="soft", decay_input=False), IF(3, reset="soft")])
def test_dividing_the_current_is_a_lower_threshold(neuron: LIF) -> None:
    x = torch.randint(0, 9, (6, 4, 3), generator=torch.Generator().manual_seed(2)).double() / 8
    low = type(neuron)(3, **{**_knobs(neuron), "v_threshold": 0.25})
    assert torch.equal(neuron(x / 0.25), low(x))


def _knobs(neuron: LIF) -> dict[str, object]:
    names = ("reset", "detach_reset") if isinstance(neuron, IF) else ("tau", "reset", "decay_input")
    return {name: getattr(neuron, name) for name in names}


def test_scale_and_threshold_act_as_their_ratio() -> None:
    x = spikes(4, 3, 5, 8)
    assert torch.equal(make(8, 2, scale=2.0, threshold=1.0)(x), make(8, 2)(x))
    assert not torch.equal(make(8, 2, scale=0.125)(x), make(8, 2)(x))


@pytest.mark.parametrize("length", [3, 40])
@pytest.mark.parametrize("heads", [1, 4])
def test_attention_in_place_equals_the_plain_expression(length: int, heads: int) -> None:
    torch.manual_seed(0)
    x = torch.randint(0, 3, (2, 24, length, 96)).float()
    found = []
    for kernel in ("auto", "reference"):
        leaf = x.clone().requires_grad_()
        with use_kernel(kernel):  # type: ignore[arg-type]
            out = attend_packed(leaf, heads, 0.25)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        found.append((out.detach(), leaf.grad))
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-4, atol=1e-4)
    assert out.abs().sum() > 0


def test_attention_of_real_numbers_is_kept_as_it_is() -> None:
    x = torch.rand(2, 24, 40, 96)
    grads = []
    for kernel in ("auto", "reference"):
        leaf = x.clone().requires_grad_()
        with use_kernel(kernel):  # type: ignore[arg-type]
            attend_packed(leaf, 4, 1.0).pow(2).sum().backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-2)
