"""What `snnctl predict` does: a trained run forecasts what follows, in the data's own units."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from snnctl.commands.listener import NOBODY, Listener
from snnctl.commands.predict_items import predict_items
from snnctl.core.choices import Checkpoint, Device, SplitName
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.files import write_bytes, writing
from snnctl.core.owned import scratch
from snnctl.serving.ensemble import Ensemble
from snnctl.serving.files import check_suffix, rows_of, write_forecast
from snnctl.serving.forecaster import Forecaster
from snnctl.serving.model import load
from snnctl.serving.windows import Asked

# Rows that the document holds; more go to a file.
MOST_ROWS = 1000
_STDIN = "-"


def predict(
    run: Path | str | Sequence[Path | str],
    input: Path | str | None = None,
    output: Path | str | None = None,
    *,
    last: int | None = None,
    every: bool = False,
    since: str | None = None,
    until: str | None = None,
    known: Path | str | None = None,
    horizon: int | None = None,
    intervals: Sequence[int] = (),
    plot: Path | str | None = None,
    split: SplitName | None = None,
    top: int = 2,
    skip_bad: bool = False,
    checkpoint: Checkpoint = "best",
    device: Device = "auto",
    allow_plugins: bool = True,
    plugins: Sequence[Path | str] = (),
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """Forecast; or predict items, where the run classifies or continues videos.

    Args:
        run: a run directory, or a bundle; several are averaged, see `snnctl.serving.ensemble.Ensemble`.
        plugins: plug-in files to load before.
        input: a table of any form that training takes, - is a CSV on stdin; None goes on where the training data ends.
            Of items see `snnctl.commands.predict_items`.
        output: a file of the forecasts: .csv, .parquet or .jsonl.
        last, every, since, until, horizon: see `snnctl.serving.windows.Asked`.
        known: a table of the known covariates over the rows ahead.
        intervals: levels of bands in percent, see `Forecaster.predict`.
        plot: a picture of the last forecast of each series behind its history, with its bands: .png or .svg.
        split, top, skip_bad: of items, see `snnctl.commands.predict_items`.

    Returns:
        `run` and `checkpoint` (lists of several runs), `columns`, `series` (how many), `window`, `horizon`,
        `trained_horizon`, `windows`, `levels`, `rows` (of all forecasts), `forecast`: the first of them, `{unique_id,
        ds, snnctl}`, with `cutoff` where several windows are asked for, `snnctl-lo-80`, `snnctl-hi-80` and so on of
        bands, `snnctl-spread` of several runs; `output` and `plot`, the files or None. Of items see
        `snnctl.commands.predict_items`.

    Raises:
        DiagnosticError: as `snnctl.serving.model.load` and `Forecaster.predict`; U504 options that do not go together,
            U505 a file of another format, U453 one that cannot be written.
    """
    output, plot, known = (None if path is None else Path(path) for path in (output, plot, known))
    asked = Asked(horizon, last, every, since, until, tuple(intervals))
    runs = [run] if isinstance(run, Path | str) else list(run)
    options: dict[str, Any] = {"device": device, "allow_plugins": allow_plugins, "plugins": plugins}
    model = load(runs[0] if len(runs) == 1 else runs, checkpoint, **options, warn=listener.warn)
    of_items = {"--split": split is not None, "--top": top != 2, "--skip-bad": skip_bad}
    if not isinstance(model, Forecaster | Ensemble):
        of_forecasts = {"--known": known is not None, "--horizon": horizon is not None, "--intervals": bool(intervals)}
        _refuse(of_forecasts | {"--last, --all, --from and --to": asked.several}, "is for forecasts")
        how: Any = {"split": split, "top": top, "skip_bad": skip_bad, "most": MOST_ROWS, "listener": listener}
        return predict_items(model, runs[0], input, output, plot, **how)
    if split is not None:
        help = "take windows of a time with --from and --to, all with --all; `snnctl backtest` scores the test windows"
        raise DiagnosticError(Diagnostic("U504", "--split is for runs that classify, or continue videos", help=help))
    _refuse(of_items, "is for runs that classify, or continue videos")
    first_run = model.members[0] if isinstance(model, Ensemble) else model
    if output is not None:
        check_suffix(output)
    if plot is not None:
        check_suffix(plot, (".png", ".svg"))
    with _given(input) as given, listener.work() as tell:
        forecast = model.forecast(given, asked, known, tell)
        seen = None
        if plot is not None:
            from snnctl.serving.figure import LastOnes

            seen = LastOnes(forecast, model.fitted.window)
        first: list[dict[str, Any]] = []
        tables = _kept(forecast.tables(None if seen is None else seen.see), first)
        if output is not None:
            write_forecast(output, tables)
        else:
            for _ in tables:
                if plot is None and len(first) == MOST_ROWS:
                    break
    if plot is not None and seen is not None:
        _draw(seen, plot, first_run.recipe.name)
    return {
        "run": str(runs[0]) if len(runs) == 1 else [str(one) for one in runs],
        "checkpoint": [one.facts for one in model.members] if isinstance(model, Ensemble) else model.facts,
        "columns": list(model.columns),
        "series": len(forecast.rows.parts),
        "window": model.fitted.window,
        "horizon": forecast.steps,
        "trained_horizon": model.fitted.horizon,
        "windows": len(forecast.ends),
        "levels": list(forecast.levels),
        "rows": len(forecast.ends) * forecast.steps * len(model.columns),
        "forecast": first,
        "output": None if output is None else str(output),
        "plot": None if plot is None else str(plot),
    }


def _refuse(given: Mapping[str, bool], why: str) -> None:
    """U504 for an option that is given and has no say."""
    for option, there in given.items():
        if there:
            raise DiagnosticError(Diagnostic("U504", f"{option} {why}", help="leave it out"))


@contextmanager
def _given(input: Path | str | None) -> Iterator[Path | None]:
    """The file to read; what comes on stdin is put into one, since readers look at it twice."""
    if input is None or str(input) != _STDIN:
        yield None if input is None else Path(input)
        return
    with scratch() as folder:
        path = folder / "stdin.csv"
        with path.open("wb") as file:
            while block := sys.stdin.buffer.read(1 << 20):
                file.write(block)
        try:
            yield path
        except DiagnosticError as error:
            told = (replace(one, file="stdin" if one.file == str(path) else one.file) for one in error.diagnostics)
            raise DiagnosticError(list(told), error.exit_code) from error


def _kept(tables: Iterator[dict[str, Any]], first: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All tables, while their first rows are kept in `first`."""
    for table in tables:
        first += islice(rows_of(table), MOST_ROWS - len(first))
        yield table


def _draw(seen: Any, path: Path, name: str) -> None:
    from snnctl.report.style import render
    from snnctl.serving.figure import figure

    png, svg = render(figure(seen.lines(), f"{name}: forecast"))
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, png if path.suffix.lower() == ".png" else svg)
