"""Attention beyond the dot-product map: xnor, biases, learned scale, masks, and what twins have instead."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from snnctl.backbones import Spikformer
from snnctl.backbones.parts.attention import (
    SharedKeyAttention,
    SoftmaxAttention,
    SpikingSelfAttention,
    agreements,
    default_scale,
)
from snnctl.backbones.parts.mask_attention import QKTokenAttention, SpikeDrivenAttention
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.neurons import LIF
from snnctl.positions import CPG, Gray, LogDistance

SIGNAL = SignalSpec(4, 10, 6, kind="spikes")


def bits(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(seed)).double()


def fed(attention: Any, packed: Tensor, x: Tensor, bias: Tensor | None = None) -> Tensor:
    """The current of the inner neuron when the packed layer fires `packed`."""
    seen: list[Tensor] = []
    layer = attention.qkv if hasattr(attention, "qkv") else attention.qk
    hooks = [
        layer.register_forward_hook(lambda *_: packed),
        attention.neuron.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0])),
    ]
    attention(x, bias)
    for hook in hooks:
        hook.remove()
    return seen[0]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 2**31))
def test_agreements_are_an_xnor(length: int, width: int, seed: int) -> None:
    q, k = bits(2, length, width, seed=seed), bits(2, length, width, seed=seed + 1)
    expected = torch.stack(
        [torch.stack([torch.stack([(a == b).sum() for b in ks]) for a in qs]) for qs, ks in zip(q, k, strict=True)]
    )
    assert torch.equal(agreements(q, k), expected.double())
    assert torch.equal(agreements(q, k), width - (q[:, :, None] != k[:, None]).sum(-1).double())


def test_agreements_have_the_gradient_of_their_formula() -> None:
    q, k = (torch.rand(3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(agreements, (q, k))


@pytest.mark.parametrize("kind", ["dot", "xnor"])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("learned", [False, True])
def test_current_is_scale_times_map_times_values(kind: Any, biased: bool, learned: bool) -> None:
    T, B, L, D, heads = 2, 3, 5, 8, 2
    attention = SpikingSelfAttention(
        D, heads, LIF, scale=0.25, threshold=0.5, norm_gain=2.0, kind=kind, learn_scale=learned
    ).double()
    packed, bias = bits(T, B, L, 3 * D), torch.arange(25.0).view(5, 5).double() if biased else None
    current = fed(attention, packed, bits(T, B, L, D), bias)
    q, k, v = packed.chunk(3, -1)
    for h in range(heads):
        part = slice(4 * h, 4 * h + 4)
        scores = q[..., part] @ k[..., part].mT
        if kind == "xnor":
            scores = (q[..., None, part] == k[..., None, :, part]).double().sum(-1)
        assert torch.equal(attention.scores(packed)[:, :, h], scores)
        expected = 0.5 * (scores if bias is None else scores + bias) @ v[..., part]
        torch.testing.assert_close(current[..., part], expected, rtol=0, atol=1e-6 if learned else 1e-12)


def test_learned_scale_gets_a_gradient_and_stays_between_0_and_1() -> None:
    attention = SpikingSelfAttention(8, 2, LIF, scale=0.3, threshold=0.5, norm_gain=2.0, learn_scale=True)
    attention(bits(4, 16, 5, 8).float()).sum().backward()
    assert attention.gate is not None
    assert attention.gate.sigmoid().item() == pytest.approx(0.3)
    assert attention.gate.grad is not None
    assert attention.gate.grad != 0


@pytest.mark.parametrize("kind", ["dot", "xnor"])
@pytest.mark.parametrize(("length", "width"), [(4, 8), (12, 16), (96, 32), (168, 32)])
def test_default_scale_starts_neither_silent_nor_saturated(kind: Any, length: int, width: int) -> None:
    torch.manual_seed(0)
    scale = default_scale(kind, length, width)
    attention = SpikingSelfAttention(4 * width, 4, LIF, scale=scale, threshold=0.5, norm_gain=2.0, kind=kind)
    rates: list[float] = []
    attention.neuron.register_forward_hook(lambda _m, _i, out: rates.append(out.mean().item()))
    attention((torch.rand(4, 8, length, 4 * width) < 0.2).float())
    assert 0.02 < rates[0] < 0.7


def test_softmax_attention_against_torch() -> None:
    attention = SoftmaxAttention(8, 2, norm_gain=1.0).double()
    x, bias = torch.randn(2, 3, 5, 8).double(), torch.arange(25.0).view(5, 5).double()
    seen: list[Tensor] = []
    attention.projection.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    attention(x, bias)
    q, k, v = (part.unflatten(-1, (2, 4)).transpose(2, 3) for part in attention.qkv(x).chunk(3, -1))
    expected = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias / 2)
    torch.testing.assert_close(seen[0], expected.transpose(2, 3).flatten(-2), rtol=0, atol=1e-9)


class TestSpikeDriven:
    def test_mask_and_add(self) -> None:
        attention = SpikeDrivenAttention(8, LIF, scale=0.5, norm_gain=2.0).double()
        packed = bits(2, 3, 5, 24)
        q, k, _ = packed.chunk(3, -1)
        current = fed(attention, packed, bits(2, 3, 5, 8))
        assert torch.equal(current, 0.5 * (q * k).sum(2, keepdim=True))

    def test_a_bias_weighs_pairs(self) -> None:
        attention = SpikeDrivenAttention(8, LIF, scale=1.0, norm_gain=2.0).double()
        packed, bias = bits(2, 3, 5, 24), LogDistance().attention_bias(5)
        assert bias is not None
        q, k, _ = packed.chunk(3, -1)
        expected = torch.stack([sum(bias[i, j] * (q * k)[:, :, j] for j in range(5)) for i in range(5)], dim=2)
        assert torch.equal(fed(attention, packed, bits(2, 3, 5, 8), bias.double()), expected)

    def test_only_spikes_and_masks_enter_the_projection(self) -> None:
        attention = SpikeDrivenAttention(8, LIF, scale=1.0, norm_gain=2.0)
        seen: list[Tensor] = []
        attention.projection.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
        attention(bits(4, 16, 5, 8).float())
        assert set(seen[0].unique().tolist()) == {0.0, 1.0}


class TestQueryKey:
    def test_a_head_opens_positions(self) -> None:
        attention = QKTokenAttention(8, 2, LIF, norm_gain=2.0).double()
        packed = bits(2, 3, 5, 16)
        current = fed(attention, packed, bits(2, 3, 5, 8))
        assert torch.equal(current, packed[..., :8].unflatten(-1, (2, 4)).sum(-1))

    def test_keys_pass_or_not(self) -> None:
        attention = QKTokenAttention(8, 2, LIF, norm_gain=2.0)
        opened: list[Tensor] = []
        seen: list[Tensor] = []
        keys: list[Tensor] = []
        attention.qk.register_forward_hook(lambda _m, _i, out: keys.append(out[..., 8:]))
        attention.neuron.register_forward_hook(lambda _m, _i, out: opened.append(out))
        attention.projection.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
        attention(bits(4, 16, 5, 8).float())
        assert 0 < opened[0].mean() < 1
        assert torch.equal(seen[0], keys[0] * opened[0].repeat_interleave(4, dim=-1))

    def test_its_twin_is_softmax_attention_with_keys_as_values(self) -> None:
        attention = SharedKeyAttention(8, 2, norm_gain=1.0).double()
        x = torch.randn(2, 3, 5, 8).double()
        seen: list[Tensor] = []
        attention.projection.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
        attention(x)
        q, k = (part.unflatten(-1, (2, 4)).transpose(2, 3) for part in attention.qk(x).chunk(2, -1))
        expected = nn.functional.scaled_dot_product_attention(q, k, k)
        torch.testing.assert_close(seen[0], expected.transpose(2, 3).flatten(-2), rtol=0, atol=1e-9)


class TestChoiceOfMap:
    @pytest.mark.parametrize(("position", "kind"), [("none", "dot"), ("cpg", "dot"), ("gray", "xnor"), ("log", "xnor")])
    def test_auto_takes_what_the_position_is_made_for(self, position: str, kind: str) -> None:
        assert Spikformer(SIGNAL, dim=16, heads=4, position=position).blocks[0].attention.kind == kind
        forced = Spikformer(SIGNAL, dim=16, heads=4, position=position, attention_map="xnor")
        assert forced.blocks[0].attention.kind == "xnor"

    def test_gray_on_a_dot_map_is_refused_and_log_is_not(self) -> None:
        with pytest.raises(ShapeError, match="counts agreeing bits") as caught:
            Spikformer(SIGNAL, dim=16, heads=4, position="gray", attention_map="dot")
        assert caught.value.knob == "attention_map"
        assert (
            Spikformer(SIGNAL, dim=16, heads=4, position="log", attention_map="dot").blocks[0].attention.kind == "dot"
        )

    def test_a_learned_scale_must_start_below_one(self) -> None:
        with pytest.raises(ShapeError, match="below 1") as caught:
            Spikformer(SIGNAL, dim=16, heads=4, attention_scale=1.0, learn_attention_scale=True)
        assert caught.value.knob == "attention_scale"
        Spikformer(SIGNAL, dim=16, heads=4, attention_scale=None, learn_attention_scale=True)

    @pytest.mark.parametrize("position", ["gray", "log"])
    def test_bias_makes_order_matter(self, position: str) -> None:
        torch.manual_seed(0)
        model = Spikformer(
            SIGNAL, dim=16, heads=4, position=position, embed_norm=True, norm_gain=2.0, attention_scale=None
        ).double()
        x, order = bits(4, 8, 10, 6), torch.randperm(10, generator=torch.Generator().manual_seed(5))
        with torch.no_grad():
            assert (model(x[:, :, order]).mean(2) - model(x).mean(2)).abs().max() > 1e-6

    def test_xnor_alone_is_blind_to_order(self) -> None:
        torch.manual_seed(0)
        model = Spikformer(
            SIGNAL, dim=16, heads=4, attention_map="xnor", embed_norm=True, norm_gain=2.0, attention_scale=None
        ).double()
        x, order = bits(4, 8, 10, 6), torch.randperm(10, generator=torch.Generator().manual_seed(5))
        with torch.no_grad():
            torch.testing.assert_close(model(x[:, :, order]), model(x)[:, :, order], rtol=0, atol=1e-9)

    def test_gray_has_no_parameters_and_cpg_has_its_columns(self) -> None:
        def count(position: Any) -> int:
            return sum(p.numel() for p in Spikformer(SIGNAL, dim=16, heads=4, position=position).parameters())

        assert count(Gray) == count("none")
        assert count(lambda signal: CPG(signal, neurons=9)) == count("none") + 9 * 16
