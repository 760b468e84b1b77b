"""Reference forecasts on the same windows, in the same units, under the same metrics as the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from snnctl.baselines.dlinear import fit_dlinear
from snnctl.baselines.ridge import fit_ridge
from snnctl.baselines.windows import WindowData, batches
from snnctl.measure.metrics import ForecastMetrics, MetricName

BaselineName = Literal["last_value", "seasonal_naive", "ridge", "dlinear"]
Predictor = Callable[[Tensor], Tensor]  # inputs [B, L, C_in] -> forecast [B, H, C]
Progress = Callable[[str, float], None]  # name of the baseline, share done 0..1

# Rows (windows x channels) held at once, so that wide series fit in memory.
_MOST_ROWS = 2**16


class NotApplicableError(Exception):
    """A baseline does not fit this data; the message says why."""


@dataclass(frozen=True)
class BaselineReport:
    """Scores of the baselines that apply.

    Args:
        scores: baseline -> metric -> value.
        chosen: baseline -> what was chosen on validation, as text.
        omitted: baseline -> why it was left out.
    """

    scores: dict[str, dict[str, float]]
    chosen: dict[str, str]
    omitted: dict[str, str]


def last_value(data: WindowData) -> Predictor:
    """The last value of the window, repeated."""

    def predict(inputs: Tensor) -> Tensor:
        return inputs[:, -1:, : data.channels].expand(-1, data.horizon, -1)

    return predict


def seasonal_naive(data: WindowData) -> Predictor:
    """The last full season of the window, repeated: step h is the value a whole number of seasons before.

    Raises:
        NotApplicableError: no season is known, or it is longer than the window.
    """
    season = data.season
    if not season:
        raise NotApplicableError("the data names no season")
    if season > data.window:
        raise NotApplicableError(f"a season of {season} does not fit in a window of {data.window}")
    positions = [data.window - season + h % season for h in range(data.horizon)]

    def predict(inputs: Tensor) -> Tensor:
        return inputs[:, positions, : data.channels]

    return predict


def run_baselines(
    names: Sequence[BaselineName],
    data: WindowData,
    metric_names: Sequence[MetricName],
    *,
    batch_size: int = 512,
    split: str = "test",
    seed: int = 0,
    progress: Progress | None = None,
) -> BaselineReport:
    """Fit each baseline on `train` (choices on `val`) and score it on `split`.

    Args:
        names: which baselines, in report order.
        data: forecasting data; channels beyond `data.channels` are ignored.
        metric_names: metrics of the scores.
        batch_size: windows held at once; fewer when the series has many channels.
        split: the part to score on.
        seed: seed of the baselines that are trained step by step.
        progress: told how far each baseline is.
    """
    batch_size = max(1, min(batch_size, _MOST_ROWS // data.channels))
    report = BaselineReport({}, {}, {})
    for name in names:
        try:
            predictor, chosen = _fit(name, data, batch_size, seed, progress)
        except NotApplicableError as reason:
            report.omitted[name] = str(reason)
            continue
        report.scores[name] = score(predictor, data, metric_names, batch_size=batch_size, split=split)
        if chosen:
            report.chosen[name] = chosen
        if progress:
            progress(name, 1.0)
    return report


def score(
    predictor: Predictor,
    data: WindowData,
    metric_names: Sequence[MetricName],
    *,
    batch_size: int = 512,
    split: str = "test",
) -> dict[str, float]:
    """Metrics of a predictor on one split."""
    metrics = ForecastMetrics(metric_names, data.horizon, data.channels)
    for batch in batches(data.split(split), batch_size):
        metrics.update(predictor(batch.inputs), batch.targets, batch.observed)
    return metrics.compute()


def _fit(
    name: BaselineName, data: WindowData, batch_size: int, seed: int, progress: Progress | None
) -> tuple[Predictor, str]:
    if name == "last_value":
        return last_value(data), ""
    if name == "seasonal_naive":
        return seasonal_naive(data), ""
    for part in ("train", "val"):
        if not len(data.split(part)):
            raise NotApplicableError(f"it needs {part} windows to fit on, and there are none")
    report = None if progress is None else (lambda share: progress(name, share))
    if name == "ridge":
        ridge, alpha = fit_ridge(data, batch_size=batch_size, progress=report)
        return ridge, f"relative penalty {alpha:g}"
    dlinear, epoch = fit_dlinear(data, batch_size=batch_size, seed=seed, progress=report)
    return dlinear, f"epoch {epoch}"
