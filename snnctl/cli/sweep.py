"""`snnctl sweep`: a recipe over many settings, on a grid or by a search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import NoPlugins, OnDevice, RecipeFile, Set, Unset, folder, seed_list
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode


def sweep(
    ctx: typer.Context,
    recipe: RecipeFile,
    over: Annotated[
        list[str],
        typer.Option(metavar="PATH=[...]", help="Take each of these values. Repeatable: all combinations."),
    ] = [],  # noqa: B006  # typer reads it, nobody changes it
    case: Annotated[
        list[str],
        typer.Option(
            metavar="'NAME: PATH=VALUE ...'",
            help="Changes that belong together, '' for the recipe as it is. Repeatable; combined with --over.",
        ),
    ] = [],  # noqa: B006
    search: Annotated[
        list[str],
        typer.Option(
            metavar="PATH=LOW..HIGH[:log]", help="Search this range, or a list [...], with Optuna. Repeatable."
        ),
    ] = [],  # noqa: B006
    trials: Annotated[int, typer.Option(metavar="N", min=1, help="With --search: how many to try in all.")] = 20,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="With --search: give up trials below the median of the others at the same epoch."),
    ] = False,
    seeds: Annotated[str, typer.Option(metavar="1,2,3|1-10", help="Every point once per seed.")] = "",
    jobs: Annotated[
        int, typer.Option(metavar="N", min=1, help="So many runs at once, each on its share of the threads.")
    ] = 1,
    out: Annotated[Path | None, folder("Where runs go; else sweeps/NAME.")] = None,
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Leave out combinations that are no valid recipe.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would run, with parameters and time; write nothing.")
    ] = False,
    device: OnDevice = "auto",
    no_plugins: NoPlugins = False,
) -> int:
    """Train a recipe at many settings, several at once, and put them side by side.

    Every combination is checked before the first one runs. The same command goes on where an earlier one was stopped
    and skips what is done; values can be added. Points are ranked by the metric on validation that their recipe
    watches, never by test.
    """
    from snnctl.engine.interrupt import StopRequest

    session: Session = ctx.obj
    if search and (over or case):
        raise DiagnosticError(Diagnostic("U448", "--search and --over or --case exclude each other"))
    if prune and not search:
        raise DiagnosticError(Diagnostic("U448", "--prune needs --search"))
    if not (search or over or case):
        help = "--over 'model.neuron.tau=[2, 4]', --case 'model.spiking=false' or --search optim.lr=1e-4..1e-2:log"
        raise DiagnosticError(Diagnostic("U448", "a sweep needs something to vary", help=help))
    several = seed_list(seeds)
    try:
        with StopRequest() as stop, stop.at_once():
            from snnctl.commands import sweep as commands
            from snnctl.ui.sweep import show_plan, show_sweep

            plan = commands.Plan(recipe, set_, unset, several, jobs, out, device, not no_plugins)
            if search:
                found = commands.search(plan, search, trials=trials, prune=prune, dry_run=dry_run, listener=session)
            else:
                found = commands.grid(plan, over, case, skip_invalid=skip_invalid, dry_run=dry_run, listener=session)
            if dry_run:
                return session.answer(found.document, show_plan)
            return session.answer(
                found.document, lambda console, document: show_sweep(console, document, session.call), found.code
            )
    except KeyboardInterrupt:
        return session.fail([Diagnostic("E499", "interrupted; nothing was running")], ExitCode.INTERRUPTED)
