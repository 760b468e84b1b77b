"""`snnctl predict`: a trained run forecasts what follows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import NoPlugins, OfRun, OnDevice, PluginFiles, level_list
from snnctl.cli.session import Session


def predict(
    ctx: typer.Context,
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN|BUNDLE", help="Run directory, or a bundle; several are averaged.")
    ],
    input: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="New rows, read as those of training were; - is a CSV on stdin."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where forecasts go: .csv, .parquet or .jsonl.")
    ] = None,
    last: Annotated[
        int | None, typer.Option(metavar="N", help="Forecast from each of the last N rows; else from the last one.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Forecast from every row that has a window behind it.")] = False,
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Forecast from every row of this time or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Forecast from every row up to the end of this time.")
    ] = None,
    known: Annotated[Path | None, typer.Option(metavar="FILE", help="Known covariates over the rows ahead.")] = None,
    horizon: Annotated[
        int | None, typer.Option(metavar="N", help="Steps ahead; beyond the trained ones it goes on from itself.")
    ] = None,
    intervals: Annotated[
        str,
        typer.Option(
            metavar="LEVELS",
            help="Bands of these levels in percent (80,95), from the errors on validation. They are of single steps: a"
            " whole path lies within them less often. Of several runs, the mean of their widths.",
        ),
    ] = "",
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw history, forecast and bands: .png or .svg.")
    ] = None,
    checkpoint: OfRun = "best",
    device: OnDevice = "auto",
    plugin: PluginFiles = [],  # noqa: B006
    no_plugins: NoPlugins = False,
) -> int:
    """Forecast what follows the training data, or new rows, in the data's own units."""
    session: Session = ctx.obj
    from snnctl.commands import predict as commands
    from snnctl.ui.forecast import show_forecast

    document = commands.predict(
        runs[0] if len(runs) == 1 else runs,
        input,
        output,
        last=last,
        every=every,
        since=since,
        until=until,
        known=known,
        horizon=horizon,
        intervals=level_list(intervals),
        plot=plot,
        checkpoint=checkpoint,
        device=device,
        allow_plugins=not no_plugins,
        plugins=plugin,
        listener=session,
    )
    return session.answer(document, show_forecast)
