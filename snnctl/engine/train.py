"""From an experiment to results: make or take up the run directory, train, test the best weights, compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from torch import Tensor

from snnctl.core.choices import Checkpoint, SplitName
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, as_warnings
from snnctl.core.files import system_fault
from snnctl.core.run_events import Observer, Observers
from snnctl.engine.bands import coverage_of, intervals_to_json, keep_bands, run_bands
from snnctl.engine.belonging import Warn, adopt, changed_data, foreign, recorded, settle
from snnctl.engine.checkpoint import load_weights, restamp, weights_folder
from snnctl.engine.environment import environment
from snnctl.engine.evaluate import Evaluation, evaluate
from snnctl.engine.experiment import Experiment, SkipAlone
from snnctl.engine.interrupt import Stopped, StopRequest
from snnctl.engine.loop import Trainer
from snnctl.engine.numerics import out_of_memory
from snnctl.engine.parent import ENDING, parent_is_watched
from snnctl.engine.run_dir import RunDir
from snnctl.engine.runtime import Runtime
from snnctl.engine.warm_start import warm_start
from snnctl.measure.columns import by_column, dominated, units


@dataclass(frozen=True)
class Head:
    """What a run directory says of its origin, besides the experiment itself."""

    recipe: str
    source: str
    digest: str
    facts: dict[str, Any]


def start_run(experiment: Experiment, head: Head, runtime: Runtime, parent: Path, out: Path | None) -> RunDir:
    """A new run directory that already holds a checkpoint of the untrained network.

    Raises:
        DiagnosticError: U418, the weights to start from are not there or do not fit.
    """
    settings = experiment.train
    begun = None
    if settings.init_from is not None:
        begun = warm_start(experiment.network, Path(settings.init_from), settings.init_match)
        experiment.start = begun.sha256

    def fill(run: RunDir) -> None:
        run.write_head(head.recipe, head.source, environment())
        Trainer(experiment, run, Observers(()), runtime).save()
        run.update_manifest(
            name=experiment.name,
            status="running",
            seed=experiment.train.seed,
            data_fingerprint=experiment.data.fingerprint,
            leaks=list(experiment.data.leaks),
            data_warnings=experiment.data_warnings,
            digest=head.digest,
            identity=experiment.identity.to_json(),
            **({} if begun is None else {"init": begun.to_json()}),
            **head.facts,
        )

    return RunDir.create(parent, experiment.name, head.digest, fill, out)


def train_run(
    experiment: Experiment,
    run: RunDir,
    observer: Observer,
    runtime: Runtime,
    *,
    resume: bool = False,
    extended: Head | None = None,
    stop_after: int | None = None,
    warn: Warn = as_warnings,
) -> dict[str, Any]:
    """Train, then test the best weights beside the baselines; the results as `--json` prints them.

    An interrupted run has `status: interrupted` and no test metrics.

    Args:
        resume: take up the checkpoint `last` first.
        extended: what the run directory is to say of itself from now on, where resuming changed the recipe.
        stop_after: stop as if interrupted after so many epochs.
        warn: told what has changed since the run began, where that is accepted.

    Raises:
        DiagnosticError: E4xx numerical failure, memory or disk, D401 the data changed since the run began, E413 the
            checkpoint is another run's, U422 another process trains in the folder.
    """
    with run.claimed(ENDING if parent_is_watched() else 0.0) if runtime.is_main else nullcontext():
        record = recorded(run)
        experiment.start = record.start
        settle(run, changed_data(record, experiment.identity.data), warn)
        begun = perf_counter()
        trainer = Trainer(experiment, run, observer, runtime)
        if resume:
            trainer.resume(lambda file, digest: settle(run, foreign(record, file, digest), warn))
        # Before anything bears the new digest: a kill must not leave files that seem to be another run's.
        if runtime.is_main:
            adopt(run, experiment.identity, experiment.plugins)
        if extended is not None:
            run.extend(extended.recipe, extended.digest)
        if resume:
            trainer.tidy()
            now = experiment.identity
            if record.identity is not None and replace(record.identity, recipe=now.recipe) == now:
                restamp(run.best, record.known, now.digest)
        with StopRequest() as stop, _failures_noted(run):
            run.begin()
            try:
                status = trainer.fit(stop, stop_after)
                if status == "interrupted":
                    raise Stopped
                speed = trainer.items_done / max(trainer.state.seconds, 1e-9)
                remember(experiment, run)
                with stop.at_once():
                    keep_bands(experiment, run, runtime)
                    results = measure_run(experiment, run, runtime, intervals=True)
            except KeyboardInterrupt:  # Stopped, or a second Ctrl-C that would not wait for the step
                run.update_manifest(status="interrupted", seconds=trainer.state.seconds)
                return run.interrupted(trainer.saved_epochs)
            results |= {
                "status": status,
                "epochs_done": trainer.state.epoch,
                "best_epoch": trainer.state.best_epoch + 1,
                "seconds": perf_counter() - begun,
                "training_seconds": trainer.state.seconds,
                "samples_per_second": speed,
            }
            run.write_results(results)
            run.update_manifest(status="done", seconds=trainer.state.seconds, metrics=results["metrics"])
        return results


def remember(experiment: Experiment, run: RunDir) -> None:
    """Write what the weights need to be used without the data that they were trained on."""
    remembered = getattr(experiment.data, "remembered", None)  # data of a plug-in may have none
    document = None if remembered is None else remembered()
    if document is not None:
        run.write_model(document)


def measure_run(
    experiment: Experiment,
    run: RunDir,
    runtime: Runtime,
    *,
    split: SplitName = "test",
    baselines: bool = True,
    checkpoint: Checkpoint = "best",
    inspect: Callable[[Evaluation], None] | None = None,
    intervals: bool = False,
) -> dict[str, Any]:
    """Measure the weights of a checkpoint (the last where none was the best) on `split`.

    Args:
        inspect: called with what was measured, while the network still holds these weights.
        intervals: of forecasts, also how often bands from the validation errors held what came.

    Returns:
        Among others `data_warnings`, JSON forms of what the data found odd, and D246 where one column makes up most of
        the squared error; `input`, see `Inputs.to_json`; of forecasts `units` and `columns`, see
        `snnctl.measure.columns`: `metrics` and `baselines` are of scaled values; `intervals`, see
        `snnctl.engine.bands.intervals_to_json`, None where they were not asked for or it is no forecast.
    """
    folder = weights_folder(run, checkpoint)
    network = experiment.network.to(runtime.device)
    facts = load_weights(folder, network)
    bands = run_bands(experiment, run, runtime, facts) if intervals else None
    coverage = coverage_of(experiment, split, bands)

    def see(indices: Tensor, prediction: Tensor, batch: Any) -> None:
        if coverage is not None:
            coverage.update(indices, prediction, batch.targets, batch.observed)

    data = experiment.data.split(split)
    found = evaluate(network, experiment.task, data, experiment.eval_batch_size, runtime, see=see)
    if inspect is not None:
        inspect(found)
    report = experiment.task.run_baselines(split) if baselines else None
    scores = dict(report.scores) if report else {}
    meters = dict(report.meters) if report else {}
    if baselines and experiment.network.has_skip:
        alone = evaluate(SkipAlone(network), experiment.task, data, experiment.eval_batch_size, runtime)
        scores, meters = {"skip_alone": alone.metrics, **scores}, {"skip_alone": alone.meter, **meters}
    return {
        "run": str(run.path),
        "identity": experiment.identity.digest,
        "name": experiment.name,
        "split": split,
        "items": len(data),
        "checkpoint": {"path": folder.name, **facts},
        "seed": experiment.train.seed,
        "parameters": experiment.parameters,
        "leaky": bool(experiment.data.leaks),
        "leaks": list(experiment.data.leaks),
        "data_warnings": [*experiment.data_warnings, *(one.to_json() for one in dominated(found.meter, split))],
        "metrics": found.named(split),
        "units": units(found.meter, meters),
        "columns": by_column(found.meter, meters),
        "intervals": None if coverage is None else intervals_to_json(coverage, split),
        "spiking": experiment.network.spikes,
        "skip": experiment.network.has_skip,
        "baselines": scores,
        "baselines_omitted": report.omitted if report else {},
        "baselines_chosen": report.chosen if report else {},
        "input": None if found.inputs is None else found.inputs.to_json(),
        "spikes": {**asdict(found.totals), "layers": found.per_layer()},
        "health": [verdict.to_json() for verdict in found.verdicts()],
    }


@contextmanager
def _failures_noted(run: RunDir) -> Iterator[None]:
    """Turn failures into diagnostics where they have one, and note them in the manifest."""
    try:
        yield
    except Exception as error:
        known = isinstance(error, DiagnosticError)
        found = error.diagnostics if isinstance(error, DiagnosticError) else (_diagnosed(error, run),)
        with suppress(OSError):
            run.note_failure([d.to_json() for d in found])
        if known or found[0].code == "E700":
            raise
        raise DiagnosticError(found) from error


def _diagnosed(error: Exception, run: RunDir) -> Diagnostic:
    memory = out_of_memory(error)
    if memory is not None:
        return memory
    if isinstance(error, ValueError) and "more than 1 value per channel" in str(error):
        return Diagnostic("E404", path="train.batch_size", help="choose a `train.batch_size` that leaves no item over")
    fault = system_fault(error, run.path)
    if fault is not None:
        return replace(fault, help=f"{fault.help}, with --continue or --resume: the last checkpoint is whole")
    if isinstance(error, OSError):
        help = "the last checkpoint is whole; make room, then go on with --resume"
        return Diagnostic("E412", f"the run cannot be written: {error.strerror or error}", help=help)
    return Diagnostic("E700", f"{type(error).__name__}: {error}")
