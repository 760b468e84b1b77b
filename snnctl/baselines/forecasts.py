"""Baselines without weights for forecasts: the last value, the last season."""

from __future__ import annotations

from snnctl.baselines.base import Baseline, Fitted, NotApplicableError, Told
from snnctl.baselines.windows import WindowData
from snnctl.core.catalog import BASELINES


@BASELINES.register("last_value")
class LastValue(Baseline):
    """The last value of the window, repeated."""

    serves = ("series",)

    def fit(self, data: WindowData, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        return Fitted(lambda inputs: inputs[:, -1:, : data.channels].expand(-1, data.horizon, -1))


@BASELINES.register("seasonal_naive")
class SeasonalNaive(Baseline):
    """The last full season of the window, repeated: step h is the value a whole number of seasons before."""

    serves = ("series",)

    def fit(self, data: WindowData, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        season = data.season
        if not season:
            raise NotApplicableError("the data names no season")
        if season > data.window:
            raise NotApplicableError(f"a season of {season} does not fit in a window of {data.window}")
        positions = [data.window - season + h % season for h in range(data.horizon)]
        return Fitted(lambda inputs: inputs[:, positions, : data.channels])
