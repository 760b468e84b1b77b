"""Spiking ResNets for images: spikes or currents are added past each pair of convolutions."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from annotated_types import Gt
from torch import Tensor, nn

from snnctl.backbones.parts.images import (
    Grid,
    ImageLayer,
    ImageLayers,
    ImageNetwork,
    ImagePool,
    Passed,
    channels_last,
    channels_second,
    divided,
    fire,
    scaled_width,
    to_images,
    to_tokens,
    with_membranes,
)
from snnctl.backbones.parts.interlaminar import current_unit
from snnctl.core.catalog import BACKBONES
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import takes_knobs

# Channels and blocks of each stage; the first stage keeps rows and columns, the others halve them.
PLANS: dict[int, tuple[tuple[int, int], ...]] = {
    18: ((64, 2), (128, 2), (256, 2), (512, 2)),
    19: ((128, 3), (256, 3), (512, 2)),
    20: ((16, 3), (32, 3), (64, 3)),
    34: ((64, 3), (128, 4), (256, 6), (512, 3)),
}


class _Block(nn.Module):
    """What both kinds of blocks are made of.

    Class attribute `starts_with_neuron`: a neuron makes spikes of what comes in, and none stands at the ends of the
    block and its shortcut.

    Args:
        inputs, outputs: channels.
        every_layer: knobs of the network.
        stride: of the first convolution, and of the shortcut's.
        tapped, grid: rows and columns of what the first connection taps, and of the block's input.
    """

    starts_with_neuron: ClassVar[bool] = False

    def __init__(
        self, inputs: int, outputs: int, every_layer: ImageLayers, *, stride: int, tapped: Grid, grid: Grid
    ) -> None:
        super().__init__()
        after = divided(grid, stride)
        neuron, norm_gain, hands_on = every_layer.units.hidden, every_layer.norm_gain, every_layer.inner
        ends_with = current_unit if self.starts_with_neuron else neuron
        self.neuron = neuron(inputs) if self.starts_with_neuron else None
        if self.neuron is not None:
            self.neuron.over_space(2)
        past = every_layer.connection(inputs, outputs, tapped, after)
        self.first = ImageLayer(
            inputs, outputs, neuron, norm_gain=norm_gain, stride=stride, connection=past, hands_on=hands_on
        )
        past = every_layer.connection(outputs, outputs, after, after)
        self.second = ImageLayer(outputs, outputs, ends_with, norm_gain=norm_gain, connection=past, hands_on=hands_on)
        self.shortcut: ImageLayer | None = None
        if stride > 1 or inputs != outputs:
            self.shortcut = ImageLayer(inputs, outputs, ends_with, norm_gain=norm_gain, kernel=1, stride=stride)


class SpikeBlock(_Block):
    """Spikes are added: SEW.

    Equation:
        y = neuron(BN(W2 * neuron(BN(W1 * x)))) + x        neuron(BN(W3 * x)), 1 x 1, where shapes differ

    Shape: [T, B, C, H, W] -> [T, B, C', H', W'].
    """

    def forward(self, before: Passed) -> Passed:
        found = self.second(self.first(before))
        past = before if self.shortcut is None else self.shortcut(before)
        return Passed(found.images + past.images, found.inner)

    def highest(self, levels: int) -> int:
        """The highest value behind the block, of an input that goes up to `levels`."""
        return self.second.neuron.levels + (levels if self.shortcut is None else self.shortcut.neuron.levels)


class CurrentBlock(_Block):
    """Currents are added, and become spikes before each convolution: MS-ResNet.

    Equation:
        u' = BN(W2 * neuron(BN(W1 * neuron(u)))) + u       BN(W3 * u), 1 x 1, where shapes differ

    Shape: [T, B, C, H, W] -> [T, B, C', H', W'].
    """

    starts_with_neuron = True

    def forward(self, before: Passed) -> Passed:
        u = before.images
        if self.first.connection is None or self.first.connection.tap != "membrane":
            fired = Passed(fire(self.neuron, u), u)
        else:
            fired = Passed(*map(channels_second, with_membranes(self.neuron, channels_last(u))))
        found = self.second(self.first(fired))
        past = before if self.shortcut is None else self.shortcut(before)
        return Passed(found.images + past.images)


@BACKBONES.register("spike_resnet")
class SpikeResNet(ImageNetwork):
    """Spiking ResNet of basic blocks, for images on the grid of the positions.

    Where currents are added, the 1 x 1 convolution on a shortcut sees currents, not spikes: real products. The twin has
    an activation at every neuron's place, so that it can be converted place by place.

    Equation:
        u = BN(W * x)
        x = neuron(u)                                          spikes are added
        x = neuron(BN(W2 * neuron(BN(W1 * x)))) + x            in each block
        u = BN(W2 * neuron(BN(W1 * neuron(u)))) + u            currents are added
        x = neuron(u)                                          behind the last block
        BN(W3 * x), 1 x 1, with a neuron where spikes are added, stands for the last summand where shapes differ

    Args:
        signal: the encoder's output [T, B, L, C], with a grid.
        depth: 18 and 34 as for ImageNet (64 to 512 channels), 19 with 3, 3 and 2 blocks of 128, 256 and 512 channels,
            20 as for CIFAR (16 to 64 channels; shortcuts by convolution).
        width: multiplier of all channels, > 0.
        residual: sew adds spikes, whose values then grow by the block; membrane adds currents, and spikes keep the
            neuron's levels. (The published 19 has its neurons behind the sums: ours differs.)
        stem: small is 3 x 3 with stride 1, for small images; large is 7 x 7 with stride 2 and a maximum of 3 x 3 with
            stride 2, as for ImageNet.
        hidden: neurons of a fully connected layer behind the mean over positions, >= 1; null has none (256 in the
            published 19).
        interlaminar: connections past the weights of each 3 x 3 convolution but the first; null has none.

    Shape: [T, B, L, C] -> [T, B, L', D], L' = rows * columns behind the last block; [T, B, 1, hidden].

    Raises:
        ShapeError: the positions lie on no grid; `levels` of a network that spikes.

    Source: Fang et al. 2021, "Deep residual learning in spiking neural networks" (SEW), arXiv 2102.04159; Hu et al.
        2021, "Advancing spiking neural networks towards deep residual learning" (membrane), arXiv 2112.08954,
        github.com/Ariande1/MS-ResNet; Zheng et al. 2021 (19), arXiv 2011.05280; He et al. 2016, arXiv 1512.03385.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        depth: Literal[18, 19, 20, 34] = 18,
        width: Annotated[float, Gt(0.0)] = 1.0,
        residual: Literal["sew", "membrane"] = "sew",
        stem: Literal["small", "large"] = "small",
        every_layer: ImageLayers = ImageLayers(),
    ) -> None:
        super().__init__(signal, "spike_resnet", depth, every_layer)
        self.adds_spikes = residual == "sew"
        units, norm_gain = every_layer.units, every_layer.norm_gain
        large = stem == "large"
        channels = scaled_width(PLANS[depth][0][0], width)
        kernel, stride = (7, 2) if large else (3, 1)
        unit, hands_on = (units.hidden, every_layer.inner) if self.adds_spikes else (current_unit, None)
        self.stem = ImageLayer(
            signal.features, channels, unit, norm_gain=norm_gain, kernel=kernel, stride=stride, hands_on=hands_on
        )
        grid = tapped = divided(self.grid, stride)
        self.pool: ImagePool | None = None
        if large:
            self.pool, grid = ImagePool(nn.MaxPool2d(3, 2, 1)), divided(grid, 2)
        if self.stem.hands_on is None:
            tapped = grid
        highest = self.stem.neuron.levels
        made: list[SpikeBlock | CurrentBlock] = []
        for stage, (planned, blocks) in enumerate(PLANS[depth]):
            for number in range(blocks):
                stride = 2 if stage and not number else 1
                kind = SpikeBlock if self.adds_spikes else CurrentBlock
                outputs = scaled_width(planned, width)
                made.append(kind(channels, outputs, every_layer, stride=stride, tapped=tapped, grid=grid))
                channels = outputs
                grid = tapped = divided(grid, stride)
                if isinstance(made[-1], SpikeBlock):
                    highest = made[-1].highest(highest)
        self.blocks = nn.ModuleList(made)
        self.neuron: nn.Module | None = None
        if not self.adds_spikes:
            self.neuron = last = units.hidden(channels)
            last.over_space(2)
            highest = last.levels
        self.output = units.output(signal, channels, highest, length=grid[0] * grid[1]).replace(grid=grid)
        if every_layer.hidden is not None:
            self.mean = nn.AvgPool2d(grid)
        self.finish(signal, channels, every_layer)

    @property
    def stages(self) -> list[nn.Module]:
        last = [part for part in (self.neuron, self.hidden) if part is not None]
        return [self.stem, *self.blocks, *last]

    def forward(self, x: Tensor) -> Tensor:
        passed = self.stem(Passed(to_images(x, self.grid)))
        if self.pool is not None:
            passed = self.pool(passed)
        for block in self.blocks:
            passed = block(passed)
        images = passed.images if self.neuron is None else fire(self.neuron, passed.images)
        if self.hidden is None:
            return to_tokens(images)
        means = self.mean(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        return self.hidden(to_tokens(means))
