"""The counter on networks small enough to count by hand, and on every shipped backbone."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from snnctl.core.catalog import BACKBONES, NEURONS
from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.shapes import SignalSpec
from snnctl.encoders import Latency, Patch, Phase, Rate, Repeat
from snnctl.encoders.coding import Coding
from snnctl.encoders.direct import NoEncoder
from snnctl.energy.count.counts import Counts, Row
from snnctl.energy.count.dispatch import OperationCounter
from snnctl.energy.judge.neurobench import connection_sparsity, footprint, synaptic_operations
from snnctl.neurons import IF, LIF
from snnctl.neurons.base import SpikingNeuron
from snnctl.readouts import MeanLinear


class Chain(nn.Module):
    """Encoder, backbone, readout by name, as a network has them."""

    def __init__(self, encoder: nn.Module, backbone: nn.Module, readout: nn.Module) -> None:
        super().__init__()
        self.encoder, self.backbone, self.readout = encoder, backbone, readout

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.readout(self.backbone(self.encoder(x)))
        return found


def count(network: nn.Module, x: Tensor, encoded: SignalSpec | None) -> Counts:
    network.eval()
    return OperationCounter(network, encoded=encoded).count(lambda: network(x), x, len(x))


def only(counts: Counts, **wanted: Any) -> Row:
    found = [row for row in counts.rows if all(getattr(row, key) == value for key, value in wanted.items())]
    assert len(found) == 1, [(row.layer, row.op, row.kind, row.source) for row in counts.rows]
    return found[0]


class TwoLayers(nn.Module):
    """Data [B, 1, 3] -> two steps -> IF -> linear 3 -> 2 -> IF, weights chosen for counting by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Repeat(SignalSpec(0, 1, 3), steps=2, neuron=None)
        self.first = IF(3)
        self.linear = nn.Linear(3, 2)
        self.second = IF(2)
        self.head = nn.Linear(2, 1, bias=False)
        with torch.no_grad():
            self.linear.weight.copy_(torch.tensor([[1.0, 0.0, 1.0], [0.5, 0.5, 0.0]]))
            self.linear.bias.zero_()
            self.head.weight.copy_(torch.tensor([[1.0, 2.0]]))

    def forward(self, x: Tensor) -> Tensor:
        spikes = self.second(self.linear(self.first(self.encoder(x))))
        found: Tensor = self.head(spikes)
        return found


def test_two_layers_by_hand() -> None:
    """Sample 0 is (1, 0, 0.5): at threshold 1 the first IF fires (1 0 0), then (1 0 1). Sample 1 is zero.

    Fan-out of the three inputs through weights that are not zero: 2, 1, 1. So step 1 has 2 operations, step 2 has
    2 + 1 = 3. The linear layer's currents are (1, .5) and (2, .5): the second IF fires (1 0), then (1 1): the head,
    with fan-out 1 each, has 1 and 2 operations.
    """
    network = TwoLayers()
    x = torch.tensor([[[1.0, 0.0, 0.5]], [[0.0, 0.0, 0.0]]])
    counts = count(network, x, network.encoder.output)

    first = only(counts, layer="first").neurons
    assert first is not None
    assert (first.name, first.leaky, first.membranes) == ("if", False, 3.0)
    assert np.array_equal(first.spikes, [3.0, 0.0])
    assert np.array_equal(first.ever_active, [2.0, 0.0])
    assert first.updates == 6.0  # three neurons, two steps

    linear = only(counts, layer="linear")
    assert (linear.source, linear.kind, linear.steps, linear.stem) == ("spike", "synapse", 2, False)
    assert np.array_equal(linear.products.events, [5.0, 0.0])
    assert np.array_equal(linear.products.active_inputs, [3.0, 0.0])
    assert linear.products.dense == linear.products.inside == 12.0  # 3 x 2, two steps
    assert linear.elementwise.adds == 4.0  # the bias
    assert linear.events_by_step == (1.0, 1.5)  # means over both samples
    assert linear.feeds == "second"
    assert linear.geometry is not None
    assert (linear.geometry.inputs, linear.geometry.outputs, linear.geometry.weights) == (3, 2, 6)

    head = only(counts, layer="head")
    assert np.array_equal(head.products.events, [3.0, 0.0])
    assert head.elementwise.adds == 0.0
    assert counts.coverage == 1.0
    assert not counts.uncounted


