"""A neuron's step, compiled: what is made once for a neuron as it is, and how its small values are had at each call."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from snnctl.neurons.kernels.form import Form, formed, normed
from snnctl.neurons.kernels.jit import Compiled, sources_digest
from snnctl.neurons.kernels.scan_ir import backward_ir, forward_ir
from snnctl.neurons.kernels.trace import Place, Small, Step

Recipe = Callable[[list[Any]], Tensor]


# What writes the code: with the form, all that a kernel is made from.
_WRITERS = ("scan_ir", "emit", "form", "graph", "rules", "vector_ir", "segments")


@cache
def forward_kernel(form: Form, from_rest: bool, keeps_state: bool) -> Compiled:
    """The kernel of `scan_ir.forward_ir`."""
    write = partial(forward_ir, form, "scan", from_rest=from_rest, keeps_state=keeps_state)
    return Compiled("scan", write, f"{sources_digest(*_WRITERS)} {form} {from_rest} {keeps_state}")


@cache
def backward_kernel(form: Form, from_rest: bool, keeps_state: bool, sums: tuple[str, ...]) -> Compiled:
    """The kernel of `scan_ir.backward_ir`."""
    name = "scan_backward"
    write = partial(backward_ir, form, name, from_rest=from_rest, keeps_state=keeps_state, sums=sums)
    return Compiled(name, write, f"{sources_digest(*_WRITERS)} {form} {from_rest} {keeps_state} {sums}")


class Program:
    """A step that can be run.

    Args:
        step: as it was traced.
    """

    def __init__(self, step: Step) -> None:
        found = formed(step)
        self.step, self.form, self.numbers = step, found.form, found.numbers
        self.real = step.real
        self.summed = {name for name, _ in self.form.grads if name.startswith("small")}
        self._order, self._given = _in_order(step.smalls, found.smalls)
        self._recipes = [_recipe(step.smalls[place]) for place in self._order]
        self._normed: Form | None = None
        self.launches: dict[Any, Any] = {}

    @property
    def normed(self) -> Form:
        """The form behind a norm."""
        if self._normed is None:
            self._normed = normed(self.form)
        return self._normed

    def smalls(self, channels: int) -> list[Tensor] | None:
        """The small values as they are now, [] or [channels], in the dtype computed in; gradients flow back through
        them. None where the step has to be traced anew: one has another shape, or takes a gradient and did not."""
        if not self._order:
            return []
        made: list[Any] = [None] * len(self.step.smalls)
        for place, recipe in zip(self._order, self._recipes, strict=True):
            made[place] = recipe(made)
        found = []
        for place, per_channel in zip(self._given, self.form.per_channel, strict=True):
            value = made[place]
            if value.numel() != (channels if per_channel else 1):
                return None
            if value.requires_grad and place not in self.step.learned:
                return None
            value = value if value.dtype == self.real else value.to(self.real)
            found.append(value if value.dim() == int(per_channel) else value.reshape((channels,) * per_channel))
        return found


def _in_order(smalls: list[Small], wanted: tuple[int, ...]) -> tuple[list[int], tuple[int, ...]]:
    """Those that have to be made, in an order in which they can be, and those that the kernel takes."""
    needed: set[int] = set()
    left = list(wanted)
    while left:
        place = left.pop()
        if place not in needed:
            needed.add(place)
            compute = smalls[place].compute
            if compute is not None:
                left.extend(part.number for part in _places(compute[1:]))
    return sorted(needed), wanted


def _places(arguments: Any) -> list[Place]:
    return [part for part in tree_leaves(arguments, is_leaf=_is_place) if _is_place(part)]


def _is_place(part: Any) -> bool:
    return isinstance(part, Place)


def _recipe(small: Small) -> Recipe:
    """A function that makes this value from those before it."""
    if small.tensor is not None:
        held, name = small.tensor
        return lambda made: held[name]
    assert small.compute is not None
    function, args, named = small.compute
    if not named and len(args) == 1 and _is_place(args[0]):
        (only,) = args[0]
        return lambda made: function(made[only])
    if not named and not any(_is_place(part) for arg in args if not _is_place(arg) for part in _places(arg)):
        parts = [(arg.number, None) if _is_place(arg) else (None, arg) for arg in args]
        return lambda made: function(*(other if place is None else made[place] for place, other in parts))

    def general(made: list[Any]) -> Tensor:
        def filled(part: Any) -> Any:
            return made[part.number] if _is_place(part) else part

        full = tree_map(filled, (args, named), is_leaf=_is_place)
        return function(*full[0], **full[1])

    return general
