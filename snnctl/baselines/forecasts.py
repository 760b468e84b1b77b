"""Baselines without weights for forecasts: the last value, the last season."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from snnctl.baselines.base import Baseline, Fitted, NotApplicableError, Told
from snnctl.baselines.windows import WindowData
from snnctl.core.catalog import BASELINES


@BASELINES.register("last_value")
class LastValue(Baseline):
    """The last value of the window, repeated."""

    serves: ClassVar[tuple[str, ...]] = ("series",)

    def fit(self, data: WindowData, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        """Nothing is fitted."""

        def predict(inputs: Tensor) -> Tensor:
            return inputs[:, -1:, : data.channels].expand(-1, data.horizon, -1)

        return Fitted(predict)


@BASELINES.register("seasonal_naive")
class SeasonalNaive(Baseline):
    """The last full season of the window, repeated: step h is the value a whole number of seasons before."""

    serves: ClassVar[tuple[str, ...]] = ("series",)

    def fit(self, data: WindowData, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        """Nothing is fitted.

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

        return Fitted(predict)
