"""A sweep over points that are known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from snnctl.engine.run_dir import RunDir
from snnctl.recipe.resolve import Recipe
from snnctl.sweep.jobs import Ended, Job, Listed
from snnctl.sweep.outcome import Tried
from snnctl.sweep.points import Resolved
from snnctl.sweep.taken_up import TakenUp


@dataclass(frozen=True)
class Place:
    """What all runs of a sweep share."""

    out: Path  # its folder
    arguments: tuple[str, ...]  # of `snnctl train`: the recipe, the changes that all points have, other options
    seeds: tuple[int, ...]  # empty for each recipe's own
    taken: TakenUp  # looks at the runs that lie there already

    def tried(self, label: str, sets: Sequence[str], changes: dict[str, object], recipe: Recipe, folder: str) -> Tried:
        """A point with its runs in `folder`, none of which has begun; what lies there is gone on with.

        What it changes are `changes`, which are `sets` as `--set` takes them.
        """
        arguments = (*self.arguments, *(part for text in sets for part in ("--set", text)))
        seeds, stop = self.seeds or (recipe.train.seed,), recipe.train.early_stop
        jobs = {}
        for seed in seeds:
            run = RunDir(self.out / folder / f"seed-{seed}")
            if run.begun:
                self.taken.check(run, recipe.seeded(seed))
            name = f"{label}, seed {seed}" if len(seeds) > 1 else label
            jobs[seed] = Job.of(recipe, seed, name, self.out / folder / f"seed-{seed}", arguments, continue_=True)
        return Tried(label, changes, stop.metric, stop.mode, jobs)


class Grid(Listed):
    """Every point with every seed; all come before the next seed, so that what is stopped has pairs to compare."""

    kind: ClassVar[Literal["grid"]] = "grid"
    refused: ClassVar[int] = 0  # invalid points are dealt with before there is a grid

    def __init__(self, points: Sequence[Resolved], place: Place) -> None:
        self.tried = [
            place.tried(one.point.label, one.point.sets, dict(one.point.changes), one.recipe, one.folder)
            for one in points
        ]
        self.out = place.out
        missing: list[Job] = []
        for number in range(len(place.seeds) or 1):
            for point in self.tried:
                job = point.jobs[point.seeds[number]]
                results = RunDir(job.out).results()
                if results is None:
                    missing.append(job)
                else:
                    point.note(Ended(job, "done", results))
        super().__init__(missing)

    def ended(self, found: Ended) -> None:
        """Note it at its point."""
        for point in self.tried:
            point.note(found)
