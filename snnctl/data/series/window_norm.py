"""Normalisation of each window by its own statistics, undone on the prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from snnctl.core.shapes import ShapeError

WindowNormKind = Literal["none", "last", "mean", "mean_std"]

# Added to the variance, so that a constant window is divided by 0.003 and not by 0.
EPS = 1e-5


@dataclass(frozen=True)
class WindowScale:
    """What was taken out of each window: `shift` [B, 1, C] and, for "mean_std", `scale` [B, 1, C]."""

    shift: Tensor
    scale: Tensor | None = None


@dataclass(frozen=True)
class WindowNorm:
    """Remove the level (and spread) of each window and channel, and put it back on the prediction.

    Equation:
        last:     x' = x - x[last step]
        mean:     x' = x - mean(x)
        mean_std: x' = (x - mean(x)) / sqrt(var(x) + 1e-5), var with divisor L
        undo:     y' = y * scale + shift

    Args:
        kind: what to remove; "none" leaves the windows as they are.
        channels: how many leading channels to normalise; None = all. Calendar features after them pass through.

    Source:
        iTransformer (Liu et al. 2024); RevIN (Kim et al. 2022) without its affine parameters; "last" is
        NLinear (Zeng et al. 2023).
    """

    kind: WindowNormKind = "none"
    channels: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(WindowNormKind):
            raise ValueError(f"unknown window norm `{self.kind}`; known: {', '.join(get_args(WindowNormKind))}")

    def apply(self, x: Tensor) -> tuple[Tensor, WindowScale]:
        """Normalise `x` [B, L, C_in]; also return what `undo` needs.

        Raises:
            ShapeError: `x` has fewer channels than are to be normalised.
        """
        channels = x.shape[-1] if self.channels is None else self.channels
        if x.shape[-1] < channels:
            raise ShapeError(f"the window norm expects {channels} channels, got {x.shape[-1]}")
        if self.kind == "none":
            return x, WindowScale(torch.zeros_like(x[:, -1:, :channels]))
        head, rest = x[..., :channels], x[..., channels:]
        head, scale = self._normalise(head)
        return (torch.cat((head, rest), dim=-1) if rest.shape[-1] else head), scale

    def _normalise(self, x: Tensor) -> tuple[Tensor, WindowScale]:
        shift = x[:, -1:] if self.kind == "last" else x.mean(dim=1, keepdim=True)
        centred = x - shift
        if self.kind != "mean_std":
            return centred, WindowScale(shift)
        spread = torch.sqrt(centred.square().mean(dim=1, keepdim=True) + EPS)
        return centred / spread, WindowScale(shift, spread)

    def undo(self, y: Tensor, scale: WindowScale) -> Tensor:
        """Map a prediction `y` [B, H, C] back to the scale of the window it was made from."""
        if self.kind == "none":
            return y
        return y + scale.shift if scale.scale is None else y * scale.scale + scale.shift
