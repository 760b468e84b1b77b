"""From a neuron's `step` to a graph: the step and its backward pass are run once, and every operation is written down.

The step is run on small tensors. What torch dispatches below autograd is recorded, so that surrogates are seen
through, whoever wrote them, and so is what `torch.autograd.grad` does with the result: gradients need no rules of
their own. What hangs on parameters alone is cut off before: it is computed by torch at each call, see `Small`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from snnctl.neurons.kernels.graph import Graph
from snnctl.neurons.kernels.operations import OPERATIONS, NotCompilableError, Ref

_NARROW = (torch.bfloat16,)
_READS = ("_local_scalar_dense", "equal", "is_nonzero", "item")
_CREATES = (
    "zeros",
    "ones",
    "new_zeros",
    "new_ones",
    "zeros_like",
    "ones_like",
    "full",
    "full_like",
    "new_full",
    "scalar_tensor",
)


class Small(NamedTuple):
    """A value for all neurons, or per channel.

    Args:
        tensor: a parameter or buffer: what holds it, and its name there; None for a computed value.
        compute: function, arguments, named arguments of a computed value; tensors among them are a `Place`.
        per_channel: [channels] (with axes of 1 before it) instead of one number.
    """

    tensor: tuple[dict[str, Any], str] | None
    compute: tuple[Callable[..., Any], Any, Any] | None
    per_channel: bool


class Place(NamedTuple):
    """A small value among the arguments of another."""

    number: int


@dataclass
class Step:
    """A step as a graph.

    Args:
        graph: all nodes; inputs are called x, state0, state1, ..., and grad_s, grad_state0, ... for the gradients that
            arrive at spikes and new state.
        smalls: every value that torch computes, in an order in which that can be done.
        spikes, states: forward: nodes of the spikes and of the new state.
        rest: nodes of the state at rest, where they are constants; else None.
        grads: backward: nodes of the gradients of inputs and smalls, by name (x, state0, small3); those that are
            absent are 0. Those of smalls are summed over all neurons (and steps).
        real, stored, fired: dtypes that are computed in, of the input, and of the spikes.
        single: whether the state is one tensor instead of a tuple.
        learned: places of the small values that took a gradient when the step was run.
    """

    graph: Graph
    smalls: list[Small]
    spikes: int
    states: tuple[int, ...]
    rest: tuple[int, ...] | None
    grads: dict[str, int]
    real: torch.dtype
    stored: torch.dtype
    fired: torch.dtype
    single: bool
    learned: frozenset[int]


class _Recorder(TorchDispatchMode):
    """Writes down what torch does, by where its results lie in memory; so all of them are kept alive."""

    def __init__(self, real: torch.dtype) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph, self.real = Graph(), real
        self.bound: dict[int, int] = {}
        self.alive: list[Tensor] = []
        self.backward = self.resting = False
        self.summed: set[int] = set()  # where sums over neurons lie

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch would import its compiler to keep that out of here: seconds, for something that is never compiled."""
        return False

    def bind(self, tensor: Tensor, node: int) -> Tensor:
        self.alive.append(tensor)
        self.bound[tensor.data_ptr()] = node
        return tensor

    def node(self, tensor: Tensor) -> int | None:
        return self.bound.get(tensor.data_ptr())

    @contextmanager
    def paused(self) -> Any:
        before, self.resting = self.resting, True
        try:
            yield
        finally:
            self.resting = before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        if not self.resting and torch.Tag.nondeterministic_seeded in func.tags:
            raise NotCompilableError(f"`{name}` draws random numbers")
        if not self.resting and name in _READS:
            raise NotCompilableError("its step reads the value of a tensor (`int`, `float`, `bool`, `if` or `item`)")
        found = func(*args, **kwargs)
        if not self.resting:
            self._write(name, args, kwargs, found)
        return found

    def _write(self, name: str, args: Any, kwargs: Any, found: Any) -> None:
        if name == "lift_fresh" and self.node(args[0]) is None:
            if found.numel() == 1:
                with self.paused():
                    self.bind(found, self.graph.const(float(found.item())))
            return  # a constant tensor: the function that made it is called anew each time
        if not isinstance(found, Tensor):
            if any(isinstance(part, Tensor) for part in tree_leaves(found)):
                raise NotCompilableError(f"`{name}` gives more than one tensor")
            return
        plain = name.removesuffix("_") if not name.startswith("_") else name
        if not any(isinstance(part, Tensor) for part in tree_leaves((args, kwargs))) and plain not in OPERATIONS:
            return  # it hangs on nothing, as `arange` does: a small value, or nothing that can be used
        if plain in _CREATES:
            self.bind(found, OPERATIONS[plain](self.graph, *args))
            return
        refs = tree_map_only(Tensor, lambda t: self._ref(t, name), (args, kwargs))
        node = self._operation(plain, refs[0], refs[1], found)
        self._keep_sums(plain, args, found)
        if name != plain and self.graph.nodes[self.bound[args[0].data_ptr()]].op in ("input", "small"):
            raise NotCompilableError(f"`{name}` changes what the step was given")
        self.bind(found, node)
        self._check(plain, node, found)

    def _keep_sums(self, name: str, args: Any, found: Tensor) -> None:
        """Sums over neurons are taken at the very end: nothing of the size of neurons may be made of one."""
        sums = [part for part in args if isinstance(part, Tensor) and part.data_ptr() in self.summed]
        if any(found.numel() > part.numel() for part in sums):
            raise NotCompilableError("its backward pass mixes neurons (`sum`)")
        if sums or (name == "sum" and found.numel() < args[0].numel()):
            self.summed.add(found.data_ptr())

    def _ref(self, tensor: Tensor, name: str) -> Ref:
        node = self.node(tensor)
        if node is None:
            shape = f"a tensor of shape {tuple(tensor.shape)}"
            raise NotCompilableError(f"`{name}` takes {shape} that is no value of a neuron and none per channel")
        return Ref(node)

    def _operation(self, plain: str, args: Any, kwargs: Any, found: Tensor) -> int:
        if plain in ("_to_copy", "to"):
            return self._cast(args[0].node, found)
        if plain == "copy":
            return int(args[1].node)
        if plain == "sum" and self.backward:  # of a gradient over neurons: it is linear, so sums can wait to the end
            return int(args[0].node)
        operation = OPERATIONS.get(plain)
        if operation is None:
            raise NotCompilableError(f"`{plain}` is no pointwise operation that the compiler knows")
        if operation is OPERATIONS["view"]:
            return int(args[0].node)
        try:
            return operation(self.graph, *args, **kwargs)
        except TypeError as error:
            raise NotCompilableError(f"`{plain}` with these arguments ({error})") from error

    def _cast(self, node: int, found: Tensor) -> int:
        if not (found.is_floating_point() or self.graph.is_truth(node) or found.dtype == torch.bool):
            raise NotCompilableError(f"a value is made a whole number ({found.dtype})")
        if found.dtype == torch.bool:
            return node if self.graph.is_truth(node) else self.graph.add("ne", node, self.graph.const(0))
        if self.graph.is_truth(node):
            return self.graph.add("where", node, self.graph.const(1), self.graph.const(0))
        return self.graph.add("narrow", node) if found.dtype in _NARROW else node

    def _check(self, name: str, node: int, found: Tensor) -> None:
        """Refuse what is not computed in the dtype of the membranes."""
        graph = self.graph
        if not graph.varies[node] or found.dtype in (self.real, torch.bool):
            return
        top = graph.nodes[node]
        whole = top.op == "where" and all(graph.value(arg) is not None for arg in top.args[1:])  # type: ignore[arg-type]
        if whole or top.op in ("narrow", "input") or (name in _SAME and found.dtype in _NARROW):
            return
        raise NotCompilableError(f"`{name}` is computed in {found.dtype}, the state is kept in {self.real}")


