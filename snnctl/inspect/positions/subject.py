"""What is analysed: positions by themselves, a recipe's, or a run's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from snnctl.core.diagnostic import DiagnosticError, ExitCode
from snnctl.core.shapes import SignalSpec
from snnctl.engine.checkpoint import load_weights, weights_folder
from snnctl.engine.run_dir import RunDir
from snnctl.inspect.positions.specs import Wanted, companions, default_signal, own_config, probed_network, signal_of
from snnctl.positions.base import Position
from snnctl.recipe import Recipe


@dataclass(frozen=True)
class Subject:
    """Encodings that are wanted, and for which signal.

    Args:
        name: heading of the page.
        wanted: the one in question first.
        signal: T, L and width of what the positions get.
        out: where files go unless told otherwise.
        seed: of random and learned tables.
        recipe: of a recipe or run.
        run: of a run.
    """

    name: str
    wanted: list[Wanted]
    signal: SignalSpec
    out: Path
    seed: int = 0
    recipe: Recipe | None = None
    run: RunDir | None = None


def of_positions(wanted: list[Wanted], length: int | None, steps: int | None) -> Subject:
    """Positions without a recipe, for `length` tokens and `steps` steps."""
    types = list(dict.fromkeys(one.config["type"] for one in wanted))
    name = ", ".join(types)
    return Subject(name, wanted, default_signal(wanted, length, steps), Path("pe") / "-".join(types)[:60])


def of_recipe(recipe: Recipe, others: Sequence[Wanted], length: int | None, steps: int | None) -> Subject:
    """A recipe's position before training, and others beside it.

    Where the data is missing, `length` and the encoder's own steps stand in for what it would say.

    Raises:
        DiagnosticError: as `snnctl.build.check`; not for missing data if `length` is given.
    """
    own = own_config(recipe)
    try:
        signal = _resized(signal_of(recipe), length, steps)
    except DiagnosticError as error:
        if length is None or error.exit_code != ExitCode.DATA:
            raise
        signal = default_signal([Wanted(own, "recipe")], length, steps or recipe.values["encoder"].get("steps"))
    wanted = [Wanted(own, "recipe", label="the recipe's position"), *(others or companions(own))]
    return Subject(recipe.name, wanted, signal, Path("pe") / recipe.name, recipe.train.seed, recipe)


def of_run(run: RunDir, recipe: Recipe, others: Sequence[Wanted], length: int | None, steps: int | None) -> Subject:
    """A run's position as training has left it, and others beside it.

    Raises:
        DiagnosticError: as `snnctl.build.check`; E410, E411 as `load_weights`.
    """
    network = probed_network(recipe)
    load_weights(weights_folder(run), network)
    position = position_of(network)
    signal = network.signals["encoder"]
    resized = _resized(signal, length, steps)
    own = own_config(recipe)
    first = Wanted(own, "run", position, "the run's position")
    wanted = [first, *(others or companions(own))]
    return Subject(recipe.name, wanted, resized, run.path / "pe", recipe.train.seed, recipe, run)


def position_of(network: nn.Module) -> Position | None:
    """The first position in a network."""
    return next((module for module in network.modules() if isinstance(module, Position)), None)


def _resized(signal: SignalSpec, length: int | None, steps: int | None) -> SignalSpec:
    return replace(signal, length=length or signal.length, steps=steps or signal.steps)
