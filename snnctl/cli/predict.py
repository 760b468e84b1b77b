"""`snnctl predict`: a trained run forecasts what follows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from snnctl.cli.options import NoPlugins, OfRun, OnDevice, PluginFiles, level_list, one_of
from snnctl.cli.session import Session
from snnctl.core.choices import SplitName

OnBad = Literal["stop", "skip"]


def predict(
    ctx: typer.Context,
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN|BUNDLE", help="Run directory, or a bundle; several are averaged.")
    ],
    input: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|FOLDER|-",
            help="New rows or items, read as those of training were; - is stdin, of rows a CSV, of texts lines.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where predictions go: .csv, .parquet or .jsonl; frames: .npy or .npz."),
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
    intervals: Annotated[
        str,
        typer.Option(
            metavar="LEVELS",
            help="Bands of these levels in percent (80,95), from the errors on validation. They are of single steps: a"
            " whole path lies within them less often. Of several runs, the mean of their widths.",
        ),
    ] = "",
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw history, forecast and bands, .png or .svg; frames ahead, also .gif."),
    ] = None,
    split: Annotated[
        SplitName | None, one_of("split", SplitName, "Items of a split of the run's own data, rather than --input.")
    ] = None,
    top: Annotated[int, typer.Option(metavar="K", help="Classes that are told of each item, the likeliest first.")] = 2,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out items that cannot be read, and say which.")
    ] = False,
    checkpoint: OfRun = "best",
    device: OnDevice = "auto",
    plugin: PluginFiles = [],  # noqa: B006
    no_plugins: NoPlugins = False,
) -> int:
    """Forecast what follows the training data or new rows, classify new items, continue videos; from the run alone."""
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
            "--intervals": intervals,
            "--split": split,
            "--skip-bad": skip_bad,
            "--plot": plot,
        }
        given = [name for name, value in others.items() if value]
        if len(runs) > 1:
            raise typer.BadParameter("--stream takes one run")
        return _stream(session, runs[0], input, given, on_bad, checkpoint, device, plugin, allow_plugins=not no_plugins)
    if on_bad != "stop":
        raise typer.BadParameter("--on-bad goes with --stream")
    from snnctl.commands import predict as commands
    from snnctl.ui.answers import show_answers
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
        split=split,
        top=top,
        skip_bad=skip_bad,
        checkpoint=checkpoint,
        device=device,
        allow_plugins=not no_plugins,
        plugins=plugin,
        listener=session,
    )
    return session.answer(document, show_forecast if "forecast" in document else show_answers)


def _stream(
    session: Session,
    run: Any,
    input: str | None,
    given: list[str],
    on_bad: OnBad,
    checkpoint: Any,
    device: Any,
    plugins: list[Path],
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
        plugins=plugins,
        listener=session,
    )
    code = ExitCode.INTERRUPTED if document["stopped"] else ExitCode.DONE
    if session.json:
        return session.answer(document, lambda *_: None, code)
    if session.shows:
        show_stream(session.console, document)
    return int(code)
