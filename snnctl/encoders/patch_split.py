"""Spiking patch splitting: convolutions and pools turn an image into tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn
from torch.nn import functional as F

from snnctl.backbones.parts.layers import SpikingConv
from snnctl.backbones.parts.units import Linear, Rectifier
from snnctl.core.catalog import ENCODERS
from snnctl.core.registry import Slot
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.encoders.base import AnyEncoder
from snnctl.neurons.base import NeuronFactory, SpikingNeuron, neuron_factory

_STILL_STEPS = 4


class _Stage(SpikingConv):
    """A convolution with norm and neuron; an input without T is seen once, its current runs for `repeat` steps."""

    def __init__(self, inputs: int, outputs: int, neuron: Any, norm_gain: float, repeat: int) -> None:
        super().__init__(inputs, outputs, neuron, norm_gain=norm_gain, bias=False)
        self.repeat = repeat

    def forward(self, x: Tensor, state: Any = None, *, return_state: bool = False) -> Any:
        if not self.repeat:
            return super().forward(x, state, return_state=return_state)
        images = x.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        current = self.norm(self.conv(images).permute(0, 2, 3, 1))
        return self.neuron(current.expand(self.repeat, *current.shape)).permute(0, 1, 4, 2, 3)

    def extra_repr(self) -> str:
        return f"repeat={self.repeat}" if self.repeat else ""


@ENCODERS.register("patch_split")
class PatchSplit(AnyEncoder):
    """Turns images into spiking tokens of width `dim`, row by row; positions learn of the grid on which they lie.

    Each stage doubles the width, up to `dim`; a pool after some of them halves rows and columns. The current of the
    first stage is the same at every step of a still image, and is computed once. Event frames bring their own steps.

    Equation:
        x = neuron(BN(Conv3x3(x)))        widths dim / 2^(stages-1), ..., dim / 2, dim; no bias
        x = maxpool3x3, stride 2 (x)      after the stages in `pools`

    Args:
        signal: raw images [B, H * W, C], or event frames [B, frames, H * W, C], with their grid.
        dim: D, width of a token, >= 1, a multiple of 2^(stages-1) (384 for CIFAR, 256 for DVS as in Spikformer).
        steps: T of a still image, >= 1; null takes the frames of the data, else 4 as in Spikformer.
        stages: number of convolutions, >= 1 (4 as in Spikformer).
        pools: stages behind which there is a pool, counted from 1 ([3, 4] for CIFAR, all four for DVS as in
            Spikformer, so that 8 x 8 tokens remain).
        norm_gain: initial gain of every BatchNorm, > 0 (1 is torch's; 2 roughly triples the initial rate).
        ends_with: spikes; or current, where the last stage leaves the neuron to the backbone, as in the
            spike-driven transformer.
        neuron: neuron of every stage; null builds the stages of a non-spiking twin, rectifiers in their places.

    Shape: [B, H * W, C] -> [T, B, N, dim], N = rows * columns after the pools.

    Raises:
        ShapeError: the data is no image, or brings other steps; `dim` cannot be halved so often.

    Source: Zhou et al. 2023, "Spikformer", arXiv 2209.15425, github.com/ZK-Zhou/spikformer.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        dim: Annotated[int, Ge(1)] = 384,
        steps: Annotated[int, Ge(1)] | None = None,
        stages: Annotated[int, Ge(1), Le(30)] = 4,
        pools: list[Annotated[int, Ge(1)]] = [3, 4],  # noqa: B006  # never changed
        norm_gain: Annotated[float, Gt(0.0)] = 1.0,
        ends_with: Literal["spikes", "current"] = "spikes",
        neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] | None = "lif",
    ) -> None:
        super().__init__()
        if signal.steps or signal.grid is None or signal.kind != "real":
            message = f"patch_split takes images, not {signal.describe()}"
            raise ShapeError(message, knob="type", help="its data are `image` or `event_frames`")
        if signal.frames and steps not in (None, signal.frames):
            message = f"the data bring {signal.frames} steps, `steps` says {steps}"
            raise ShapeError(message, knob="steps", help="leave `steps` out, or set `data.frames`")
        self.grid, self.frames = signal.grid, signal.frames
        self.pools = tuple(sorted(pools))
        steps = signal.frames or steps or _STILL_STEPS
        widths = [signal.features, *(dim >> (stages - 1 - stage) for stage in range(stages))]

        def unit(stage: int) -> Any:
            if stage == stages - 1 and ends_with == "current":
                return lambda channels: Linear()
            return (lambda channels: Rectifier()) if neuron is None else neuron_factory(neuron)

        repeats = [0 if signal.frames else steps, *[0] * (stages - 1)]
        self.stages = nn.ModuleList(
            _Stage(inputs, outputs, unit(stage), norm_gain, repeat)
            for stage, ((inputs, outputs), repeat) in enumerate(zip(pairwise(widths), repeats, strict=True))
        )
        rows, columns = signal.grid
        for _ in self.pools:
            rows, columns = -(-rows // 2), -(-columns // 2)
        self.output = SignalSpec(steps, rows * columns, dim, kind="real", grid=(rows, columns))
        last: Any = self.stages[-1]
        if isinstance(last.neuron, SpikingNeuron):
            self.output = self.output.replace(kind="spikes", levels=last.neuron.levels)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Widths are whole; pools stand behind stages that exist."""
        stages, pools = knobs["stages"], knobs["pools"]
        if knobs["dim"] % 2 ** (stages - 1):
            yield "dim", f"`dim` must be a multiple of {2 ** (stages - 1)}, as `stages` doubles the width so often"
        if max(pools, default=0) > stages:
            yield "pools", f"there is no stage {max(pools)}: `stages` is {stages}"
        twice = [stage for stage, count in Counter(pools).items() if count > 1]
        if twice:
            yield "pools", f"stage {twice[0]} stands in `pools` twice"

    def forward(self, x: Tensor) -> Tensor:
        # Pixels lie channels last in memory, as convolutions like them.
        images = x.unflatten(-2, self.grid).movedim(-1, -3)
        images = images.transpose(0, 1) if self.frames else images.unsqueeze(0)
        for number, stage in enumerate(self.stages, start=1):
            images = stage(images)
            if number in self.pools:
                images = F.max_pool2d(images.flatten(0, 1), 3, 2, 1).unflatten(0, images.shape[:2])
        return images.movedim(2, -1).flatten(2, 3)

    def extra_repr(self) -> str:
        return f"pools={list(self.pools)}, {self.output.describe()}"
