"""What `snnctl backtest` does: rolling origins of a run or a recipe, beside what anyone would take instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.backtest.origins import Origins, Wanted, origins, seen_in, spans, spans_in
from snnctl.backtest.page import report
from snnctl.backtest.references import ALWAYS
from snnctl.backtest.refits import Refit, how_trained, refits
from snnctl.backtest.statistical import methods
from snnctl.backtest.study import Asking, Fit, Found, collect
from snnctl.backtest.tables import long_rows
from snnctl.build import check, load_data
from snnctl.commands.listener import NOBODY, Listener
from snnctl.commands.refits import interrupted, train_all
from snnctl.core.choices import Checkpoint, Device
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.files import write_json
from snnctl.data.series.anew import far_outside, read_on
from snnctl.data.series.dataset import ForecastData
from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.series import Series
from snnctl.finished import open_run
from snnctl.recipe import Recipe, load_recipe
from snnctl.report.saving import prepare, write
from snnctl.serving.files import FORMATS, check_suffix, write_forecast
from snnctl.serving.forecaster import Forecaster
from snnctl.serving.model import load
from snnctl.serving.rows import ReadyRows, make_ready, words

_RECIPES = (".yaml", ".yml")


@dataclass(frozen=True)
class Backtested:
    """What has come of it.

    Args:
        document: see `snnctl.backtest.tables.document`; of an interrupted one `{status, out, refits_done, refits}`.
    """

    document: dict[str, Any]

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped before its end."""
        return bool(self.document["status"] == "interrupted")


@dataclass(frozen=True)
class Subject:
    """What is held against what came.

    Args:
        name: of the recipe.
        path: of the run, or of the recipe's file.
        recipe: as it is.
        model: of a run that is not trained anew; None where trainings come first.
        data: what the recipe says, cut as it says; None where it is not there any more.
        fitted: what is remembered of it.
        out: where files go, where nobody says.
    """

    name: str
    path: Path
    recipe: Recipe
    model: Forecaster | None
    data: ForecastData | None
    fitted: FittedSeries
    out: Path


def backtest(
    subject: Path | str,
    *,
    n_windows: int | None = None,
    step_size: int | None = None,
    refit: int = 0,
    intervals: Sequence[int] = (80, 95),
    against: Sequence[str] = (),
    band_windows: int | None = None,
    against_minutes: float = 10.0,
    season: int | None = None,
    input: Path | str | None = None,
    out: Path | str | None = None,
    format: str = "csv",
    sets: Sequence[str] = (),
    unsets: Sequence[str] = (),
    checkpoint: Checkpoint = "best",
    device: Device = "auto",
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
) -> Backtested:
    """Forecast from rolling origins, and hold it against what came and against what anyone would take instead.

    Args:
        subject: a run as `snnctl train` made it, or a recipe (.yaml), which is trained before the first origin.
        n_windows: origins of each series, counted back from the last that a whole horizon follows; None = those in the
            test split, or in all of `input`.
        step_size: rows from one origin to the next; None = 1, and the horizon where `refit` trains anew.
        refit: train anew before every so many origins, on all rows up to there; 0 = never.
        intervals: levels of rolling bands, in percent; none = no bands.
        band_windows: windows whose errors make a band, at most; None = as many as validation has.
        against: statistical methods of the extra `statistical`, see `snnctl.backtest.statistical.METHODS`.
        against_minutes: one that is foreseen to take longer is left out, and it is said.
        season: rows in one season, for MASE, the seasonal naive forecast and seasonal methods; None = as the data says.
        input: other rows to forecast, for a run that is not trained anew.
        out: where files go; None = RUN/backtest, or backtest/NAME of a recipe. Trainings are kept there.
        format: of the rows: csv, parquet or jsonl.
        sets, unsets: changes of the recipe that is trained.

    Raises:
        DiagnosticError: U570 options that do not go together, U571 not so many origins, U572 and U573 as
            `snnctl.backtest.statistical.methods`, U574 the recipe cannot be trained anew at cutoffs, U576 too much for
            memory, U577 it forecasts no series; as `snnctl.commands.train.train` and `snnctl.serving.model.load`.
    """
    anew = Path(subject).suffix in _RECIPES or refit > 0
    _refuse_options(Path(subject), refit, anew, input, sets, unsets, format, intervals)
    of = _subject(Path(subject), sets, unsets, anew, checkpoint, device, input, allow_plugins, listener)
    horizon, folder = of.fitted.horizon, of.out if out is None else Path(out)
    step = (horizon if refit else 1) if step_size is None else step_size
    wanted = Wanted(n_windows, step, refit, band_windows)
    rows_in_season = season or of.fitted.season or 1
    asking = Asking(
        tuple(sorted(set(intervals))),
        rows_in_season,
        tuple(dict.fromkeys((*ALWAYS, *of.recipe.values["task"]["baselines"]))),
        tuple(methods(against, rows_in_season)),
        60 * against_minutes,
        of.recipe.train.seed,
    )
    rows, series = _rows(of, input, listener)
    cuts = None if of.data is None or input is not None else spans(of.data)
    chosen = origins(rows, of.fitted.window, horizon, wanted, cuts)
    prepare(folder)
    head, notes = _head(of, rows, chosen, wanted, input), list[str]()
    if anew:
        assert of.data is not None
        trainings = refits(rows, of.data, chosen, refit)
        first = rows.parts[0].first
        until = [str(_date(rows, first + one.cutoff)) for one in trainings]
        source = of.path / "recipe.yaml" if of.path.is_dir() else of.path
        asked = (source, sets, unsets, trainings, until, folder / "refits", of.data.fingerprint, device, listener)
        runs = train_all(*asked, allow_plugins=allow_plugins)
        if isinstance(runs, int):
            return Backtested(interrupted(folder, runs, len(trainings)))
        fits = _opened(runs, trainings, series, device, allow_plugins, listener)
        pools = [one.pool for one in trainings]
        splits = {"train": 0, "val": 0, "test": len(chosen.ends)}
        head |= {"refits": [str(run) for run in runs], "how": how_trained(len(runs), refit), "splits": splits}
    else:
        assert of.model is not None
        fits, pools = iter([Fit(of.model, rows, of.data, chosen.pool)]), [chosen.pool]
        head |= {"refits": [], "how": "One network, as it was trained, forecasts from all of them."}
        splits, notes = _overlap(of, rows, chosen, input, listener)
        head |= {"checkpoint": of.model.facts, **splits}
    notes += _notes(of, anew, input is not None, bool(asking.levels))
    with listener.work() as tell:
        found = collect({**head, "notes": notes}, fits, pools, chosen, asking, tell)
        _warn_omitted(found, against, listener)
        tell("rows", 0.95)
        name = f"forecasts.{format}"
        write_forecast(folder / name, long_rows(found))
        for suffix in FORMATS:
            if name != f"forecasts{suffix}":  # of an earlier call: not to be taken for these
                (folder / f"forecasts{suffix}").unlink(missing_ok=True)
        written = write(report(found), folder, listener.call, tell)
    document = {**written, "status": "done", "forecasts": str(folder / name)}
    write_json(folder / "backtest.json", document)
    return Backtested(document)


