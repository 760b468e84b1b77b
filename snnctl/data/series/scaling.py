"""Scalers: one affine map per column, fitted on the train rows unless asked otherwise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from snnctl.core.catalog import SCALERS
from snnctl.data.series.series import Floats, Part

FitOn = Literal["train", "all"]

# A spread below this share of the column's magnitude is rounding noise: the column counts as constant.
CONSTANT = 1e-12


@dataclass(frozen=True)
class FittedScaler:
    """`x' = (x - shift) / scale`, per column.

    Args:
        kind: the scaler's registered name.
        shift: [C] float64, or [S, C] with one row for each series of a panel.
        scale: likewise, never 0.
    """

    kind: str
    shift: Floats
    scale: Floats

    def apply(self, values: Floats) -> Floats:
        """Scale `values` [..., C] of one series; NaN stays NaN."""
        return (values - self.shift) / self.scale

    def of(self, series: Any) -> FittedScaler:
        """Those of some series of a panel (an index of one axis); itself where all share one."""
        return self if self.shift.ndim == 1 else FittedScaler(self.kind, self.shift[series], self.scale[series])

    def inverse(self, scaled: Tensor) -> Tensor:
        """Map `scaled` [..., C] back to the units of the data; with one row for each window, [B, H, C]."""
        shift, scale = (
            torch.as_tensor(each if each.ndim == 1 else each[:, None], dtype=scaled.dtype, device=scaled.device)
            for each in (self.shift, self.scale)
        )
        return scaled * scale + shift


def scaled_by(scaler: FittedScaler, values: Floats, parts: Sequence[Part], numbers: Sequence[int] = ()) -> Floats:
    """Scale values [N, C] of several series, each by its own scaler where they are scaled apart.

    Args:
        parts: the series; together they are all rows.
        numbers: which row of the scaler each takes; empty = in their order.
    """
    with np.errstate(over="ignore"):
        if scaler.shift.ndim == 1:
            return scaler.apply(values)
        chosen = numbers or range(len(parts))
        pieces = [scaler.of(n).apply(values[p.first : p.last]) for n, p in zip(chosen, parts, strict=True)]
        return np.concatenate(pieces)


class Scaler(ABC):
    """Base of all scalers: statistics over observed values only; where a scale would be 0 it is 1.

    Args:
        fit_on: rows that statistics are taken from: "train", or "all" as in some published code, which lets
            test values into the inputs and marks the run as leaky.
    """

    kind: str

    def __init__(self, *, fit_on: FitOn = "train") -> None:
        self.fit_on = fit_on

    def fit(self, values: Floats, train: int | npt.NDArray[np.int64]) -> FittedScaler:
        """Fit on the rows `train` of `values` [N, C], or on so many first ones; with `fit_on="all"` on all.

        Every column must hold an observed value among them; `TimeSeries` checks it first.
        """
        rows = values if self.fit_on == "all" else values[:train] if isinstance(train, int) else values[train]
        shift, scale = self._statistics(rows)
        columns = np.zeros(values.shape[1])
        return FittedScaler(self.kind, shift + columns, np.where(scale == 0.0, 1.0, scale) + columns)

    @property
    def leak(self) -> str:
        """Why this scaler leaks, or ""."""
        return "scaler statistics include validation and test rows" if self.fit_on == "all" else ""

    @abstractmethod
    def _statistics(self, rows: Floats) -> tuple[Floats, Floats]:
        """Shift and scale, each [C] or a scalar, of `rows` [n, C]."""


def _or_constant(spread: Floats, rows: Floats, axis: int | None) -> Floats:
    return np.where(spread <= CONSTANT * np.nanmax(np.abs(rows), axis=axis), 0.0, spread)


@SCALERS.register("none")
class NoScaling(Scaler):
    """Leave the values in their own units."""

    kind = "none"

    def __init__(self) -> None:
        super().__init__()

    def _statistics(self, rows: Floats) -> tuple[Floats, Floats]:
        return np.zeros(()), np.ones(())


@SCALERS.register("standard")
class StandardScaling(Scaler):
    """Z-score of each column; the usual choice for ETT and the SNN baselines.

    Equation:
        x' = (x - mean_c) / sd_c      (sd with divisor n; a constant column is only shifted)

    Args:
        fit_on: "train", or "all" rows (leaky; published code does so).
    """

    kind = "standard"

    def _statistics(self, rows: Floats) -> tuple[Floats, Floats]:
        return np.nanmean(rows, axis=0), _or_constant(np.nanstd(rows, axis=0), rows, 0)


@SCALERS.register("global_standard")
class GlobalStandardScaling(Scaler):
    """Z-score with one mean and one standard deviation for the whole matrix.

    Equation:
        x' = (x - mean) / sd

    Args:
        fit_on: "train", or "all" rows (leaky; published code does so).

    Source:
        microsoft/SeqSNN, `normalize: 3`.
    """

    kind = "global_standard"

    def _statistics(self, rows: Floats) -> tuple[Floats, Floats]:
        return np.asarray(np.nanmean(rows)), _or_constant(np.asarray(np.nanstd(rows)), rows, None)


@SCALERS.register("max")
class MaxScaling(Scaler):
    """Divide by the largest value of the whole matrix.

    Equation:
        x' = x / max(x)

    Args:
        fit_on: "train", or "all" rows (leaky; published code does so).

    Source:
        microsoft/SeqSNN, `normalize: 1`.
    """

    kind = "max"

    def _statistics(self, rows: Floats) -> tuple[Floats, Floats]:
        return np.zeros(()), np.asarray(np.nanmax(rows))


@SCALERS.register("column_max")
class ColumnMaxScaling(Scaler):
    """Divide each column by its largest magnitude.

    Equation:
        x' = x / max(|x_c|)

    Args:
        fit_on: "train", or "all" rows (leaky; published code does so).

    Source:
        microsoft/SeqSNN, `normalize: 2`, its class default.
    """

    kind = "column_max"

    def _statistics(self, rows: Floats) -> tuple[Floats, Floats]:
        return np.zeros(()), np.nanmax(np.abs(rows), axis=0)


@SCALERS.register("minmax")
class MinMaxScaling(Scaler):
    """Map each column's range to [0, 1]; later values may fall outside.

    Equation:
        x' = (x - min_c) / (max_c - min_c)

    Args:
        fit_on: "train", or "all" rows (leaky).
    """

    kind = "minmax"

    def _statistics(self, rows: Floats) -> tuple[Floats, Floats]:
        low, high = np.nanmin(rows, axis=0), np.nanmax(rows, axis=0)
        return low, _or_constant(high - low, rows, 0)
