"""Forecast metrics as streaming sums: exact over a split however it is cut into batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from snnctl.measure.items import refuse_unknown

MetricName = Literal["mse", "mae", "rmse", "r2", "r2_cell", "r2_column", "rse", "mape"]
METRIC_NAMES: tuple[MetricName, ...] = get_args(MetricName)

# Relative errors of targets nearer to zero than this are left out of `mape`.
MAPE_FLOOR = 1e-6
# A target whose standard deviation is below this share of its mean is constant: what is left is rounding.
CONSTANT = 1e-12


class ForecastMetrics:
    """Streaming metrics of forecasts, float64, in O(horizon x channels) memory.

    A cell is one (horizon step, channel) pair. A metric that is undefined (no observed value, a constant
    target for `r2` and `rse`) is nan, which JSON writers turn into null.

    Equation:
        SSE = sum (y - p)^2            M2 = sum (y - mean of y in its cell)^2      (observed values only)
        mse = SSE / n      mae = sum |y - p| / n      rmse = sqrt(mse)
        r2 = 1 - SSE / sum (y - global mean)^2        one mean: scikit-learn on flattened arrays
        r2_column = mean over channels of 1 - SSE_c / sum (y - mean of channel)^2
        r2_cell = mean over cells of 1 - SSE_hc / M2_hc
        rse = sqrt(SSE / sum of M2)                   1 for the mean of each cell
        mape = mean |y - p| / |y| over targets with |y| > 1e-6, a fraction; `mape_share` is their share

    Channels and cells with a constant target are left out of the means of `r2_column` and `r2_cell`.

    Values are scaled ones. Where it is known what a scaled unit of each channel is in the data's own, errors are summed
    in those too.

    Args:
        names: metrics that `compute` returns, the first being the headline.
        horizon: H, steps ahead.
        channels: C, variables.
        columns: their names; none names them by number.
        scaler: what has scaled them, "" where that is not known.
        scale: [C] how much of the data's own units a scaled unit is; None where it differs by item, or is not known.

    Shape: prediction, target and observed are [B, H, C].

    Source: SeqSNN (`r2`, `rse`), SpikingTSF (`r2_cell`); merging after Chan, Golub, LeVeque 1979.
    """

    def __init__(
        self,
        names: Sequence[MetricName],
        horizon: int,
        channels: int,
        *,
        columns: Sequence[str] = (),
        scaler: str = "",
        scale: Tensor | None = None,
    ) -> None:
        refuse_unknown(names, METRIC_NAMES)
        self.names = tuple(names)
        self.horizon, self.channels = horizon, channels
        self.columns = tuple(columns) or tuple(map(str, range(channels)))
        self.scaler, self._scale = scaler, scale
        cells = (horizon, channels)
        self._count = torch.zeros(cells, dtype=torch.float64)
        self._mean = torch.zeros(cells, dtype=torch.float64)
        self._m2 = torch.zeros(cells, dtype=torch.float64)
        self._sse = torch.zeros(cells, dtype=torch.float64)
        self._sae = torch.zeros(cells, dtype=torch.float64)
        self._ape = torch.zeros((), dtype=torch.float64)
        self._ape_count = torch.zeros((), dtype=torch.float64)
        self._own_sse = torch.zeros(channels, dtype=torch.float64)
        self._own_sae = torch.zeros(channels, dtype=torch.float64)
        self._own_count = torch.zeros(channels, dtype=torch.float64)

    @torch.no_grad()
    def update(
        self, prediction: Tensor, target: Tensor, observed: Tensor | None = None, scale: Tensor | None = None
    ) -> None:
        """Add one batch; values where `observed` is false do not count and may be nan.

        Args:
            scale: [B, C] of items that were scaled each in its own way, in place of that of all.
        """
        expected = (target.shape[0], self.horizon, self.channels)
        if prediction.shape != expected or target.shape != expected:
            raise ValueError(
                f"expected prediction and target {list(expected)}, "
                f"got {list(prediction.shape)} and {list(target.shape)}"
            )
        if not len(target):
            return
        # Sums live on the CPU: float64 does not exist on every accelerator, and a batch of targets is small.
        y = target.detach().to("cpu", torch.float64)
        error = y - prediction.detach().to("cpu", torch.float64)
        if observed is None:
            count = torch.full_like(self._count, float(len(y)))
            mean = y.mean(0)
            deviation = y - mean
            relevant = y.abs() > MAPE_FLOOR
        else:
            mask = observed.to("cpu", torch.bool)
            y, error = y.masked_fill(~mask, 0.0), error.masked_fill(~mask, 0.0)
            count = mask.sum(0).to(torch.float64)
            mean = y.sum(0) / count.clamp(min=1.0)
            deviation = (y - mean).masked_fill(~mask, 0.0)
            relevant = y.abs() > MAPE_FLOOR  # false where masked, since y is zero there
        self._absorb(count, mean, deviation.square().sum(0))
        absolute = error.abs()
        self._sse += error.square().sum(0)
        self._sae += absolute.sum(0)
        self._ape += (absolute[relevant] / y[relevant].abs()).sum()
        self._ape_count += relevant.sum()
        own = self._scale if scale is None else scale.to("cpu", torch.float64)[:, None]
        if own is not None:
            absolute = absolute * own
            self._own_sse += absolute.square().sum((0, 1))
            self._own_sae += absolute.sum((0, 1))
            self._own_count += count.sum(0)

    def merge(self, other: ForecastMetrics) -> None:
        """Add what `other` has seen, as if its batches had been given to this one."""
        if (other.horizon, other.channels) != (self.horizon, self.channels):
            raise ValueError("only metrics of the same horizon and channels can be merged")
        self._absorb(other._count, other._mean, other._m2)
        self._sse += other._sse
        self._sae += other._sae
        self._ape += other._ape
        self._ape_count += other._ape_count
        self._own_sse += other._own_sse
        self._own_sae += other._own_sae
        self._own_count += other._own_count

    def _absorb(self, count: Tensor, mean: Tensor, m2: Tensor) -> None:
        # Differences of means, never differences of sums of squares: no cancellation for offset series.
        total = self._count + count
        share = count / total.clamp(min=1.0)
        delta = mean - self._mean
        self._m2 += m2 + delta.square() * self._count * share
        self._mean += delta * share
        self._count = total

    def compute(self) -> dict[str, float]:
        """Metric name -> value, in the order of `names`; `mape` brings `mape_share` along."""
        values: dict[str, float] = {}
        for name in self.names:
            values[name] = self._value(name)
            if name == "mape":
                values["mape_share"] = _ratio(self._ape_count, self._count.sum())
        return values

    def per_column(self) -> dict[str, list[float]]:
        """`mse`, `mae` and `r2` of each channel; one mean per channel in `r2`."""
        count = self._count.sum(0)
        return {
            "mse": (self._sse.sum(0) / count).tolist(),
            "mae": (self._sae.sum(0) / count).tolist(),
            "r2": self._r2_columns().tolist(),
        }

    def shares(self) -> list[float]:
        """The share of each channel in the summed squared error; nan where there is none."""
        sse = self._sse.sum(0)
        return (sse / sse.sum()).tolist()

    def own_units(self) -> dict[str, list[float]]:
        """`mse`, `rmse` and `mae` of each channel in the data's own units; nan where those are not known."""
        mse, mae = self._own_sse / self._own_count, self._own_sae / self._own_count
        return {"mse": mse.tolist(), "rmse": mse.sqrt().tolist(), "mae": mae.tolist()}

    def own_units_of_all(self) -> dict[str, float]:
        """`mae` and `rmse` over all channels in the data's own units; empty where channels may differ in theirs."""
        same = self._scale is not None and bool((self._scale == self._scale[0]).all())
        count = self._own_count.sum()
        if not count or not (same or self.channels == 1):
            return {}
        return {"mae": _ratio(self._own_sae.sum(), count), "rmse": math.sqrt(_ratio(self._own_sse.sum(), count))}

    def per_step(self) -> dict[str, list[float]]:
        """`mse` and `mae` of each step of the horizon."""
        count = self._count.sum(1)
        return {"mse": (self._sse.sum(1) / count).tolist(), "mae": (self._sae.sum(1) / count).tolist()}

    def _value(self, name: MetricName) -> float:
        sse, count = self._sse.sum(), self._count.sum()
        match name:
            case "mse":
                return _ratio(sse, count)
            case "rmse":
                return math.sqrt(_ratio(sse, count))
            case "mae":
                return _ratio(self._sae.sum(), count)
            case "r2":
                return float(_r2(sse, _pool(self._count, self._mean, self._m2, (0, 1))))
            case "r2_column":
                return float(self._r2_columns().nanmean())
            case "r2_cell":
                return float(_r2(self._sse, self._spread()).nanmean())
            case "rse":
                return math.sqrt(_ratio(sse, self._spread().sum()))
            case "mape":
                return _ratio(self._ape, self._ape_count)

    def _spread(self) -> Tensor:
        return _pool(self._count, self._mean, self._m2, ())

    def _r2_columns(self) -> Tensor:
        return _r2(self._sse.sum(0), _pool(self._count, self._mean, self._m2, (0,)))


def _pool(count: Tensor, mean: Tensor, m2: Tensor, axes: tuple[int, ...]) -> Tensor:
    # Squared deviations from one mean over `axes`; exactly 0 where the pooled target is constant.
    if axes:
        total = count.sum(axes, keepdim=True)
        centre = (count * mean).sum(axes, keepdim=True) / total.clamp(min=1.0)
        m2 = (m2 + count * (mean - centre).square()).sum(axes)
        count, mean = total.sum(axes), centre.sum(axes)
    return m2.masked_fill(m2 <= count * (CONSTANT * mean).square(), 0.0)


def _r2(sse: Tensor, sst: Tensor) -> Tensor:
    return torch.where(sst == 0, math.nan, 1.0 - sse / sst)


def _ratio(numerator: Tensor, denominator: Tensor) -> float:
    return float(numerator / denominator) if float(denominator) > 0 else math.nan
