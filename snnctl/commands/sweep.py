"""Training a recipe at many settings: every point of a grid, or what a search tries next; and what that would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snnctl.build import build
from snnctl.commands.listener import NOBODY, Listener
from snnctl.compare.comparison import compare
from snnctl.compare.page import report
from snnctl.core.choices import Device
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode
from snnctl.core.files import write_json, writing
from snnctl.engine.dry_run import forecast
from snnctl.engine.runtime import Runtime
from snnctl.recipe import Recipe, load_recipe
from snnctl.report.saving import write
from snnctl.sweep.grid import Grid, Place
from snnctl.sweep.jobs import Ended, run_jobs, train_arguments
from snnctl.sweep.outcome import DOCUMENT, document
from snnctl.sweep.points import Checked, Point, Resolved, check_points, make_points, read_axis, read_case
from snnctl.sweep.search import Search, open_study, read_space
from snnctl.sweep.taken_up import TakenUp


@dataclass(frozen=True)
class Swept:
    """What has come of a sweep.

    Args:
        document: see `snnctl.sweep.outcome.document`.
        code: that of the first run that failed, if one did.
    """

    document: dict[str, Any]
    code: ExitCode


@dataclass(frozen=True)
class Plan:
    """What the points of a sweep share.

    Args:
        sets, unsets: changes that all points have.
        seeds: every point once per seed; none takes the recipe's own.
        jobs: so many runs at once, each in a process of its own.
        out: where runs go; None: `sweeps/NAME`.
    """

    recipe: Path | str
    sets: Sequence[str] = ()
    unsets: Sequence[str] = ()
    seeds: Sequence[int] = ()
    jobs: int = 1
    out: Path | None = None
    device: Device = "auto"
    allow_plugins: bool = True

    def check(self, points: Sequence[Point]) -> Checked:
        """Resolve points, with what all of them share."""
        return check_points(self.recipe, points, self.sets, self.unsets, allow_plugins=self.allow_plugins)

    def place(self, recipe: Recipe, listener: Listener) -> Place:
        """Where runs go, and what their commands share."""
        out = self.out or Path("sweeps") / recipe.name
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
        shared = train_arguments(
            self.recipe, self.sets, self.unsets, device=self.device, allow_plugins=self.allow_plugins
        )
        return Place(out, shared, tuple(self.seeds), TakenUp(listener.warn))

    def forecast(self, points: Sequence[Resolved], listener: Listener, times: int = 1) -> dict[str, Any]:
        """`{points: [{name, changes, parameters, epochs, seconds}], runs, seconds}`: each alone, and all together."""
        rows = []
        for one in points:
            experiment = build(one.recipe)
            with listener.work() as tell:
                found = forecast(experiment, Runtime.of(one.recipe.train, self.device), tell)
            facts = {key: found[key] for key in ("parameters", "epochs", "seconds")}
            rows.append({"name": one.point.label, "changes": dict(one.point.changes), **facts})
        runs = times * (len(self.seeds) or 1)
        return {"points": rows, "runs": len(rows) * runs, "seconds": sum(row["seconds"] for row in rows) * runs}


def grid(
    plan: Plan,
    over: Sequence[str] = (),
    case: Sequence[str] = (),
    *,
    skip_invalid: bool = False,
    dry_run: bool = False,
    listener: Listener = NOBODY,
) -> Swept:
    """Train every combination, and put them side by side. All are checked before the first one runs.

    Args:
        over: `PATH=[VALUE, ...]` each.
        case: `NAME: PATH=VALUE ...` each: changes that belong together, "" for the recipe as it is.
        skip_invalid: leave out combinations that are no valid recipe.
        dry_run: only tell what would run, as `Plan.forecast`.

    Raises:
        DiagnosticError: U443 to U445, what is to vary cannot be read; whatever is wrong with a recipe.
        KeyboardInterrupt: it was stopped before the first run had begun.
    """
    points = make_points([read_axis(text) for text in over], [read_case(text) for text in case])
    checked = plan.check(points)
    if checked.refused and not (skip_invalid and checked.resolved):
        raise DiagnosticError(checked.problems())
    left_out = [
        Diagnostic("U449", facts={"label": point.label}, severity="warning", notes=(said[0].message,))
        for point, said in checked.refused
    ]
    listener.warn([*checked.warnings, *left_out])
    if dry_run:
        return Swept(plan.forecast(checked.resolved, listener), ExitCode.DONE)
    made = Grid(checked.resolved, plan.place(checked.resolved[0].recipe, listener))
    runs = len(checked.resolved) * (len(plan.seeds) or 1)
    return _run(plan, made, f"{len(checked.resolved)} points, {made.waiting} of {runs} runs to train", listener)


def search(
    plan: Plan,
    spaces: Sequence[str],
    *,
    trials: int = 20,
    prune: bool = False,
    dry_run: bool = False,
    listener: Listener = NOBODY,
) -> Swept:
    """Search ranges with Optuna, by the metric on validation that the recipe watches.

    Args:
        spaces: `PATH=LOW..HIGH[:log]` or `PATH=[VALUE, ...]` each.
        trials: how many to try in all.
        prune: give up trials below the median of the others at the same epoch.
        dry_run: only tell what would run, as `Plan.forecast`.

    Raises:
        DiagnosticError: U445, a range cannot be read; U446, Optuna is not installed; U447, another search lies there;
            U448, the recipe watches no metric on validation; whatever is wrong with the recipe.
        KeyboardInterrupt: it was stopped before the first run had begun.
    """
    ranges = [read_space(text) for text in spaces]
    recipe = load_recipe(plan.recipe, plan.sets, plan.unsets, allow_plugins=plan.allow_plugins)
    stop = recipe.train.early_stop
    if not stop.metric.startswith("val/"):
        raise DiagnosticError(Diagnostic("U448", f"a search goes by validation, not by `{stop.metric}`"))
    checked = plan.check([Point("as it is", {})])
    listener.warn(checked.warnings or recipe.warnings)
    if dry_run:
        if checked.refused:
            raise DiagnosticError(checked.problems())
        return Swept(plan.forecast(checked.resolved, listener, times=trials), ExitCode.DONE)

    def resolve(point: Point) -> Recipe | list[Diagnostic]:
        checked = plan.check([point])
        return checked.resolved[0].recipe if checked.resolved else checked.problems()

    place = plan.place(recipe, listener)
    identity = {"recipe": recipe.digest(), "seeds": list(place.seeds)}
    with writing(place.out):
        study = open_study(
            place.out,
            ranges,
            stop.mode,
            recipe.train.seed,
            identity,
            many=plan.jobs > 1,
            prune=prune,
            warn=listener.warn,
        )
    made = Search(study, ranges, trials, place, resolve)
    return _run(plan, made, f"up to {made.waiting} runs by {stop.metric}", listener)


def _run(plan: Plan, source: Grid | Search, what: str, listener: Listener) -> Swept:
    ended: list[Ended] = []
    if source.waiting:
        at_once = min(plan.jobs, source.waiting)
        ended = run_jobs(source, at_once, listener.runs(what, at_once))
    if not source.tried:  # asked to stop before the first one was begun
        raise KeyboardInterrupt
    found = document(source.tried, source.out, source.kind) | {"refused": source.refused}
    failed = [one for one in ended if one.state == "failed"]
    code = failed[0].code if failed else ExitCode.DONE
    if found["status"] == "interrupted":
        code = ExitCode.INTERRUPTED
    if source.kind == "grid" and code == ExitCode.DONE:
        found |= _side_by_side(source, listener)
    with writing(source.out):
        write_json(source.out / DOCUMENT, found)
    listener.warn([said for one in failed for said in one.complaints])
    return Swept(found, code)


def _side_by_side(source: Grid | Search, listener: Listener) -> dict[str, Any]:
    """Tables, figures and a page of a comparison over the finished runs."""
    runs = [Path(results["run"]) for point in source.tried for results in point.done]
    try:
        found = compare(runs, [], None)
        with listener.work() as tell:
            return {"compare": write(report(found), source.out / "compare", listener.call, tell)}
    except DiagnosticError as error:  # points of different tasks share no metric
        listener.warn([replace(one, severity="warning") for one in error.diagnostics])
        return {}