def _refuse_options(
    subject: Path,
    refit: int,
    anew: bool,
    input: Path | str | None,
    sets: Sequence[str],
    unsets: Sequence[str],
    format: str,
    levels: Sequence[int],
) -> None:
    """U570, before anything is read."""
    check_suffix(Path(f"forecasts.{format}"), FORMATS)
    message = help = ""
    if input is not None and anew:
        message = "--input brings rows for a run as it is; a recipe, or --refit, trains on its own data"
        help = "leave --input out, or name it in the recipe: --set data.source=FILE"
    elif (sets or unsets) and not anew:
        message = "--set and --unset change what is trained, and a run without --refit is not"
        help = "leave them out, or add --refit"
    elif bad := [level for level in levels if not 0 < level < 100]:
        message = f"--intervals are percents between 0 and 100, got {bad[0]}"
    if message:
        raise DiagnosticError(Diagnostic("U570", message, help=help))


def _subject(
    path: Path,
    sets: Sequence[str],
    unsets: Sequence[str],
    anew: bool,
    checkpoint: Checkpoint,
    device: Device,
    input: Path | str | None,
    allow_plugins: bool,
    listener: Listener,
) -> Subject:
    """Open a run, or read a recipe; warnings of its data are told."""
    if path.suffix in _RECIPES:
        recipe = load_recipe(path, sets, unsets, allow_plugins=allow_plugins)
        _refuse(recipe, listener)
        data = _series(load_data(recipe), recipe)
        return Subject(recipe.name, path, recipe, None, data, data.fitted, Path("backtest") / recipe.name)
    opened = open_run(path, checkpoint, sets=sets, unsets=unsets, allow_plugins=allow_plugins, warn=listener.warn)
    recipe, out = opened.recipe, path / "backtest"
    if anew:
        data = _series(opened.experiment.data, recipe)
        return Subject(recipe.name, path, recipe, None, data, data.fitted, out)
    model = _model(path, checkpoint, device, allow_plugins, listener)
    found: ForecastData | None = None
    try:
        found = _series(opened.experiment.data, recipe)
    except DiagnosticError as error:
        if error.diagnostics[0].code != "D101":
            raise
        if input is None:
            message = f"the training data `{model.fitted.source}` is not there (any more)"
            help = "bring rows with --input FILE; their last ones are what came"
            raise DiagnosticError(Diagnostic("U501", message, help=help)) from None
    return Subject(recipe.name, path, recipe, model, found, model.fitted, out)


def _model(path: Path, checkpoint: Checkpoint, device: Device, allow_plugins: bool, listener: Listener) -> Forecaster:
    model = load(path, checkpoint, device=device, allow_plugins=allow_plugins, warn=listener.warn)
    if not isinstance(model, Forecaster):
        raise DiagnosticError(Diagnostic("U577", facts={"task": model.recipe.values["task"]["type"]}))
    return model


