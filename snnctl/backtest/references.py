"""Baselines on the windows of a backtest, fitted on the rows that the network was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch

from snnctl.baselines.base import Fitted, fit_baselines
from snnctl.data.series.dataset import ForecastData
from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.series import Floats
from snnctl.report.saving import Tell
from snnctl.serving.rows import ReadyRows, Rows

ALWAYS = ("last_value", "seasonal_naive", "ridge", "dlinear")
# What needs no rows to be fitted on.
_UNFITTED = ("last_value", "seasonal_naive")


def fit(
    names: Sequence[str], data: ForecastData | None, fitted: FittedSeries, batch_size: int, seed: int, tell: Tell
) -> tuple[dict[str, Fitted], dict[str, str]]:
    """Baselines that are ready to predict, and why others are left out.

    Args:
        data: what the network was trained on; None where it is not there.
        fitted: what is remembered of it.
        batch_size: windows gathered at once.
    """
    omitted: dict[str, str] = {}
    if data is None:
        omitted = {name: "the rows that it is fitted on are not there" for name in names if name not in _UNFITTED}
        names = [name for name in names if name in _UNFITTED]

    def told(name: str, done: float) -> None:
        tell(f"baselines: {name}", done)

    found, failed = fit_baselines(names, data or fitted, batch_size=batch_size, seed=seed, progress=told)
    return found, omitted | failed


@torch.no_grad()
def predict(
    baseline: Fitted, rows: ReadyRows, fitted: FittedSeries, ends: Rows, batch_size: int
) -> Iterator[tuple[Rows, Floats]]:
    """Forecasts of windows [B, H, C], batch by batch, with their ends."""
    inputs_of = partial(rows.tensors.inputs, horizon=fitted.horizon)
    for first in range(0, len(ends), batch_size):
        chosen = ends[first : first + batch_size]
        seen = torch.from_numpy(chosen)[:, None] + torch.arange(1 - fitted.window, 1)
        scaled = baseline.predict(inputs_of(seen)).detach().cpu().double()
        scaler = fitted.scaler.of(rows.numbers[rows.part_of(chosen)])
        yield chosen, np.asarray(scaler.inverse(scaled).numpy())
