"""The MLP of a transformer block, and what a twin has in its place."""

from __future__ import annotations

from torch import Tensor, nn

from snnctl.backbones.parts.blocks import SpikingLinear
from snnctl.backbones.parts.units import Units
from snnctl.neurons.base import NeuronFactory


class SpikingMLP(nn.Module):
    """Two spiking layers, the first one wider.

    Equation:
        y = neuron(BN(Linear(neuron(BN(Linear(x))))))

    Args:
        dim: D, width of input and output.
        hidden: width between the layers.
        neuron: factory of neurons, called once per place.
        norm_gain: initial gain of the BatchNorms.
        code: columns of a code of the position that both layers have weights for; 0 = none.
        ends_with: factory of the last unit; None means `neuron`.

    Shape: [T, B, L, D] -> [T, B, L, D]; the code is [T or 1, 1, L, code].
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        neuron: NeuronFactory,
        *,
        norm_gain: float,
        code: int = 0,
        ends_with: NeuronFactory | None = None,
    ) -> None:
        super().__init__()
        self.widen = SpikingLinear(dim, hidden, neuron, norm_gain=norm_gain, code=code)
        self.narrow = SpikingLinear(hidden, dim, ends_with or neuron, norm_gain=norm_gain, code=code)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        spikes: Tensor = self.narrow(self.widen(x, code=code), code=code)
        return spikes


def make_mlp(dim: int, hidden: int, units: Units, *, norm_gain: float, code: int) -> SpikingMLP:
    """The MLP of a block; a twin has a rectifier inside and nothing at its end."""
    return SpikingMLP(dim, hidden, units.hidden, norm_gain=norm_gain, code=code, ends_with=units.linear)
