"""Training a recipe: in a new run directory, in one that is gone on with, or once per seed; and what it would cost."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from snnctl.build import build, check, data_warnings
from snnctl.commands.given import Changes, RecipeLike, as_file, changes, read
from snnctl.commands.listener import NOBODY, Listener
from snnctl.commands.trained import Trained
from snnctl.core.choices import Device, refuse_other
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.run_events import Observer, Observers
from snnctl.engine import dry_run
from snnctl.engine.experiment import Experiment
from snnctl.engine.observers import LogFile, TensorBoard, summary_writer
from snnctl.engine.run_dir import RunDir
from snnctl.engine.runtime import Runtime
from snnctl.engine.train import Head, start_run, train_run
from snnctl.finished import open_run
from snnctl.measure.seeds import over_seeds
from snnctl.recipe import Recipe
from snnctl.sweep.jobs import Job, Listed, run_jobs, train_arguments
from snnctl.sweep.taken_up import TakenUp


@dataclass(frozen=True)
class How:
    """What is no part of the experiment: see `train`."""

    runs: Path = Path("runs")
    out: Path | None = None
    continue_: bool = False
    stop_after: int | None = None
    device: Device = "auto"
    tensorboard: bool = False

    def __post_init__(self) -> None:
        refuse_other("device", self.device, get_args(Device), code="U401")

    def options(self) -> dict[str, Any]:
        """What runs in processes of their own are told too, but for where they go."""
        return {key: value for key, value in vars(self).items() if key not in ("runs", "out")}


def train(
    recipe: RecipeLike,
    sets: Changes = (),
    unsets: Sequence[str] = (),
    seeds: Sequence[int] = (),
    jobs: int = 1,
    runs: Path | str = Path("runs"),
    out: Path | str | None = None,
    continue_: bool = False,
    stop_after: int | None = None,
    device: Device = "auto",
    tensorboard: bool = False,
    *,
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
    **overrides: Any,
) -> Trained:
    """Train a recipe, then test its best weights beside the baselines.

    Args:
        recipe: a file, the name of a shipped recipe, or the values of one.
        sets: changes of the recipe, as `--set` takes them or as values by path; `unsets` as `--unset`.
        seeds: train once per seed; none takes the recipe's own.
        jobs: of several seeds so many at once, each in a process of its own.
        runs: where run directories are made.
        out: the run directory itself; of several seeds the parent of theirs.
        continue_: with `out`: leave out runs that are done, and go on with those that are not.
        stop_after: stop as if interrupted after so many epochs.
        device: cpu keeps off accelerators.
        tensorboard: also write curves for TensorBoard.
        allow_plugins: whether the recipe may name plug-in files.
        listener: told of warnings and of what goes on; by default nobody, and Python's own warnings.
        overrides: further changes, with `__` for the dot: `train__epochs=2`, `model__neuron={"type": "lif"}`.

    Raises:
        DiagnosticError: R1xx to R4xx, Dxxx, all that is wrong with recipe and data, before anything is written; R115
            and R116 changes of another form, U401 no such device, U404 seeds that are none, U412 the run directory
            cannot be made, U530 a keyword that names nothing; E4xx training failed.

    Example:
        >>> trained = snnctl.train(recipe, train__epochs=1, out=folder)
        >>> sorted(trained.results["metrics"])
        ['test/loss', 'test/mae', 'test/mse']
        >>> trained.run == folder
        True
        >>> trained.load().columns
        ('value',)
    """
    _refuse_options(seeds, jobs, stop_after, continue_, out)
    sets = changes(sets, overrides, train)
    variants = [
        read(recipe, [*sets, *seeded], unsets, allow_plugins=allow_plugins)
        for seeded in ([[f"train.seed={seed}"] for seed in seeds] or [[]])
    ]
    folder = None if out is None else Path(out)
    how = How(Path(runs), folder, continue_, stop_after, device, tensorboard)
    told, taken = _refuse(variants[0], listener), TakenUp(listener.warn)
    if jobs > 1 and len(variants) > 1:
        with as_file(recipe, variants[0]) as path:
            given = () if isinstance(recipe, Mapping) else (sets, unsets)
            arguments = train_arguments(path, *given, **how.options(), allow_plugins=allow_plugins)
            return Trained(_together(variants, arguments, jobs, how, listener), variants[0])
    results: list[dict[str, Any]] = []
    for variant in variants:
        own = folder / f"seed-{variant.train.seed}" if folder is not None and seeds else folder
        found = train_one(variant, own, how, listener, told, taken)
        if found["status"] == "interrupted":
            begun = [*(one["run"] for one in results), found["run"]]
            return Trained({**found, "run": begun} if seeds else found, variants[0])
        results.append(found)
    return Trained(over_seeds(results) if seeds else results[0], variants[0])


def forecast(
    recipe: RecipeLike,
    sets: Changes = (),
    unsets: Sequence[str] = (),
    device: Device = "auto",
    *,
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """What training would cost: see `snnctl.engine.dry_run.forecast`. Nothing is written."""
    loaded = read(recipe, changes(sets, {}, forecast), unsets, allow_plugins=allow_plugins)
    told = _refuse(loaded, listener)
    experiment = _build(loaded, listener, told)
    with listener.work() as tell:
        return dry_run.forecast(experiment, Runtime.of(loaded.train, device), tell)


def resume(
    run: Path | str,
    sets: Sequence[str] = (),
    unsets: Sequence[str] = (),
    stop_after: int | None = None,
    device: Device = "auto",
    tensorboard: bool = False,
    *,
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
) -> Trained:
    """Go on with an interrupted run: it ends with the same weights, bit for bit, as if never interrupted.

    Args:
        sets, unsets: of `train.epochs` alone; then a run that is done goes on too.
        stop_after, device, tensorboard: as those of `train`.

    Raises:
        DiagnosticError: U407, another change; as `train_run`.
    """
    foreign = [text for text in (*sets, *unsets) if text.partition("=")[0].strip() != "train.epochs"]
    if foreign:
        message = f"a resumed run keeps its recipe; `{foreign[0]}` would change it"
        raise DiagnosticError(Diagnostic("U407", message, help="only train.epochs may be set with --resume"))
    how_opened: dict[str, Any] = {"allow_plugins": allow_plugins, "warn": listener.warn, "training": True}
    opened = open_run(run, "last", sets=sets, unsets=unsets, **how_opened)
    folder, recipe = opened.folder, opened.recipe
    extended = _head(recipe) if sets or unsets else None
    found = None if extended else folder.results()
    if found is None:
        listener.warn(folder.lost())
        how = How(stop_after=stop_after, device=device, tensorboard=tensorboard)
        found = _train(recipe, _build(recipe, listener, []), folder, how, listener, resume=True, extended=extended)
    return Trained(found, recipe)


def train_one(
    recipe: Recipe,
    out: Path | None,
    how: How,
    listener: Listener,
    told: list[Diagnostic] | None = None,
    taken: TakenUp | None = None,
) -> dict[str, Any]:
    """Train a checked recipe in a new run directory, or take up the one that lies in `out`; its results.

    Args:
        told: warnings that the listener knows; what the data adds to them is noted here.
        taken: looks at the run that lies in `out`.

    Raises:
        DiagnosticError: as `TakenUp.done` of the run in `out`; as `start_run` and `train_run`.
    """
    told = [] if told is None else told
    if how.tensorboard:
        summary_writer()  # before anything is made
    if how.continue_ and out is not None and RunDir(out).begun:
        run, taken = RunDir.open(out), taken or TakenUp(listener.warn)
        results = taken.done(run, recipe)
        if results is not None:
            return results
        listener.warn(run.lost())
        taken.check(run, recipe, data=False)
        return _train(recipe, _build(recipe, listener, told), run, how, listener, resume=True)
    experiment = _build(recipe, listener, told)
    run = start_run(experiment, _head(recipe), Runtime.of(recipe.train, how.device), how.runs, out)
    return _train(recipe, experiment, run, how, listener)


def _refuse_options(
    seeds: Sequence[int], jobs: int, stop_after: int | None, continue_: bool, out: Path | str | None
) -> None:
    """U403, U404 and U408: what the command line refuses as it reads it."""
    listed = isinstance(seeds, Sequence) and not isinstance(seeds, str)
    whole = listed and all(isinstance(one, int) and not isinstance(one, bool) for one in seeds)
    if not whole or min(seeds, default=0) < 0 or len(set(seeds)) < len(seeds):
        message = f"seeds must be distinct whole numbers from 0, got {seeds!r}"
        raise DiagnosticError(Diagnostic("U404", message, help="seeds=[1, 2, 3]"))
    for name, number in (("jobs", jobs), ("stop_after", stop_after)):
        if number is not None and number < 1:
            raise DiagnosticError(Diagnostic("U408", f"{name} must be at least 1, got {number}"))
    if continue_ and out is None:
        raise DiagnosticError(Diagnostic("U403"))


def _refuse(recipe: Recipe, listener: Listener) -> list[Diagnostic]:
    """Tell and return the warnings of a recipe and of its data, raise what is wrong with them."""
    listener.warn(recipe.warnings)
    found = check(recipe)
    warnings = [one for one in found if one.severity == "warning"]
    listener.warn(warnings)
    errors = [one for one in found if one.severity == "error"]
    if errors:
        raise DiagnosticError(errors)
    return warnings


def _build(recipe: Recipe, listener: Listener, told: list[Diagnostic]) -> Experiment:
    """The experiment; what its data says beyond what was `told` before it was read whole is told and noted there."""
    experiment = build(recipe)
    new = [one for one in data_warnings(recipe, experiment.data) if one not in told]
    listener.warn(new)
    told += new
    return experiment


def _head(recipe: Recipe) -> Head:
    facts = {"plugins": [{"path": p.path, "sha256": p.sha256} for p in recipe.plugins]}
    return Head(recipe.to_yaml(), recipe.source.text, recipe.digest(), facts)


def _train(
    recipe: Recipe,
    experiment: Experiment,
    run: RunDir,
    how: How,
    listener: Listener,
    *,
    resume: bool = False,
    extended: Head | None = None,
) -> dict[str, Any]:
    observers: list[Observer] = [LogFile(run)]
    if how.tensorboard:
        observers.append(TensorBoard(run.path / "tensorboard"))
    view = listener.training(recipe.train.log_every)
    if view is not None:
        observers.append(view)
    runtime = Runtime.of(recipe.train, how.device)
    told = Observers(observers)
    try:
        more: dict[str, Any] = {"resume": resume, "extended": extended, "stop_after": how.stop_after}
        return train_run(experiment, run, told, runtime, **more, warn=listener.warn)
    except DiagnosticError:
        raise
    except KeyboardInterrupt:  # before the loop listens; what lies there can be resumed
        run.update_manifest(status="interrupted")
        return run.interrupted(len(run.metrics()))
    except Exception:
        run.add_log(traceback.format_exc())
        raise
    finally:
        for observer in observers:
            close = getattr(observer, "close", None)
            if close is not None:
                close()


def _together(
    recipes: Sequence[Recipe], arguments: Sequence[str], jobs: int, how: How, listener: Listener
) -> dict[str, Any]:
    """One process per recipe, which differ in their seed, `jobs` of them at a time.

    Raises:
        DiagnosticError: what each run that failed has said, with the exit code of the first.
    """

    def job(recipe: Recipe) -> Job:
        seed = recipe.train.seed
        own = RunDir.unused(how.runs, recipe.name, recipe.digest()) if how.out is None else how.out / f"seed-{seed}"
        return Job.of(recipe, seed, f"seed {seed}", own, arguments)

    at_once = min(jobs, len(recipes))
    listed = Listed([job(recipe) for recipe in recipes])
    ended = run_jobs(listed, at_once, listener.runs(f"{len(recipes)} seeds", at_once))
    failed = [one for one in ended if one.state == "failed"]
    if failed:
        raise DiagnosticError([said for one in failed for said in one.complaints], failed[0].code)

    def results(state: str) -> list[dict[str, Any]]:
        return [one.results for one in ended if one.state == state]

    done, cut = results("done"), results("interrupted")
    if len(done) == len(recipes):
        return over_seeds(done)
    return {
        "status": "interrupted",
        "run": [one["run"] for one in (*done, *cut)],
        "epochs_done": [one["epochs_done"] for one in cut],
    }
