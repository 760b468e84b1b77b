"""`snnctl train`: validate, build, train, test, compare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from snnctl.cli.options import NoPlugins, Set, Unset, seed_list
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode

if TYPE_CHECKING:
    from snnctl.core.run_events import Observer
    from snnctl.engine.experiment import Experiment
    from snnctl.engine.run_dir import RunDir
    from snnctl.engine.train import Head
    from snnctl.recipe import Recipe


def train(
    ctx: typer.Context,
    recipe: Annotated[Path | None, typer.Argument(help="Recipe file (.yaml).", show_default=False)] = None,
    set_: Set = [],  # noqa: B006  # typer reads it, nobody changes it
    unset: Unset = [],  # noqa: B006
    seeds: Annotated[str, typer.Option(metavar="1,2,3|1-10", help="Train once per seed, report mean and sd.")] = "",
    jobs: Annotated[
        int, typer.Option(metavar="N", min=1, help="With --seeds: so many at once, each on its share of the threads.")
    ] = 1,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Where run directories are made.")] = Path("runs"),
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Name the run directory itself; with --seeds its parent."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with an interrupted run.", show_default=False)
    ] = None,
    continue_: Annotated[
        bool,
        typer.Option("--continue", help="With --out: skip runs that are done, resume those that are not."),
    ] = False,
    stop_after: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Stop and save after N epochs (exit 75).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Build, forecast time and memory, write nothing.")] = False,
    device: Annotated[str, typer.Option(metavar="auto|cpu", help="Keep off accelerators with cpu.")] = "auto",
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard curves.")] = False,
    no_plugins: NoPlugins = False,
) -> int:
    """Train a recipe, then test the best weights beside the baselines.

    The best weights are chosen on the validation split. Ctrl-C saves and exits 75; `--resume RUN` goes on
    and ends with the same weights, bit for bit, as if never interrupted.
    """
    from snnctl.engine.interrupt import StopRequest

    session: Session = ctx.obj
    if device not in ("auto", "cpu"):
        raise DiagnosticError(Diagnostic("U401", f"--device must be auto or cpu, got `{device}`"))
    how = _How(runs, out, continue_, stop_after, device, tensorboard)
    try:
        with StopRequest() as stop, stop.at_once():
            if resume is not None:
                given = {
                    "--seeds": seeds,
                    "--jobs": jobs > 1,
                    "--out": out,
                    "--continue": continue_,
                    "--dry-run": dry_run,
                }
                _alone(recipe, [option for option, value in given.items() if value])
                return _resume(session, resume, set_, unset, how, no_plugins)
            return _start(session, recipe, set_, unset, seed_list(seeds), jobs, how, dry_run, no_plugins)
    except KeyboardInterrupt:  # typer would make exit code 130 of it, without a document
        return session.fail([Diagnostic("E499", "interrupted; nothing was saved")], ExitCode.INTERRUPTED)


@dataclass(frozen=True)
class _How:
    """Options of the call that are no part of the experiment."""

    runs: Path
    out: Path | None
    continue_: bool
    stop_after: int | None
    device: str
    tensorboard: bool

    def options(self) -> list[str]:
        """The same for another call of the command, but for where runs go."""
        given = ["--continue"] * self.continue_ + ["--tensorboard"] * self.tensorboard + ["--device", self.device]
        return given if self.stop_after is None else [*given, "--stop-after", str(self.stop_after)]


def _start(
    session: Session,
    path: Path | None,
    set_: list[str],
    unset: list[str],
    seeds: list[int],
    jobs: int,
    how: _How,
    dry_run: bool,
    no_plugins: bool,
) -> int:
    from snnctl.recipe import load_recipe

    if path is None:
        raise DiagnosticError(
            Diagnostic("U402", "no recipe given", help="snnctl train RECIPE.yaml; `snnctl init` copies one")
        )
    if how.continue_ and how.out is None:
        raise DiagnosticError(Diagnostic("U403", "--continue needs --out DIR"))
    if jobs > 1 and not seeds:
        raise DiagnosticError(Diagnostic("U421", "--jobs needs --seeds", help="one run uses all threads by itself"))
    variants = [
        load_recipe(path, [*set_, *extra], unset, allow_plugins=not no_plugins)
        for extra in ([[f"train.seed={seed}"] for seed in seeds] or [[]])
    ]
    session.warn(variants[0].warnings)
    _check(session, variants[0])
    if dry_run:
        return _dry_run(session, variants[0], how.device)
    if jobs > 1 and len(variants) > 1:
        changes = [
            part for option, texts in (("--set", set_), ("--unset", unset)) for t in texts for part in (option, t)
        ]
        arguments = [str(path), *changes, *how.options(), *["--no-plugins"] * no_plugins, *["--debug"] * session.debug]
        return _together(session, variants, arguments, jobs, how)
    results: list[dict[str, Any]] = []
    for variant in variants:
        out = how.out / f"seed-{variant.train.seed}" if how.out is not None and seeds else how.out
        found = _one(session, variant, out, how)
        if found["status"] == "interrupted":
            return _interrupted(session, found, results, many=bool(seeds))
        results.append(found)
    return _answer(session, results, many=bool(seeds), positions="position" in variants[0].values["model"])


def _together(session: Session, variants: list[Recipe], arguments: list[str], jobs: int, how: _How) -> int:
    """One process per seed, `jobs` of them at a time."""
    from snnctl.cli.together import failed, run_seeds, stopped

    found = run_seeds(session, variants, arguments, jobs, how.runs, how.out)
    if any(one.state == "failed" for one in found):
        return failed(session, found)
    results = [one.results for one in found if one.state == "done"]
    if len(results) < len(variants):
        return stopped(session, found, len(variants))
    return _answer(session, results, many=True, positions="position" in variants[0].values["model"])


def _alone(recipe: Path | None, others: list[str]) -> None:
    """--resume goes on with what lies there; options that would start something else contradict it."""
    if recipe is not None:
        raise DiagnosticError(Diagnostic("U406", "--resume takes the recipe from the run", help="leave the recipe out"))
    if others:
        raise DiagnosticError(Diagnostic("U406", f"--resume and {others[0]} exclude each other"))


def _check(session: Session, recipe: Recipe) -> None:
    from snnctl.build import check

    found = check(recipe)
    session.warn([d for d in found if d.severity == "warning"])
    errors = [d for d in found if d.severity == "error"]
    if errors:
        raise DiagnosticError(errors)


def _one(session: Session, recipe: Recipe, out: Path | None, how: _How) -> dict[str, Any]:
    """Train one recipe in a new run directory, or take up the one that lies there."""
    from snnctl.build import build
    from snnctl.engine.observers import summary_writer
    from snnctl.engine.run_dir import RunDir
    from snnctl.engine.runtime import Runtime
    from snnctl.engine.train import start_run

    if how.tensorboard:
        summary_writer()  # before anything is made
    if how.continue_ and out is not None and (out / "manifest.json").exists():
        run = RunDir.open(out)
        _same_experiment(run, recipe)
        return run.results() or _train(session, recipe, build(recipe), run, how, resume=True)
    experiment = build(recipe)
    runtime = Runtime.of(recipe.train, _device(how.device))
    run = start_run(experiment, _head(recipe), runtime, how.runs, out)
    return _train(session, recipe, experiment, run, how)


def train_recipe(session: Session, recipe: Recipe, runs: Path) -> dict[str, Any]:
    """Train a checked recipe in a new run directory under `runs`, as the command does; its results."""
    how = _How(runs=runs, out=None, continue_=False, stop_after=None, device="auto", tensorboard=False)
    return _one(session, recipe, None, how)


def _head(recipe: Recipe) -> Head:
    from snnctl.engine.train import Head

    facts = {"plugins": [{"path": p.path, "sha256": p.sha256} for p in recipe.plugins]}
    return Head(recipe.to_yaml(), recipe.source.text, recipe.digest(), facts)


def _same_experiment(run: RunDir, recipe: Recipe) -> None:
    if run.manifest().get("digest") != recipe.digest():
        raise DiagnosticError(
            Diagnostic(
                "U405",
                f"`{run.path}` holds a run of another recipe",
                help="name another --out; `snnctl show RUN/recipe.yaml` shows what it was",
            )
        )


def _train(
    session: Session,
    recipe: Recipe,
    experiment: Experiment,
    run: RunDir,
    how: _How,
    *,
    resume: bool = False,
    extended: Head | None = None,
) -> dict[str, Any]:
    import traceback

    from snnctl.core.run_events import Observers
    from snnctl.engine.observers import LogFile, TensorBoard
    from snnctl.engine.runtime import Runtime
    from snnctl.engine.train import interrupted, train_run

    observers: list[Observer] = [LogFile(run)]
    if how.tensorboard:
        observers.append(TensorBoard(run.path / "tensorboard"))
    view = _view(session, recipe.train.log_every)
    if view is not None:
        observers.append(view)
    try:
        return train_run(
            experiment,
            run,
            Observers(observers),
            Runtime.of(recipe.train, _device(how.device)),
            resume=resume,
            extended=extended,
            stop_after=how.stop_after,
        )
    except DiagnosticError:
        raise
    except KeyboardInterrupt:  # before the loop listens; what lies there can be resumed
        run.update_manifest(status="interrupted")
        return interrupted(run, len(run.metrics()))
    except Exception:
        run.add_log(traceback.format_exc())
        raise
    finally:
        for observer in observers:
            close = getattr(observer, "close", None)
            if close is not None:
                close()


def _device(text: str) -> Literal["auto", "cpu"]:
    return "cpu" if text == "cpu" else "auto"


def _view(session: Session, every: int) -> Observer | None:
    if session.json or session.quiet:
        return None
    from snnctl.ui.training import LiveTraining, PlainTraining

    console = session.console
    return LiveTraining(console) if console.is_terminal else PlainTraining(every)


def _resume(session: Session, folder: Path, set_: list[str], unset: list[str], how: _How, no_plugins: bool) -> int:
    from snnctl.build import build
    from snnctl.engine.run_dir import RunDir
    from snnctl.recipe import load_recipe

    foreign = [text for text in (*set_, *unset) if text.partition("=")[0].strip() != "train.epochs"]
    if foreign:
        raise DiagnosticError(
            Diagnostic(
                "U407",
                f"a resumed run keeps its recipe; `{foreign[0]}` would change it",
                help="only train.epochs may be set with --resume",
            )
        )
    run = RunDir.open(folder)
    recipe = load_recipe(run.recipe, set_, unset, allow_plugins=not no_plugins)
    extended = _head(recipe) if set_ or unset else None
    found = None if extended else run.results()
    if found is None:
        found = _train(session, recipe, build(recipe), run, how, resume=True, extended=extended)
    if found["status"] == "interrupted":
        return _interrupted(session, found, [], many=False)
    return _answer(session, [found], many=False, positions="position" in recipe.values["model"])


def _interrupted(session: Session, found: dict[str, Any], done: list[dict[str, Any]], *, many: bool) -> int:
    """Exit 75; with seeds, `run` lists the finished runs and the interrupted one last."""

    def show(console: Any) -> None:
        console.print(
            f"interrupted after {found['epochs_done']} epochs; saved. Go on with:\n"
            f"  snnctl train --resume {found['run']}",
            soft_wrap=True,
        )

    document = {**found, "run": [*(r["run"] for r in done), found["run"]]} if many else found
    return session.answer(document, show, ExitCode.INTERRUPTED)


def _answer(session: Session, results: list[dict[str, Any]], *, many: bool, positions: bool) -> int:
    from snnctl.measure.seeds import over_seeds
    from snnctl.ui.results import show_results, show_seeds

    if many:
        document = over_seeds(results)
        return session.answer(document, lambda console: show_seeds(console, document, results))
    return session.answer(results[0], lambda console: show_results(console, results[0], positions=positions))


def _dry_run(session: Session, recipe: Recipe, device: str) -> int:
    from snnctl.build import build
    from snnctl.engine.dry_run import forecast
    from snnctl.engine.runtime import Runtime
    from snnctl.ui.results import show_forecast

    found = forecast(build(recipe), Runtime.of(recipe.train, _device(device)))
    return session.answer(found, lambda console: show_forecast(console, found))
