"""One autaptic circuit: what a layer fired last becomes a factor for each of its neurons, between 0 and 2."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor, nn

from snnctl.core.shapes import ShapeError
from snnctl.core.signature import KnobGroup

Which = Literal["both", "temporal", "spatial", "none"]
CircuitNorm = Literal["group", "layer", "none"]
Spans = Literal[0, 1, 2]
EPS = 1e-5  # of the norm, as torch's


@dataclass(frozen=True)
class Autapses(KnobGroup):
    """The knobs of the circuits around a host neuron.

    Args:
        circuit: see `stc`: both, temporal, spatial or none.
        groups: of the circuits' convolutions, a divisor of the channels (as published).
        kernel: of the circuits, odd (as published).
        norm: of the circuits: group (as published), layer or none.
        norm_groups: of `norm: group`; null = `groups` (as published).
        detach: whether no gradient goes back in time through the circuits (default of the published code).
        axes: how many axes before the channels the kernel spans; null = 2 in convolutions over images, else 0.
    """

    circuit: Which = "both"
    groups: Annotated[int, Ge(1)] = 16
    kernel: Annotated[int, Ge(1)] = 5
    norm: CircuitNorm = "group"
    norm_groups: Annotated[int, Ge(1)] | None = None
    detach: bool = True
    axes: Spans | None = None

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """A kernel has a middle, and only a norm of groups has groups."""
        if knobs["kernel"] % 2 == 0:
            yield "kernel", "`kernel` must be odd, so that a neuron's own spike lies in its middle"
        if knobs["norm_groups"] is not None and knobs["norm"] != "group":
            yield "norm_groups", "`norm_groups` is for `norm: group`"


class Circuit(nn.Module):
    """A convolution in groups over the spikes of the step before, a norm, and a factor around 1.

    The factor is 1 + tanh(norm(W * s) + b). The norm's statistics are those of one sample: of the channels of a norm
    group, at all positions that the kernel spans.

    Args:
        channels: C.
        knobs: of these `groups`, a divisor of C; `kernel`, the size along each axis; `norm`, where none leaves b
            alone; `norm_groups`, a divisor of C.
        axes: how many axes before the channels the kernel spans: 0, 1 or 2; with 0, W is block-diagonal.

    Shape: [B, *, C] -> [B, *, C].

    Raises:
        ShapeError: C cannot be divided so.
    """

    def __init__(self, channels: int, knobs: Autapses, axes: int) -> None:
        super().__init__()
        self.channels, self.axes = channels, axes
        self.groups, self.kernel, self.norm = knobs.groups, knobs.kernel, knobs.norm
        _divides("groups", self.groups, channels)
        given = self.groups if knobs.norm_groups is None else knobs.norm_groups
        self.norm_groups = 1 if self.norm == "layer" else given
        if self.norm == "group":
            _divides("norm_groups", self.norm_groups, channels)
        self.weight = nn.Parameter(torch.empty(channels, channels // self.groups, *(self.kernel,) * axes))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # torch's own for convolutions
        self.gain = None if self.norm == "none" else nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, s: Tensor) -> Tensor:
        """The factors for the spikes `s` of the step before."""
        return 1.0 + self.level(s).tanh()

    def level(self, s: Tensor) -> Tensor:
        """The argument of tanh."""
        y = self.convolved(self.laid_out(s)).to(s.dtype)
        shift = self.shift.to(s.dtype)
        if self.gain is None:
            y = y + shift
        else:
            gain = self.gain.to(s.dtype)
            y = F.group_norm(y.movedim(-1, 1), self.norm_groups, gain, shift, EPS).movedim(1, -1)
        return y.reshape(s.shape)

    def laid_out(self, s: Tensor) -> Tensor:
        """`s` as [N, *, C], with the axes that the kernel spans in the middle and no others.

        Raises:
            ShapeError: there are fewer axes than the kernel spans, or each norm group holds a single value.
        """
        if s.dim() < self.axes + 2:
            message = f"the kernel of an stc circuit spans {self.axes} axes before the channels, the input has less"
            raise ShapeError(message, knob="axes", help=f"set `axes: {max(s.dim() - 2, 0)}`")
        self.refuse_dead(math.prod(s.shape[-1 - self.axes : -1]))
        return s.flatten(0, -2 - self.axes)

    def convolved(self, s: Tensor, weight: Tensor | None = None) -> Tensor:
        """W * s, with the channels last; no copy of an `s` whose channels lie last.

        Args:
            s: as from `laid_out`.
            weight: in place of the circuit's own; with n times as many outputs in each group the result is
                [N, *, n C].
        """
        weight = self.weight if weight is None else weight
        weight = weight.to(s.dtype)
        outputs, inputs = weight.shape[:2]
        if self.axes == 0:
            rows = s.unflatten(1, (self.groups, inputs)).transpose(0, 1)
            blocks = weight.view(self.groups, -1, inputs).transpose(1, 2)
            return torch.bmm(rows, blocks).transpose(0, 1).reshape(-1, outputs)
        reach = self.kernel // 2
        if self.axes == 1:  # an image of one row: torch's conv1d would move the channels
            images, weight = s.unsqueeze(1).permute(0, 3, 1, 2), weight.unsqueeze(2)
            return F.conv2d(images, weight, padding=(0, reach), groups=self.groups).permute(0, 2, 3, 1).squeeze(1)
        images = s.permute(0, 3, 1, 2)
        return F.conv2d(images, weight, padding=reach, groups=self.groups).permute(0, 2, 3, 1)

    def refuse_dead(self, positions: int) -> None:
        """A norm over a single value gives 0, whatever that is: the circuit would be dead.

        Args:
            positions: how many the kernel finds along the axes that it spans.

        Raises:
            ShapeError: it is so.
        """
        if self.norm != "none" and self.channels // self.norm_groups * positions == 1:
            knob = "norm_groups" if self.norm_groups != self.groups else "norm"
            message = "each norm group of an stc circuit holds a single value, and its norm is 0 for ever"
            raise ShapeError(message, knob=knob, help="set `norm: none`, which has a learned bias instead")

    def extra_repr(self) -> str:
        spans = f"kernel={self.kernel}, axes={self.axes}" if self.axes else "axes=0"
        norm = f"{self.norm}({self.norm_groups})" if self.norm == "group" else self.norm
        return f"{self.channels}, groups={self.groups}, {spans}, norm={norm}"


def _divides(knob: str, groups: int, channels: int) -> None:
    if channels % groups:
        fitting = max(n for n in range(1, groups + 1) if channels % n == 0 and (channels > n or n == 1))
        message = f"`{knob}` {groups} of an stc circuit does not divide {channels} channels"
        raise ShapeError(message, knob=knob, help=f"set `{knob}: {fitting}`")
