"""`snnctl backtest`: forecasts from rolling origins, beside what anyone would take instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnctl.cli.options import NoPlugins, OfRun, OnDevice, Set, Unset, folder
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode

if TYPE_CHECKING:
    from rich.console import Console


def _methods(incomplete: str) -> Iterator[str]:
    from snnctl.backtest.statistical import METHODS

    yield from (name for name in METHODS if name.startswith(incomplete))


def backtest(
    ctx: typer.Context,
    subject: Annotated[Path, typer.Argument(metavar="RUN|RECIPE", help="Run directory, or recipe file (.yaml).")],
    n_windows: Annotated[
        int | None,
        typer.Option(metavar="N", help="Origins of each series, counted from the end; else all of the test split."),
    ] = None,
    step_size: Annotated[
        int | None,
        typer.Option(metavar="K", help="Rows from one origin to the next; else 1, and with --refit the horizon."),
    ] = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="Train anew before each origin, on all rows up to there.")
    ] = False,
    refit_every: Annotated[
        int | None, typer.Option(metavar="K", help="Train anew before every K-th origin.", min=1)
    ] = None,
    intervals: Annotated[
        str, typer.Option(metavar="80,95", help="Levels of rolling bands in percent; none leaves them out.")
    ] = "80,95",
    band_windows: Annotated[
        int | None,
        typer.Option(metavar="N", help="The last N resolved windows make a band; else as many as validation has."),
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="Statistical methods beside the baselines: AutoETS, AutoTheta, MSTL, AutoARIMA, AutoCES, "
            "DynamicOptimizedTheta, SeasonalNaive (extra `statistical`).",
            autocompletion=_methods,
        ),
    ] = "",
    against_minutes: Annotated[
        float, typer.Option(metavar="MIN", help="A method that would take longer is left out, and it is said.")
    ] = 10.0,
    season: Annotated[
        int | None, typer.Option(metavar="N", help="Rows in one season, for MASE and seasonal methods.", min=1)
    ] = None,
    input: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Forecast these rows instead, all of them.")
    ] = None,
    out: Annotated[Path | None, folder("Where files go; else RUN/backtest, or backtest/NAME of a recipe.")] = None,
    format: Annotated[str, typer.Option(metavar="csv|parquet|jsonl", help="Of the file of all forecasts.")] = "csv",
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
    checkpoint: OfRun = "best",
    device: OnDevice = "auto",
    no_plugins: NoPlugins = False,
) -> int:
    """Forecast from rolling origins, and hold it against what came, and against what anyone would take instead.

    A RUN forecasts as it is; a RECIPE is trained once, before the first origin; --refit trains either anew before each
    origin. Windows that a run was trained on are told. Errors by step, series, column and time, rolling bands and how
    they cover, a page, and all forecasts as long rows (unique_id, ds, cutoff, y, snnctl, ...), which utilsforecast
    scores and plots as they are. Trainings that are done are kept: the same command goes on where it was stopped.
    """
    from snnctl.engine.interrupt import StopRequest

    session: Session = ctx.obj
    levels = _levels(intervals)
    try:
        with StopRequest() as stop, stop.at_once():
            from snnctl.commands import backtest as commands
            from snnctl.ui.backtest import show_backtest, show_interrupted

            found = commands.backtest(
                subject,
                n_windows=n_windows,
                step_size=step_size,
                refit=refit_every or int(refit),
                intervals=levels,
                band_windows=band_windows,
                against=[name.strip() for name in against.split(",") if name.strip()],
                against_minutes=against_minutes,
                season=season,
                input=input,
                out=out,
                format=format,
                sets=set_,
                unsets=unset,
                checkpoint=checkpoint,
                device=device,
                allow_plugins=not no_plugins,
                listener=session,
            )
    except KeyboardInterrupt:
        message = "interrupted; trainings that are done are kept, and the same command goes on"
        return session.fail([Diagnostic("E499", message)], ExitCode.INTERRUPTED)

    def show(console: Console, document: dict[str, Any]) -> None:
        (show_interrupted if found.interrupted else show_backtest)(console, document)

    return session.answer(found.document, show, ExitCode.INTERRUPTED if found.interrupted else ExitCode.DONE)


def _levels(text: str) -> list[int]:
    """`80,95`; nothing for `none`.

    Raises:
        DiagnosticError: U570, they are no percents.
    """
    if text.strip() in ("", "none"):
        return []
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        message = f"--intervals takes percents (80,95) or none, got `{text}`"
        raise DiagnosticError(Diagnostic("U570", message)) from None
