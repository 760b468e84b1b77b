"""`snnctl train`: validate, build, train, test, compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnctl.cli.options import NoPlugins, OnDevice, Set, Unset, folder, seed_list
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode

if TYPE_CHECKING:
    from rich.console import Console

    from snnctl.commands.trained import Trained


def train(
    ctx: typer.Context,
    recipe: Annotated[Path | None, typer.Argument(help="Recipe file (.yaml).")] = None,
    set_: Set = [],  # noqa: B006  # typer reads it, nobody changes it
    unset: Unset = [],  # noqa: B006
    seeds: Annotated[str, typer.Option(metavar="1,2,3|1-10", help="Train once per seed, report mean and sd.")] = "",
    jobs: Annotated[
        int, typer.Option(metavar="N", min=1, help="With --seeds: so many at once, each on its share of the threads.")
    ] = 1,
    runs: Annotated[Path, folder("Where run directories are made.")] = Path("runs"),
    out: Annotated[Path | None, folder("Name the run directory itself; with --seeds its parent.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with an interrupted run.")] = None,
    continue_: Annotated[
        bool,
        typer.Option("--continue", help="With --out: skip runs that are done, resume those that are not."),
    ] = False,
    stop_after: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Stop and save after N epochs (exit 75).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Build, forecast time and memory, write nothing.")] = False,
    device: OnDevice = "auto",
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard curves.")] = False,
    no_plugins: NoPlugins = False,
) -> int:
    """Train a recipe, then test the best weights beside the baselines.

    The best weights are chosen on the validation split. Ctrl-C saves and exits 75; `--resume RUN` goes on
    and ends with the same weights, bit for bit, as if never interrupted.
    """
    from snnctl.engine.interrupt import StopRequest

    session: Session = ctx.obj
    more: dict[str, Any] = {"allow_plugins": not no_plugins, "listener": session}
    with StopRequest() as stop, stop.at_once():
        if resume is not None:
            given = {"--seeds": seeds, "--jobs": jobs > 1, "--out": out, "--continue": continue_, "--dry-run": dry_run}
            _alone(recipe, [option for option, value in given.items() if value])
            from snnctl.commands import train as commands

            return _answer(session, commands.resume(resume, set_, unset, stop_after, device, tensorboard, **more), 0)
        several = seed_list(seeds)
        if recipe is None:
            help = "snnctl train RECIPE.yaml; `snnctl init` copies one"
            raise DiagnosticError(Diagnostic("U402", help=help))
        if continue_ and out is None:
            raise DiagnosticError(Diagnostic("U403"))
        if jobs > 1 and not several:
            help = "one run uses all threads by itself"
            raise DiagnosticError(Diagnostic("U421", help=help))
        from snnctl.commands import train as commands

        if dry_run:
            from snnctl.ui.results import show_forecast

            first = [*set_, *(f"train.seed={seed}" for seed in several[:1])]
            return session.answer(commands.forecast(recipe, first, unset, device, **more), show_forecast)
        how = (runs, out, continue_, stop_after, device, tensorboard)
        found = commands.train(recipe, set_, unset, several, jobs, *how, **more)
        return _answer(session, found, len(several))


def _alone(recipe: Path | None, others: list[str]) -> None:
    """--resume goes on with what lies there; options that would start something else contradict it."""
    if recipe is not None:
        raise DiagnosticError(Diagnostic("U406", "--resume takes the recipe from the run", help="leave the recipe out"))
    if others:
        raise DiagnosticError(Diagnostic("U406", f"--resume and {others[0]} exclude each other"))


def _answer(session: Session, found: Trained, seeds: int) -> int:
    from snnctl.ui.results import show_interrupted, show_results, show_seeds

    def show(console: Console, document: dict[str, Any]) -> None:
        if found.interrupted:
            show_interrupted(console, document, seeds)
        elif seeds:
            show_seeds(console, document)
        else:
            show_results(console, document, positions="position" in found.recipe.values["model"])

    return session.answer(found.document, show, ExitCode.INTERRUPTED if found.interrupted else ExitCode.DONE)
