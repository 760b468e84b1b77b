"""The spiking network that takes the place of a non-spiking one: its recipe, and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from snnctl.convert.support import activations
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.engine.experiment import Network
from snnctl.neurons.base import SpikingNeuron
from snnctl.recipe import Recipe
from snnctl.recipe.resolve import read_recipe


@dataclass(frozen=True)
class Wanted:
    """What the spiking network is to be."""

    bits: int  # of a spike, 1 to 8
    steps: int  # T, >= 1

    @property
    def highest(self) -> int:
        """Spike value."""
        return 2**self.bits - 1

    @property
    def levels(self) -> int:
        """Levels above 0 of the mean over steps."""
        return self.highest * self.steps


def spiking_recipe(recipe: Recipe, wanted: Wanted, *, allow_plugins: bool = True) -> Recipe:
    """The recipe of the converted network; it can be trained, evaluated and shown like any other."""
    neuron = (
        "{type: if, reset: soft, learn_threshold: layer, start: 0.5, surrogate: straight_through, "
        f"spike: {{integer_bits: {wanted.bits}, fraction_bits: 0, emit: value}}}}"
    )
    sets = [
        "model.spiking=true",
        f"model.neuron={neuron}",
        f"encoder.steps={wanted.steps}",
        "encoder.neuron=null",
        f"name={recipe.name}-b{wanted.bits}-t{wanted.steps}",
    ]
    if "levels" in recipe.values["model"]:
        sets.append("model.levels=null")
    return read_recipe(recipe.to_yaml(), "the converted recipe", sets, allow_plugins=allow_plugins)


def transfer(source: Network, target: Network, tops: Mapping[str, float], wanted: Wanted) -> None:
    """Give `target` the weights of `source`, and its neurons thresholds: the top divided by the highest spike.

    Raises:
        DiagnosticError: U490, a neuron stands where the other network has no activation, or the other way round.
    """
    units = activations(source)
    neurons = {name: part for name, part in target.named_modules() if isinstance(part, SpikingNeuron)}
    odd = sorted(units.keys() ^ neurons.keys())
    if odd:
        message = f"cannot be converted: only one of the two networks has a non-linearity at {', '.join(odd)}"
        raise DiagnosticError(Diagnostic("U490", message))
    learned = {f"{name}.log_top" for name in units}
    tensors: dict[str, Tensor] = {key: value for key, value in source.state_dict().items() if key not in learned}
    for name, top in tops.items():
        tensors[f"{name}.log_threshold"] = torch.tensor(top / wanted.highest).log()
    target.load_state_dict(tensors)
