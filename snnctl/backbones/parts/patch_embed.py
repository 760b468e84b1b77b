"""Patch embedding with a shortcut: convolutions and pools make fewer and wider tokens, spikes are added past them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from snnctl.backbones.parts.images import Grid, ImageLayer, Passed, channels_second, divided, fire
from snnctl.backbones.parts.units import Units


class PooledLayer(ImageLayer):
    """Convolution, BatchNorm, the maximum of currents over 3 x 3 with stride 2, neuron along T.

    Shape: [T, B, inputs, H, W] -> [T, B, outputs, H', W'], rows and columns halved and rounded up.
    """

    def forward(self, before: Passed) -> Passed:
        current = channels_second(self.norm(self._convolved(before.images)))
        pooled = F.max_pool2d(current.flatten(0, 1), 3, 2, 1).unflatten(0, current.shape[:2])
        return Passed(fire(self.neuron, pooled))


class PatchEmbedding(nn.Module):
    """Convolutions that widen an image, pools that halve it, and a shortcut by a convolution of its own past them.

    In the non-spiking twin every neuron is a rectifier, those at the ends included.

    Equation:
        x_k = neuron(pool(BN(Conv3x3(x_{k-1}))))        pool only in the layers `pools`; no bias
        y   = x_last + neuron(BN(Conv1x1(x_start)))     its stride is that of all pools it passes

    Args:
        channels: of the input, and behind each convolution.
        pools: convolutions with a pool, counted from 1.
        start: behind which convolution the shortcut leaves; 0 is the input.
        grid: rows and columns of the input.

    Shape: [T, B, C, H, W] -> [T, B, C', H', W'], whole numbers up to `levels`. The source is that of `QKFormerStages`.
    """

    def __init__(
        self, channels: Sequence[int], pools: Collection[int], *, start: int, grid: Grid, units: Units, norm_gain: float
    ) -> None:
        super().__init__()
        self.start = start
        self.grid = divided(grid, 2 ** len(pools))
        made = [
            (PooledLayer if number in pools else ImageLayer)(inputs, outputs, units.hidden, norm_gain=norm_gain)
            for number, (inputs, outputs) in enumerate(pairwise(channels), start=1)
        ]
        self.layers = nn.ModuleList(made)
        stride = 2 ** sum(number > start for number in pools)
        self.shortcut = ImageLayer(
            channels[start], channels[-1], units.hidden, norm_gain=norm_gain, kernel=1, stride=stride
        )
        self.levels: int = made[-1].neuron.levels + self.shortcut.neuron.levels

    def forward(self, images: Tensor) -> Tensor:
        passed = past = Passed(images)
        for number, layer in enumerate(self.layers, start=1):
            passed = layer(passed)
            past = passed if number == self.start else past
        return passed.images + self.shortcut(past).images

    def extra_repr(self) -> str:
        return f"start={self.start}, grid={self.grid}"
