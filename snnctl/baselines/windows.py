"""What baselines need of forecasting data, and how they walk over it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from snnctl.baselines.base import NotApplicableError
from snnctl.measure.items import ItemSplit, SplitData, TargetBatch


class WindowBatch(TargetBatch, Protocol):
    """Inputs [B, L, C_in], targets [B, H, C], and which targets are real (None = all)."""


class WindowNorm(Protocol):
    """Per-window normalisation; `undo` is affine in `y` for each window and channel."""

    def apply(self, x: Tensor, /) -> tuple[Tensor, Any]:
        """Normalised `x` [B, L, C], and what `undo` needs."""

    def undo(self, y: Tensor, scale: Any, /) -> Tensor:
        """`y` [B, H, C] back in the units of the unnormalised windows."""


class WindowData(SplitData[WindowBatch], Protocol):
    """Forecasting data: the first `channels` input channels are the series, calendar features follow."""

    @property
    def window(self) -> int: ...
    @property
    def horizon(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def season(self) -> int | None: ...
    @property
    def window_norm(self) -> WindowNorm: ...


@runtime_checkable
class KnowsAhead(Protocol):
    """Forecasting data with covariates that are known over the horizon."""

    known: tuple[str, ...]

    def known_ahead(self, inputs: Tensor, /) -> Tensor:
        """Inputs [B, L, C_in] -> the K known covariates over the horizon, [B, H, K]."""


def affine(norm: WindowNorm, x: Tensor, horizon: int) -> tuple[Tensor, Tensor, Tensor]:
    """Normalised `x` [B, L, C] with the offset and factor [B, 1, C] of its `undo`."""
    normalised, scale = norm.apply(x)
    points = x.new_zeros(x.shape[0], horizon, x.shape[2])
    offset = norm.undo(points, scale)[:, :1]
    return normalised, offset, norm.undo(points + 1.0, scale)[:, :1] - offset


def fold_channels(x: Tensor) -> Tensor:
    """[B, L, C] -> [B * C, L]: each channel a row of its own, row b * C + c."""
    return x.transpose(1, 2).reshape(-1, x.shape[1])


def unfold_channels(rows: Tensor, channels: int) -> Tensor:
    """[B * C, H] -> [B, H, C], the inverse of `fold_channels`."""
    return rows.reshape(-1, channels, rows.shape[1]).transpose(1, 2)


def fittable(data: WindowData) -> tuple[ItemSplit[WindowBatch], ItemSplit[WindowBatch]]:
    """Train and val; raises NotApplicableError where one of them is empty."""
    for part in ("train", "val"):
        if not len(data.split(part)):
            raise NotApplicableError(f"it needs {part} windows to fit on, and there are none")
    return data.split("train"), data.split("val")
