"""One forward pass under watch: modules, neurons and dispatched operations become rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.hooks import RemovableHandle

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.shapes import SignalSpec
from snnctl.energy.count import operations as ops
from snnctl.energy.count.axes import Axes, Axis, fitting, without
from snnctl.energy.count.counts import Counts, Elementwise, Geometry, Neurons, Row, Uncounted
from snnctl.energy.count.ledger import RowKey, Tally
from snnctl.energy.count.neuron_work import name_of
from snnctl.energy.count.products import Fan, codes_of, not_spikes
from snnctl.energy.count.propagate import computed, moved
from snnctl.energy.count.signals import Signal, averaged, note, signal_of
from snnctl.energy.count.synapses import convolve, product
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.norm import TokenNorm


class Owner(Protocol):
    """What a watch needs to know: see `snnctl.energy.count.counter.OperationCounter`."""

    network: nn.Module
    steps: int
    encoded: SignalSpec | None
    check: bool
    data_steps: int
    work: Mapping[str, Elementwise]

    def fan(self, key: Any, make: Callable[[], tuple[Fan, float]]) -> tuple[Fan, float]: ...


class Watch(TorchDispatchMode):
    """One forward pass."""

    def __init__(self, owner: Owner, samples: int) -> None:
        super().__init__()
        self.owner, self.samples, self.steps = owner, samples, owner.steps
        self.rows: dict[RowKey, Tally] = {}
        self.uncounted: dict[tuple[str, str], float] = {}
        self.covered = 0.0
        self.stack: list[str] = []
        self.modules = dict(owner.network.named_modules())
        self.inside_neuron = 0
        self.waiting: list[Tally] = []  # layers whose neurons have not been called yet
        self.fired: dict[str, tuple[Tensor, Axes]] = {}

    # -- modules ---------------------------------------------------------------------------------------------------

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Names the running module, and takes neurons as one."""
        handles: list[RemovableHandle] = []
        for name, module in self.owner.network.named_modules():
            if isinstance(module, SpikingNeuron):
                if module.atomic or module.circuits:
                    handles.append(module.register_forward_pre_hook(self._enter_neuron(name), with_kwargs=True))
                    handles.append(module.register_forward_hook(self._leave_neuron(name), with_kwargs=True))
                    continue
            elif isinstance(module, TokenNorm):
                continue  # it runs apart from its neuron when it is hooked
            handles.append(module.register_forward_pre_hook(self._enter(name)))
            handles.append(module.register_forward_hook(self._leave(name, module)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any) -> None:
            if not self.inside_neuron:
                self.stack.append(name)

        return hook

    def _leave(self, name: str, module: nn.Module) -> Callable[..., None]:
        encoded = self.owner.encoded if module is getattr(self.owner.network, "encoder", None) else None

        def hook(module: nn.Module, args: Any, out: Any) -> None:
            if self.inside_neuron:
                return
            self.stack.pop()
            if encoded is not None and isinstance(out, Tensor):
                note(out, self._as_declared(out, encoded))

        return hook

    def _as_declared(self, out: Tensor, encoded: SignalSpec) -> Signal:
        """The encoder's output: its axes are known, and whether it is spikes is its word."""
        signal = signal_of(out)._replace(axes=self._layout(out, signal_of(out).axes))
        if encoded.kind == "spikes" and signal.made != "spike":
            return signal._replace(made="spike", levels=encoded.levels, scale=1.0, raw=False)
        return signal if signal.flows else signal._replace(made="real")

    def _layout(self, x: Tensor, axes: Axes) -> Axes:
        """[T, B, *] by contract, where following the views did not say otherwise."""
        if axes.time is None and axes.sample is None and x.dim() > 1:
            time = Axis(0, self.steps) if x.shape[0] == self.steps else None
            apart, rest = divmod(x.shape[1], self.samples)
            return Axes(time, Axis(1, self.samples, apart) if apart and not rest else None)
        if axes.time is None and x.shape[0] == self.steps and axes.sample is not None and axes.sample.dim > 0:
            return axes._replace(time=Axis(0, self.steps))
        return axes

    def _enter_neuron(self, name: str) -> Callable[..., None]:
        def hook(neuron: nn.Module, args: Any, kwargs: Any) -> None:
            if not self.inside_neuron and kwargs.get("norm") is not None:
                x = args[0] if args else kwargs["x"]
                tally = self.tally((name, "batch_norm", "norm", "real"))
                tally.operations(Elementwise(adds=float(x.numel()), muls=float(x.numel())))
                tally.foldable = signal_of(x).from_weights
                self.stamp(tally, signal_of(x))
                self.covered += x.numel()
            self.inside_neuron += 1

        return hook

    def _leave_neuron(self, name: str) -> Callable[..., None]:
        def hook(neuron: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
            if self.inside_neuron == 1:  # and still counted as inside: what is done here is not the network's work
                x = args[0] if args else kwargs["x"]
                state = args[1] if len(args) > 1 else kwargs.get("state")
                spikes = out[0] if isinstance(out, tuple) else out
                assert isinstance(neuron, SpikingNeuron)
                self._neuron_row(name, neuron, x, spikes, fresh=state is None)
                if isinstance(out, tuple):
                    self._state(out[1], spikes)
                if neuron.circuits:
                    self._circuits(name, neuron, spikes, state)
            self.inside_neuron -= 1

        return hook

    def _neuron_row(self, name: str, neuron: SpikingNeuron, x: Tensor, spikes: Tensor, *, fresh: bool) -> None:
        axes = fitting(self._layout(x, signal_of(x).axes), spikes.shape)
        signal = Signal("spike", levels=neuron.levels, axes=axes, scale=neuron.scale, signed=neuron.signed)
        note(spikes, signal)
        self.verify(spikes, signal, name)
        tally = self.tally((name, "neuron", "neuron", "real"))
        self.stamp(tally, signal)
        tally.same_each_step = False
        tally.add("updates", spikes.numel())
        tally.spread_all(("spikes_out", "popcount_out", "unary_out"), codes_of(spikes, signal), axes)
        fired = (spikes != 0).any(0)
        earlier = self.fired.get(name)
        if fresh or earlier is None or earlier[0].shape != fired.shape:
            if earlier is not None:
                self._close(name)
            tally.add("membranes", fired.numel())
            self.fired[name] = (fired, without(axes, 0))
        else:
            self.fired[name] = (earlier[0] | fired, earlier[1])
        tally.neurons = Neurons(
            name_of(neuron), leaky=neuron.leaks, levels=neuron.levels, per_update=self.owner.work[name]
        )
        self.covered += spikes.numel()
        for waiting in self.waiting:
            waiting.feeds = name
        self.waiting = []

    def _state(self, state: Any, spikes: Tensor) -> None:
        """What a neuron keeps is real numbers, should anybody else look at it."""
        axes = without(signal_of(spikes).axes, 0)
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, Tensor) and part.shape == spikes.shape[1:]:
                note(part, Signal("real", axes=axes))

    def _circuits(self, name: str, neuron: SpikingNeuron, spikes: Tensor, state: Any) -> None:
        """Run the circuits once more, over all steps at once: what they do within a step cannot be told by step."""
        first = torch.zeros_like(spikes[:1]) if state is None else state[-1][None].to(spikes.dtype)
        past = torch.cat((first, spikes[:-1]))
        note(past, signal_of(spikes))
        self.inside_neuron -= 1
        rows = past.flatten(0, 1)
        for circuit in neuron.circuits:
            circuit(rows)
        self.inside_neuron += 1
        for waiting in self.waiting:
            waiting.feeds = name
        self.waiting = []

    def _close(self, name: str) -> None:
        fired, axes = self.fired.pop(name)
        self.tally((name, "neuron", "neuron", "real")).spread("ever_active", fired.to(torch.float32), axes)

    # -- operations ------------------------------------------------------------------------------------------------

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if not self.inside_neuron:
            self._see(ops.base_name(func.overloadpacket.__name__), args, kwargs, out)
        return out

    def _see(self, name: str, args: Any, kwargs: Any, out: Any) -> None:
        signal = moved(name, args, out, self.steps)
        if signal is None:
            signal = self._computed(name, args, kwargs, out)
        for made in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(made, Tensor):
                note(made, signal._replace(axes=fitting(signal.axes, made.shape)))

    def _computed(self, name: str, args: Any, kwargs: Any, out: Any) -> Signal:
        made = out[0] if isinstance(out, (tuple, list)) else out
        signals = [signal_of(a) for a in args if isinstance(a, Tensor)]
        if not isinstance(made, Tensor) or not any(s.flows for s in signals):
            return Signal()  # work on weights and constants alone is done once, not per sample
        if name in ops.PRODUCTS:
            self.covered += made.numel()
            return product(self, name, args, made)
        if name in ops.CONVOLUTIONS:
            self.covered += made.numel()
            return convolve(self, args, made)
        if name == "embedding":
            self.covered += made.numel()
            tally = self.tally((self.layer, name, "lookup", "real"))
            tally.add("inputs", args[1].numel())
            tally.geometry = Geometry("fc", 1, args[0].shape[1], args[0].numel(), 0, args[0].shape[0], args[0].shape[1])
            return signal_of(args[1])._replace(from_weights=True)
        signal = computed(name, args, kwargs, made)
        cost = None
        if "pool" in name:
            kernel = args[1] if len(args) > 1 and isinstance(args[1], list) else None
            cost = ops.pool_cost(name, args[0], made, kernel)
        if cost is not None:
            self.covered += made.numel()
            tally = self.tally((self.layer, name, "pool", "real"))
            tally.operations(cost)
            self.stamp(tally, signal)
            kept = signal if name in ops.KEEPS_SPIKES else signal.as_real()
            taps = ops.averaged_taps(name, args)
            kept = averaged(signal_of(args[0]), taps) if taps else kept
            return kept._replace(axes=fitting(signal_of(args[0]).axes, made.shape))
        if name not in ops.ELEMENTWISE:
            key = (name, self.layer)
            self.uncounted[key] = self.uncounted.get(key, 0.0) + made.numel() / self.samples
            return signal.as_real()
        self.covered += made.numel()
        self._elementwise(name, args, made, signal)
        return signal

    def _elementwise(self, name: str, args: Any, made: Tensor, signal: Signal) -> None:
        kind, price = ops.ELEMENTWISE[name]
        sides = [signal_of(a) if isinstance(a, Tensor) else Signal() for a in args[:2]]
        first = args[0] if isinstance(args[0], Tensor) else made
        cost = price(first.numel(), made.numel())
        both = len(sides) == 2 and all(s.flows for s in sides)
        foldable = False
        if name in ops.ADDS:
            kind = "residual" if both else "elementwise"
            foldable = not both and any(s.from_weights for s in sides)
        elif name in ops.MULS | ops.DIVS and not both:
            one = any(not isinstance(a, Tensor) or a.numel() == 1 for a in args[:2])
            kind = "scale" if one else "elementwise"
            cost = Elementwise(muls=float(made.numel())) if one else cost  # a constant's reciprocal is known
        elif kind == "norm":
            foldable = sides[0].from_weights and name in ops.NORMS
        tally = self.tally((self.layer, name, kind, "real"))
        if kind == "residual" and sides[0].made == sides[1].made == "spike" and name == "add":
            # Where one side is silent there is nothing to add.
            together = ((args[0] != 0) & (args[1] != 0)).to(torch.float32)
            tally.spread("adds", together, signal.axes)
        elif name in ops.MULS and both and {sides[0].made, sides[1].made} == {"spike", "real"}:
            # Where there is no spike there is nothing to multiply.
            spikes = args[0] if sides[0].made == "spike" else args[1]
            tally.spread("muls", (spikes != 0).to(torch.float32).expand(made.shape), signal.axes)
        else:
            tally.operations(cost)
        tally.foldable = foldable
        self.stamp(tally, signal)

    # -- rows ------------------------------------------------------------------------------------------------------

    @property
    def layer(self) -> str:
        """The running module, or "task" for what happens around the network."""
        return self.stack[-1] or "network" if self.stack else "task"

    @property
    def sparse_kernel(self) -> bool:
        """Whether the running module says that zeros of its kernel are no weights."""
        return bool(self.stack) and bool(getattr(self.modules[self.stack[-1]], "sparse_kernel", False))

    def tally(self, key: RowKey) -> Tally:
        """The row that `key` belongs to."""
        if key not in self.rows:
            self.rows[key] = Tally(self.samples, self.steps)
        return self.rows[key]

    def fan(self, key: Any, make: Callable[[], tuple[Fan, float]]) -> tuple[Fan, float]:
        """The fan-out of a convolution, computed once per weight and input size."""
        return self.owner.fan(key, make)

    def stamp(self, tally: Tally, signal: Signal, *, raw: bool | None = None) -> None:
        tally.timed = tally.timed or signal.axes.time is not None
        tally.same_each_step = tally.same_each_step and signal.same_each_step
        tally.raw = tally.raw or (signal.raw if raw is None else raw)

    def verify(self, x: Tensor, signal: Signal, layer: str) -> None:
        if not self.owner.check:
            return
        reason = not_spikes(x, signal)
        if reason:
            help = "a neuron's `levels` must be its highest spike; real numbers cannot be charged as spikes"
            raise DiagnosticError(Diagnostic("E510", f"`{layer}` declares spikes that are none: {reason}", help=help))

    def counts(self) -> Counts:
        """What was counted."""
        for name in list(self.fired):
            self._close(name)
        for key in [key for key in self.rows if key[3] == "zeros"]:
            for source in ("spike", "real"):
                other = self.rows.get((*key[:3], source))
                if other is not None:
                    other.absorb(self.rows.pop(key))
                    break
        rows = [self._finished(key, tally) for key, tally in self.rows.items()]
        missed = sum(self.uncounted.values()) * self.samples
        listed = tuple(Uncounted(op, layer, elements) for (op, layer), elements in sorted(self.uncounted.items()))
        whole = self.covered + missed
        coverage = self.covered / whole if whole else 1.0
        return Counts(tuple(rows), self.steps, coverage, listed, data_steps=self.owner.data_steps)

    def _finished(self, key: RowKey, tally: Tally) -> Row:
        row = tally.row(key)
        if row.neurons is None:
            return row
        neurons = replace(
            row.neurons,
            updates=tally.number("updates"),
            membranes=float(tally.totals.get("membranes", 0.0)),
            spikes=tally.number("spikes_out"),
            popcount_spikes=tally.number("popcount_out"),
            unary_spikes=tally.number("unary_out"),
            ever_active=tally.number("ever_active"),
        )
        return replace(row, neurons=neurons)
