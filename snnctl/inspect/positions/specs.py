"""From what the user named - a recipe, `--position SPEC` - to encodings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from snnctl.build import build_network, check, make
from snnctl.core.catalog import POSITIONS
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.seeds import building_with, stream_seed
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.engine.experiment import Network
from snnctl.inspect.positions.encoding import Encoding, encoding_of
from snnctl.positions.base import Position
from snnctl.recipe import Recipe
from snnctl.recipe.resolve import components
from snnctl.recipe.slots import Validation
from snnctl.recipe.source import Mark, Source, parse_value

DEFAULT_LENGTH, DEFAULT_STEPS, DEFAULT_WIDTH = 168, 4, 40
COMPANIONS = ("none", "sinusoid", "random")  # what a recipe's own position is compared with unless told otherwise
MOST_ROWS = 65536


@dataclass(frozen=True)
class Wanted:
    """An encoding to be analysed.

    Args:
        config: `{type, knobs...}`, validated, every default filled in.
        origin: where it comes from, for people.
        module: the trained position, where there is one.
        label: what to name in a diagnostic, e.g. `--position cpg (1st)`.
    """

    config: dict[str, Any]
    origin: str
    module: Position | None = None
    label: str = ""


def parse_spec(text: str, number: int) -> Wanted:
    """A position, as `component_of`."""
    config, label = component_of("position", text, number)
    return Wanted(config, "--position", label=label)


def component_of(kind: str, text: str, number: int) -> tuple[dict[str, Any], str]:
    """`cpg`, `{type: cpg, neurons: 40}` or `cpg: {neurons: 40}`, validated as the slot of a recipe is.

    Args:
        kind: of component, and the option's name without dashes.
        text: the SPEC.
        number: which one on the command line, from 1.

    Returns:
        `{type, knobs...}`, and what to name in a diagnostic.

    Raises:
        DiagnosticError: R1xx it is not YAML, R2xx and R3xx as for that slot of a recipe.
    """
    label = f"--{kind} {text} (no. {number})"
    value = parse_value(text, label)
    if isinstance(value, dict) and "type" not in value and len(value) == 1:
        ((name, inner),) = value.items()
        if (isinstance(inner, dict) and "type" not in inner) or inner is None:
            value = {"type": name, **(inner or {})}
    source = Source("", text, {kind: value})
    source.items[()] = Mark(override=label)
    validation = Validation(source)
    config = validation.component(kind, value, (kind,))
    if validation.problems:
        raise DiagnosticError(validation.problems)
    return config, label


def parse_specs(texts: Sequence[str]) -> list[Wanted]:
    """All of them; what is wrong with any is reported at once."""
    found: list[Wanted] = []
    problems: list[Diagnostic] = []
    for number, text in enumerate(texts, 1):
        try:
            found.append(parse_spec(text, number))
        except DiagnosticError as error:
            problems += error.diagnostics
    if problems:
        raise DiagnosticError(problems)
    return found


def own_config(recipe: Recipe) -> dict[str, Any]:
    """The recipe's position, `{type: none}` for a backbone that has no such slot."""
    return next((config for kind, config, _ in components(recipe.values) if kind == "position"), {"type": "none"})


def signal_of(recipe: Recipe) -> SignalSpec:
    """What the recipe's encoder gives: T, L and width, from a network on the meta device.

    Raises:
        DiagnosticError: as `build.check`.
    """
    with torch.device("meta"):
        return probed_network(recipe).signals["encoder"]


def probed_network(recipe: Recipe) -> Network:
    """The recipe's network on the current default device; the data is looked at, not read.

    Raises:
        DiagnosticError: as `build.check`, whose errors have their place in the recipe.
    """
    errors = [problem for problem in check(recipe) if problem.severity == "error"]
    if errors:
        raise DiagnosticError(errors)
    task = make("task", recipe.values["task"], make("data", recipe.values["data"]).probe())
    with torch.random.fork_rng(devices=[]), building_with(recipe.train.seed):
        torch.manual_seed(stream_seed(recipe.train.seed, "init"))
        return build_network(recipe, task.input_signal, task.outputs)


def default_signal(wanted: Sequence[Wanted], length: int | None, steps: int | None) -> SignalSpec:
    """The signal for positions without a recipe; as wide as the first that counts neurons."""
    widths = [one.config["neurons"] for one in wanted if isinstance(one.config.get("neurons"), int)]
    width = widths[0] if widths else DEFAULT_WIDTH
    return SignalSpec(steps or DEFAULT_STEPS, length or DEFAULT_LENGTH, width, kind="spikes")


def companions(own: dict[str, Any]) -> list[Wanted]:
    """What a recipe's own position is compared with when nothing else is named."""
    names = [name for name in COMPANIONS if name in POSITIONS and name != own["type"]]
    return [Wanted(parse_spec(name, 0).config, "for comparison") for name in names]


def make_encodings(wanted: Sequence[Wanted], signal: SignalSpec, seed: int = 0) -> tuple[list[Encoding], list[str]]:
    """Encodings in the order given, equal ones once; and notes on companions that do not fit the signal.

    Args:
        wanted: what to make.
        signal: T, L and width of what the position gets.
        seed: a run's; random and learned tables are those that training with it begins with.

    Raises:
        DiagnosticError: R401, a named position does not fit the signal.
            U455, more rows than can be analysed.
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
            module = one.module or _make(one.config, signal, seed)
        except ShapeError as error:
            if one.origin == "for comparison":
                notes.append(f"{name} is left out: {error.message}")
                continue
            problem = Diagnostic("R401", error.message, path=error.knob, override=one.label, help=error.help)
            raise DiagnosticError(problem) from error
        found.append(
            encoding_of(
                module, name=name, config=one.config, origin=one.origin, steps=signal.steps, tokens=signal.length
            )
        )
    return found, notes


def _make(config: dict[str, Any], signal: SignalSpec, seed: int) -> Position:
    with torch.random.fork_rng(devices=[]), building_with(seed):
        torch.manual_seed(stream_seed(seed, "init"))
        made: Position = make("position", config, signal)
    return made


def names_of(configs: Sequence[dict[str, Any]]) -> list[str]:
    """The type, with those knobs in which encodings of the same type differ."""
    names = []
    for config in configs:
        alike = [other for other in configs if other["type"] == config["type"]]
        differing = [key for key in config if any(other.get(key) != config[key] for other in alike)]
        names.append(" ".join([config["type"], *(f"{key}={_plain(config[key])}" for key in differing)]))
    return names


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
