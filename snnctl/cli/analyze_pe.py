"""`snnctl analyze-pe`: what positional encodings tell apart, and what a trained network does with its own."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnctl.cli.options import NoPlugins, PluginFiles, Set, Unset, load_plugins
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError

if TYPE_CHECKING:
    from snnctl.inspect.positions.collect import Trained
    from snnctl.inspect.positions.subject import Subject
    from snnctl.report.saving import Tell

SPLITS = ("val", "test")


def _complete_position(incomplete: str) -> Iterator[str]:
    from snnctl.core.catalog import POSITIONS

    yield from (name for name in POSITIONS.names() if name.startswith(incomplete))


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
            autocompletion=_complete_position,
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
    split: Annotated[str, typer.Option(metavar="|".join(SPLITS), help="For a run: which part of the data.")] = "val",
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
    if split not in SPLITS:
        raise DiagnosticError(Diagnostic("U408", f"--split must be {' or '.join(SPLITS)}, got `{split}`"))
    if subject is None and not position:
        help = "snnctl analyze-pe RECIPE, or snnctl analyze-pe --position cpg --position none"
        raise DiagnosticError(Diagnostic("U450", "name a recipe, a run directory or a --position", help=help))
    is_run = subject is not None and subject.suffix not in (".yaml", ".yml")
    if (set_ or unset) and (subject is None or is_run):
        what = "a run is as it was trained" if is_run else "there is no recipe to change"
        raise DiagnosticError(Diagnostic("U451", f"--set and --unset need a recipe; {what}", help="use --position"))
    load_plugins(plugin)
    from snnctl.engine.run_dir import RunDir
    from snnctl.inspect.positions.collect import analyse
    from snnctl.inspect.positions.page import report
    from snnctl.inspect.positions.sensitivity import read_sweep
    from snnctl.inspect.positions.subject import make_encodings, of_positions, of_recipe, of_run, parse_specs
    from snnctl.recipe import load_recipe
    from snnctl.report.saving import write
    from snnctl.ui.analyze_pe import show_analysis
    from snnctl.ui.report import follow

    wanted = parse_specs(position)
    swept = None if sweep is None else read_sweep(sweep)
    if subject is None:
        found = of_positions(wanted, length, steps)
    elif is_run:
        run = RunDir.open(subject)
        found = of_run(run, load_recipe(run.recipe, allow_plugins=not no_plugins), wanted, length, steps)
    else:
        recipe = load_recipe(subject, set_, unset, allow_plugins=not no_plugins)
        session.warn(recipe.warnings)
        found = of_recipe(recipe, wanted, length, steps)
    encodings, notes = make_encodings(found.wanted, found.signal, found.seed)
    with follow(session.console, shown=not (session.json or session.quiet)) as tell:
        trained = _trained(session, found, split, samples, tell) if is_run and network else None
        analysis = analyse(found.name, encodings, sweep=swept, trained=trained, notes=notes)
        document = write(report(analysis), out or found.out, f"snnctl {shlex.join(sys.argv[1:])}", tell)
    return session.answer(document, lambda console: show_analysis(console, document, encodings[0]))


def _trained(session: Session, found: Subject, split: str, samples: int, tell: Tell) -> Trained:
    """What the run's network does; warns if its data has changed."""
    from snnctl.build import build
    from snnctl.engine.train import changed_data
    from snnctl.inspect.positions.collect import measure

    assert found.recipe is not None
    assert found.run is not None
    tell("data", 0.0)
    experiment = build(found.recipe)
    changed = changed_data(experiment, found.run)
    if changed is not None:
        session.warn([replace(changed, severity="warning", help="")])
    return measure(experiment, found.run, split=split, samples=samples, tell=tell)
