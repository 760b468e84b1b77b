"""Bit planes: exact for every kind of layer, biases once, and the same answers."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnctl.backbones.parts.weights import ConvWeights, LinearWeights, TemporalWeights
from snnctl.convert.planes import PlaneExecution, _by_planes, _product
from snnctl.neurons import IF
from snnctl.neurons.spike_format import SpikeFormat

LAYERS = [
    LinearWeights(6, 5, adds_bias=True),
    ConvWeights(6, 4, 3, 1, 1),
    ConvWeights(6, 4, 3, 2, 1),
    ConvWeights(6, 4, 3, 1, 0, groups=2),
    ConvWeights(6, 6, 3, 1, 1, groups=6),
    TemporalWeights(6, 5, 3, dilation=2, adds_bias=True),
]


def codes(layer: nn.Module, bits: int, signed: bool = False) -> Tensor:
    generator = torch.Generator().manual_seed(bits)
    shape = (7, 6, 9, 8) if isinstance(layer, ConvWeights) else (2, 3, 9, 6)
    return torch.randint(-(2**bits) + 1 if signed else 0, 2**bits, shape, generator=generator)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: f"{type(layer).__name__}")
@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("signed", [False, True])
def test_planes_of_whole_numbers_are_exact(layer: nn.Module, bits: int, signed: bool) -> None:
    weight: Any = torch.randint(-1000, 1000, layer.weight.shape).double()  # type: ignore[operator, union-attr, arg-type]
    x = codes(layer, bits, signed).double()
    assert torch.equal(_by_planes(layer, x, weight, bits), _product(layer, x, weight))


class Net(nn.Module):
    """A stem driven by real numbers, then layers driven by spikes of several bits."""

    def __init__(self, layer: nn.Module, emit: Any, signed: bool) -> None:
        super().__init__()
        self.stem = LinearWeights(6, 6, adds_bias=True)
        form = SpikeFormat(2, 1, signed=signed, emit=emit)
        self.neuron = IF(6, reset="soft", v_threshold=0.3, spike=form)
        self.layer = layer

    def forward(self, x: Tensor) -> Any:
        spikes: Tensor = self.neuron(self.stem(x))  # type: ignore[assignment]
        return self.layer(spikes[0].movedim(-1, 1) if isinstance(self.layer, ConvWeights) else spikes)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: f"{type(layer).__name__}")
@pytest.mark.parametrize("emit", ["code", "value"])
@pytest.mark.parametrize("signed", [False, True])
def test_a_network_in_planes(layer: nn.Module, emit: str, signed: bool) -> None:
    torch.manual_seed(0)
    network = Net(layer, emit, signed)
    x = torch.randn(4, 3, 5, 9, 6) if isinstance(layer, ConvWeights) else torch.randn(4, 3, 9, 6)
    plain = network(x)
    found = []
    for execution in ("integer", "bitplane"):
        with PlaneExecution(network, execution) as planes:  # type: ignore[arg-type]
            found.append(network(x))
        assert planes.found.layers == {"layer": 3}
        assert planes.found.real == {"stem"}
    assert torch.equal(found[0], found[1])
    assert planes.document()["worst_difference"] == 0.0
    torch.testing.assert_close(found[0], plain, rtol=1e-5, atol=1e-5)
    assert torch.equal(network(x), plain)  # nothing is left behind


def test_a_layer_after_no_spikes_is_left_alone() -> None:
    network = Net(LAYERS[0], "value", signed=False)
    with PlaneExecution(network, "bitplane") as planes:
        network.layer(torch.full((2, 6), 0.1234567))
    assert planes.found.real == {"layer"}
    assert not planes.found.layers