_SAME = [name for name, operation in OPERATIONS.items() if operation is OPERATIONS["view"]]


class _Cutter(TorchFunctionMode):
    """Cuts off what hangs on parameters alone, before autograd sees it: each such value becomes a leaf."""

    def __init__(self, recorder: _Recorder, channels: int) -> None:
        super().__init__()
        self.recorder, self.channels = recorder, channels
        self.smalls: list[Small] = []
        self.leaves: list[Tensor] = []
        self.known: dict[int, int] = {}  # id of a tensor -> its place

    def adopt(self, tensor: Tensor, made: Small) -> Tensor:
        """Let this tensor be a small value."""
        self.known[id(tensor)] = len(self.smalls)
        self.recorder.bind(tensor, self.recorder.graph.small(len(self.smalls)))
        self.smalls.append(made)
        self.leaves.append(tensor)
        return tensor

    def fits(self, tensor: Tensor) -> bool:
        """Whether it is one number, or one per channel."""
        if tensor.numel() == 1:
            return True
        return tensor.numel() == self.channels and tensor.shape[-1] == self.channels

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        try:
            found = func(*args, **kwargs)
        except NotCompilableError as error:
            name = _name(func)
            raise error if f"`{name}`" in str(error) else NotCompilableError(f"{error}, in `{name}`") from None
        if not isinstance(found, Tensor) or not found.numel() or self.recorder.resting:
            return found
        given = [part for part in tree_leaves((args, kwargs)) if isinstance(part, Tensor)]
        if any(found is part for part in given):
            return found
        graph, node = self.recorder.graph, self.recorder.node(found)
        if node is not None and (graph.varies[node] or graph.value(node) is not None):
            return found
        if not self.fits(found):
            if node is None:
                raise NotCompilableError(f"`{_name(func)}` makes a tensor of shape {tuple(found.shape)}")
            return found
        if any(id(part) not in self.known for part in given):
            return found
        if not torch.is_grad_enabled() and any(part.requires_grad for part in given):
            raise NotCompilableError(f"`{_name(func)}` of a parameter, with gradients switched off")
        places = tree_map_only(Tensor, lambda t: Place(self.known[id(t)]), (args, kwargs))
        with self.recorder.paused():
            leaf = found.detach().clone().requires_grad_(found.requires_grad)
        self.recorder.alive.append(found)
        return self.adopt(leaf, Small(None, (func, *places), leaf.numel() != 1))


