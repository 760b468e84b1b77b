"""Spiking VGG networks for images: convolutions one after the other, pools between them."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Gt
from torch import Tensor, nn

from snnctl.backbones.parts.images import (
    ImageLayer,
    ImageLayers,
    ImageNetwork,
    ImagePool,
    Passed,
    divided,
    scaled_width,
    to_images,
    to_tokens,
)
from snnctl.core.catalog import BACKBONES
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import takes_knobs

Depth = Literal[5, 9, 11, 16]
POOL = 0
# Channels of the convolutions, in order, and pools between them. The depth counts fully connected layers as well.
PLANS: dict[int, tuple[int, ...]] = {
    5: (32, 32, POOL, 64, 64, POOL),
    9: (64, POOL, 128, 256, POOL, 256, 512, POOL, 512, POOL, 512),
    11: (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
    16: (64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL, 512, 512, 512, POOL),
}


@BACKBONES.register("spike_vgg")
class SpikeVGG(ImageNetwork):
    """Spiking VGG: 3 x 3 convolutions with BatchNorm and neuron, and 2 x 2 pools, on the grid of the positions.

    Pools round up where rows or columns are odd, so that small images do not vanish. The twin has an activation at
    every neuron's place, so that it can be converted place by place.

    Equation:
        x = neuron(BN(W * x))        each convolution, without bias
        x = pool(x)                  2 x 2, stride 2
        y = neuron(BN(W * x))        `hidden`: of all channels at all positions

    Args:
        signal: the encoder's output [T, B, L, C], with a grid.
        depth: 5 has 32, 32, pool, 64, 64, pool (ours, for digits); 9 has seven convolutions and four pools (as in
            DIET-SNN); 11 and 16 are configurations A and D of VGG, with a pool behind the last convolution. The number
            counts fully connected layers too, of which there are here `hidden` and the read-out.
        width: multiplier of all channels but `hidden`, > 0.
        pool: average, which keeps the network linear between neurons, as conversion wants it; or max, which keeps
            spikes whole numbers.
        hidden: neurons of a fully connected layer behind the convolutions, >= 1; null has none (published are two of
            4096).
        interlaminar: connections past the weights of each convolution but the first; null has none.
        hierarchy: time constants over depth, layer by layer; null leaves the neuron's.

    Shape: [T, B, L, C] -> [T, B, L', D], L' = rows * columns behind the last layer; [T, B, 1, hidden].

    Raises:
        ShapeError: the positions lie on no grid; `levels` of a network that spikes.

    Source: Simonyan & Zisserman 2015, arXiv 1409.1556; average pools: github.com/putshua/ANN_SNN_QCFS; 9:
        github.com/nitin-rathi/DIET-SNN.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        depth: Depth = 9,
        width: Annotated[float, Gt(0.0)] = 1.0,
        pool: Literal["average", "max"] = "average",
        every_layer: ImageLayers = ImageLayers(),
    ) -> None:
        super().__init__(signal, "spike_vgg", depth, every_layer)
        units, norm_gain, hands_on = every_layer.units, every_layer.norm_gain, every_layer.inner
        channels, grid, tapped = signal.features, self.grid, self.grid
        made: list[ImageLayer | ImagePool] = []
        for planned in PLANS[depth]:
            if planned == POOL:
                kind = nn.AvgPool2d if pool == "average" else nn.MaxPool2d
                made.append(ImagePool(kind(2, ceil_mode=True)))
                grid = divided(grid, 2)
                continue
            outputs = scaled_width(planned, width)
            connection = None
            if made:
                before = grid if hands_on is None else tapped
                connection = every_layer.connection(channels, outputs, before, grid)
            layer = ImageLayer(
                channels, outputs, units.hidden, norm_gain=norm_gain, connection=connection, hands_on=hands_on
            )
            made.append(layer)
            channels, tapped = outputs, grid
        self.features = nn.ModuleList(made)
        last = next(part for part in reversed(made) if isinstance(part, ImageLayer))
        self.output = units.output(signal, channels, last.neuron.levels, length=grid[0] * grid[1]).replace(grid=grid)
        if pool == "average" and isinstance(made[-1], ImagePool):  # a mean of spikes is no whole number
            self.output = self.output.replace(kind="real", levels=1)
        self.finish(signal, channels * self.output.length, every_layer)

    @property
    def stages(self) -> list[nn.Module]:
        layers = [part for part in self.features if isinstance(part, ImageLayer)]
        return [*layers, *([] if self.hidden is None else [self.hidden])]

    def forward(self, x: Tensor) -> Tensor:
        passed = Passed(to_images(x, self.grid))
        for part in self.features:
            passed = part(passed)
        tokens = to_tokens(passed.images)
        if self.hidden is None:
            return tokens
        return self.hidden(tokens.flatten(2).unsqueeze(2))
