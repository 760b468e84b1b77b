"""Small forecasting runs on tables of every shape, and an oracle of pandas and NumPy that knows nothing of snnctl."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

WINDOW, HORIZON = 12, 3
RECIPE = """\
schema: 1
name: small
task: {{type: forecasting, metrics: [mse, mae], baselines: [last_value]}}
data:
  {{type: timeseries, source: ./table.csv, window: 12, horizon: 3, split: {{train: 0.6, val: 0.2, test: 0.2}}{data}}}
encoder: {{type: patch, length: 4, dim: 8, steps: 2}}
model: {{type: spike_mlp, width: 16, neuron: {{type: lif, v_threshold: 0.5}}}}
readout: {{type: flatten_linear, skip: linear}}
optim: {{type: adamw, lr: 1.0e-2}}
schedule: constant
train: {{epochs: 1, batch_size: 64, seed: 3}}
"""


def wave(rows: int, phase: float = 0.0) -> Any:
    """A day of 24 rows, a trend and a little noise, around 280 as kelvins are."""
    n = np.arange(rows)
    noise = np.random.default_rng(int(phase * 10)).normal(0, 0.2, rows)
    return np.round(280 + 5 * np.sin(2 * math.pi * n / 24 + phase) + 0.01 * n + noise, 4)


def hours(rows: int) -> Any:
    return pd.date_range("2024-01-01", periods=rows, freq="h")


def plain(rows: int = 200) -> pd.DataFrame:
    """Two columns, hourly."""
    return pd.DataFrame({"date": hours(rows), "a": wave(rows), "b": 10 * wave(rows, 1.0)})


def panel(rows: int = 150) -> pd.DataFrame:
    """Three sites below each other, of other sizes."""
    sites = [
        pd.DataFrame({"site": name, "date": hours(rows), "y": scale * wave(rows, phase)})
        for name, scale, phase in (("north", 1.0, 0.0), ("south", 7.0, 1.0), ("west", 0.1, 2.0))
    ]
    return pd.concat(sites, ignore_index=True)


def covariates(rows: int = 200) -> pd.DataFrame:
    """A target that a plan drives, and another column that is seen up to now."""
    plan = np.random.default_rng(1).integers(0, 4, rows).astype(float)
    return pd.DataFrame({"date": hours(rows), "load": wave(rows) + 3 * plan, "seen": wave(rows, 2.0), "plan": plan})


def panel_covariates(rows: int = 150) -> pd.DataFrame:
    """A plan that differs between sites, and a column that is seen up to now."""
    random = np.random.default_rng(1)
    return panel(rows).assign(plan=random.integers(0, 4, 3 * rows) * 1.0, seen=random.normal(size=3 * rows).round(3))


def holed(rows: int = 200) -> pd.DataFrame:
    """Rows and single values are missing."""
    frame = plain(rows)
    frame.loc[[20, 21, 22, 90, 150, 170, 185], "a"] = np.nan
    frame.loc[168, "b"] = np.nan
    return frame.drop(index=[40, 41, 100, 160, 161, 190]).reset_index(drop=True)


KINDS: dict[str, tuple[Any, str]] = {
    "plain": (plain, ", window_norm: mean_std"),
    "panel": (panel, ", id: site"),
    "panel_covariates": (panel_covariates, ", id: site, targets: [y], past: [seen], known: [plan]"),
    "covariates": (covariates, ", targets: [load], past: [seen], known: [plan], calendar: true"),
    "holed": (holed, ", window_norm: last"),
}


def write(folder: Path, kind: str) -> Path:
    """The recipe with its table in `folder`."""
    make, data = KINDS[kind]
    make().to_csv(folder / "table.csv", index=False)
    path = folder / "small.yaml"
    path.write_text(RECIPE.format(data=data), encoding="utf-8")
    return path


def scores(
    frame: pd.DataFrame, forecast: pd.DataFrame, targets: list[str], site: str | None = None
) -> dict[str, float]:
    """MSE and MAE of scaled values, MAE and RMSE of columns in their units; windows with targets in the last fifth.

    Args:
        frame: the whole table, as it is in the file.
        forecast: unique_id, ds, cutoff, snnctl.
    """
    squared, absolute = [], []
    own_units: dict[str, list[Any]] = {column: [] for column in targets}
    for name, own in [("", frame)] if site is None else frame.groupby(site):
        own = own.set_index("date")[targets]
        own = own.reindex(pd.date_range(own.index[0], own.index[-1], freq="h"))  # rows that are not there
        rows = len(own)
        train, test = math.floor(rows * 0.6 + 1e-9), math.floor(rows * 0.2 + 1e-9)
        first = rows - test
        for column in targets:
            mean, sd = own[column][:train].mean(), own[column][:train].std(ddof=0)
            told = forecast[forecast.unique_id == (name if site else column)]
            cutoff = own.index.get_indexer(told.cutoff)
            told = told[(cutoff >= first - 1) & (cutoff + HORIZON < rows)]
            assert len(told) == (test - HORIZON + 1) * HORIZON
            truth = own[column].reindex(told.ds).to_numpy()
            error = (truth - told.snnctl.to_numpy()) / sd
            assert not math.isnan(mean)
            squared.append(error[~np.isnan(error)] ** 2)
            absolute.append(abs(error[~np.isnan(error)]))
            own_units[column].append((truth - told.snnctl.to_numpy())[~np.isnan(error)])
    return {
        "test/mse": float(np.concatenate(squared).mean()),
        "test/mae": float(np.concatenate(absolute).mean()),
        **{f"{column}/mae_units": float(abs(np.concatenate(each)).mean()) for column, each in own_units.items()},
        **{
            f"{column}/rmse_units": float((np.concatenate(each) ** 2).mean() ** 0.5)
            for column, each in own_units.items()
        },
    }
