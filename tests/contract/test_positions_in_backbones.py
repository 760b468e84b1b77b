"""Every position in every backbone that has positions, spiking and not; what cannot work is refused with a way out."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnctl.core.catalog import BACKBONES, NEURONS, POSITIONS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import knobs
from snnctl.neurons import SpikingNeuron

SIGNAL = SignalSpec(steps=4, length=12, features=6, kind="spikes")
TRANSFORMER = {"dim": 16, "heads": 4, "norm_gain": 2.0}
# Along T, the data's own time: order is theirs already, and there is nothing to encode.
OVER_TIME: dict[str, dict[str, Any]] = {
    "spike_mlp": {"width": 16, "layers": 2, "norm_gain": 2.0, "dropout": 0.0},
    "temporal_conv": {"width": 16, "dilation": 1, "norm_gain": 2.0, "dropout": 0.0},
    "delay_mlp": {"width": 16, "max_delay": 3.0, "norm_gain": 2.0, "dropout": 0.0},
}
# Convolutions over rows and columns see where they are.
OVER_IMAGES: dict[str, dict[str, Any]] = {
    "spike_resnet": {"depth": 20, "width": 0.25, "norm_gain": 2.0},
    "spike_vgg": {"depth": 5, "width": 0.25, "pool": "max", "norm_gain": 2.0},
}
# Videos go on frame by frame, and frames come out.
OVER_VIDEO: dict[str, dict[str, Any]] = {
    "video_stack": {"patch": 1, "dim": 8, "layers": 2, "kernel": 3, "norm_groups": 2},
}
WITHOUT_NEURONS = ("sim_vp",)
KNOBS: dict[str, dict[str, Any]] = {
    "spikformer": {**TRANSFORMER, "depth": 1, "embed_norm": True, "attention_scale": None},
    "ispikformer": {**TRANSFORMER, "depth": 1, "attention_scale": None, "code_variables": True},
    "qkformer": {**TRANSFORMER, "qk_depth": 1, "depth": 1, "embed_norm": True, "attention_scale": None},
    "qkformer_stages": {**TRANSFORMER, "depths": [1, 1], "attention_scale": None},
    "spike_driven": {**TRANSFORMER, "depth": 1},
    "spike_rnn": {"width": 16, "norm_gain": 2.0},
    "spike_gru": {"width": 16, "norm_gain": 2.0},
    "spike_tcn": {"channels": 8, "levels": 2, "norm_gain": 2.0},
}
RECURRENT = ("spike_rnn", "spike_gru", "spike_tcn")
REFUSED = {("gray", name) for name in (*RECURRENT, "spike_driven")} | {("log", name) for name in RECURRENT}


def build(backbone: str, position: Any, neuron: Any = "lif", **more: Any) -> nn.Module:
    torch.manual_seed(0)
    signal = SIGNAL.replace(grid=(3, 4)) if backbone == "qkformer_stages" else SIGNAL
    module: nn.Module = BACKBONES.get(backbone)(signal, position=position, neuron=neuron, **{**KNOBS[backbone], **more})
    return module


def spikes(seed: int = 1) -> Tensor:
    return torch.randint(0, 2, SIGNAL.shape(3), generator=torch.Generator().manual_seed(seed)).float()


def test_the_table_names_every_backbone() -> None:
    tables = set(KNOBS) | set(OVER_TIME) | set(OVER_IMAGES) | set(OVER_VIDEO) | set(WITHOUT_NEURONS)
    assert tables == set(BACKBONES.builtin)
    for name in BACKBONES.builtin:
        assert any(knob.name == "position" for knob in knobs(BACKBONES.get(name))) is (name in KNOBS)


@pytest.mark.parametrize("spiking", [True, False])
@pytest.mark.parametrize("backbone", list(KNOBS))
@pytest.mark.parametrize("position", list(POSITIONS.builtin))
def test_every_position_in_every_backbone(position: str, backbone: str, spiking: bool) -> None:
    if (position, backbone) in REFUSED:
        with pytest.raises(ShapeError, match="acts on") as caught:
            build(backbone, position, spiking=spiking)
        assert caught.value.knob == "position"
        assert caught.value.help
        return
    module = build(backbone, position, spiking=spiking)
    x = spikes() if spiking else torch.randn(SIGNAL.shape(3), generator=torch.Generator().manual_seed(1))
    before = {name: buffer.shape for name, buffer in module.named_buffers()}
    out = module(x)
    # Weight averaging pairs the buffers of a network with those of a copy made before the first batch.
    assert {name: buffer.shape for name, buffer in module.named_buffers()} == before
    output: Any = module.output
    assert tuple(out.shape) == output.shape(3)
    assert out.isfinite().all()
    assert any(isinstance(part, SpikingNeuron) for part in module.modules()) is spiking
    if spiking:
        assert torch.equal(out, out.round())
        assert 0 < out.max() <= output.levels
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("backbone", [name for position, name in sorted(REFUSED) if position == "gray"])
def test_gray_bits_can_be_concatenated_where_there_is_no_map(backbone: str) -> None:
    module = build(backbone, lambda signal: POSITIONS.get("gray")(signal, combine="concat"))
    assert tuple(module(spikes()).shape) == module.output.shape(3)  # type: ignore[union-attr]


@pytest.mark.parametrize("backbone", [name for name in BACKBONES.builtin if name not in WITHOUT_NEURONS])
@pytest.mark.parametrize("neuron", list(NEURONS.builtin))
def test_every_neuron_in_every_backbone(neuron: str, backbone: str) -> None:
    def make(channels: int) -> SpikingNeuron:
        given: dict[str, Any] = {"steps": 4} if neuron in ("psn", "masked_psn") else {}
        if neuron.startswith("stc"):  # one group for few channels; a norm of the single one of spike_tcn would be dead
            given = {"groups": 1, "norm": "none"}
        made: SpikingNeuron = NEURONS.get(neuron)(channels, **given)
        return made

    if backbone in OVER_VIDEO and neuron in ("psn", "masked_psn"):
        with pytest.raises(ShapeError, match="no state") as caught:
            BACKBONES.get(backbone)(SIGNAL.replace(grid=(3, 4), ahead=3), neuron=make, **OVER_VIDEO[backbone])
        assert caught.value.knob == "neuron"
        return
    if backbone not in KNOBS:
        torch.manual_seed(0)
        signal = SIGNAL if backbone in OVER_TIME else SIGNAL.replace(grid=(3, 4))
        signal = signal.replace(ahead=3) if backbone in OVER_VIDEO else signal
        without = {**OVER_TIME, **OVER_IMAGES, **OVER_VIDEO}[backbone]
        module: nn.Module = BACKBONES.get(backbone)(signal, neuron=make, **without)
    else:
        module = build(backbone, "cpg", make)
    out = module(spikes())
    assert tuple(out.shape) == module.output.shape(3)  # type: ignore[union-attr]
    assert backbone in OVER_VIDEO or torch.equal(out, out.round())
    assert torch.equal(module.eval()(spikes()), module(spikes()))


@pytest.mark.parametrize("backbone", list(KNOBS))
@pytest.mark.parametrize("position", list(POSITIONS.builtin))
def test_the_twin_has_the_same_weights(position: str, backbone: str) -> None:
    if (position, backbone) in REFUSED:
        return
    spiking, twin = (build(backbone, position, spiking=flag) for flag in (True, False))

    def weights(module: nn.Module) -> dict[str, tuple[int, ...]]:
        return {name: tuple(p.shape) for name, p in module.named_parameters()}

    assert weights(spiking) == weights(twin)


@pytest.mark.parametrize("where", ["input", "all"])
@pytest.mark.parametrize("backbone", list(KNOBS))
def test_a_code_in_every_block_has_weights_of_its_own(backbone: str, where: str) -> None:
    module = build(backbone, lambda signal: POSITIONS.get("cpg")(signal, neurons=5, where=where))
    widths = [p.shape[1] for name, p in module.named_parameters() if name.endswith("code_weight")]
    assert set(widths) == ({5} if where == "all" else set())


@pytest.mark.parametrize("kind", ["removed", "shuffled"])
@pytest.mark.parametrize("backbone", list(KNOBS))
@pytest.mark.parametrize("position", [name for name in POSITIONS.builtin if name != "none"])
def test_disturbing_the_position_reaches_the_output(position: str, backbone: str, kind: Any) -> None:
    if (position, backbone) in REFUSED:
        return
    module = build(backbone, position).double()
    for parameter_name, parameter in module.named_parameters():
        if parameter_name.endswith("position.rows"):  # learned vectors start too small to move a threshold
            nn.init.normal_(parameter, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():  # in training mode: statistics of the batch keep every layer firing
        x = spikes(5).double()
        undisturbed = module(x)
        at_work: Any = module.position
        with at_work.disturbed(kind):
            disturbed = module(x)
        assert torch.equal(module(x), undisturbed)
    assert not torch.equal(disturbed, undisturbed)
