"""`snnctl predict`: a trained run forecasts what follows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import NoPlugins, OfRun, OnDevice, PluginFiles
from snnctl.cli.session import Session


def predict(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="Run directory, or a bundle.")],
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
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw history and forecast: .png or .svg.")] = None,
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
        run,
        input,
        output,
        last=last,
        every=every,
        since=since,
        until=until,
        known=known,
        horizon=horizon,
        plot=plot,
        checkpoint=checkpoint,
        device=device,
        allow_plugins=not no_plugins,
        plugins=plugin,
        listener=session,
    )
    return session.answer(document, show_forecast)
