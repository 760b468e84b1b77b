"""What is analysed: positions by themselves, a recipe's or a run's, and others beside it; and their encodings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from snnctl.build import build_network, check, initialising, make
from snnctl.core.catalog import POSITIONS
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.engine.checkpoint import load_weights
from snnctl.engine.experiment import Network
from snnctl.finished import FinishedRun
from snnctl.inspect.positions.encoding import Encoding, encoding_of
from snnctl.inspect.specs import component_of, components_of, names_of
from snnctl.positions.base import Position
from snnctl.recipe import Recipe
from snnctl.recipe.resolve import components

DEFAULT_LENGTH, DEFAULT_STEPS, DEFAULT_WIDTH = 168, 4, 40
COMPANIONS = ("none", "sinusoid", "random")  # what a recipe's own position is compared with unless told otherwise
MOST_ROWS = 65536


@dataclass(frozen=True)
class Wanted:
    """An encoding to be analysed."""

    config: dict[str, Any]  # `{type, knobs...}`, validated, every default filled in
    origin: str  # where it comes from, for people
    module: Position | None = None  # the trained position, where there is one
    label: str = ""  # what to name in a diagnostic, e.g. `--position cpg (1st)`


@dataclass(frozen=True)
class Subject:
    """Encodings that are wanted, and for which signal."""

    name: str  # heading of the page
    wanted: list[Wanted]  # the one in question first
    signal: SignalSpec  # T, L and width of what the positions get
    out: Path  # where files go unless told otherwise
    seed: int = 0  # of random and learned tables


def parse_specs(texts: Sequence[str]) -> list[Wanted]:
    """Positions that were named, as `components_of`."""
    return [Wanted(config, "--position", label=label) for config, label in components_of("position", texts)]


def of_positions(wanted: list[Wanted], length: int | None, steps: int | None) -> Subject:
    """Positions without a recipe, for `length` tokens and `steps` steps."""
    types = list(dict.fromkeys(one.config["type"] for one in wanted))
    return Subject(", ".join(types), wanted, default_signal(wanted, length, steps), Path("pe") / "-".join(types)[:60])


def of_recipe(recipe: Recipe, others: Sequence[Wanted], length: int | None, steps: int | None) -> Subject:
    """A recipe's position before training, and others beside it.

    Where the data is missing, `length` and the encoder's own steps stand in for what it would say.

    Raises:
        DiagnosticError: as `snnctl.build.check`; not for missing data if `length` is given.
    """
    own = own_config(recipe)
    try:
        with torch.device("meta"):
            signal = _resized(probed_network(recipe).signals["encoder"], length, steps)
    except DiagnosticError as error:
        if length is None or error.exit_code != ExitCode.DATA:
            raise
        signal = default_signal([Wanted(own, "recipe")], length, steps or recipe.values["encoder"].get("steps"))
    wanted = [Wanted(own, "recipe", label="the recipe's position"), *(others or companions(own))]
    return Subject(recipe.name, wanted, signal, Path("pe") / recipe.name, recipe.train.seed)


def of_run(run: FinishedRun, others: Sequence[Wanted], length: int | None, steps: int | None) -> Subject:
    """A run's position as training has left it, and others beside it.

    Raises:
        DiagnosticError: as `snnctl.build.check`; E410, E411 as `load_weights`.
    """
    recipe, network = run.recipe, probed_network(run.recipe)
    load_weights(run.weights, network)
    position = next((module for module in network.modules() if isinstance(module, Position)), None)
    signal = _resized(network.signals["encoder"], length, steps)
    own = own_config(recipe)
    wanted = [Wanted(own, "run", position, "the run's position"), *(others or companions(own))]
    return Subject(recipe.name, wanted, signal, run.folder.path / "pe", recipe.train.seed)


def _resized(signal: SignalSpec, length: int | None, steps: int | None) -> SignalSpec:
    return replace(signal, length=length or signal.length, steps=steps or signal.steps)


def own_config(recipe: Recipe) -> dict[str, Any]:
    """The recipe's position, `{type: none}` for a backbone that has no such slot."""
    return next((config for kind, config, _ in components(recipe.values) if kind == "position"), {"type": "none"})


def probed_network(recipe: Recipe) -> Network:
    """The recipe's network on the current default device; the data is looked at, not read.

    Raises:
        DiagnosticError: as `build.check`, whose errors have their place in the recipe.
    """
    errors = [problem for problem in check(recipe) if problem.severity == "error"]
    if errors:
        raise DiagnosticError(errors)
    task = make("task", recipe.values["task"], make("data", recipe.values["data"]).probe())
    with initialising(recipe.train.seed):
        return build_network(recipe, task.input_signal, task.outputs)


def default_signal(wanted: Sequence[Wanted], length: int | None, steps: int | None) -> SignalSpec:
    """The signal for positions without a recipe; as wide as the first that counts neurons."""
    width = next((n for one in wanted if isinstance(n := one.config.get("neurons"), int)), DEFAULT_WIDTH)
    return SignalSpec(steps or DEFAULT_STEPS, length or DEFAULT_LENGTH, width, kind="spikes")


def companions(own: dict[str, Any]) -> list[Wanted]:
    """What a recipe's own position is compared with when nothing else is named."""
    names = [name for name in COMPANIONS if name in POSITIONS and name != own["type"]]
    return [Wanted(component_of("position", name, 0)[0], "for comparison") for name in names]


def make_encodings(wanted: Sequence[Wanted], signal: SignalSpec, seed: int = 0) -> tuple[list[Encoding], list[str]]:
    """Encodings in the order given, equal ones once; and notes on companions that do not fit the signal.

    Args:
        signal: T, L and width of what the position gets.
        seed: a run's; random and learned tables are those that training with it begins with.

    Raises:
        DiagnosticError: R401, a named position does not fit the signal; U455, more rows than can be analysed.
    """
    if signal.steps * signal.length > MOST_ROWS:
        message = f"T*L is {signal.steps * signal.length:,} rows; at most {MOST_ROWS:,} can be analysed"
        raise DiagnosticError(Diagnostic("U455", message, help="a smaller --length or --steps"))
    kept: list[Wanted] = []
    for one in wanted:
        if all(one.config != other.config for other in kept):
            kept.append(one)
    found, notes = [], []
    for name, one in zip(names_of([one.config for one in kept]), kept, strict=True):
        try:
            with initialising(seed):
                module: Position = one.module or make("position", one.config, signal)
        except ShapeError as error:
            if one.origin == "for comparison":
                notes.append(f"{name} is left out: {error.message}")
                continue
            problem = Diagnostic("R401", error.message, path=error.knob, override=one.label, help=error.help)
            raise DiagnosticError(problem) from error
        sizes = {"steps": signal.steps, "tokens": signal.length}
        found.append(encoding_of(module, name=name, config=one.config, origin=one.origin, **sizes))
    return found, notes
