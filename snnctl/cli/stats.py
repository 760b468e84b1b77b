"""`snnctl stats`: what the spikes of a trained run look like."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import NoPlugins
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError

SPLITS = ("val", "test", "train")


def stats(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(help="Run directory.", show_default=False)],
    split: Annotated[str, typer.Option(metavar="|".join(SPLITS), help="Which part of the data.")] = "val",
    samples: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="At most so many, evenly spread; else all.", show_default=False),
    ] = None,
    layers: Annotated[
        list[str],
        typer.Option(metavar="PATTERN", help="Layers to draw as rasters: '*.mlp.*'. Repeatable; else up to six."),
    ] = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where files go; else RUN/stats.", show_default=False)
    ] = None,
    no_plugins: NoPlugins = False,
) -> int:
    """Show the spikes of a run: rates, silent and saturated neurons, rasters, membranes, classes, health."""
    session: Session = ctx.obj
    if split not in SPLITS:
        raise DiagnosticError(Diagnostic("U408", f"--split must be {' or '.join(SPLITS)}, got `{split}`"))
    from snnctl.build import build
    from snnctl.engine.run_dir import RunDir
    from snnctl.engine.train import changed_data
    from snnctl.recipe import load_recipe
    from snnctl.report.saving import prepare
    from snnctl.stats.report import document, write
    from snnctl.stats.survey import survey
    from snnctl.ui.report import follow
    from snnctl.ui.stats import show_stats

    folder = RunDir.open(run)
    recipe = load_recipe(folder.recipe, allow_plugins=not no_plugins)
    with follow(session.console, shown=not (session.json or session.quiet)) as tell:
        tell("data", 0.0)
        experiment = build(recipe)
        changed = changed_data(experiment, folder)
        if changed is not None:
            session.warn([replace(changed, severity="warning", help="")])
        spiking = experiment.network.spikes
        place = out or folder.path / "stats"
        if spiking:
            prepare(place)
        found = survey(experiment, folder, split=split, samples=samples, layers=layers if spiking else (), tell=tell)
        if spiking:
            answer = write(found, place, f"snnctl {shlex.join(sys.argv[1:])}", tell)
        else:
            answer = {**document(found), "files": []}
    return session.answer(answer, lambda console: show_stats(console, answer))