def _name(func: Any) -> str:
    return getattr(func, "__name__", str(func)).strip("_")


def traced(neuron: Any, like: Tensor, dtypes: tuple[torch.dtype, ...] | None) -> Step:
    """The step of `neuron` as a graph.

    Args:
        like: the input of one step [B, *, channels]; its dtype, axes and channels count.
        dtypes: of the state's parts; None: those that it has at rest.

    Raises:
        NotCompilableError: no kernel can be made of it.
    """
    shape = (2, *(min(size, 2) for size in like.shape[1:-1]), like.shape[-1]) if like.dim() > 1 else tuple(like.shape)
    generator = torch.Generator().manual_seed(0)

    def drawn(dtype: torch.dtype) -> Tensor:
        return torch.randn(shape, generator=generator).to(dtype)

    with torch.inference_mode(False), torch.enable_grad():
        x = drawn(like.dtype).requires_grad_()
        rest = neuron.initial_state(x.detach())
        parts = rest if isinstance(rest, tuple) else (rest,)
        for part in parts:
            if not isinstance(part, Tensor) or part.shape != shape or not part.is_floating_point():
                what = f"{part.dtype} of shape {tuple(part.shape)}" if isinstance(part, Tensor) else type(part).__name__
                raise NotCompilableError(f"its state holds more than one value per neuron ({what})")
        kinds = {part.dtype for part in parts} if dtypes is None else set(dtypes)
        if len(kinds) != 1:
            raise NotCompilableError("it has no state" if not kinds else "its state has several dtypes")
        (real,) = kinds
        if real not in (torch.float32, torch.float64) or not _fits(like.dtype, real):
            raise NotCompilableError(f"a state of {real} with an input of {like.dtype}")
        states = tuple(drawn(real).requires_grad_() for _ in parts)
        recorder = _Recorder(real)
        cutter = _Cutter(recorder, shape[-1])
        recorder.bind(x, recorder.graph.input("x"))
        for number, state in enumerate(states):
            recorder.bind(state, recorder.graph.input(f"state{number}"))
        for module in neuron.modules():
            for held in (module._parameters, module._buffers):
                for name, tensor in held.items():
                    if tensor is not None and tensor.numel() and id(tensor) not in cutter.known and cutter.fits(tensor):
                        cutter.adopt(tensor, Small((held, name), None, tensor.numel() != 1))
        single = not isinstance(rest, tuple)
        return _run(neuron, x, states, recorder, cutter, single)


