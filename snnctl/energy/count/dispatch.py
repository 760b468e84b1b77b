"""Counts what a network computes below all modules: every operation that torch dispatches, wherever it is called.

Operations are told apart by what made their operands (`signals.py`), attributed to the module that called them, and
summed per sample and step in a `ledger.py`. Neurons are the exception: inside one nothing is counted; it stands as one
row of updates, beside those of the circuits that it may have inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from snnctl.core.catalog import NEURONS
from snnctl.core.shapes import SignalSpec
from snnctl.energy.count import operations as ops
from snnctl.energy.count.counts import Counts, Elementwise, Geometry, Neurons
from snnctl.energy.count.ledger import Ledger
from snnctl.energy.count.neuron_work import work_per_update
from snnctl.energy.count.products import Fan, codes_of
from snnctl.energy.count.propagate import averaged, computed, moved
from snnctl.energy.count.signals import Axes, Axis, Signal, fitting, forget, note, signal_of, without
from snnctl.energy.count.synapses import convolve, product
from snnctl.neurons.base import SpikingNeuron, neurons_in
from snnctl.neurons.norm import TokenNorm
from snnctl.positions.base import TablePosition


@dataclass(eq=False)
class OperationCounter:
    """Counts the operations of a network, batch by batch."""

    network: nn.Module  # in evaluation mode
    encoded: SignalSpec | None = None  # what the encoder gives, for T and for spikes that no neuron makes; None without
    check: bool = True  # whether declared spikes are compared with their values in the first batch
    data_steps: int = 1  # see `Counts`
    fans: dict[Any, tuple[Fan, float]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.steps = self.encoded.steps if self.encoded is not None else 1
        # Before there are hooks: the probe runs the neurons.
        self.work: Mapping[str, Elementwise] = {
            name: work_per_update(module, self.steps)
            for name, module in neurons_in(self.network).items()
            if module.atomic or module.circuits
        }

    def count(self, run: Callable[[], Any], inputs: Tensor, samples: int) -> Counts:
        """The operations of one call of `run`, as arrays with one number per sample.

        Args:
            run: calls the network on `inputs`, under whatever is to be counted around it.
            inputs: the batch; its leading axis runs over samples.
            samples: B.

        Raises:
            DiagnosticError: E510, something declared as spikes is none.
        """
        ledger = Ledger(dict(self.network.named_modules()), samples, self.steps, self.fans, self.check)
        watch = _Watch(self, ledger)
        axes = Axes(sample=Axis(0, samples, len(inputs) // samples))
        with torch.no_grad(), self._declared(inputs, Signal("real", axes=axes, raw=True)), watch.hooks(), watch:
            run()
        self.check = False
        for name in list(watch.fired):
            watch.enter_fired(name)
        return ledger.counts(self.data_steps)

    @contextmanager
    def _declared(self, inputs: Tensor, signal: Signal) -> Iterator[None]:
        """Inputs, weights and position codes carry a note of what they are."""
        tables = (m for m in self.network.modules() if isinstance(m, TablePosition) and m.binary)
        declared = [(inputs, signal), *((weight, Signal("weight")) for weight in self.network.parameters())]
        declared += [(table._rows, Signal("spike")) for table in tables]
        for tensor, known in declared:
            note(tensor, known)
        try:
            yield
        finally:
            for tensor, _ in declared:
                forget(tensor)


class _Watch(TorchDispatchMode):
    """One forward pass: modules, neurons and dispatched operations are entered in the ledger."""

    def __init__(self, counter: OperationCounter, ledger: Ledger) -> None:
        super().__init__()
        self.counter, self.ledger = counter, ledger
        self.samples, self.steps = ledger.samples, ledger.steps
        self.inside_neuron = 0
        self.fired: dict[str, tuple[Tensor, Axes]] = {}

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Names the running module, and takes neurons as one."""
        network = self.counter.network
        encoder = getattr(network, "encoder", None)
        with ExitStack() as stack:
            for name, module in network.named_modules():
                if isinstance(module, SpikingNeuron) and (module.atomic or module.circuits):
                    enter, leave = partial(self._enter_neuron, name), partial(self._leave_neuron, name)
                    stack.enter_context(module.register_forward_pre_hook(enter, with_kwargs=True))
                    stack.enter_context(module.register_forward_hook(leave, with_kwargs=True))
                elif not isinstance(module, TokenNorm):  # that runs apart from its neuron when it is hooked
                    encoded = self.counter.encoded if module is encoder else None
                    stack.enter_context(module.register_forward_pre_hook(partial(self._enter, name)))
                    stack.enter_context(module.register_forward_hook(partial(self._leave, encoded)))
            yield

    def _enter(self, name: str, module: nn.Module, args: Any) -> None:
        if not self.inside_neuron:
            self.ledger.stack.append(name)

    def _leave(self, encoded: SignalSpec | None, module: nn.Module, args: Any, out: Any) -> None:
        if self.inside_neuron:
            return
        self.ledger.stack.pop()
        if encoded is not None and isinstance(out, Tensor):
            signal = signal_of(out)._replace(axes=self._layout(out, signal_of(out).axes))
            if encoded.kind == "spikes" and signal.made != "spike":  # that is the encoder's word
                signal = signal._replace(made="spike", levels=encoded.levels, scale=1.0, raw=False)
            note(out, signal if signal.flows else signal._replace(made="real"))

    def _layout(self, x: Tensor, axes: Axes) -> Axes:
        """[T, B, *] by contract, where following the views did not say otherwise."""
        if axes.time is None and axes.sample is None and x.dim() > 1:
            time = Axis(0, self.steps) if x.shape[0] == self.steps else None
            apart, rest = divmod(x.shape[1], self.samples)
            return Axes(time, Axis(1, self.samples, apart) if apart and not rest else None)
        if axes.time is None and x.shape[0] == self.steps and axes.sample is not None and axes.sample.dim > 0:
            return axes._replace(time=Axis(0, self.steps))
        return axes

    def _enter_neuron(self, name: str, neuron: nn.Module, args: Any, kwargs: Any) -> None:
        if not self.inside_neuron and kwargs.get("norm") is not None:
            x = args[0] if args else kwargs["x"]
            tally = self.ledger.tally((name, "batch_norm", "norm", "real"))
            tally.operations(Elementwise(adds=float(x.numel()), muls=float(x.numel())))
            tally.foldable = signal_of(x).from_weights
            tally.stamp(signal_of(x))
            self.ledger.covered += x.numel()
        self.inside_neuron += 1

    def _leave_neuron(self, name: str, neuron: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
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

    def _neuron_row(self, name: str, neuron: SpikingNeuron, x: Tensor, spikes: Tensor, *, fresh: bool) -> None:
        axes = fitting(self._layout(x, signal_of(x).axes), spikes.shape)
        signal = Signal("spike", levels=neuron.levels, axes=axes, scale=neuron.scale, signed=neuron.signed)
        note(spikes, signal)
        self.ledger.verify(spikes, signal, name)
        tally = self.ledger.tally((name, "neuron", "neuron", "real"))
        tally.stamp(signal)
        tally.same_each_step = False
        tally.add("updates", spikes.numel())
        tally.spread(("spikes", "popcount_spikes", "unary_spikes"), codes_of(spikes, signal), axes)
        fired = (spikes != 0).any(0)
        earlier = self.fired.get(name)
        if fresh or earlier is None or earlier[0].shape != fired.shape:
            if earlier is not None:
                self.enter_fired(name)
            tally.add("membranes", fired.numel())
            self.fired[name] = (fired, without(axes, 0))
        else:
            self.fired[name] = (earlier[0] | fired, earlier[1])
        work = self.counter.work[name]
        kind = NEURONS.name_of(type(neuron)) or type(neuron).__name__
        tally.neurons = Neurons(kind, leaky=neuron.leaks, levels=neuron.levels, per_update=work)
        self.ledger.covered += spikes.numel()
        self.ledger.feed(name)

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
        self.ledger.feed(name)

    def enter_fired(self, name: str) -> None:
        """Enter which neurons of a layer have fired, once that is known."""
        fired, axes = self.fired.pop(name)
        tally = self.ledger.tally((name, "neuron", "neuron", "real"))
        tally.spread(("ever_active",), (fired.to(torch.float32),), axes)

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
        """Enter an operation that computes; the signal of its result."""
        made = out[0] if isinstance(out, (tuple, list)) else out
        signals = [signal_of(a) for a in args if isinstance(a, Tensor)]
        if not isinstance(made, Tensor) or not any(s.flows for s in signals):
            return Signal()  # work on weights and constants alone is done once, not per sample
        ledger = self.ledger
        if name in ops.PRODUCTS:
            signal = product(ledger, name, args, made)
        elif name in ops.CONVOLUTIONS:
            signal = convolve(ledger, args, made)
        elif name == "embedding":
            tally = ledger.tally((ledger.layer, name, "lookup", "real"))
            tally.add("inputs", args[1].numel())
            tally.geometry = Geometry("fc", 1, args[0].shape[1], args[0].numel(), 0, args[0].shape[0], args[0].shape[1])
            signal = signal_of(args[1])._replace(from_weights=True)
        elif (cost := ops.pool_cost(name, args, made)) is not None:
            signal = self._pool(name, args, kwargs, made, cost)
        elif name in ops.ELEMENTWISE:
            signal = computed(name, args, kwargs, made)
            self._elementwise(name, args, made, signal)
        else:
            ledger.miss(name, made.numel())
            return computed(name, args, kwargs, made).as_real()
        ledger.covered += made.numel()
        return signal

    def _pool(self, name: str, args: Any, kwargs: Any, made: Tensor, cost: Elementwise) -> Signal:
        signal = computed(name, args, kwargs, made)
        tally = self.ledger.tally((self.ledger.layer, name, "pool", "real"))
        tally.operations(cost)
        tally.stamp(signal)
        before, taps = signal_of(args[0]), ops.averaged_taps(name, args)
        kept = signal if name in ops.KEEPS_SPIKES else signal.as_real()
        kept = averaged(before, taps) if taps else kept
        return kept._replace(axes=fitting(before.axes, made.shape))

    def _elementwise(self, name: str, args: Any, made: Tensor, signal: Signal) -> None:
        kind, price = ops.ELEMENTWISE[name]
        sides = [signal_of(a) for a in args[:2]]
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
        tally = self.ledger.tally((self.ledger.layer, name, kind, "real"))
        if kind == "residual" and sides[0].made == sides[1].made == "spike" and name == "add":
            # Where one side is silent there is nothing to add.
            together = ((args[0] != 0) & (args[1] != 0)).to(torch.float32)
            tally.spread(("adds",), (together,), signal.axes)
        elif name in ops.MULS and both and {sides[0].made, sides[1].made} == {"spike", "real"}:
            # Where there is no spike there is nothing to multiply.
            spikes = args[0] if sides[0].made == "spike" else args[1]
            tally.spread(("muls",), ((spikes != 0).to(torch.float32).expand(made.shape),), signal.axes)
        else:
            tally.operations(cost)
        tally.foldable = foldable
        tally.stamp(signal)
