"""`snnctl stats`: what the spikes of a trained run look like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import NoPlugins, folder, one_of
from snnctl.cli.session import Session
from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic, DiagnosticError


def stats(
    ctx: typer.Context,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run directory; several with --tau.")],
    split: Annotated[
        SplitName, one_of("split", SplitName, "Which part of the data.", order=("val", "test", "train"))
    ] = "val",
    samples: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="At most so many, evenly spread; else all."),
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
    out: Annotated[Path | None, folder("Where files go; else RUN/stats, or ./stats of several.")] = None,
    no_plugins: NoPlugins = False,
) -> int:
    """Show the spikes of a run: rates, silent and saturated neurons, rasters, membranes, classes, health.

    With --tau also its time constants: by depth, against those before training, with a test whether they rise.
    """
    session: Session = ctx.obj
    from snnctl.engine.run_dir import RunDir

    if tau and (len(runs) > 1 or not RunDir(runs[0]).begun):
        if layers or samples is not None:
            raise DiagnosticError(Diagnostic("U472", "--layers and --samples are for the spikes of a single RUN"))
        from snnctl.commands.stats import pooled_taus
        from snnctl.ui.stats import show_tau_of_several

        pooled = pooled_taus(runs, out or Path("stats"), allow_plugins=not no_plugins, listener=session)
        return session.answer(pooled, show_tau_of_several)
    if len(runs) > 1:
        help = "snnctl stats --tau RUN RUN... pools time constants; snnctl compare RUN RUN... compares results"
        raise DiagnosticError(Diagnostic("U472", "the spikes of one run at a time", help=help))
    from snnctl.commands import stats as commands
    from snnctl.ui.stats import show_stats

    found = commands.stats(runs[0], split, samples, layers, tau, out, allow_plugins=not no_plugins, listener=session)
    return session.answer(found, show_stats)
