"""`snnctl eval`: measure a run's weights on a split."""

from __future__ import annotations

import shlex
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnctl.cli.options import NoPlugins
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError

if TYPE_CHECKING:
    from rich.console import Console

    from snnctl.engine.evaluate import Evaluation
    from snnctl.inspect.predictions.classes import Predictions
    from snnctl.inspect.predictions.videos import Sequences

SPLITS = ("train", "val", "test")
CHECKPOINTS = ("best", "last")
EXECUTIONS = ("float", "integer", "bitplane")


def evaluate(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(help="Run directory.", show_default=False)],
    split: Annotated[str, typer.Option(metavar="|".join(SPLITS), help="Which part of the data.")] = "test",
    checkpoint: Annotated[
        str, typer.Option(metavar="|".join(CHECKPOINTS), help="Which weights; best falls back on last.")
    ] = "best",
    baselines: Annotated[bool, typer.Option(help="Also fit and score the baselines.")] = True,
    examples: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Show N items: of a classifier with its confusion, of a video with its error from frame to frame.",
            show_default=False,
        ),
    ] = None,
    execution: Annotated[
        str,
        typer.Option(
            metavar="|".join(EXECUTIONS),
            help="integer: layers that spikes drive run on whole numbers; bitplane: as binary planes, and compared.",
        ),
    ] = "float",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where --examples writes; else RUN/predictions.", show_default=False),
    ] = None,
    no_plugins: NoPlugins = False,
) -> int:
    """Measure a run: metrics beside the baselines, firing rates per layer, health."""
    session: Session = ctx.obj
    for option, value, allowed in (
        ("split", split, SPLITS),
        ("checkpoint", checkpoint, CHECKPOINTS),
        ("execution", execution, EXECUTIONS),
    ):
        if value not in allowed:
            message = f"--{option} must be {' or '.join(allowed)}, got `{value}`"
            raise DiagnosticError(Diagnostic("U408", message))
    from snnctl.build import build
    from snnctl.convert.planes import PlaneExecution
    from snnctl.engine.run_dir import RunDir
    from snnctl.engine.runtime import Runtime
    from snnctl.engine.train import changed_data, measure_run
    from snnctl.inspect.predictions import classes as predictions
    from snnctl.inspect.predictions import videos as sequences
    from snnctl.measure.video import VideoMetrics
    from snnctl.recipe import load_recipe
    from snnctl.ui.predictions import show_predictions
    from snnctl.ui.results import show_results
    from snnctl.ui.sequences import show_sequences

    folder = RunDir.open(run)
    recipe = load_recipe(folder.recipe, allow_plugins=not no_plugins)
    experiment = build(recipe)
    changed = changed_data(experiment, folder)
    if changed is not None:
        session.warn([replace(changed, severity="warning", help="")])
    runtime = Runtime.of(recipe.train)
    seen: list[Predictions | Sequences] = []

    def inspect(found: Evaluation) -> None:
        if examples is None:
            return
        network, meter, device = experiment.network, found.meter, runtime.device
        if isinstance(meter, VideoMetrics):
            seen.append(sequences.sequences(experiment, network, meter, split, examples, device, baselines=baselines))
        else:
            seen.append(predictions.predictions(experiment, network, meter, split, examples, device))

    planes = None if execution == "float" else PlaneExecution(experiment.network, execution)  # type: ignore[arg-type]
    with planes or nullcontext():
        results = measure_run(
            experiment,
            folder,
            runtime,
            split=split,
            baselines=baselines,
            checkpoint=checkpoint,  # type: ignore[arg-type]
            inspect=inspect,
        )
    if planes is not None:
        results["execution"] = planes.document()
    if not seen:
        return session.answer(results, lambda console: show_results(console, results))
    place, command = out or folder.path / "predictions", f"snnctl {shlex.join(sys.argv[1:])}"
    video = isinstance(seen[0], sequences.Sequences)
    made = (sequences if video else predictions).write(seen[0], place, command)

    def show(console: Console) -> None:
        show_results(console, results)
        (show_sequences if video else show_predictions)(console, made)

    return session.answer({**results, "predictions": made}, show)