def _fits(stored: torch.dtype, real: torch.dtype) -> bool:
    return stored == real or (stored == torch.bfloat16 and real == torch.float32)


def _run(
    neuron: Any, x: Tensor, states: tuple[Tensor, ...], recorder: _Recorder, cutter: _Cutter, single: bool
) -> Step:
    with recorder:
        with cutter:
            rest = neuron.initial_state(x.detach())
            spikes, after = neuron.step(x, states[0] if single else states)
        news = (after,) if single else tuple(after)
        if not all(isinstance(new, Tensor) and new.shape == x.shape for new in (spikes, *news)):
            raise NotCompilableError("its spikes or its new state have not the shape of its input")
        if len(news) != len(states) or any(new.dtype != states[0].dtype for new in news):
            raise NotCompilableError("its new state is not what its state was")
        outputs = [recorder.node(part) for part in (spikes, *news)]
        resting = [recorder.node(part) for part in ((rest,) if single else rest)]
        if None in outputs:
            raise NotCompilableError("its spikes or its new state come from elsewhere")
        grads = _gradients(x, states, (spikes, *news), recorder, cutter)
    graph = recorder.graph
    known = all(node is not None and graph.value(node) is not None for node in resting)
    fired, *others = (_real(graph, node) for node in outputs if node is not None)
    return Step(
        graph=graph,
        smalls=cutter.smalls,
        spikes=_stored(graph, fired, spikes.dtype),
        states=tuple(others),
        rest=tuple(resting) if known else None,  # type: ignore[arg-type]
        grads={name: _stored(graph, node, x.dtype) if name == "x" else node for name, node in grads.items()},
        real=recorder.real,
        stored=x.dtype,
        fired=spikes.dtype,
        single=single,
        learned=frozenset(place for place, leaf in enumerate(cutter.leaves) if leaf.requires_grad),
    )


def _real(graph: Graph, node: int) -> int:
    return graph.add("where", node, graph.const(1), graph.const(0)) if graph.is_truth(node) else node


def _stored(graph: Graph, node: int, dtype: torch.dtype) -> int:
    """What is stored in `dtype` is rounded by that."""
    found = graph.nodes[node]
    return found.operands[0] if found.op == "narrow" and dtype in _NARROW else node


def _gradients(
    x: Tensor, states: tuple[Tensor, ...], outputs: tuple[Tensor, ...], recorder: _Recorder, cutter: _Cutter
) -> dict[str, int]:
    names = ["x", *(f"state{number}" for number in range(len(states)))]
    leaves: list[Tensor] = [x, *states]
    for place, leaf in enumerate(cutter.leaves):
        if leaf.requires_grad:
            names.append(f"small{place}")
            leaves.append(leaf)
    ends = []
    for name, output in zip(("grad_s", *(f"grad_{name}" for name in names[1:])), outputs, strict=False):
        if output.requires_grad:
            with recorder.paused():
                grad = torch.randn(output.shape).to(output.dtype)
                # Handed to torch as it is, torch would import its symbolic shapes to look at it: over a second.
                ends.append((output * recorder.bind(grad, recorder.graph.input(name))).sum().to(recorder.real))
    if not ends:
        return {}
    with recorder.paused():
        end = sum(ends[1:], start=ends[0])
    recorder.backward = True
    found = torch.autograd.grad(end, leaves, allow_unused=True)
    grads = {}
    for name, grad in zip(names, found, strict=True):
        if grad is not None:
            node = recorder.node(grad)
            if node is None:
                raise NotCompilableError("a gradient comes from elsewhere")
            grads[name] = node
    return grads
