"""`snnctl eval`: measure a run's weights on a split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnctl.cli.options import NoPlugins, OfRun, RunFolder, folder, one_of
from snnctl.cli.session import Session
from snnctl.core.choices import Execution, SplitName

if TYPE_CHECKING:
    from rich.console import Console


def evaluate(
    ctx: typer.Context,
    run: RunFolder,
    split: Annotated[SplitName, one_of("split", SplitName, "Which part of the data.")] = "test",
    checkpoint: OfRun = "best",
    baselines: Annotated[bool, typer.Option(help="Also fit and score the baselines.")] = True,
    examples: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Show N items: of a classifier with its confusion, of a video with its error from frame to frame.",
        ),
    ] = None,
    execution: Annotated[
        Execution,
        one_of(
            "execution",
            Execution,
            "integer: layers that spikes drive run on whole numbers; bitplane: as binary planes, and compared.",
        ),
    ] = "float",
    out: Annotated[Path | None, folder("Where --examples writes; else RUN/predictions.")] = None,
    no_plugins: NoPlugins = False,
) -> int:
    """Measure a run: metrics beside the baselines, firing rates per layer, health."""
    session: Session = ctx.obj
    from snnctl.commands import evaluate as commands
    from snnctl.ui.predictions import show_predictions
    from snnctl.ui.results import show_results

    def show(console: Console, results: dict[str, Any]) -> None:
        show_results(console, results)
        if "predictions" in results:
            show_predictions(console, results["predictions"])

    asked = (split, checkpoint, baselines, examples, execution)
    results = commands.evaluate(run, *asked, out, allow_plugins=not no_plugins, listener=session)
    return session.answer(results, show)
