"""`snnctl predict`: a trained run forecasts what follows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from snnctl.cli.options import NoPlugins, OfRun, OnDevice, RunFolder
from snnctl.cli.session import Session

OnBad = Literal["stop", "skip"]


def predict(
    ctx: typer.Context,
    run: RunFolder,
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
    stream: Annotated[
        bool, typer.Option("--stream", help="Answer rows as they come on stdin, CSV or JSON lines, each at once.")
    ] = False,
    on_bad: Annotated[
        OnBad, typer.Option(help="With --stream, at a row that cannot be used: end, or tell and go on.")
    ] = "stop",
    known: Annotated[Path | None, typer.Option(metavar="FILE", help="Known covariates over the rows ahead.")] = None,
    horizon: Annotated[
        int | None, typer.Option(metavar="N", help="Steps ahead; beyond the trained ones it goes on from itself.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw history and forecast: .png or .svg.")] = None,
    checkpoint: OfRun = "best",
    device: OnDevice = "auto",
    no_plugins: NoPlugins = False,
) -> int:
    """Forecast what follows the training data, or new rows, in the data's own units."""
    session: Session = ctx.obj
    if stream:
        others = {
            "--output": output,
            "--last": last,
            "--all": every,
            "--from": since,
            "--to": until,
            "--known": known,
            "--horizon": horizon,
            "--plot": plot,
        }
        given = [name for name, value in others.items() if value]
        return _stream(session, run, input, given, on_bad, checkpoint, device, allow_plugins=not no_plugins)
    if on_bad != "stop":
        raise typer.BadParameter("--on-bad goes with --stream")
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
        listener=session,
    )
    return session.answer(document, show_forecast)


def _stream(
    session: Session,
    run: Any,
    input: str | None,
    given: list[str],
    on_bad: OnBad,
    checkpoint: Any,
    device: Any,
    *,
    allow_plugins: bool,
) -> int:
    """Answers go to stdout as they come; what people read goes to stderr."""
    from snnctl.commands import stream as commands
    from snnctl.core.diagnostic import ExitCode
    from snnctl.ui.stream import show_stream

    given += ["--input -"] if input == "-" else []
    if given:
        raise commands.refused_options(given)
    document = commands.stream(
        run,
        input,
        out=session.stdout,
        as_json=session.json,
        on_bad=on_bad,
        checkpoint=checkpoint,
        device=device,
        allow_plugins=allow_plugins,
        listener=session,
    )
    code = ExitCode.INTERRUPTED if document["stopped"] else ExitCode.DONE
    if session.json:
        return session.answer(document, lambda *_: None, code)
    if session.shows:
        show_stream(session.console, document)
    return int(code)
