"""Neurons that are alike share what was traced: a network of thirty LIF layers is read, and checked, as one.

Alike are neurons of one class, with the same code, the same attributes all the way down, and parameters of the same
shapes. Their parameters' values are inputs of a kernel, so those may differ. Whatever holds something that cannot be
compared for sure (an array, a tensor that is no parameter, a hook inside) is like no other.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import replace
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from snnctl.neurons.kernels.attributes import LASTING, OF_TORCH, callable_only, reachable

if TYPE_CHECKING:
    from snnctl.neurons.kernels.trace import Small, Step

_MOST = 512  # that are remembered; the one that was not asked for the longest goes first
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class _UnlikeAnyError(Exception):
    """Something that cannot be compared."""


class _Shared(NamedTuple):
    """A step without the neuron that it was traced from.

    Args:
        step: its small values name no tensor.
        places: of each small value, which module holds it, in which dictionary, under which name; None if computed.
    """

    step: Step
    places: tuple[tuple[int, str, str] | None, ...]


_shared: OrderedDict[Hashable, _Shared | str] = OrderedDict()


def likeness(neuron: nn.Module) -> Hashable | None:
    """The same for neurons that are alike; None for one that is like no other."""
    try:
        found = tuple(_rows(neuron))
        hash(found)
    except (_UnlikeAnyError, TypeError):
        return None
    return found


def remember(key: Hashable, neuron: nn.Module, found: Step | str) -> None:
    """Keep for neurons that are alike: a step, or the reason why there is none."""
    kept: _Shared | str | None = found if isinstance(found, str) else _without(found, neuron)
    if kept is None:
        return
    _shared[key] = kept
    while len(_shared) > _MOST:
        _shared.popitem(last=False)


def recall(key: Hashable, neuron: nn.Module) -> Step | str | None:
    """What was kept, with the tensors of this neuron; None where nothing was."""
    found = _shared.get(key)
    if found is None or isinstance(found, str):
        return found
    _shared.move_to_end(key)
    modules = list(neuron.modules())
    smalls = [
        small if place is None else small._replace(tensor=(getattr(modules[place[0]], place[1]), place[2]))
        for small, place in zip(found.step.smalls, found.places, strict=True)
    ]
    return replace(found.step, smalls=smalls)


def _without(step: Step, neuron: nn.Module) -> _Shared | None:
    """The step with names in place of tensors; None where it holds one that has no name."""
    where = {
        id(getattr(module, kind)): (number, kind)
        for number, module in enumerate(neuron.modules())
        for kind in ("_parameters", "_buffers")
    }
    places: list[tuple[int, str, str] | None] = []
    smalls: list[Small] = []
    for small in step.smalls:
        if small.tensor is None:
            if any(isinstance(part, Tensor) for part in tree_leaves(small.compute)):
                return None
            places.append(None)
        else:
            held, name = small.tensor
            if id(held) not in where:
                return None
            places.append((*where[id(held)], name))
            small = small._replace(tensor=({}, name))
        smalls.append(small)
    return _Shared(replace(step, smalls=smalls), tuple(places))


def _rows(neuron: nn.Module) -> Iterator[Any]:
    for found in reachable(neuron):
        if isinstance(found, set):
            raise _UnlikeAnyError
        if isinstance(found, dict | list):
            pairs = found.items() if isinstance(found, dict) else enumerate(found)
            yield (type(found), *((name, _value(value)) for name, value in pairs))
            continue
        yield (type(found), *_code(type(found)), *_attributes(found))


def _attributes(found: Any) -> Iterator[Any]:
    if not isinstance(found, nn.Module):
        yield from ((name, _value(value)) for name, value in vars(found).items())
        return
    if any(getattr(found, hooks) for hooks in _HOOKS):
        raise _UnlikeAnyError
    yield found.training
    for kind in ("_parameters", "_buffers"):
        for name, tensor in getattr(found, kind).items():
            yield (name, None if tensor is None else (tuple(tensor.shape), tensor.dtype, tensor.requires_grad))
    yield tuple(found._modules)
    yield from ((name, _value(value)) for name, value in vars(found).items() if name not in OF_TORCH)


def _code(kind: type) -> Iterator[Any]:
    """The functions of a class, as they are now."""
    for above in kind.__mro__:
        if above not in (nn.Module, object):
            yield from (value for value in vars(above).values() if isinstance(value, FunctionType))


def _value(value: Any) -> Any:
    if isinstance(value, LASTING) or callable_only(value) or isinstance(value, ModuleType):
        return (type(value), value)
    if isinstance(value, tuple | frozenset):
        return (type(value), tuple(map(_value, value)))
    if isinstance(value, dict | list) or (hasattr(value, "__dict__") and not isinstance(value, Tensor)):
        return type(value)  # it has a row of its own
    raise _UnlikeAnyError