def test_step_equation_of_if_and_lif() -> None:
    """Hard reset: h = v + x; h - threshold >= 0; v = h (1 - s). LIF: h = v + (x - v) / tau."""
    network = TwoLayers()
    found = only(count(network, torch.rand(2, 1, 3), network.encoder.output), layer="first").neurons
    assert found is not None
    counter = OperationCounter(nn.Sequential(LIF(4, tau=2.0)))
    work = counter.work["0"]
    assert (work.adds, work.muls, work.compares, work.special) == (4.0, 2.0, 1.0, 0.0)


class Mixed(nn.Module):
    """Residual additions, scaling, functional products and an attention of spikes."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Repeat(SignalSpec(0, 2, 4), steps=3, neuron="if")
        self.neuron = IF(4)
        self.weight = nn.Parameter(torch.eye(4))

    def forward(self, x: Tensor) -> Tensor:
        s = self.encoder(x)
        y = s + self.neuron(torch.nn.functional.linear(s, self.weight))
        attention = s @ y.mT
        return (attention @ y) * 0.5


def test_residuals_functions_and_attention_are_seen() -> None:
    network = Mixed()
    x = torch.tensor([[[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0]]])
    counts = count(network, x, network.encoder.output)
    # The input fires at every step, so does the identity behind it: both add up to 2 wherever there is a spike.
    linear = only(counts, kind="synapse")
    assert linear.source == "spike"
    assert linear.products.events == 9.0  # three spikes, fan-out 1, three steps
    residual = next(row for row in counts.rows if row.kind == "residual")
    assert residual.elementwise.adds == 9.0  # where both carry a spike, not all 24
    product = only(counts, kind="product")
    assert product.source == "spike"
    # s y^T: two tokens without a channel in common: 2 + 1 coincidences a step. (s y^T) y: token 0's map entry drives
    # its two channels, token 1's drives one: 3 a step.
    assert product.products.events == 3 * 3 + 3 * 3
    assert product.products.dense == 3 * (2 * 4 * 2) * 2
    scale = only(counts, kind="scale")
    assert scale.elementwise.muls == 24.0


class Declares(SpikingNeuron):
    """Says it spikes and gives 0.7."""

    def initial_state(self, x0: Tensor) -> Tensor:
        return x0

    def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return torch.full_like(x_t, 0.7), state


def test_what_is_declared_spikes_must_be_spikes() -> None:
    network = nn.Sequential(Declares(3), nn.Linear(3, 2))
    with pytest.raises(DiagnosticError, match="E510"):
        count(network, torch.ones(1, 2, 3), None)


def test_scaled_spikes_stay_spikes() -> None:
    class Halved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neuron, self.linear = IF(3), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.linear(self.neuron(x) * 0.5)
            return found

    network = Halved()
    row = only(count(network, torch.ones(1, 2, 3), None), kind="synapse")
    assert (row.source, row.products.bits) == ("spike", 1)
    assert np.sum(row.products.unary) == np.sum(row.products.events) > 0


def test_what_no_rule_covers_is_listed() -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.special.i0(x) + 1

    counts = count(nn.Sequential(Odd()), torch.rand(2, 5), None)
    assert [(item.op, item.layer, item.elements) for item in counts.uncounted] == [("i0", "0", 5.0)]
    assert counts.coverage == 0.5  # one of two operations, equally large


def test_spikes_beside_real_numbers_are_charged_apart() -> None:
    """A code of spikes that is joined to real currents stays spikes in the layer behind."""
    signal = SignalSpec(0, 8, 2)
    encoder = Patch(signal, length=4, dim=5, steps=3, neuron=None)
    backbone = BACKBONES.get("spikformer")(
        encoder.output, dim=8, depth=1, heads=2, embed_norm=True, position=lambda s: _cpg(s)
    )
    network = Chain(encoder, backbone, MeanLinear(backbone.output, 2))
    counts = count(network, torch.randn(2, 8, 2), encoder.output)
    real = only(counts, layer="backbone.embed.linear", source="real")
    spike = only(counts, layer="backbone.embed.linear", source="spike")
    assert real.products.dense == 3 * 2 * 5 * 8  # steps, tokens, width in, width out
    assert spike.products.dense == 3 * 2 * 6 * 8
    assert real.stem
    assert real.same_each_step  # the patch encoder repeats its currents
    code = _cpg(encoder.output).code(6).sum()
    assert np.allclose(spike.products.events, float(code) * 8)


def _cpg(signal: SignalSpec) -> nn.Module:
    from snnctl.core.catalog import POSITIONS

    return POSITIONS.get("cpg")(signal, neurons=6)


SMALL: dict[str, dict[str, Any]] = {
    "spikformer": {"dim": 16, "depth": 1, "heads": 4, "embed_norm": True, "norm_gain": 2.0},
    "ispikformer": {"dim": 16, "depth": 1, "heads": 4, "norm_gain": 2.0},
    "spike_driven": {"dim": 16, "depth": 1, "heads": 4, "norm_gain": 2.0},
    "qkformer": {"dim": 16, "qk_depth": 1, "depth": 1, "heads": 4, "embed_norm": True, "norm_gain": 2.0},
    "qkformer_stages": {"dim": 16, "depths": [1, 1], "heads": 4, "norm_gain": 2.0},
    "spike_rnn": {"width": 16},
    "spike_gru": {"width": 16},
    "spike_tcn": {"channels": 6, "levels": 2},
    "spike_mlp": {"width": 16, "layers": 2},
    "temporal_conv": {"width": 16, "kernel": 3, "dilation": 2},
    "delay_mlp": {"width": 16, "max_delay": 3.0},
    "spike_resnet": {"depth": 20, "width": 0.25, "norm_gain": 2.0},
    "spike_vgg": {"depth": 5, "width": 0.25, "norm_gain": 2.0},
    "video_stack": {"patch": 2, "dim": 8, "layers": 2, "kernel": 3, "norm_groups": 2},
}


@pytest.mark.parametrize("spiking", [True, False])
@pytest.mark.parametrize("name", sorted(set(BACKBONES.names()) - {"sim_vp"}))  # which does not spike
def test_every_operation_of_every_backbone_is_counted_or_listed(name: str, spiking: bool) -> None:
    torch.manual_seed(0)
    signal, video = SignalSpec(0, 32, 6, grid=(4, 8)), name == "video_stack"
    encoder: Any = Repeat(signal, steps=4, neuron="if" if spiking else None)
    if video:
        encoder = NoEncoder(signal.replace(frames=4, ahead=2))
    backbone = BACKBONES.get(name)(encoder.output, **SMALL.get(name, {}), spiking=spiking)
    network = Chain(encoder, backbone, MeanLinear(backbone.output, 3))
    x = torch.rand(5, 4, 32, 6) if video else torch.rand(5, 32, 6) * 2
    counts = count(network, x, encoder.output)
    assert counts.uncounted == ()
    assert counts.coverage == 1.0
    products = [row for row in counts.rows if row.kind in ("synapse", "product")]
    assert products
    assert any(row.source == "spike" for row in products) is spiking
    # Counts of a sample do not depend on who else is in the batch.
    alone = count(network, x[2:3], encoder.output)
    for part in ("dense", "inside", "events", "popcount", "unary", "inputs", "active_inputs"):
        mine, theirs = by_place(alone, part, 0), by_place(counts, part, 2)
        assert mine.keys() == theirs.keys()
        assert all(np.isclose(mine[place], theirs[place]) for place in mine), part


@pytest.mark.parametrize("code", [Rate, Latency, Phase])
def test_spikes_of_codes_are_charged_as_spikes_and_making_them_is_counted(code: type[Coding]) -> None:
    encoder = code(SignalSpec(0, 32, 6), low=0.0, high=2.0, steps=4)
    backbone = BACKBONES.get("spike_rnn")(encoder.output, **SMALL["spike_rnn"])
    network = Chain(encoder, backbone, MeanLinear(backbone.output, 3))
    x = torch.rand(5, 32, 6) * 2
    counts = count(network, x, encoder.output)
    assert counts.uncounted == ()
    assert counts.coverage == 1.0
    first = next(row for row in counts.rows if row.kind == "synapse")
    assert first.source == "spike"
    assert first.products.active_inputs.sum() == encoder(x).sum().item()


def by_place(counts: Counts, part: str, sample: int) -> dict[tuple[str, ...], float]:
    """One sample's figure of each product; how torch splits a layer into operations depends on the batch."""
    found: dict[tuple[str, ...], float] = {}
    for row in counts.rows:
        if row.kind in ("synapse", "product"):
            number = getattr(row.products, part)
            place = (row.layer, row.kind, row.source)
            found[place] = found.get(place, 0.0) + float(number if np.ndim(number) == 0 else number[sample])
    return found


