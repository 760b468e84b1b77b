"""Data: series and where they come from, splits, scaling, windows. Imports torch only when a name needs it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnctl.data.batch import Batch, Split
    from snnctl.data.made.order import Order, OrderData
    from snnctl.data.series.component import SeriesProbe, TimeSeries
    from snnctl.data.series.dataset import ForecastData, WindowSplit
    from snnctl.data.series.known import KNOWN, KNOWN_NAMES, KnownSeries
    from snnctl.data.series.prepare import Prepared, cache_dir, is_prepared, load_prepared, prepare
    from snnctl.data.series.scaling import FittedScaler, Scaler
    from snnctl.data.series.series import Series, SeriesHead
    from snnctl.data.series.window_norm import WindowNorm, WindowScale
    from snnctl.data.splits import SplitSpec
    from snnctl.data.texts.component import Text
    from snnctl.data.texts.dataset import TextData, TextSplit
    from snnctl.data.texts.known import KNOWN_TEXTS

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
    "KNOWN": "series.known",
    "KNOWN_NAMES": "series.known",
    "KNOWN_TEXTS": "texts.known",
    "Batch": "batch",
    "FittedScaler": "series.scaling",
    "ForecastData": "series.dataset",
    "KnownSeries": "series.known",
    "Order": "made.order",
    "OrderData": "made.order",
    "Prepared": "series.prepare",
    "Scaler": "series.scaling",
    "Series": "series.series",
    "SeriesHead": "series.series",
    "SeriesProbe": "series.component",
    "Split": "batch",
    "SplitSpec": "splits",
    "Text": "texts.component",
    "TextData": "texts.dataset",
    "TextSplit": "texts.dataset",
    "TimeSeries": "series.component",
    "WindowNorm": "series.window_norm",
    "WindowScale": "series.window_norm",
    "WindowSplit": "series.dataset",
    "cache_dir": "series.store",
    "is_prepared": "series.store",
    "load_prepared": "series.store",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
