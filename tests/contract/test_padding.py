"""Padding changes nothing: outputs, gradients, statistics of norms, spikes; every backbone, position, read-out."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnctl.core.catalog import BACKBONES, POSITIONS, READOUTS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.encoders.embedding import Embedding
from snnctl.engine.experiment import Network
from snnctl.measure.spikes import SpikeMeter

LENGTH = 11
TOKENS = SignalSpec(0, LENGTH, 30, kind="tokens", ragged=True)
IDS = torch.tensor([[3, 4, 5, 0, 0, 0], [7, 0, 0, 0, 0, 0], [9, 8, 7, 6, 5, 4]])
TRANSFORMER = {"dim": 8, "heads": 2, "norm_gain": 2.0, "hidden": 12}
TAKE: dict[str, dict[str, Any]] = {
    "spikformer": {**TRANSFORMER, "depth": 1, "embed_norm": True, "attention_scale": None},
    "qkformer": {**TRANSFORMER, "qk_depth": 1, "depth": 1, "embed_norm": True, "attention_scale": None},
    "spike_driven": {**TRANSFORMER, "depth": 1},
}
VIDEOS = {"video_stack", "sim_vp"}  # refuse whatever is no video
REFUSE = set(BACKBONES.builtin) - set(TAKE) - VIDEOS
IMPOSSIBLE = {("gray", "spike_driven")}
CASES = [(b, p) for b in TAKE for p in POSITIONS.builtin if (p, b) not in IMPOSSIBLE]


def build(backbone: str, position: Any, *, steps: int = 4, readout: str = "mean_linear", **more: Any) -> Network:
    torch.manual_seed(0)
    neuron = "lif" if more.get("spiking", True) else None
    encoder = Embedding(TOKENS, dim=8, steps=steps, neuron=neuron)
    body = BACKBONES.get(backbone)(encoder.output, position=position, **{**TAKE[backbone], **more})
    return Network(encoder, body, READOUTS.get(readout)(body.output, 3, TOKENS)).double()


def padded(ids: Tensor, more: int) -> Tensor:
    return F.pad(ids, (0, more))


def trained(network: Network, ids: Tensor) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor], Any]:
    """Output, gradients, buffers and spikes after one training pass of a copy."""
    own = copy.deepcopy(network).train()
    with SpikeMeter(own) as meter:
        out = own(ids)
    (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
    gradients = {name: p.grad for name, p in own.named_parameters() if p.grad is not None}
    return out.detach(), gradients, dict(own.named_buffers()), meter.summary()


@pytest.mark.parametrize("spiking", [True, False])
@pytest.mark.parametrize(("backbone", "position"), CASES)
class TestPadding:
    def test_more_of_it_changes_nothing(self, backbone: str, position: str, spiking: bool) -> None:
        network = build(backbone, position, spiking=spiking)
        short, long = trained(network, IDS), trained(network, padded(IDS, LENGTH - IDS.shape[1]))
        torch.testing.assert_close(short[0], long[0], rtol=0, atol=1e-9)
        assert set(short[1]) == {name for name, _ in network.named_parameters()}
        for part in (1, 2):
            for name, value in short[part].items():
                torch.testing.assert_close(value, long[part][name], rtol=0, atol=1e-9, msg=name)
        assert short[3] == long[3]
        for layer in short[3]:  # whole sequences, or tokens that are none of them padding
            tokens, sequences = int((IDS != 0).sum()), len(IDS)
            assert layer.neuron_steps in (4 * tokens * layer.channels, 4 * sequences * layer.channels)

    def test_other_texts_of_the_batch_change_nothing(self, backbone: str, position: str, spiking: bool) -> None:
        network = build(backbone, position, spiking=spiking)
        network(padded(IDS, 2))  # statistics of norms
        network.eval()
        together = network(IDS)
        for row, count in enumerate((IDS != 0).sum(1).tolist()):
            alone = network(IDS[row : row + 1, :count])
            torch.testing.assert_close(alone, together[row : row + 1], rtol=0, atol=1e-9)

    def test_full_length_is_the_same_as_without_any_mask(self, backbone: str, position: str, spiking: bool) -> None:
        network = build(backbone, position, spiking=spiking).eval()
        ids = torch.randint(1, 30, (3, LENGTH), generator=torch.Generator().manual_seed(2))
        dense = network.readout(network.backbone(network.encoder(ids)))
        torch.testing.assert_close(network(ids), dense, rtol=0, atol=1e-9)


@pytest.mark.parametrize("backbone", list(TAKE))
@pytest.mark.parametrize("position", ["none", "cpg", "conv"])
def test_one_step_and_one_text(backbone: str, position: str) -> None:
    network = build(backbone, position, steps=1)
    for ids in (IDS[:1], IDS[2:], IDS):
        short, long = trained(network, ids), trained(network, padded(ids, 5))
        torch.testing.assert_close(short[0], long[0], rtol=0, atol=1e-9)
        for name, value in {**short[1], **short[2]}.items():
            torch.testing.assert_close(value, {**long[1], **long[2]}[name], rtol=0, atol=1e-9, msg=name)


@pytest.mark.parametrize("kind", ["xnor", "dot"])
@pytest.mark.parametrize("learned", [True, False])
def test_every_map_of_spikformer(kind: str, learned: bool) -> None:
    network = build("spikformer", "log", attention_map=kind, learn_attention_scale=learned)
    short, long = trained(network, IDS), trained(network, padded(IDS, 4))
    torch.testing.assert_close(short[0], long[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("readout", ["mean_linear", "flatten_linear", "last_linear"])
def test_every_readout(readout: str) -> None:
    network = build("spikformer", "cpg", readout=readout).eval()
    expected = network(padded(IDS, 5))
    torch.testing.assert_close(network(IDS), expected, rtol=0, atol=1e-9)
    for row, count in enumerate((IDS != 0).sum(1).tolist()):
        torch.testing.assert_close(network(IDS[row : row + 1, :count]), expected[row : row + 1], rtol=0, atol=1e-9)


def test_mean_and_last_read_tokens_alone() -> None:
    network = build("spikformer", "none").eval()
    tokens = network.encoder.tokens(IDS)  # type: ignore[operator]
    spikes = network.backbone(network.encoder(IDS, tokens), tokens)
    of_second = spikes[:, 0, 3]  # its only token follows the three of the first text
    by_hand = network.readout.linear(of_second.mean(0))  # type: ignore[operator]
    torch.testing.assert_close(network(IDS)[1], by_hand)


def test_positions_count_within_each_text() -> None:
    """The second text's first token has the code of position 0, not that of its place in the batch."""
    for index in ("L", "TL"):
        network = build("spikformer", lambda s, i=index: POSITIONS.get("cpg")(s, neurons=9, index=i))
        position: Any = network.backbone.position
        tokens = network.encoder.tokens(IDS)  # type: ignore[operator]
        code = position.located(torch.zeros(4, 1, 10, 8), tokens)
        table = position.code(4 * LENGTH)
        for t in range(code.shape[0]):
            for n, place in enumerate([0, 1, 2, 0, 0, 1, 2, 3, 4, 5]):
                assert torch.equal(code[t, 0, n], table[t * LENGTH + place])