@pytest.mark.parametrize("name", NEURONS.names())
def test_work_of_one_update_is_known_for_every_neuron(name: str) -> None:
    knobs = {"psn": {"steps": 4}, "masked_psn": {"steps": 4}}.get(name, {"groups": 1} if name[:3] == "stc" else {})
    neuron = NEURONS.get(name)(5, **knobs)
    work = OperationCounter(nn.Sequential(neuron), encoded=SignalSpec(4, 3, 5)).work
    found = work.get("0")
    if not (neuron.atomic or neuron.circuits):
        assert found is None
        return
    assert found is not None
    assert found.adds > 0
    assert found.compares >= 1


def test_counting_changes_neither_outputs_nor_network() -> None:
    torch.manual_seed(0)
    encoder = Repeat(SignalSpec(0, 12, 6), steps=4, neuron="if")
    backbone = BACKBONES.get("spikformer")(encoder.output, **SMALL["spikformer"], position="cpg")
    network = Chain(encoder, backbone, MeanLinear(backbone.output, 3)).eval()
    x = torch.rand(3, 12, 6)
    before = network(x)
    seen: list[Tensor] = []
    OperationCounter(network, encoded=encoder.output).count(lambda: seen.append(network(x)), x, 3)
    assert torch.allclose(seen[0], before, atol=1e-6)
    assert torch.equal(network(x), before)
    assert not any(vars(p).keys() & {"_snnctl_signal"} for p in (*network.parameters(), *network.buffers(), x))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def neurobench_by_definition(layer: nn.Module, x: Tensor) -> tuple[float, float, bool]:
    """Dense and effective operations as NeuroBench defines them: a forward pass over ones, over non-zeros."""
    ones = {name: torch.ones_like(p) for name, p in layer.named_parameters() if "weight" in name}
    masks = {name: (p != 0).to(p.dtype) for name, p in layer.named_parameters() if "weight" in name}
    bias = {"bias": torch.zeros_like(layer.bias)} if isinstance(layer.bias, Tensor) else {}
    dense = torch.func.functional_call(layer, {**ones, **bias}, (torch.ones_like(x),)).sum()
    effective = torch.func.functional_call(layer, {**masks, **bias}, ((x != 0).to(x.dtype),)).sum()
    return float(dense), float(effective), bool(torch.isin(x, torch.tensor([-1.0, 0.0, 1.0])).all())


