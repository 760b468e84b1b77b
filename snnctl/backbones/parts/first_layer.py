"""The layer between the position and the first block, and what stands in its place where there is none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from torch import Tensor, nn

from snnctl.backbones.parts.blocks import NormedLinear, SpikingLinear
from snnctl.backbones.parts.units import Units
from snnctl.positions.base import Position

Embed = Literal["always", "needed"]


class NoLayer(nn.Module):
    """Hands its input on; takes a code as the layer does whose place it has, and cannot get one."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        return x


def is_needed(embed: Embed, position: Position, dim: int) -> bool:
    """Whether a layer has to stand there: `needed` asks for one only where the width or a code calls for it."""
    return embed == "always" or position.output.features != dim or position.input_code > 0


def _is_current(position: Position, units: Units) -> bool:
    return units.spiking and position.output.kind == "real"


def spiking_layer(embed: Embed, position: Position, dim: int, units: Units, norm_gain: float | None) -> Any:
    """The first layer of a network whose blocks add spikes; currents always need one, to become spikes."""
    if not is_needed(embed, position, dim) and not _is_current(position, units):
        return NoLayer(position.output.levels)
    return SpikingLinear(position.output.features, dim, units.hidden, norm_gain=norm_gain, code=position.input_code)


def current_layer(embed: Embed, position: Position, dim: int, norm_gain: float) -> Any:
    """The first layer of a network whose blocks add currents; spikes always need one: by themselves they are too weak
    a current to make a neuron with a leak fire."""
    if not is_needed(embed, position, dim) and position.output.kind == "real":
        return NoLayer(position.output.levels)
    return NormedLinear(position.output.features, dim, norm_gain=norm_gain, code=position.input_code)


def highest_value(layer: Any, blocks: Iterable[Any]) -> int:
    """The highest value behind blocks that each add the spikes of an attention and of an MLP."""
    first: int = layer.levels if isinstance(layer, NoLayer) else layer.neuron.levels
    return first + sum(2 * block.mlp.narrow.neuron.levels for block in blocks)
