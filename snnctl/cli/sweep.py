"""`snnctl sweep`: a recipe over many settings, on a grid or by a search."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnctl.cli.options import NoPlugins, Set, Unset, seed_list
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode

if TYPE_CHECKING:
    from snnctl.recipe import Recipe
    from snnctl.sweep.grid import Grid, Place
    from snnctl.sweep.jobs import Ended
    from snnctl.sweep.points import Checked, Point, Resolved
    from snnctl.sweep.search import Search, Space


def sweep(
    ctx: typer.Context,
    recipe: Annotated[Path, typer.Argument(help="Recipe file (.yaml).", show_default=False)],
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
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where runs go; else sweeps/NAME.", show_default=False)
    ] = None,
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Leave out combinations that are no valid recipe.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would run, with parameters and time; write nothing.")
    ] = False,
    device: Annotated[str, typer.Option(metavar="auto|cpu", help="Keep off accelerators with cpu.")] = "auto",
    no_plugins: NoPlugins = False,
) -> int:
    """Train a recipe at many settings, several at once, and put them side by side.

    Every combination is checked before the first one runs. The same command goes on where an earlier one was stopped
    and skips what is done; values can be added. Points are ranked by the metric on validation that their recipe
    watches, never by test.
    """
    from snnctl.engine.interrupt import StopRequest

    session: Session = ctx.obj
    if device not in ("auto", "cpu"):
        raise DiagnosticError(Diagnostic("U401", f"--device must be auto or cpu, got `{device}`"))
    if search and (over or case):
        raise DiagnosticError(Diagnostic("U448", "--search and --over or --case exclude each other"))
    if prune and not search:
        raise DiagnosticError(Diagnostic("U448", "--prune needs --search"))
    if not (search or over or case):
        help = "--over 'model.neuron.tau=[2, 4]', --case 'model.spiking=false' or --search optim.lr=1e-4..1e-2:log"
        raise DiagnosticError(Diagnostic("U448", "a sweep needs something to vary", help=help))
    call = _Call(session, recipe, set_, unset, seed_list(seeds), jobs, device, no_plugins, out)
    try:
        with StopRequest() as stop, stop.at_once():
            if search:
                return _search(call, search, trials, prune, dry_run)
            return _grid(call, over, case, skip_invalid, dry_run)
    except KeyboardInterrupt:
        return session.fail([Diagnostic("E499", "interrupted; nothing was running")], ExitCode.INTERRUPTED)


@dataclass(frozen=True)
class _Call:
    """Options that a grid and a search share."""

    session: Session
    path: Path
    sets: list[str]
    unsets: list[str]
    seeds: list[int]
    jobs: int
    device: str
    no_plugins: bool
    out: Path | None

    def check(self, points: list[Point]) -> Checked:
        """Resolve points, with what all of them share."""
        from snnctl.sweep.points import check_points

        return check_points(self.path, points, self.sets, self.unsets, allow_plugins=not self.no_plugins)

    def place(self, recipe: Recipe) -> Place:
        """Where runs go, and what their commands share."""
        from snnctl.report.saving import prepare
        from snnctl.sweep.grid import Place

        shared = [part for text in self.sets for part in ("--set", text)]
        shared += [part for text in self.unsets for part in ("--unset", text)]
        arguments = (str(self.path), *shared, "--device", self.device, *["--no-plugins"] * self.no_plugins)
        out = self.out or Path("sweeps") / recipe.name
        prepare(out)
        return Place(out, arguments, tuple(self.seeds))


def _grid(call: _Call, over: list[str], case: list[str], skip_invalid: bool, dry_run: bool) -> int:
    from snnctl.sweep.grid import Grid
    from snnctl.sweep.points import make_points, read_axis, read_case

    points = make_points([read_axis(text) for text in over], [read_case(text) for text in case])
    checked = call.check(points)
    if checked.refused and not (skip_invalid and checked.resolved):
        raise DiagnosticError(checked.problems())
    left_out = [
        Diagnostic("U449", f"left out: {point.label}", severity="warning", notes=(said[0].message,))
        for point, said in checked.refused
    ]
    call.session.warn([*checked.warnings, *left_out])
    if dry_run:
        return _forecast(call, checked.resolved)
    grid = Grid(checked.resolved, call.place(checked.resolved[0].recipe))
    runs = len(checked.resolved) * (len(call.seeds) or 1)
    return _run(call, grid, f"{len(checked.resolved)} points, {grid.waiting} of {runs} runs to train")


def _search(call: _Call, texts: list[str], trials: int, prune: bool, dry_run: bool) -> int:
    from snnctl.recipe import load_recipe
    from snnctl.sweep.points import Point
    from snnctl.sweep.search import Search, open_study, read_space

    spaces: list[Space] = [read_space(text) for text in texts]
    recipe = load_recipe(call.path, call.sets, call.unsets, allow_plugins=not call.no_plugins)
    stop = recipe.train.early_stop
    if not stop.metric.startswith("val/"):
        raise DiagnosticError(Diagnostic("U448", f"a search goes by validation, not by `{stop.metric}`"))
    call.session.warn(recipe.warnings)
    if dry_run:
        checked = call.check([Point("as it is", {})])
        if checked.refused:
            raise DiagnosticError(checked.problems())
        return _forecast(call, checked.resolved, times=trials)

    def resolve(point: Point) -> Recipe | list[Diagnostic]:
        checked = call.check([point])
        return checked.resolved[0].recipe if checked.resolved else checked.problems()

    place = call.place(recipe)
    identity = {"recipe": recipe.digest(), "seeds": list(place.seeds)}
    study = open_study(place.out, spaces, stop.mode, recipe.train.seed, identity, many=call.jobs > 1, prune=prune)
    found = Search(study, spaces, trials, place, resolve)
    return _run(call, found, f"up to {found.waiting} runs by {stop.metric}")


def _run(call: _Call, source: Grid | Search, what: str) -> int:
    from snnctl.cli.together import complaints, runs_view
    from snnctl.core.files import write_json
    from snnctl.sweep.jobs import run_jobs
    from snnctl.sweep.outcome import DOCUMENT, document

    session = call.session
    ended: list[Ended] = []
    if source.waiting:
        at_once = min(call.jobs, source.waiting)
        ended = run_jobs(source, at_once, runs_view(session, what, at_once))
    if not source.tried:  # asked to stop before the first one was begun
        return session.fail([Diagnostic("E499", "interrupted; nothing was running")], ExitCode.INTERRUPTED)
    found = document(source.tried, source.out, source.kind) | {"refused": source.refused}
    failures = complaints(ended)
    code = ExitCode.DONE
    if found["status"] == "interrupted":
        code = ExitCode.INTERRUPTED
    elif failures:
        code = next(one.code for one in ended if one.state == "failed")
    if source.kind == "grid" and code == ExitCode.DONE:
        found |= _side_by_side(session, source)
    write_json(source.out / DOCUMENT, found)
    session.warn(failures)

    def show(console: Any) -> None:
        from snnctl.ui.sweep import show_sweep

        show_sweep(console, found, f"snnctl {shlex.join(sys.argv[1:])}")

    return session.answer(found, show, code)


def _side_by_side(session: Session, source: Grid | Search) -> dict[str, Any]:
    """Tables, figures and a page of `snnctl compare` over the finished runs."""
    from snnctl.compare.comparison import compare
    from snnctl.compare.page import report
    from snnctl.report.saving import write
    from snnctl.ui.report import follow

    runs = [Path(results["run"]) for point in source.tried for results in point.done]
    out = source.out / "compare"
    try:
        found = compare(runs, [], None)
        with follow(session.console, shown=not (session.json or session.quiet)) as tell:
            return {"compare": write(report(found), out, f"snnctl {shlex.join(sys.argv[1:])}", tell)}
    except DiagnosticError as error:  # points of different tasks share no metric
        session.warn([replace(one, severity="warning") for one in error.diagnostics])
        return {}


def _forecast(call: _Call, points: list[Resolved], times: int = 1) -> int:
    """What each point would take alone, and all of them together."""
    from snnctl.build import build
    from snnctl.engine.dry_run import forecast
    from snnctl.engine.runtime import Runtime

    rows = []
    for one in points:
        found = forecast(build(one.recipe), Runtime.of(one.recipe.train, "cpu" if call.device == "cpu" else "auto"))
        facts = {key: found[key] for key in ("parameters", "epochs", "seconds")}
        rows.append({"name": one.point.label, "changes": dict(one.point.changes), **facts})
    runs = times * (len(call.seeds) or 1)
    total = sum(row["seconds"] for row in rows) * runs
    document = {"points": rows, "runs": len(rows) * runs, "seconds": total}

    def show(console: Any) -> None:
        from snnctl.ui.sweep import show_plan

        show_plan(console, document)

    return call.session.answer(document, show)
