"""`snnctl train --seeds ... --jobs N`: what is shown of seeds that train at the same time, and how that ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnctl.cli.processes import Together, threads_each, train_together
from snnctl.cli.session import Session
from snnctl.core.diagnostic import ExitCode

if TYPE_CHECKING:
    from snnctl.recipe import Recipe
    from snnctl.ui.together import SeedsView


def run_together(
    session: Session, recipes: Sequence[Recipe], arguments: Sequence[str], jobs: int, runs: Path, out: Path | None
) -> Together:
    """Train recipes that differ in their seed.

    Args:
        arguments: of `snnctl train`, but for seeds and folders.
        jobs: at once.
        runs, out: as the options of the command.
    """
    from snnctl.engine.run_dir import RunDir

    outs = [
        out / f"seed-{recipe.train.seed}" if out is not None else RunDir.unused(runs, recipe.name, recipe.digest())
        for recipe in recipes
    ]
    jobs = min(jobs, len(recipes))
    return train_together(recipes, outs, arguments, jobs, _view(session, recipes, jobs))


def _view(session: Session, recipes: Sequence[Recipe], jobs: int) -> SeedsView | None:
    if session.json or session.quiet:
        return None
    from snnctl.engine.run_dir import RunDir
    from snnctl.ui.together import Clock, LiveSeeds, PlainSeeds, result_line

    train, console = recipes[0].train, session.console
    watched = train.early_stop.metric

    def look(folder: Path) -> tuple[int, float | None]:
        records = RunDir(folder).metrics()
        return len(records), records[-1].get(watched) if records else None

    def result(folder: Path) -> str:
        return result_line(RunDir(folder).results())

    console.print(f"{len(recipes)} seeds, {jobs} at a time, threads for each: {threads_each(jobs)}", highlight=False)
    clock = Clock(train.epochs, jobs)
    if console.is_terminal:
        return LiveSeeds(console, clock, train.epochs, watched, look, result)
    return PlainSeeds(clock, look, result)


def failed(session: Session, found: Together) -> int:
    """What each failed seed said; the exit code of the first."""
    told = [replace(one, message=f"seed {seed}: {one.message}") for seed, said, _ in found.failed for one in said]
    return session.fail(told, found.failed[0][2])


def stopped(session: Session, done: Sequence[dict[str, Any]], cut: Sequence[dict[str, Any]], of: int) -> int:
    """Exit 75; `run` lists the finished runs, then those that were stopped."""
    document = {
        "status": "interrupted",
        "run": [found["run"] for found in (*done, *cut)],
        "epochs_done": [found["epochs_done"] for found in cut],
    }

    def show(console: Any) -> None:
        console.print(
            f"interrupted: {len(done)} of {of} seeds are done, {len(cut)} are saved. With --out the same command and "
            "--continue goes on; `snnctl train --resume RUN` with a single one:",
            soft_wrap=True,
        )
        for found in cut:
            console.print(f"  {found['run']}", soft_wrap=True)

    return session.answer(document, show, ExitCode.INTERRUPTED)
