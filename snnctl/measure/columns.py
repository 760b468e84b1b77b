"""Errors of forecasts by column, beside the baselines: in scaled and in the data's own units, and where one is most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snnctl.core.diagnostic import Diagnostic
from snnctl.measure.items import Meter
from snnctl.measure.metrics import ForecastMetrics

MOST = 0.5  # of the squared error
UNEVEN = 1.8  # times an even share: of two columns one always has half of it


def by_column(meter: Meter, baselines: Mapping[str, Meter]) -> dict[str, dict[str, Any]]:
    """`{column: {mse, mae, share, mse_units, rmse_units, mae_units, baselines: {name: the same}}}`.

    `share` is that of the column in the summed squared error. What ends in `_units` is in the data's own, null where
    those are not known. Empty for what is no forecast.
    """
    if not isinstance(meter, ForecastMetrics):
        return {}
    found = _columns(meter)
    for name, other in baselines.items():
        if isinstance(other, ForecastMetrics):
            for column, values in _columns(other).items():
                found[column].setdefault("baselines", {})[name] = values
    return found


def _columns(meter: ForecastMetrics) -> dict[str, dict[str, Any]]:
    scaled, own = meter.per_column(), meter.own_units()
    rows = {"mse": scaled["mse"], "mae": scaled["mae"], "share": meter.shares()}
    rows |= {f"{name}_units": values for name, values in own.items()}
    return {name: {key: values[at] for key, values in rows.items()} for at, name in enumerate(meter.columns)}


def units(meter: Meter, baselines: Mapping[str, Meter]) -> dict[str, Any] | None:
    """`{scaler, metrics: {mae, rmse}, baselines: {name: {mae, rmse}}}` over all columns in the data's own units.

    `scaler` is what the other metrics are scaled by, "" where it is not known. `metrics` are empty where columns may
    differ in their units. None for what is no forecast.
    """
    if not isinstance(meter, ForecastMetrics):
        return None
    others = {name: one.own_units_of_all() for name, one in baselines.items() if isinstance(one, ForecastMetrics)}
    return {"scaler": meter.scaler, "metrics": meter.own_units_of_all(), "baselines": others}


def dominated(meter: Meter, split: str) -> list[Diagnostic]:
    """D246 where one column makes up most of the squared error: a mean over columns then tells of that one."""
    if not isinstance(meter, ForecastMetrics) or meter.channels == 1:
        return []
    shares = meter.shares()
    share = max(shares, key=lambda value: (value == value, value))
    if not share > max(MOST, UNEVEN / meter.channels):
        return []
    column = meter.columns[shares.index(share)]
    others = meter.channels - 1
    return [
        Diagnostic(
            "D246",
            f"column `{column}` makes up most of the squared error on {split}: what is said of all columns is said of "
            f"it, not of the other {others}",
            severity="warning",
            path="data.columns",
            help="read them by column (`columns` in results.json); if it is constant in train, leave it out with "
            "`data.columns`, or take a `data.scaler` that fits it",
            notes=(f"{share:.1%} of it; an even share is {1 / meter.channels:.1%}",),
        )
    ]
