"""The door to a trained run as a model, whatever its task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

from snnctl.build import assemble, load_data
from snnctl.core.choices import Checkpoint, Device
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, as_warnings
from snnctl.data.anew import Fitted, fitted_of
from snnctl.data.series.fitted import FittedSeries
from snnctl.engine.belonging import Warn, changed_data, foreign_model, settle
from snnctl.engine.checkpoint import load_weights
from snnctl.engine.runtime import Runtime
from snnctl.finished import FinishedRun, open_run
from snnctl.recipe import Recipe
from snnctl.serving.bands import bands_of_run
from snnctl.serving.bundle import run_folder
from snnctl.serving.classifier import Classifier
from snnctl.serving.continuer import Continuer
from snnctl.serving.ensemble import Ensemble
from snnctl.serving.forecaster import Forecaster
from snnctl.serving.vote import Vote

Model = Forecaster | Classifier | Continuer
_MODELS: dict[str, Callable[..., Any]] = {
    "forecasting": Forecaster,
    "classification": Classifier,
    "step_classification": Classifier,
    "video_prediction": Continuer,
}
# The kind of what is remembered of each data component.
_KINDS = {
    "timeseries": "forecasting",
    "text": "texts",
    "image": "images",
    "sequential_image": "images",
    "event_frames": "event_frames",
    "event_spikes": "recordings",
    "order": "made",
    "mts_xor": "made",
    "video": "video",
    "moving_digits": "video",
}
# Knobs that stand in both.
_BESIDE = {
    "forecasting": ("window", "horizon", "window_norm", "missing", "calendar"),
    "texts": ("length",),
    "video": ("frames_in", "frames_out"),
}


@overload
def load(
    run: Path | str,
    checkpoint: Checkpoint = ...,
    *,
    device: Device = ...,
    allow_plugins: bool = ...,
    plugins: Sequence[Path | str] = ...,
    warn: Warn = ...,
) -> Model: ...
@overload
def load(
    run: list[Path] | list[str] | list[Path | str] | tuple[Path | str, ...],
    checkpoint: Checkpoint = ...,
    *,
    device: Device = ...,
    allow_plugins: bool = ...,
    plugins: Sequence[Path | str] = ...,
    warn: Warn = ...,
) -> Ensemble | Vote: ...
def load(
    run: Path | str | list[Path] | list[str] | list[Path | str] | tuple[Path | str, ...],
    checkpoint: Checkpoint = "best",
    *,
    device: Device = "auto",
    allow_plugins: bool = True,
    plugins: Sequence[Path | str] = (),
    warn: Warn = as_warnings,
) -> Model | Ensemble | Vote:
    """The model that a run directory or a bundle holds; of its training data nothing is read where it has `model/`.

    Its task says which: `Forecaster`, `Classifier` (of items, or of steps) or `Continuer` of videos.

    Args:
        run: as `snnctl train` made it, wherever it lies now; or a bundle, as `snnctl export --format bundle` wrote it.
            Several of one task, as seeds are, become their mean.
        checkpoint: which weights; the last stand in where none were the best.
        device: cpu keeps off accelerators.
        allow_plugins: whether its recipe may name plug-in files.
        plugins: plug-in files to load before; a bundle carries no code, and names by digest what it needs.
        warn: told of what is odd; by default Python's own warnings.

    Raises:
        DiagnosticError: U413 it is no run directory, U500 its task or data is a plug-in's that keeps nothing, U506
            its model is damaged, E410 and E411 its weights are, E413 they or its model are another run's, U423 its
            plug-ins or U424 its recipe changed (`snnctl.core.identity.accepting` goes on); U523 several that do not go
            together; U540 to U544 a bundle that is damaged, changed, newer, or lacks plug-ins; U401 and U408 no such
            device or checkpoint; R1xx
            to R4xx, its recipe is not valid any more.

    Example:
        >>> model = load(run)  # a folder that `snnctl train` made
        >>> model.columns
        ('value',)
        >>> model.fitted.window, model.fitted.horizon
        (12, 2)
        >>> list(model.predict())
        ['unique_id', 'ds', 'snnctl']
        >>> list(model.predict(last=5))
        ['unique_id', 'ds', 'cutoff', 'snnctl']
    """
    if not isinstance(run, Path | str):
        _refuse_twice(run)
        how: dict[str, Any] = {"device": device, "allow_plugins": allow_plugins, "plugins": plugins}
        quieter = _once(warn)
        members = [load(one, checkpoint, **how, warn=quieter) for one in run]
        names = [str(one) for one in run]
        forecasters = [one for one in members if isinstance(one, Forecaster)]
        classifiers = [one for one in members if isinstance(one, Classifier)]
        if len(forecasters) == len(members):
            return Ensemble(forecasters, names)
        if len(classifiers) == len(members):
            return Vote(classifiers, names)
        message = "the runs cannot be averaged: they are not all of one task, or continue videos"
        raise DiagnosticError(Diagnostic("U523", message, help="predict with each"))
    with run_folder(Path(run), checkpoint, plugins, allow_plugins=allow_plugins) as (folder, allowed):
        model = _load(folder, checkpoint, device, allow_plugins=allowed, warn=warn)
        if folder != Path(run) and isinstance(model, Forecaster):
            model.keep_bands()  # where a bundle is laid out, nothing will be later on
        return model


def _load(folder: Path, checkpoint: Checkpoint, device: Device, *, allow_plugins: bool, warn: Warn) -> Model:
    opened = open_run(folder, checkpoint, allow_plugins=allow_plugins, warn=warn)
    recipe = opened.recipe
    kind = recipe.values["task"]["type"]
    if kind not in _MODELS:
        raise DiagnosticError(Diagnostic("U500", facts={"task": kind}))
    fitted, fingerprint = _fitted(opened)
    task, network = assemble(_without_vectors(recipe), fitted)
    of_weights = load_weights(opened.weights, network)
    runtime = Runtime.of(recipe.train, device)
    network.to(runtime.device)
    facts = {"path": opened.weights.name, **of_weights}
    model: Model = _MODELS[kind](recipe, fitted, task, network, runtime, facts, warn)
    if isinstance(model, Forecaster):
        model.bands = lambda: bands_of_run(opened, of_weights, runtime)
    else:
        model.passing.fitted_fingerprint = fingerprint
    return model


def _refuse_twice(runs: Sequence[Path | str]) -> None:
    """U523 where a run is named twice: it would count twice in the mean, and lessen the spread."""
    seen: set[Path] = set()
    for run in runs:
        place = Path(run).resolve()
        if place in seen:
            raise DiagnosticError(Diagnostic("U523", f"run `{run}` is named twice", help="name each run once"))
        seen.add(place)


def _once(warn: Warn) -> Warn:
    """Tells what several runs say alike only once."""
    told: set[tuple[str, str]] = set()

    def tell(diagnostics: Sequence[Diagnostic]) -> None:
        fresh = [one for one in diagnostics if (one.code, one.message) not in told]
        told.update((one.code, one.message) for one in fresh)
        if fresh:
            warn(fresh)

    return tell


def _without_vectors(recipe: Recipe) -> Recipe:
    """Without the file that embeddings began with: the weights have learned from it, and it need not be there."""
    encoder = recipe.values["encoder"]
    if encoder.get("vectors") is None:
        return recipe
    return replace(recipe, values={**recipe.values, "encoder": {**encoder, "vectors": None}})


def _fitted(opened: FinishedRun) -> tuple[Any, str | None]:
    """What the run remembers of its data, and its fingerprint; of an older run without `model/`, from the data."""
    folder, recipe = opened.folder, opened.recipe
    document = folder.model()
    if document is not None:
        settle(folder, foreign_model(opened.record, folder, document), opened.warn)
        try:
            _check_beside(recipe, document)
            made = FittedSeries.of_json if document["kind"] == "forecasting" else fitted_of
            return made(document), document.get("fingerprint")
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
            facts = {"reason": f"{type(error).__name__}: {error}"}
            raise DiagnosticError(Diagnostic("U506", file=str(folder.model_file), facts=facts)) from error
    try:
        data = load_data(recipe)
    except DiagnosticError as error:
        help = "the run is of an older snnctl: it needs its training data once more, where its recipe names it"
        first, *rest = error.diagnostics
        raise DiagnosticError([replace(first, help=help), *rest]) from error
    fitted = getattr(data, "fitted", None)
    if not isinstance(fitted, FittedSeries | Fitted):
        named = f"{recipe.values['task']['type']} on {recipe.values['data']['type']}"
        raise DiagnosticError(Diagnostic("U500", facts={"task": named}))
    settle(folder, changed_data(opened.record, data.fingerprint), opened.warn)
    return fitted, data.fingerprint


def _check_beside(recipe: Recipe, document: dict[str, Any]) -> None:
    """ValueError where a model is not of its recipe: nothing is built after a file that was changed by hand."""
    data = recipe.values["data"]
    kind = _KINDS.get(data["type"], document["kind"])
    if document["kind"] != kind:
        raise ValueError(f"it is of {document['kind']}, and the recipe's data of {kind}")
    for knob in _BESIDE.get(kind, ()):
        if document[knob] != data.get(knob) or isinstance(document[knob], bool) != isinstance(data.get(knob), bool):
            raise ValueError(f"{knob} is {document[knob]!r}, in the recipe {data.get(knob)!r}")