def test_a_text_without_tokens_spoils_nothing() -> None:
    for spiking in (True, False):
        network = build("spikformer", "cpg", spiking=spiking)
        network(IDS)
        network.eval()
        with_empty = torch.cat((IDS, torch.zeros_like(IDS[:1])))
        found = network(with_empty)
        assert found.isfinite().all()
        torch.testing.assert_close(found[:3], network(IDS), rtol=0, atol=1e-9)


class _Body(nn.Module):
    def __init__(self, output: SignalSpec) -> None:
        super().__init__()
        self.output = output


@pytest.mark.parametrize("backbone", sorted(REFUSE))
def test_other_backbones_refuse(backbone: str) -> None:
    encoder = Embedding(TOKENS, dim=8)
    body = BACKBONES.get(backbone)(encoder.output.replace(grid=(1, LENGTH)))  # some take images alone
    with pytest.raises(ShapeError, match="one length") as caught:
        Network(encoder, body, READOUTS.get("mean_linear")(body.output, 3))
    assert caught.value.knob == "backbone"
    assert "spikformer" in caught.value.help


def test_a_readout_of_variables_refuses_and_so_does_a_foreign_body() -> None:
    encoder = Embedding(TOKENS, dim=8)
    body = BACKBONES.get("spikformer")(encoder.output, **TAKE["spikformer"])
    with pytest.raises(ShapeError, match="readout VariateLinear") as caught:
        Network(encoder, body, READOUTS.get("variate_linear")(body.output, 4, targets=2))
    assert caught.value.knob == "readout"
    with pytest.raises(ShapeError, match="backbone _Body"):
        Network(encoder, _Body(encoder.output), READOUTS.get("mean_linear")(encoder.output, 3))


@pytest.mark.parametrize("readout", ["mean_linear", "flatten_linear", "last_linear"])
def test_a_skip_of_tokens_is_refused(readout: str) -> None:
    with pytest.raises(ShapeError, match="tokens") as caught:
        READOUTS.get(readout)(SignalSpec(4, LENGTH, 8, "spikes"), 3, TOKENS, skip="linear")
    assert caught.value.knob == "skip"