class SmallCNN(nn.Module):
    """Two convolutions and a linear layer with IF neurons between, channels moved for the neurons."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 6, 3, stride=2, groups=2)
        self.first, self.second = IF(4), IF(6)
        self.head = nn.Linear(6 * 9, 5)
        with torch.no_grad():
            self.b.weight[self.b.weight.abs() < 0.1] = 0.0

    def forward(self, x: Tensor) -> Tensor:
        T = x.shape[0]
        y = self._spike(self.a(x.flatten(0, 1)), self.first, T)
        y = self._spike(self.b(y.flatten(0, 1)), self.second, T)
        found: Tensor = self.head(y.flatten(2)).mean(0)
        return found

    @staticmethod
    def _spike(x: Tensor, neuron: SpikingNeuron, steps: int) -> Tensor:
        spikes: Tensor = neuron(x.unflatten(0, (steps, -1)).movedim(2, -1))
        return spikes.movedim(-1, 2)


class SmallMLP(nn.Module):
    """Linear layers with LIF neurons between."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Linear(8, 12), nn.Linear(12, 10), nn.Linear(10, 3)
        self.first, self.second = LIF(12, v_threshold=0.3), LIF(10, v_threshold=0.3)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.second(self.b(self.first(self.a(x))))).mean(0)
        return found


@pytest.mark.parametrize(("network", "shape"), [(SmallCNN, (3, 4, 2, 8, 8)), (SmallMLP, (3, 4, 8))], ids=["cnn", "mlp"])
def test_counts_agree_with_neurobench(network: type[nn.Module], shape: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    made = network().eval()
    x = torch.randn(shape)
    inputs: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_pre_hook(lambda m, args, name=name: inputs.__setitem__(name, args[0]))
        for name, layer in made.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
    ]
    made(x)
    for handle in handles:
        handle.remove()
    dense = macs = acs = 0.0
    for name, layer in made.named_modules():
        if name in inputs:
            all_of, left, spikes = neurobench_by_definition(layer, inputs[name])
            dense += all_of
            acs, macs = (acs + left, macs) if spikes else (acs, macs + left)
    counter = OperationCounter(made)
    counter.steps = 3
    found = synaptic_operations(counter.count(lambda: made(x), x, 1))  # one "sample" is the whole batch here
    assert found == {"dense": dense, "effective_macs": macs, "effective_acs": acs}
    assert acs > 0


def test_footprint_and_connection_sparsity_by_hand() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]))
    # 6 weights + 2 biases + 2 gains + 2 shifts + 2 means + 2 variances of 4 bytes, one counter of 8.
    assert footprint(network) == 16 * 4 + 8
    assert connection_sparsity(network) == 0.5
