"""Bands around forecasts in the data's own units, from what a run keeps of its validation errors."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.series import Floats
from snnctl.engine.bands import read_bands, validation_bands, write_bands
from snnctl.engine.belonging import changed_data
from snnctl.engine.checkpoint import weights_folder
from snnctl.engine.runtime import Runtime
from snnctl.finished import FinishedRun
from snnctl.measure.bands import FEW_HORIZONS, Bands
from snnctl.serving.rows import ReadyRows


def bands_of_run(opened: FinishedRun, facts: dict[str, int], runtime: Runtime) -> Bands:
    """Those that the run keeps for its weights; where it has none, made from its training data, and kept.

    Args:
        facts: what the file of the weights says of them.

    Raises:
        DiagnosticError: U506 the file is damaged, U520 there are none, and the data has gone or changed.
    """
    kept = read_bands(opened.folder.bands_file, facts)
    if kept is not None:
        return kept
    try:
        experiment = opened.experiment
        changed = changed_data(opened.record, experiment.identity.data)
        if changed:  # bands are of the data that the run learned from, whatever else is accepted
            raise DiagnosticError(changed)
    except DiagnosticError as error:
        first = error.diagnostics[0]
        raise DiagnosticError(Diagnostic("U520", notes=(f"{first.code} {first.message}",))) from error
    opened.load()
    experiment.network.to(runtime.device)
    bands = validation_bands(experiment, runtime)
    if bands is None:
        raise DiagnosticError(Diagnostic("U520"))
    if opened.weights == weights_folder(opened.folder):  # the others are not asked for often
        with suppress(OSError):  # a run may lie where nothing can be written
            write_bands(opened.folder.bands_file, bands, facts)
    return bands


def refuse_beyond(steps: int, horizon: int) -> None:
    """U521 for steps beyond the trained horizon: there is no validation error of them.

    A forecast that goes on from itself is wrong in other ways than one from observed rows, so the bands of the trained
    steps would say nothing of it.
    """
    if steps > horizon:
        message = f"bands are of the {horizon} steps that the network was trained for, not of {steps}"
        help = f"ask for at most {horizon} steps, leave --intervals out, or train with a longer `data.horizon`"
        raise DiagnosticError(Diagnostic("U521", message, help=help))


def check_bands(bands: Bands, levels: Sequence[int]) -> list[Diagnostic]:
    """U522 as a warning where bands stand on few independent errors.

    Raises:
        DiagnosticError: U521, a level that is not kept, or for which there were too few windows.
    """
    for level in levels:
        if level not in bands.levels:
            kept = ", ".join(map(str, bands.levels))
            message = f"the run keeps no bands of {level} %: its steps, columns and series are too many to keep all"
            raise DiagnosticError(Diagnostic("U521", message, help=f"choose among {kept}"))
        if not np.isfinite(bands.of(level)).all():
            message = f"{bands.used:,} validation windows are too few for bands of {level} %"
            most = f"up to {bands.most} % there are enough" if bands.most else "bring a longer validation split"
            raise DiagnosticError(Diagnostic("U521", message, help=f"{most}; a band needs 1 / (1 - level) of them"))
    counts = {bands.independent(level) for level in levels}
    if min(counts) >= FEW_HORIZONS:
        return []
    each = " of a series" if min(counts) < bands.horizons else ""
    message = f"bands are rough: the {bands.windows:,} validation windows overlap, and what they cover{each} are only "
    message += f"{min(counts)} independent horizons"
    return [Diagnostic("U522", message, severity="warning")]


def own_halves(bands: Bands, levels: Sequence[int], rows: ReadyRows, fitted: FittedSeries) -> Floats:
    """Half-widths [levels, S, H, C] in the data's own units for the series that new rows are of.

    A series that was not among those of training has the bands that were made from all of them.
    """
    places = {name: number for number, name in enumerate(fitted.parts)}
    scale = np.atleast_2d(fitted.scaler.of(rows.numbers).scale)[:, None]  # [S or 1, 1, C]
    found = np.empty((len(levels), len(rows.parts), fitted.horizon, fitted.channels))
    for number, level in enumerate(levels):
        shared = bands.shared[bands.levels.index(level)]
        for place, part in enumerate(rows.parts):
            known = bands.apart is not None and part.name in places
            found[number, place] = bands.of(level)[places[part.name]] if known else shared
    return found * np.abs(scale)
