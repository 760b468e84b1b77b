"""The activations whose place spiking neurons take, what passes through them, and what cannot be converted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.backbones.parts.recurrence import Sigmoid, Tanh
from snnctl.backbones.parts.units import Integrator, Quantised, Rectifier
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.engine.experiment import Network
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.norm import TokenNorm
from snnctl.recipe import Recipe

ENCODERS = ("repeat", "patch")
READOUTS = ("mean_linear", "flatten_linear", "last_linear")
_REASONS: tuple[tuple[type[nn.Module], str], ...] = (
    (Tanh, "tanh has no counterpart among spikes that are never negative"),
    (Sigmoid, "a sigmoid gate has no counterpart"),
    (Integrator, "integrators have no activation to replace"),
    (nn.LayerNorm, "its statistics are those of each sample; they cannot be folded into weights"),
    (nn.MaxPool2d, "the largest of several mean rates is not the mean of the largest spikes; use average pooling"),
)


def activations(network: nn.Module) -> dict[str, Rectifier | Quantised]:
    """The units that spiking neurons take the place of, by name, in the network's order."""
    return {name: part for name, part in network.named_modules() if isinstance(part, Rectifier | Quantised)}


@torch.no_grad()
def watch(
    parts: Mapping[str, nn.Module],
    batches: Iterable[Any],
    forward: Callable[[Any], object],
    note: Callable[[str, Tensor, Tensor], None],
) -> None:
    """Run `forward` on all batches, and `note(name, input, output)` at each call of each part."""

    def noting(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, given: Any, said: Any) -> None:
            note(name, given[0].detach(), (said[0] if isinstance(said, tuple) else said).detach())

        return hook

    with ExitStack() as hooks:
        for name, part in parts.items():
            hooks.enter_context(part.register_forward_hook(noting(name)))
        for batch in batches:
            forward(batch)


def obstacles(recipe: Recipe, network: Network) -> Iterator[str]:
    """Why the network cannot be converted, a sentence each."""
    if recipe.values["model"].get("spiking", True):
        yield "the network spikes already: `model.spiking` must be false"
    kind = recipe.values["model"]["type"]
    if not getattr(network.backbone, "convertible", False):
        yield f"backbone `{kind}` is more than weights, norms and rectifiers (attention, gates or recurrence)"
    encoder = recipe.values["encoder"]
    if encoder["type"] not in ENCODERS:
        yield f"encoder `{encoder['type']}` does not give the same current at every step: {' or '.join(ENCODERS)} do"
    readout = recipe.values["readout"]["type"]
    if readout not in READOUTS:
        yield f"read-out `{readout}` is not linear in the mean over steps: {', '.join(READOUTS)} are"
    for name, part in network.named_modules():
        reason = next((text for kind, text in _REASONS if isinstance(part, kind)), "")
        if isinstance(part, TokenNorm) and part.always_batch:
            reason = "its statistics are those of each batch; they cannot be folded into weights"
        if isinstance(part, SpikingNeuron):
            reason = "it spikes already"
        if reason:
            yield f"{name} ({type(part).__name__}): {reason}"
    if not activations(network):
        yield "there is no rectifier whose place neurons could take"


def refuse_unsupported(recipe: Recipe, network: Network) -> None:
    """Nothing, if the network can be converted.

    Raises:
        DiagnosticError: U490, one for each obstacle.
    """
    found = [Diagnostic("U490", f"cannot be converted: {text}") for text in dict.fromkeys(obstacles(recipe, network))]
    if found:
        raise DiagnosticError(found)
