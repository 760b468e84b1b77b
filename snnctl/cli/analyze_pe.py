"""`snnctl analyze-pe`: what positional encodings tell apart, and what a trained network does with its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import NoPlugins, PluginFiles, Set, Unset, load_plugins, one_of, registered
from snnctl.cli.session import Session
from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic, DiagnosticError


def analyze_pe(
    ctx: typer.Context,
    subject: Annotated[
        Path | None,
        typer.Argument(metavar="RECIPE|RUN", help="Recipe file (.yaml) or run directory.", show_default=False),
    ] = None,
    position: Annotated[
        list[str],
        typer.Option(
            "--position",
            metavar="SPEC",
            help="A position: cpg, or 'cpg: {neurons: 10}'. Repeatable; all are put side by side.",
            autocompletion=registered("position"),
        ),
    ] = [],  # noqa: B006
    length: Annotated[
        int | None, typer.Option(metavar="L", min=1, help="Tokens; else the recipe's, or 168.", show_default=False)
    ] = None,
    steps: Annotated[
        int | None, typer.Option(metavar="T", min=1, help="Time steps; else the recipe's, or 4.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where files go; else RUN/pe or pe/<name>.", show_default=False)
    ] = None,
    sweep: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV with base,neurons,<metric> to draw as well.", show_default=False),
    ] = None,
    network: Annotated[
        bool, typer.Option(help="For a run: also measure attention, probe and disturbed position.")
    ] = True,
    split: Annotated[
        SplitName, one_of("split", SplitName, "For a run: which part of the data.", order=("val", "test"))
    ] = "val",
    samples: Annotated[
        int, typer.Option(metavar="N", min=4, help="For a run: samples for the probe and the attention maps.")
    ] = 256,
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
    plugin: PluginFiles = [],  # noqa: B006
    no_plugins: NoPlugins = False,
) -> int:
    """Analyse positional encodings: codes, collisions, similarity, spectrum; for a run also what the network uses.

    A recipe is not trained. Its position is compared with others: those named by --position, or a few usual ones.
    """
    session: Session = ctx.obj
    if subject is None and not position:
        help = "snnctl analyze-pe RECIPE, or snnctl analyze-pe --position cpg --position none"
        raise DiagnosticError(Diagnostic("U450", "name a recipe, a run directory or a --position", help=help))
    is_run = subject is not None and subject.suffix not in (".yaml", ".yml")
    if (set_ or unset) and (subject is None or is_run):
        what = "a run is as it was trained" if is_run else "there is no recipe to change"
        raise DiagnosticError(Diagnostic("U451", f"--set and --unset need a recipe; {what}", help="use --position"))
    load_plugins(plugin)
    from snnctl.commands import analyze_pe as commands
    from snnctl.ui.analyze_pe import show_analysis

    found = commands.analyze_pe(
        subject,
        position,
        length=length,
        steps=steps,
        out=out,
        sweep=sweep,
        network=network,
        split=split,
        samples=samples,
        sets=set_,
        unsets=unset,
        allow_plugins=not no_plugins,
        listener=session,
    )
    return session.answer(found.document, lambda console: show_analysis(console, found.document, found.first))
