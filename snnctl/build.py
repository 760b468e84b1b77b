"""The composition root: a resolved recipe becomes an experiment. Short; read it first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.seeds import stream_seed
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import knobs, params_model
from snnctl.engine.experiment import Experiment, Network
from snnctl.engine.schedule import Schedule
from snnctl.recipe import Recipe
from snnctl.recipe.source import KeyPath


def make(kind: str, config: dict[str, Any], *wiring: Any) -> Any:
    """One component from its resolved `{type, knobs...}`; nested components are made first."""
    component = REGISTRIES[kind].get(config["type"])
    given = {key: value for key, value in config.items() if key != "type"}
    typed = params_model(component).model_validate_json(json.dumps(given))
    arguments: dict[str, Any] = {}
    for knob in knobs(component):
        value = getattr(typed, knob.name)
        if knob.slot is not None and value is not None:
            if knob.slot.factory:
                value = factory(knob.slot.kind, given[knob.name])
            else:
                value = make(knob.slot.kind, given[knob.name])
        arguments[knob.name] = value
    return component(*wiring, **arguments)


def factory(kind: str, config: dict[str, Any]) -> Callable[..., Any]:
    """A callable that makes such a component anew at every call."""
    return lambda *wiring: make(kind, config, *wiring)


def build_network(recipe: Recipe, signal: SignalSpec, outputs: int) -> Network:
    """Encoder, backbone and readout for data of shape `signal`.

    Raises:
        DiagnosticError: R401, a component does not fit the shape it gets; names the knob.
    """
    values = recipe.values

    def placed(kind: str, section: str, *wiring: Any) -> Any:
        try:
            return make(kind, values[section], *wiring)
        except ShapeError as error:
            path: KeyPath = _find(values[section], error.knob, (section,)) if error.knob else (section,)
            raise DiagnosticError(recipe.problem("R401", error.message, path, error.help)) from error

    encoder = placed("encoder", "encoder", signal)
    backbone = placed("backbone", "model", encoder.output)
    readout = placed("readout", "readout", backbone.output, outputs)
    return Network(encoder, backbone, readout)


def _find(config: dict[str, Any], knob: str, path: KeyPath) -> KeyPath:
    """Where `knob` stands in a component or, failing that, in one nested in it."""
    if knob in config:
        return (*path, knob)
    for key, value in config.items():
        if isinstance(value, dict):
            found = _find(value, knob, (*path, key))
            if found[-1] == knob:
                return found
    return path


def load_data(recipe: Recipe) -> Any:
    """The recipe's data, read whole.

    Raises:
        DiagnosticError: Dxxx missing or unfit, R3xx window, horizon or split do not fit its length.
    """
    return _located(recipe, lambda: make("data", recipe.values["data"]).load())


def build(recipe: Recipe) -> Experiment:
    """Load the data and build everything; the network is initialised from the seed's `init` stream.

    Raises:
        DiagnosticError: Dxxx data missing or unfit, R3xx and R4xx as `check`.
    """
    data = load_data(recipe)
    task = make("task", recipe.values["task"], data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(recipe.train.seed, "init"))
        network = build_network(recipe, task.input_signal, task.outputs)

    def make_optimizer(parameters: Iterable[nn.Parameter]) -> Optimizer:
        return make("optim", recipe.values["optim"], parameters)

    def make_schedule(optimizer: Optimizer, epochs: int, per_epoch: int) -> Schedule:
        return make("schedule", recipe.values["schedule"], optimizer, epochs, per_epoch)

    return Experiment(recipe.name, network, task, data, recipe.train, make_optimizer, make_schedule)


def check(recipe: Recipe) -> list[Diagnostic]:
    """What reading and schema cannot see: whether data is there and long enough, and whether shapes fit.

    The data is probed, not parsed; the network is built on the `meta` device and a batch of two pushed
    through it, which allocates nothing.

    Returns:
        Errors and warnings; empty when all is well.
    """
    try:
        probe = _located(recipe, lambda: make("data", recipe.values["data"]).probe())
        task = make("task", recipe.values["task"], probe)
        with torch.device("meta"):
            network = build_network(recipe, task.input_signal, task.outputs)
            found = network(torch.empty(task.input_signal.shape(2)))
        if tuple(found.shape) != (2, task.outputs):
            message = f"the readout gives {tuple(found.shape)}, the task needs (2, {task.outputs})"
            return [recipe.problem("R402", message, ("readout",))]
    except DiagnosticError as error:
        return list(error.diagnostics)
    return []


def _located(recipe: Recipe, load: Callable[[], Any]) -> Any:
    """Point problems that the data finds with its knobs to where those stand in the recipe."""
    try:
        return load()
    except DiagnosticError as error:
        found = []
        for problem in error.diagnostics:
            if problem.path and not problem.line:
                path = tuple(problem.path.split("."))
                placed = recipe.problem(problem.code, problem.message, path, problem.help)
                notes = problem.notes + ((f"in {problem.file}",) if problem.file else ())
                found.append(replace(placed, notes=notes))
            else:
                found.append(problem)
        raise DiagnosticError(found) from None
