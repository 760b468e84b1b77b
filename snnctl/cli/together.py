"""Runs that train at the same time, as commands show them; the seeds of `snnctl train --seeds ... --jobs N`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, ExitCode
from snnctl.sweep.jobs import Ended, Job, Listed, View, run_jobs, threads_each

if TYPE_CHECKING:
    from snnctl.recipe import Recipe


def run_seeds(
    session: Session, recipes: Sequence[Recipe], arguments: Sequence[str], at_once: int, runs: Path, out: Path | None
) -> list[Ended]:
    """Train recipes that differ in their seed.

    Args:
        arguments: of `snnctl train`, but for seeds and folders.
        at_once: how many train at the same time.
        runs, out: as the options of the command.
    """
    from snnctl.engine.run_dir import RunDir

    def job(recipe: Recipe) -> Job:
        seed, train = recipe.train.seed, recipe.train
        folder = RunDir.unused(runs, recipe.name, recipe.digest()) if out is None else out / f"seed-{seed}"
        own = ("--set", f"train.seed={seed}")
        return Job(f"seed {seed}", folder, (*arguments, *own), train.epochs, train.early_stop.metric)

    at_once = min(at_once, len(recipes))
    view = runs_view(session, f"{len(recipes)} seeds", at_once)
    return run_jobs(Listed([job(recipe) for recipe in recipes]), at_once, view)


def runs_view(session: Session, what: str, at_once: int) -> View | None:
    """Progress on a terminal, lines elsewhere, nothing with --json or --quiet."""
    if session.json or session.quiet:
        return None
    from snnctl.engine.run_dir import RunDir
    from snnctl.ui.together import Clock, LiveRuns, PlainRuns

    def look(folder: Path, watched: str) -> tuple[int, float | None]:
        records = RunDir(folder).metrics()
        return len(records), records[-1].get(watched) if records else None

    console, clock = session.console, Clock(at_once)
    console.print(f"{what}, {at_once} at a time, threads for each: {threads_each(at_once)}", highlight=False)
    return LiveRuns(console, clock, look) if console.is_terminal else PlainRuns(clock, look)


def complaints(found: Sequence[Ended]) -> list[Diagnostic]:
    """What each failed run said, with its label."""
    return [
        replace(said, message=f"{one.job.label}: {said.message}")
        for one in found
        if one.state == "failed"
        for said in one.said
    ]


def failed(session: Session, found: Sequence[Ended]) -> int:
    """What each failed run said; the exit code of the first."""
    return session.fail(complaints(found), next(one.code for one in found if one.state == "failed"))


def stopped(session: Session, found: Sequence[Ended], of: int) -> int:
    """Exit 75; `run` lists the finished runs, then those that were stopped."""
    done = [one.results for one in found if one.state == "done"]
    cut = [one.results for one in found if one.state == "interrupted"]
    document = {
        "status": "interrupted",
        "run": [results["run"] for results in (*done, *cut)],
        "epochs_done": [results["epochs_done"] for results in cut],
    }

    def show(console: Any) -> None:
        console.print(
            f"interrupted: {len(done)} of {of} seeds are done, {len(cut)} are saved. With --out the same command and "
            "--continue goes on; `snnctl train --resume RUN` with a single one:",
            soft_wrap=True,
        )
        for results in cut:
            console.print(f"  {results['run']}", soft_wrap=True)

    return session.answer(document, show, ExitCode.INTERRUPTED)
