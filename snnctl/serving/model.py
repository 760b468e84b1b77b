"""The door to a trained run as a model, whatever its task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from snnctl.build import assemble, load_data
from snnctl.core.choices import Checkpoint
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, as_warnings
from snnctl.data.anew import Fitted, fitted_of
from snnctl.data.series.fitted import FittedSeries
from snnctl.engine.checkpoint import load_weights
from snnctl.engine.run_dir import RunDir
from snnctl.engine.runtime import Runtime
from snnctl.finished import open_run
from snnctl.recipe import Recipe
from snnctl.serving.classifier import Classifier
from snnctl.serving.continuer import Continuer
from snnctl.serving.forecaster import Forecaster

Warn = Callable[[Sequence[Diagnostic]], None]
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


def load(
    run: Path | str,
    checkpoint: Checkpoint = "best",
    *,
    device: Any = "auto",
    allow_plugins: bool = True,
    warn: Warn = as_warnings,
) -> Model:
    """The model that a run directory holds; of its training data nothing is read where it has `model/`.

    Its task says which: `Forecaster`, `Classifier` (of items, or of steps) or `Continuer` of videos.

    Args:
        run: as `snnctl train` made it, wherever it lies now.
        checkpoint: which weights; the last stand in where none were the best.
        device: cpu keeps off accelerators.
        allow_plugins: whether its recipe may name plug-in files.
        warn: told of what is odd; by default Python's own warnings.

    Raises:
        DiagnosticError: U413 it is no run directory, U500 its task or data is a plug-in's that keeps nothing, U506
            its model is damaged, E410 and E411 its weights are; R1xx to R4xx, its recipe is not valid any more.

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
    opened = open_run(run, checkpoint, allow_plugins=allow_plugins, warn=warn)
    recipe = opened.recipe
    kind = recipe.values["task"]["type"]
    if kind not in _MODELS:
        raise DiagnosticError(Diagnostic("U500", facts={"task": kind}))
    fitted, fingerprint = _fitted(opened.folder, recipe)
    task, network = assemble(_without_vectors(recipe), fitted)
    facts = {"path": opened.weights.name, **load_weights(opened.weights, network)}
    runtime = Runtime.of(recipe.train, device)
    network.to(runtime.device)
    model: Model = _MODELS[kind](recipe, fitted, task, network, runtime, facts, warn)
    if not isinstance(model, Forecaster):
        model.passing.fitted_fingerprint = fingerprint
    return model


def _without_vectors(recipe: Recipe) -> Recipe:
    """Without the file that embeddings began with: the weights have learned from it, and it need not be there."""
    encoder = recipe.values["encoder"]
    if encoder.get("vectors") is None:
        return recipe
    return replace(recipe, values={**recipe.values, "encoder": {**encoder, "vectors": None}})


def _fitted(folder: RunDir, recipe: Recipe) -> tuple[Any, str | None]:
    """What the run remembers of its data, and its fingerprint; of an older run without `model/`, from the data."""
    document = folder.model()
    if document is not None:
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
    if folder.manifest().get("data_fingerprint") != data.fingerprint:
        raise DiagnosticError(Diagnostic("D401", path="data", help="restore it, or train again"))
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
