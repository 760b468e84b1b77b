"""Small stand-ins for forecasting data, in the shape that measure asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from snnctl.baselines.base import Baseline, BaselineReport, run_baselines
from snnctl.measure.items import batches
from snnctl.measure.metrics import ForecastMetrics


@dataclass(frozen=True)
class Batch:
    inputs: Tensor
    targets: Tensor
    observed: Tensor | None = None


class Norm:
    """Per-window normalisation: none, last or mean_std."""

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def apply(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        offset, factor = x.new_zeros(x.shape[0], 1, x.shape[2]), x.new_ones(x.shape[0], 1, x.shape[2])
        if self.mode == "last":
            offset = x[:, -1:]
        if self.mode == "mean_std":
            offset = x.mean(1, keepdim=True)
            factor = (x.var(1, keepdim=True, correction=0) + 1e-5).sqrt()
        return (x - offset) / factor, (offset, factor)

    def undo(self, y: Tensor, scale: tuple[Tensor, Tensor]) -> Tensor:
        offset, factor = scale
        return y * factor + offset


class Split:
    def __init__(self, series: Tensor, extra: Tensor | None, seen: Tensor | None, starts: range, L: int, H: int):
        self.series, self.extra, self.seen, self.starts, self.L, self.H = series, extra, seen, starts, L, H

    def __len__(self) -> int:
        return len(self.starts)

    def batch(self, indices: Tensor) -> Batch:
        starts = torch.tensor(self.starts)[indices]
        inside = starts[:, None] + torch.arange(self.L)
        ahead = starts[:, None] + self.L + torch.arange(self.H)
        inputs = self.series[inside]
        if self.extra is not None:
            inputs = torch.cat((inputs, self.extra[inside]), dim=-1)
        targets, observed = self.series[ahead], None
        if self.seen is not None:
            observed = self.seen[ahead]
            targets = targets.masked_fill(~observed, torch.nan)
        return Batch(inputs, targets, observed)


class Windows:
    """Series [N, C] cut 60/20/20 by rows; `seen` marks real targets, `extra` are calendar columns."""

    def __init__(
        self,
        series: Tensor,
        *,
        window: int,
        horizon: int,
        season: int | None = None,
        norm: str = "none",
        seen: Tensor | None = None,
        extra: Tensor | None = None,
        borders: tuple[int, int] | None = None,
    ) -> None:
        self.series, self.window, self.horizon, self.season = series, window, horizon, season
        self.channels = series.shape[1]
        self.window_norm = Norm(norm)
        self.seen, self.extra = seen, extra
        self.borders = borders or (int(0.6 * len(series)), int(0.8 * len(series)))

    def split(self, name: str) -> Split:
        a, b = self.borders
        first, last = {
            "train": (0, a),
            "val": (a - self.window, b),
            "test": (b - self.window, len(self.series)),
        }[name]
        starts = range(first, last - self.window - self.horizon + 1)
        return Split(self.series, self.extra, self.seen, starts, self.window, self.horizon)


def run(names: list[str], data: Windows, metrics: list[str], **options: object) -> BaselineReport:
    """Baselines under such metrics."""
    return run_baselines(names, data, lambda: ForecastMetrics(metrics, data.horizon, data.channels), **options)


def fitted(baseline: Baseline, data: Windows) -> Callable[[Tensor], Tensor]:
    """What the baseline predicts."""
    return baseline.fit(data, batch_size=512, seed=0, progress=lambda share: None).predict


def score(
    predict: Callable[[Tensor], Tensor], data: Windows, metrics: list[str], split: str = "test"
) -> dict[str, float]:
    """Metrics of a predictor on one split."""
    meter = ForecastMetrics(metrics, data.horizon, data.channels)
    for batch in batches(data.split(split), 512):
        meter.update(predict(batch.inputs), batch.targets, batch.observed)
    return meter.compute()
