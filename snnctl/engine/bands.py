"""Bands of a forecasting run: made from the errors on validation, kept in the run, read back for the same weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.files import write_atomically
from snnctl.data.series.dataset import ForecastData
from snnctl.engine.checkpoint import load_weights, weights_folder
from snnctl.engine.experiment import Experiment
from snnctl.engine.run_dir import RunDir
from snnctl.engine.runtime import Runtime
from snnctl.measure.bands import Bands, bands_of, spread_out
from snnctl.measure.coverage import Coverage

SCHEMA = 1
LEVELS_MEASURED = (80, 95)
MOST_ERRORS = 2**26  # held at once, in float32: 256 MiB
LEAST_WINDOWS = 100  # however many columns and steps there are
_FACTS = "snnctl"


def validation_bands(experiment: Experiment, runtime: Runtime) -> Bands | None:
    """From one pass over the validation split with the weights that the network has; None for what is no forecast.

    Of very many errors those of windows evenly spread are taken, see `Bands.used`.
    """
    data = experiment.data
    if not isinstance(data, ForecastData):
        return None
    split, network = data.split("val"), experiment.network.eval()
    cells = data.horizon * data.channels
    chosen = spread_out(len(split), max(LEAST_WINDOWS, MOST_ERRORS // cells))
    errors = []
    with torch.no_grad():
        for first in range(0, len(chosen), experiment.eval_batch_size):
            batch = split.batch(torch.from_numpy(chosen[first : first + experiment.eval_batch_size]))
            with runtime.forward_pass():
                prediction = experiment.task.predict(network, batch.to(runtime.device))
            error = batch.targets - prediction.float().cpu()
            if batch.observed is not None:
                error = error.masked_fill(~batch.observed, float("nan"))
            errors.append(error.numpy())
    parts, starts = split.parts.numpy()[chosen], split.starts.numpy()[chosen]
    return bands_of(np.concatenate(errors), parts, len(data.plan.parts), starts, windows=len(split))


def keep_bands(experiment: Experiment, run: RunDir, runtime: Runtime) -> None:
    """Make bands for the weights that are kept, and write them into the run."""
    network = experiment.network.to(runtime.device)
    facts = load_weights(weights_folder(run), network)
    bands = validation_bands(experiment, runtime)
    if bands is not None:
        write_bands(run.bands_file, bands, facts)


def run_bands(experiment: Experiment, run: RunDir, runtime: Runtime, facts: dict[str, int]) -> Bands | None:
    """Those that the run keeps for weights of these facts; where it has none, made for those of the network now.

    Raises:
        DiagnosticError: U506, the file is damaged.
    """
    return read_bands(run.bands_file, facts) or validation_bands(experiment, runtime)


def write_bands(path: Path, bands: Bands, facts: dict[str, int]) -> None:
    """Write them; `facts` tell the weights that they are of."""
    said = {
        "schema": SCHEMA,
        "checkpoint": facts,
        "levels": list(bands.levels),
        "series": bands.series,
        "windows": bands.windows,
        "used": bands.used,
        "independent_horizons": bands.horizons,
        "fewest_independent_horizons": bands.fewest,
    }
    tensors: dict[str, np.ndarray] = {"shared": bands.shared}
    if bands.apart is not None:
        tensors |= {"apart": bands.apart, "own": bands.own}
    path.parent.mkdir(exist_ok=True)
    # One entry: safetensors writes several in any order, and the bytes would differ from run to run.
    metadata = {_FACTS: json.dumps(said, sort_keys=True)}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=metadata))


def read_bands(path: Path, facts: dict[str, int]) -> Bands | None:
    """What `write_bands` wrote; None where there is nothing, or for other weights.

    Raises:
        DiagnosticError: U506, the file is damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            said = json.loads((file.metadata() or {})[_FACTS])
        if said["schema"] != SCHEMA:
            raise ValueError(f"schema {said['schema']}; this is {SCHEMA}")
        bands = _of_file(said, load_file(path))
    except FileNotFoundError:
        return None
    except Exception as error:  # safetensors raises its own and built-in types
        facts_of = {"reason": f"{type(error).__name__}: {error}"}
        raise DiagnosticError(Diagnostic("U506", file=str(path), facts=facts_of)) from error
    return bands if said["checkpoint"] == facts else None


def _of_file(said: dict[str, Any], tensors: dict[str, Any]) -> Bands:
    """ValueError or KeyError where what a file holds is not what `write_bands` wrote."""
    levels, series = tuple(int(level) for level in said["levels"]), int(said["series"])
    shared, apart = tensors["shared"], tensors.get("apart")
    own = tensors["own"] if apart is not None else np.zeros((len(levels), 0), bool)
    whole = (len(levels), *shared.shape[1:])
    if shared.ndim != 3 or shared.shape != whole or not (shared >= 0).all():
        raise ValueError(f"half-widths of shape {list(shared.shape)} for {len(levels)} levels")
    if apart is not None:
        wanted = (len(levels), series, *shared.shape[1:])
        if apart.shape != wanted or own.shape != wanted[:2] or own.dtype != bool or not (apart >= 0).all():
            raise ValueError(f"half-widths of shape {list(apart.shape)} for {series} series")
    counts = ("windows", "used", "independent_horizons", "fewest_independent_horizons")
    return Bands(levels, shared, apart, own, series, *(int(said[name]) for name in counts))


def coverage_of(experiment: Experiment, split: SplitName, bands: Bands | None) -> Coverage | None:
    """A fresh count over a split; None where there are no bands."""
    data = experiment.data
    if bands is None or not isinstance(data, ForecastData):
        return None
    return Coverage(bands, LEVELS_MEASURED, data.split(split).parts.numpy(), data.columns, data.scaler.scale)


def intervals_to_json(found: Coverage, split: SplitName) -> dict[str, Any]:
    """`{windows, windows_used, independent_horizons, own_series, in_sample, levels}`; see `Coverage.levels_to_json`.

    The first three are of validation; `own_series` is {level: share of series whose bands are from their own errors
    alone}. `in_sample` says why the figures tell nothing of new data, and is "" where they do.
    """
    told = {
        "train": "the network was fitted on these windows, so its errors are smaller than on new ones",
        "val": "the bands are made from these very windows, so they hold their level by construction",
        "test": "",
    }
    bands = found.bands
    return {
        "windows": bands.windows,
        "windows_used": bands.used,
        "independent_horizons": bands.horizons,
        "own_series": {str(level): bands.own_share(level) for level in found.levels},
        "in_sample": told[split],
        "levels": found.levels_to_json(),
    }
