"""`snnctl train`: validate, build, train, test, compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from snnctl.cli.options import NoPlugins, Set, Unset
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode

if TYPE_CHECKING:
    from snnctl.core.events import Observer
    from snnctl.engine.run_dir import RunDir
    from snnctl.recipe import Recipe


def train(
    ctx: typer.Context,
    recipe: Annotated[Path | None, typer.Argument(help="Recipe file (.yaml).", show_default=False)] = None,
    set_: Set = [],  # noqa: B006  # typer reads it, nobody changes it
    unset: Unset = [],  # noqa: B006
    seeds: Annotated[str, typer.Option(metavar="1,2,3", help="Train once per seed and report mean and sd.")] = "",
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
    session: Session = ctx.obj
    if device not in ("auto", "cpu"):
        raise DiagnosticError(Diagnostic("U401", f"--device must be auto or cpu, got `{device}`"))
    if resume is not None:
        return _resume(session, resume, recipe, set_, unset, stop_after, device, tensorboard, no_plugins)
    if recipe is None:
        raise DiagnosticError(
            Diagnostic("U402", "no recipe given", help="snnctl train RECIPE.yaml; `snnctl init` copies one")
        )
    if continue_ and out is None:
        raise DiagnosticError(Diagnostic("U403", "--continue needs --out DIR"))
    wanted = _seeds(seeds)
    from snnctl.recipe import load_recipe

    variants = [
        load_recipe(recipe, [*set_, *extra], unset, allow_plugins=not no_plugins)
        for extra in ([[f"train.seed={seed}"] for seed in wanted] or [[]])
    ]
    session.warn(variants[0].warnings)
    _check(session, variants[0])
    if dry_run:
        return _dry_run(session, variants[0], device)
    results = []
    for variant in variants:
        folder = out / f"seed-{variant.train.seed}" if out is not None and wanted else out
        found = _one(session, variant, runs, folder, continue_, stop_after, device, tensorboard)
        if found["status"] == "interrupted":
            return _interrupted(session, found)
        results.append(found)
    return _answer(session, results, many=bool(wanted))


def _seeds(text: str) -> list[int]:
    if not text:
        return []
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 0 or len(set(found)) < len(found):
        raise DiagnosticError(
            Diagnostic("U404", f"--seeds must be distinct whole numbers from 0, got `{text}`", help="--seeds 1,2,3")
        )
    return found


def _check(session: Session, recipe: Recipe) -> None:
    from snnctl.build import check

    found = check(recipe)
    session.warn([d for d in found if d.severity == "warning"])
    errors = [d for d in found if d.severity == "error"]
    if errors:
        raise DiagnosticError(errors)


def _one(
    session: Session,
    recipe: Recipe,
    runs: Path,
    out: Path | None,
    continue_: bool,
    stop_after: int | None,
    device: str,
    tensorboard: bool,
) -> dict[str, Any]:
    """Train one recipe in a new run directory, or take up the one that lies there."""
    from snnctl.build import build
    from snnctl.engine.run_dir import RunDir
    from snnctl.engine.runtime import Runtime
    from snnctl.engine.train import Head, start_run

    if continue_ and out is not None and (out / "manifest.json").exists():
        run = RunDir.open(out)
        _same_experiment(run, recipe)
        results = run.results()
        if results is not None and run.manifest()["status"] == "done":
            return results
        return _train(session, recipe, run, True, stop_after, device, tensorboard)
    experiment = build(recipe)
    runtime = Runtime(recipe.train.precision, _device(device))
    facts = {"plugins": [{"path": p.path, "sha256": p.sha256} for p in recipe.plugins]}
    head = Head(recipe.to_yaml(), recipe.source.text, recipe.digest(), facts)
    run = start_run(experiment, head, runtime, runs, out)
    return _train(session, recipe, run, False, stop_after, device, tensorboard)


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
    run: RunDir,
    resume: bool,
    stop_after: int | None,
    device: str,
    tensorboard: bool,
) -> dict[str, Any]:
    import traceback

    from snnctl.build import build
    from snnctl.core.events import Observers
    from snnctl.engine.observers import LogFile, TensorBoard
    from snnctl.engine.runtime import Runtime
    from snnctl.engine.train import train_run

    observers: list[Observer] = [LogFile(run)]
    if tensorboard:
        observers.append(TensorBoard(run.path / "tensorboard"))
    view = _view(session, recipe.train.log_every)
    if view is not None:
        observers.append(view)
    try:
        return train_run(
            build(recipe),
            run,
            Observers(observers),
            Runtime(recipe.train.precision, _device(device)),
            resume=resume,
            stop_after=stop_after,
        )
    except DiagnosticError:
        raise
    except Exception:
        run.add_log(traceback.format_exc())
        raise
    finally:
        close = getattr(view, "close", None)
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


def _resume(
    session: Session,
    folder: Path,
    recipe: Path | None,
    set_: list[str],
    unset: list[str],
    stop_after: int | None,
    device: str,
    tensorboard: bool,
    no_plugins: bool,
) -> int:
    from snnctl.engine.run_dir import RunDir
    from snnctl.recipe import load_recipe

    if recipe is not None:
        raise DiagnosticError(Diagnostic("U406", "--resume takes the recipe from the run", help="leave the recipe out"))
    foreign = [text for text in (*set_, *unset) if not text.startswith("train.epochs")]
    if foreign:
        raise DiagnosticError(
            Diagnostic(
                "U407",
                f"a resumed run keeps its recipe; `{foreign[0]}` would change it",
                help="only train.epochs may be set with --resume",
            )
        )
    run = RunDir.open(folder)
    loaded = load_recipe(run.recipe, set_, unset, allow_plugins=not no_plugins)
    results = run.results()
    if results is not None and run.manifest()["status"] == "done" and not set_:
        return _answer(session, [results], many=False)
    found = _train(session, loaded, run, True, stop_after, device, tensorboard)
    if found["status"] == "interrupted":
        return _interrupted(session, found)
    return _answer(session, [found], many=False)


def _interrupted(session: Session, found: dict[str, Any]) -> int:
    def show(console: Any) -> None:
        console.print(
            f"interrupted after {found['epochs_done']} epochs; saved. Go on with:\n"
            f"  snnctl train --resume {found['run']}",
            soft_wrap=True,
        )

    return session.answer(found, show, ExitCode.INTERRUPTED)


def _answer(session: Session, results: list[dict[str, Any]], *, many: bool) -> int:
    from snnctl.measure.seeds import over_seeds
    from snnctl.ui.results import show_results, show_seeds

    if many:
        document = over_seeds(results)
        return session.answer(document, lambda console: show_seeds(console, document, results))
    return session.answer(results[0], lambda console: show_results(console, results[0]))


def _dry_run(session: Session, recipe: Recipe, device: str) -> int:
    from snnctl.build import build
    from snnctl.engine.dry_run import forecast
    from snnctl.engine.runtime import Runtime
    from snnctl.ui.results import show_forecast

    found = forecast(build(recipe), Runtime(recipe.train.precision, _device(device)))
    return session.answer(found, lambda console: show_forecast(console, found))
