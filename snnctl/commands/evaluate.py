"""Measuring a run: metrics beside the baselines, firing rates, health; and single predictions."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, get_args

from snnctl.commands.listener import NOBODY, Listener
from snnctl.convert.planes import PlaneExecution
from snnctl.core.choices import Checkpoint, Execution, SplitName, refuse_other
from snnctl.engine.evaluate import Evaluation
from snnctl.engine.runtime import Runtime
from snnctl.engine.train import measure_run
from snnctl.finished import open_run
from snnctl.inspect.predictions.collect import Predictions, Sequences, predictions, sequences
from snnctl.inspect.predictions.page import report
from snnctl.measure.video import VideoMetrics
from snnctl.report.saving import write


def evaluate(
    run: Path | str,
    split: SplitName = "test",
    checkpoint: Checkpoint = "best",
    baselines: bool = True,
    examples: int | None = None,
    execution: Execution = "float",
    out: Path | None = None,
    *,
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """Measure a run on a split.

    Args:
        baselines: also fit and score the baselines.
        examples: show so many items, in files: of a classifier with its confusion, of a video with its error from frame
            to frame.
        execution: integer: layers that spikes drive run on whole numbers; bitplane: as binary planes, and compared.
        out: where `examples` go; None: `RUN/predictions`.

    Returns:
        As `snnctl.engine.train.measure_run`; with `execution` and `predictions` where those were asked for.
    """
    refuse_other("split", split, get_args(SplitName))
    refuse_other("execution", execution, get_args(Execution))
    opened = open_run(run, checkpoint, allow_plugins=allow_plugins, warn=listener.warn)
    experiment, runtime = opened.experiment, Runtime.of(opened.recipe.train)
    seen: list[Predictions | Sequences] = []

    def look(found: Evaluation) -> None:
        if examples is None:
            return
        network, meter, device = experiment.network, found.meter, runtime.device
        if isinstance(meter, VideoMetrics):
            seen.append(sequences(experiment, network, meter, split, examples, device, baselines=baselines))
        else:
            seen.append(predictions(experiment, network, meter, split, examples, device))

    planes = None if execution == "float" else PlaneExecution(experiment.network, execution)
    with planes or nullcontext():
        results = measure_run(
            experiment,
            opened.folder,
            runtime,
            split=split,
            baselines=baselines,
            checkpoint=checkpoint,
            inspect=look,
            intervals=True,
        )
    if planes is not None:
        results["execution"] = planes.document()
    for one in seen:
        results["predictions"] = write(report(one), out or opened.folder.path / "predictions", listener.call)
    return results