def _refuse(recipe: Recipe, listener: Listener) -> None:
    """Tell the warnings of a recipe and of its data, raise what is wrong with them."""
    found = check(recipe)
    listener.warn([*recipe.warnings, *(one for one in found if one.severity == "warning")])
    errors = [one for one in found if one.severity == "error"]
    if errors:
        raise DiagnosticError(errors)


def _series(data: Any, recipe: Recipe) -> ForecastData:
    if not isinstance(data, ForecastData) or recipe.values["task"]["type"] != "forecasting":
        raise DiagnosticError(Diagnostic("U577", facts={"task": recipe.values["task"]["type"]}))
    return data


def _rows(of: Subject, input: Path | str | None, listener: Listener) -> tuple[ReadyRows, Series]:
    """The rows that are forecast, ready for the network, and as they were read."""
    given = None if input is None else Path(input)
    series = read_on(of.fitted) if of.model is None else of.model.read(given)
    rows, values = make_ready(series, of.fitted, of.fitted.horizon, None)
    said = [one for one in series.warnings if given is not None or one.code in ("D292", "D293")]
    listener.warn([*said, *(far_outside(series, values, of.fitted) if given is not None else [])])
    return rows, series


def _opened(
    runs: Sequence[Path],
    trainings: Sequence[Refit],
    series: Series,
    device: Device,
    allow_plugins: bool,
    listener: Listener,
) -> Iterator[Fit]:
    """One network after the other, so that no more than one is held at once."""
    for run, training in zip(runs, trainings, strict=True):
        model = _model(run, "best", device, allow_plugins, listener)
        rows, _ = make_ready(series, model.fitted, model.fitted.horizon, None)
        yield Fit(model, rows, _series(load_data(model.recipe), model.recipe), training.pool)


def _head(of: Subject, rows: ReadyRows, chosen: Origins, wanted: Wanted, input: Path | str | None) -> dict[str, Any]:
    """Facts that the document begins with."""
    stamps = rows.stamps[chosen.ends]
    return {
        "name": of.name,
        "run" if of.path.is_dir() else "recipe": str(of.path),
        "input": None if input is None else str(input),
        "columns": list(of.fitted.columns),
        "series": len(np.unique(rows.part_of(chosen.ends))),
        "window": of.fitted.window,
        "horizon": of.fitted.horizon,
        "windows": len(chosen.ends),
        "cutoffs": len(np.unique(stamps)),
        "step_size": wanted.step,
        "refit_every": wanted.refit,
        "first_cutoff": _date(rows, int(chosen.ends[np.argmin(stamps)])),
        "last_cutoff": _date(rows, int(chosen.ends[np.argmax(stamps)])),
        "band_windows": chosen.history,
        "checkpoint": None,
    }


def _date(rows: ReadyRows, row: int) -> str:
    return words(int(rows.stamps[row])).removesuffix(" 00:00:00") if rows.dated else str(int(rows.stamps[row]))


def _overlap(
    of: Subject, rows: ReadyRows, chosen: Origins, input: Path | str | None, listener: Listener
) -> tuple[dict[str, Any], list[str]]:
    """Which windows forecast rows that the run knows: told as a warning, in the document and on the page."""
    horizon = of.fitted.horizon
    if of.data is None:
        return {"splits": None}, ["The training data is not there: whether these rows were trained on is not known."]
    known = spans(of.data) if input is None else spans_in(rows, of.data)
    if known is None:
        return {"splits": None}, ["Rows without stamps: whether they were trained on is not known."]
    counts = seen_in(rows, chosen.ends, horizon, known)
    if not counts["train"] and not counts["val"]:
        return {"splits": counts}, []
    told = [f"{counts['train']:,} on rows that the network was trained on"] if counts["train"] else []
    told += [f"{counts['val']:,} on rows that its weights were chosen on"] if counts["val"] else []
    message = f"of {len(chosen.ends):,} windows are {' and '.join(told)}: their errors flatter it, and its bands"
    help = "fewer --n-windows, or --refit, which trains on what lies before each cutoff alone"
    listener.warn([Diagnostic("U575", message, severity="warning", help=help)])
    return {"splits": counts}, [f"{message[0].upper()}{message[1:]}."]


def _notes(of: Subject, anew: bool, new_rows: bool, bands: bool) -> list[str]:
    """What a reader would not expect."""
    found = []
    if of.data is not None and of.data.leaks:
        found.append(f"The run leaks: {'; '.join(of.data.leaks)}.")
    if of.data is None:
        found.append("Without the training rows there is no MASE.")
    if new_rows and bands:
        found.append("Bands begin where enough windows have been resolved; errors of bands count from there.")
    elif bands and not anew:
        found.append("Bands at the first cutoffs come from validation, on which the weights were chosen.")
    return found


def _warn_omitted(found: Found, asked: Sequence[str], listener: Listener) -> None:
    """Of models that were asked for by name; why others are left out stands in the document."""
    reasons = {name: found.omitted[name] for name in asked if name in found.omitted}
    told = [f"{name} is left out: {reason}" for name, reason in reasons.items()]
    listener.warn([Diagnostic("U578", message, severity="warning") for message in told])
