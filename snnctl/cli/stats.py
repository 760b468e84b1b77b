"""`snnctl stats`: what the spikes of a trained run look like."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnctl.cli.options import NoPlugins
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError

if TYPE_CHECKING:
    from snnctl.engine.experiment import Experiment
    from snnctl.engine.run_dir import RunDir
    from snnctl.inspect.time_constants.collect import TauSurvey

SPLITS = ("val", "test", "train")


def stats(
    ctx: typer.Context,
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Run directory; several with --tau.", show_default=False)
    ],
    split: Annotated[str, typer.Option(metavar="|".join(SPLITS), help="Which part of the data.")] = "val",
    samples: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="At most so many, evenly spread; else all.", show_default=False),
    ] = None,
    layers: Annotated[
        list[str],
        typer.Option(metavar="PATTERN", help="Layers to draw as rasters: '*.mlp.*'. Repeatable; else up to six."),
    ] = [],  # noqa: B006
    tau: Annotated[
        bool,
        typer.Option(
            "--tau",
            help="Also the time constants by depth; of several RUNs, or folders of them, pooled over seeds, alone.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where files go; else RUN/stats, or ./stats of several.", show_default=False),
    ] = None,
    no_plugins: NoPlugins = False,
) -> int:
    """Show the spikes of a run: rates, silent and saturated neurons, rasters, membranes, classes, health.

    With --tau also its time constants: by depth, against those before training, with a test whether they rise.
    """
    session: Session = ctx.obj
    if split not in SPLITS:
        raise DiagnosticError(Diagnostic("U408", f"--split must be {' or '.join(SPLITS)}, got `{split}`"))
    if tau and (len(runs) > 1 or not (runs[0] / "manifest.json").exists()):
        if layers or samples is not None:
            raise DiagnosticError(Diagnostic("U472", "--layers and --samples are for the spikes of a single RUN"))
        return _tau_of_several(session, runs, out or Path("stats"), no_plugins)
    if len(runs) > 1:
        help = "snnctl stats --tau RUN RUN... pools time constants; snnctl compare RUN RUN... compares results"
        raise DiagnosticError(Diagnostic("U472", "the spikes of one run at a time", help=help))
    from snnctl.build import build
    from snnctl.engine.run_dir import RunDir
    from snnctl.engine.train import changed_data
    from snnctl.inspect.activity.collect import survey
    from snnctl.inspect.activity.page import report
    from snnctl.inspect.activity.tables import document
    from snnctl.recipe import load_recipe
    from snnctl.report.saving import prepare, write
    from snnctl.ui.report import follow
    from snnctl.ui.stats import show_stats

    folder = RunDir.open(runs[0])
    recipe = load_recipe(folder.recipe, allow_plugins=not no_plugins)
    with follow(session.console, shown=not (session.json or session.quiet)) as tell:
        tell("data", 0.0)
        experiment = build(recipe)
        changed = changed_data(experiment, folder)
        if changed is not None:
            session.warn([replace(changed, severity="warning", help="")])
        taus = _tau([(experiment, folder)]) if tau else None
        spiking = experiment.network.spikes
        place = out or folder.path / "stats"
        if spiking:
            prepare(place)
        found = survey(experiment, folder, split=split, samples=samples, layers=layers if spiking else (), tell=tell)
        if spiking:
            answer = write(report(found, taus), place, f"snnctl {shlex.join(sys.argv[1:])}", tell)
        else:
            answer = {**document(found), "files": []}
    return session.answer(answer, lambda console: show_stats(console, answer))


def _tau(built: Iterable[tuple[Experiment, RunDir]]) -> TauSurvey:
    from snnctl.inspect.time_constants.collect import TauSurvey, run_taus

    found, name, dt_ms = [], "", 0.0
    for experiment, folder in built:
        name, dt_ms = experiment.name, experiment.network.signals["encoder"].dt_ms
        found.append(run_taus(experiment, folder))
    return TauSurvey(name, dt_ms, found)


def _tau_of_several(session: Session, paths: list[Path], out: Path, no_plugins: bool) -> int:
    """Runs that differ in their seed alone, each with its best weights."""
    from snnctl.build import build
    from snnctl.compare.collect import finished, run_folders
    from snnctl.compare.groups import grouped
    from snnctl.inspect.time_constants.page import report
    from snnctl.recipe import load_recipe
    from snnctl.report.saving import prepare, write
    from snnctl.ui.report import follow
    from snnctl.ui.stats import show_tau_of_several

    runs, left_out = finished(run_folders(paths))
    grouping = grouped(runs)
    session.warn([*left_out, *grouping.warnings])
    if len(grouping.groups) > 1:
        message = f"these runs differ in more than their seed: {', '.join(grouping.differing)}"
        help = "time constants are pooled over seeds; name the runs of one group: " + "; ".join(
            group.name for group in grouping.groups
        )
        raise DiagnosticError(Diagnostic("U473", message, path=grouping.differing[0], help=help))
    chosen = grouping.first.runs
    prepare(out)
    with follow(session.console, shown=not (session.json or session.quiet)) as tell:

        def built() -> Iterator[tuple[Experiment, RunDir]]:
            for number, run in enumerate(chosen):
                tell(f"run {run.path}", 0.6 * number / len(chosen))
                yield build(load_recipe(run.folder.recipe, allow_plugins=not no_plugins)), run.folder

        answer = write(report(_tau(built())), out, f"snnctl {shlex.join(sys.argv[1:])}", tell)
    return session.answer(answer, lambda console: show_tau_of_several(console, answer))
