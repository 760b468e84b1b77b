"""Parameters that learn at their own pace: groups by name, and their scales on an optimiser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn
from torch.optim import Optimizer

from snnctl.core.training import ParameterGroup


@dataclass(frozen=True)
class Group:
    """Parameters that share their scales.

    Args:
        parameters: in the network's order.
        lr_scale, weight_decay_scale: factors on the optimiser's own values.
    """

    parameters: list[nn.Parameter]
    lr_scale: float = 1.0
    weight_decay_scale: float = 1.0


class UnmatchedGroupError(ValueError):
    """A pattern that no parameter is left for.

    Args:
        number: which group.
        match: its pattern.
        network: whose layers are named as help.
    """

    def __init__(self, number: int, match: str, network: nn.Module) -> None:
        super().__init__(f"`{match}` matches no parameter that is left")
        self.number = number
        layers = dict.fromkeys(name.rpartition(".")[0] for name, _ in network.named_parameters())
        self.help = f"layers with parameters: {', '.join(layers)}"


def parameter_groups(network: nn.Module, wanted: Sequence[ParameterGroup]) -> list[Group]:
    """The trainable parameters in groups: those that no pattern matches first, then one group per pattern.

    Raises:
        UnmatchedGroupError: a pattern matches nothing, or nothing that an earlier one has not taken.
    """
    taken: list[list[nn.Parameter]] = [[] for _ in wanted]
    rest: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        fitting = (number for number, group in enumerate(wanted) if fnmatchcase(name, group.match))
        number = next(fitting, None)
        (rest if number is None else taken[number]).append(parameter)
    for number, group in enumerate(wanted):
        if not taken[number]:
            raise UnmatchedGroupError(number, group.match, network)
    groups = [Group(rest)] if rest else []
    return groups + [
        Group(parameters, group.lr_scale, group.weight_decay_scale)
        for parameters, group in zip(taken, wanted, strict=True)
    ]


def scaled(optimizer: Optimizer, groups: Sequence[Group]) -> Optimizer:
    """The optimiser with each group's scales; its groups are `groups`, in the same order."""
    for entry, group in zip(optimizer.param_groups, groups, strict=True):
        entry["lr"] *= group.lr_scale
        entry["weight_decay"] *= group.weight_decay_scale
    return optimizer
