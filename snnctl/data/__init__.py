"""Data: series and where they come from, splits, scaling, windows. Imports torch only when a name needs it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnctl.data.batch import Batch, Split
    from snnctl.data.forecast import ForecastData, WindowSplit
    from snnctl.data.known import KNOWN, KNOWN_NAMES, KnownSeries
    from snnctl.data.order import Order, OrderData
    from snnctl.data.prepare import Prepared, cache_dir, is_prepared, load_prepared, prepare
    from snnctl.data.scaling import FittedScaler, Scaler
    from snnctl.data.series import Series, SeriesHead
    from snnctl.data.splits import SplitSpec
    from snnctl.data.texts.component import Text
    from snnctl.data.texts.dataset import TextData, TextSplit
    from snnctl.data.texts.known import KNOWN_TEXTS
    from snnctl.data.timeseries import SeriesProbe, TimeSeries
    from snnctl.data.window_norm import WindowNorm, WindowScale

__all__ = [
    "KNOWN",
    "KNOWN_NAMES",
    "KNOWN_TEXTS",
    "Batch",
    "FittedScaler",
    "ForecastData",
    "KnownSeries",
    "Order",
    "OrderData",
    "Prepared",
    "Scaler",
    "Series",
    "SeriesHead",
    "SeriesProbe",
    "Split",
    "SplitSpec",
    "Text",
    "TextData",
    "TextSplit",
    "TimeSeries",
    "WindowNorm",
    "WindowScale",
    "WindowSplit",
    "cache_dir",
    "is_prepared",
    "load_prepared",
    "prepare",
]

# `snnctl data prep` and name completion must not pay for importing torch, so names load when used.
_HOME = {
    "KNOWN": "known",
    "KNOWN_NAMES": "known",
    "KNOWN_TEXTS": "texts.known",
    "Batch": "batch",
    "FittedScaler": "scaling",
    "ForecastData": "forecast",
    "KnownSeries": "known",
    "Order": "order",
    "OrderData": "order",
    "Prepared": "prepare",
    "Scaler": "scaling",
    "Series": "series",
    "SeriesHead": "series",
    "SeriesProbe": "timeseries",
    "Split": "batch",
    "SplitSpec": "splits",
    "Text": "texts.component",
    "TextData": "texts.dataset",
    "TextSplit": "texts.dataset",
    "TimeSeries": "timeseries",
    "WindowNorm": "window_norm",
    "WindowScale": "window_norm",
    "WindowSplit": "forecast",
    "cache_dir": "cache",
    "is_prepared": "cache",
    "load_prepared": "cache",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
