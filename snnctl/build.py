"""The composition root: a resolved recipe becomes an experiment. Short; read it first."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, warnings_of
from snnctl.core.identity import recipe_digest
from snnctl.core.params import params_model
from snnctl.core.seeds import building_with, stream_seed
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import grouped, knobs
from snnctl.engine.bounds import TooLargeError, few_modules, refuse_large_signal, refuse_large_weights
from snnctl.engine.experiment import Experiment, Network
from snnctl.engine.groups import Group, UnmatchedGroupError, parameter_groups, scaled
from snnctl.engine.schedule import Schedule
from snnctl.neurons import SpikingNeuron
from snnctl.neurons.base import neurons_in
from snnctl.recipe import Recipe
from snnctl.recipe.resolve import components
from snnctl.recipe.source import KeyPath, path_text

_STILL = {"neuron": None, "spiking": False}  # knobs of encoders


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
    return component(*wiring, **grouped(component, arguments))


def factory(kind: str, config: dict[str, Any]) -> Callable[..., Any]:
    """A callable that makes such a component anew at every call."""
    return lambda *wiring: make(kind, config, *wiring)


def build_network(recipe: Recipe, signal: SignalSpec, outputs: int) -> Network:
    """Encoder, backbone and readout for data of shape `signal`.

    Raises:
        DiagnosticError: R401, a component does not fit the shape it gets; names the knob.
            R403, a component cannot be made.
        R406, no memory of this machine holds it.
    """
    values = recipe.values

    def placed(kind: str, section: str, *wiring: Any) -> Any:
        try:
            with few_modules():
                made = make(kind, values[section], *wiring)
            if isinstance(getattr(made, "output", None), SignalSpec):
                refuse_large_signal(made.output, f"`{section}`")
            return made
        except ShapeError as error:
            path: KeyPath = _find(values[section], error.knob, (section,)) if error.knob else (section,)
            raise DiagnosticError(recipe.problem("R401", error.message, path, error.help)) from error
        except DiagnosticError:
            raise
        except TooLargeError as error:
            raise DiagnosticError(_too_large(recipe, section, error)) from error
        except Exception as error:
            raise DiagnosticError(_failure(recipe, f"`{section}` cannot be built", (section,), error)) from error

    if values["model"].get("spiking") is False:
        # A twin spikes nowhere: its encoder hands on its currents, or the values that its spikes would stand for.
        still = {knob: value for knob, value in _STILL.items() if knob in values["encoder"]}
        values = {**values, "encoder": {**values["encoder"], **still}}
    encoder = placed("encoder", "encoder", signal)
    backbone = placed("backbone", "model", encoder.output)
    readout = placed("readout", "readout", backbone.output, outputs, signal)
    try:
        network = Network(encoder, backbone, readout)
    except ShapeError as error:
        section = "model" if error.knob == "backbone" else "readout"
        raise DiagnosticError(recipe.problem("R401", error.message, (section, "type"), error.help)) from error
    _check_steps(recipe, network)
    if all(one.is_meta for one in network.parameters()):  # else it has been allocated
        for section, part in (("encoder", encoder), ("model", backbone), ("readout", readout)):
            try:
                refuse_large_weights(part)
            except TooLargeError as error:
                raise DiagnosticError(_too_large(recipe, section, error)) from None
    return network


def _too_large(recipe: Recipe, section: str, error: TooLargeError) -> Diagnostic:
    """R406, at the largest number of the section, which is most likely why."""
    numbers = [
        (value, path)
        for path, value in recipe.leaves()
        if path[0] == section and isinstance(value, int) and not isinstance(value, bool) and path[-1] != "seed"
    ]
    value, path = max(numbers, default=(0, (section,)))
    help = f"lower what makes it large; the largest number here is `{path_text(path)}`, {value:,}" if numbers else ""
    return recipe.problem("R406", f"`{section}` is larger than can be trained here: {error}", path, help)


def _check_steps(recipe: Recipe, network: Network) -> None:
    """Neurons with weights over time run for exactly so many steps."""
    steps = network.signals["encoder"].steps
    for section, part in (("encoder", network.encoder), ("model", network.backbone)):
        for module in part.modules():
            fixed = module.fixed_steps if isinstance(module, SpikingNeuron) else None
            if fixed not in (None, steps):
                message = f"neuron has weights for {fixed} steps, the encoder gives {steps}"
                help = f"set its steps to {steps}, or `encoder.steps` to {fixed}"
                raise DiagnosticError(recipe.problem("R401", message, (section, "neuron"), help))


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
    with building_with(recipe.train.seed):
        return _located(recipe, lambda: make("data", recipe.values["data"]).load())


@contextmanager
def initialising(seed: int) -> Iterator[None]:
    """What is built within begins as training under `seed` begins with it."""
    with torch.random.fork_rng(devices=[]), building_with(seed):
        torch.manual_seed(stream_seed(seed, "init"))
        yield


def assemble(recipe: Recipe, data: Any) -> tuple[Any, Network]:
    """The recipe's task and network for data of this shape; the network is initialised as at the start of training.

    Raises:
        DiagnosticError: R3xx and R4xx as `check`.
    """
    task = _located(recipe, lambda: make("task", recipe.values["task"], data))
    with initialising(recipe.train.seed):
        return task, build_network(recipe, task.input_signal, task.outputs)


def build(recipe: Recipe) -> Experiment:
    """Load the data and build everything; the network is initialised from the seed's `init` stream.

    Raises:
        DiagnosticError: Dxxx data missing or unfit, R3xx and R4xx as `check`.
    """
    data = load_data(recipe)
    task, network = assemble(recipe, data)

    def make_optimizer(network: nn.Module) -> Optimizer:
        groups = _groups(recipe, network)
        optimizer = make("optim", recipe.values["optim"], [{"params": group.parameters} for group in groups])
        return scaled(optimizer, groups)

    def make_schedule(optimizer: Optimizer, epochs: int, per_epoch: int) -> Schedule:
        return make("schedule", recipe.values["schedule"], optimizer, epochs, per_epoch)

    made_by = (recipe_digest(recipe.values), recipe.plugin_files)
    return Experiment(recipe.name, network, task, data, recipe.train, make_optimizer, make_schedule, *made_by)


def _groups(recipe: Recipe, network: nn.Module) -> list[Group]:
    """Parameters by `train.groups`.

    Raises:
        DiagnosticError: R404, a pattern matches nothing.
    """
    try:
        return parameter_groups(network, recipe.train.groups)
    except UnmatchedGroupError as error:
        where: KeyPath = ("train", "groups", error.number, "match")
        raise DiagnosticError(recipe.problem("R404", str(error), where, error.help)) from None


def data_warnings(recipe: Recipe, data: Any) -> list[Diagnostic]:
    """What data found odd when it was probed or loaded, at the keys of the recipe that it concerns."""
    return [_placed(recipe, one) for one in warnings_of(data)]


def check(recipe: Recipe) -> list[Diagnostic]:
    """What reading and schema cannot see: whether data is there and long enough, and whether shapes fit.

    The data is probed, not parsed; the network is built on the `meta` device, which allocates nothing, and
    each component is given the signal that the one before declares. Components of plug-ins are not taken at
    their word: a batch of two is pushed through (what ships with snnctl is held to its word by tests, and
    that push costs over a second of torch imports).

    Returns:
        Errors and warnings, those of the data first; empty when all is well.
    """
    said: list[Diagnostic] = []
    try:
        probe = _located(recipe, lambda: make("data", recipe.values["data"]).probe())
        said = data_warnings(recipe, probe)
        task = _located(recipe, lambda: make("task", recipe.values["task"], probe))
        with torch.device("meta"):
            network = build_network(recipe, task.input_signal, task.outputs)
        _groups(recipe, network)
        if any(REGISTRIES[kind].source(config["type"]) != "snnctl" for kind, config, _ in components(recipe.values)):
            _push(recipe, network, task.input_signal, task.outputs)
    except DiagnosticError as error:
        return [*said, *error.diagnostics]
    return [*said, *_cautions(recipe, network)]


def _cautions(recipe: Recipe, network: Network) -> Iterator[Diagnostic]:
    """R405: what the parts of a network say a reader of the recipe would not expect."""
    for section, part in (("encoder", network.encoder), ("model", network.backbone), ("readout", network.readout)):
        for text in part.cautions:
            yield replace(recipe.problem("R405", text, (section,), on_key=True), severity="warning")
    for name, reason in _slow_neurons(network).items():
        text = f"neuron {name} runs step by step in torch, no kernel can be made of it: {reason}"
        yield replace(recipe.problem("R405", text, ("model",), on_key=True), severity="warning")
    levels = max((part.levels for part in network.modules() if isinstance(part, SpikingNeuron)), default=1)
    if levels > 1 and network.signals["encoder"].steps == 1:
        text = (
            f"at T = 1 neurons of {levels + 1} levels are a quantised non-spiking network of "
            f"{levels.bit_length()} bits: nothing depends on time"
        )
        yield replace(recipe.problem("R405", text, ("model",), on_key=True), severity="warning")


def _slow_neurons(network: Network) -> dict[str, str]:
    """The kinds of neurons of plug-ins that no kernel can be made of, and why."""
    found = {}
    for neuron in neurons_in(network).values():
        kind = type(neuron)
        if not kind.__module__.startswith("snnctl.") and kind.__name__ not in found:
            found[kind.__name__] = deepcopy(neuron).to_empty(device="cpu").why_not_compiled()
    return {name: reason for name, reason in found.items() if reason}


def _push(recipe: Recipe, network: Network, signal: SignalSpec, outputs: int) -> None:
    try:
        with torch.device("meta"):
            found = network(torch.empty(signal.shape(2)))
    except Exception as error:
        raise DiagnosticError(_failure(recipe, "a batch does not pass the network", ("model",), error)) from error
    wanted = _answers(network.readout.answers, signal, outputs)
    if tuple(found.shape) not in wanted:
        message = f"the readout gives {tuple(found.shape)}, the task needs {' or '.join(map(str, wanted))}"
        raise DiagnosticError(recipe.problem("R402", message, ("readout",)))


def _answers(asked: str, signal: SignalSpec, outputs: int) -> list[tuple[int, ...]]:
    """Shapes that a task of this kind takes of a batch of two."""
    if asked == "step":
        return [(2, signal.frames, outputs)]
    if asked == "frames":  # the frames that follow, or those before them too
        return [(2, n, signal.length, outputs) for n in (signal.ahead, signal.frames + signal.ahead - 1)]
    return [(2, outputs)]


def _failure(recipe: Recipe, what: str, path: KeyPath, error: Exception) -> Diagnostic:
    """R403, with the line of the plug-in in which it happened, if it was one."""
    text = f"{what}: {type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
    files = {plugin.path for plugin in recipe.plugins}
    lines = [f"{f.filename}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__) if f.filename in files]
    named = ", ".join(component for plugin in recipe.plugins for component in plugin.components)
    note = f"raised at {lines[-1]}" if lines else f"from plug-ins: {named}" if named else ""
    return recipe.problem("R403", text, path, on_key=True, notes=(note,) if note else ())


def _located(recipe: Recipe, load: Callable[[], Any]) -> Any:
    """Point problems that data or task find with their knobs to where those stand in the recipe."""
    try:
        return load()
    except DiagnosticError as error:
        raise DiagnosticError([_placed(recipe, problem) for problem in error.diagnostics]) from None


def _placed(recipe: Recipe, problem: Diagnostic) -> Diagnostic:
    """One that names a key, at that key; one with a line of a data file stays there, and names the place of the key."""
    if not problem.path:
        return problem
    path = tuple(problem.path.split("."))
    if problem.line:
        place = recipe.problem(problem.code, "-", path).place()
        return replace(problem, notes=(*problem.notes, f"the file is named at {place}"))
    named = problem.file and problem.file not in problem.message
    notes = problem.notes + ((f"in {problem.file}",) if named else ())
    found = recipe.problem(problem.code, problem.message, path, problem.help, notes=notes)
    return replace(found, severity=problem.severity)
