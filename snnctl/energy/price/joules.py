"""Where joules are computed: every count times its price under a cost table.

Prices are sums of products of counts and constants: linear in the counts, so the mean of the prices of samples is the
price of the mean count, and a count may be a float or an array [B].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from snnctl.energy.count.counts import SINGLE, Counts, Elementwise, Number, Row, Uncounted, bits_of, in_steps, twin_bits
from snnctl.energy.price.bill import Bill, Line, Options, Uncharged
from snnctl.energy.price.lemaire import Access, ann_layer, ceil_fan_out, neuron_accesses, neuron_ops, snn_layer
from snnctl.energy.price.rules import RULES, Ops, Rule, charge
from snnctl.energy.price.sections import Fixed, Flat, IntScaled, Lemaire
from snnctl.energy.price.table import Table

_JOULES = 1e-12
_NO_LAYER = "the memory model covers convolutions, fully connected layers and neurons"
_PRODUCTS = ("synapse", "product")


def price(counts: Counts, table: Table, options: Options | None = None) -> Bill:
    """What the network cost as it ran; a device that does not spike computes it as `price_dense` does."""
    options = options or Options()
    if table.device is not None and not table.device.spiking:
        return price_dense(counts, table, options)
    job = _Job(table, options, RULES[options.rule or table.rule], counts.steps)
    return job.bill(_with_folded_norms(_with_stem(counts, options), options), counts.uncounted)


def price_dense(counts: Counts, table: Table, options: Options | None = None, *, bits: int | None = None) -> Bill:
    """What a non-spiking network of the same layers costs: one step, or each of the data, every product a MAC.

    Where the table prices by width, its activations have `bits`; None = those of the quantised twin for layers that
    spikes drive, and the table's activation_bits for layers that real numbers drive.
    """
    options = options or Options()
    rows = [replace(in_steps(row, min(row.steps, counts.data_steps)), feeds="") for row in counts.rows]
    rule = RULES[options.rule or table.rule]
    job = _Job(table, options, rule, counts.coding_steps, dense=True, bits=bits, data_steps=counts.data_steps)
    return job.bill(_with_folded_norms(rows, options), counts.uncounted)


def _with_stem(counts: Counts, options: Options) -> list[Row]:
    """Layers whose input never changes, at one step or at all."""
    rows = []
    for row in counts.rows:
        constant = row.kind != "neuron" and (row.same_each_step or (row.stem and row.steps == 1))
        steps = {"run": row.steps, "once": 1, "steps": counts.steps}[options.stem] if constant else row.steps
        rows.append(row if steps == row.steps else in_steps(row, steps))
    return rows


def _with_folded_norms(rows: list[Row], options: Options) -> list[Row]:
    """Without norms that fold into the layer before them, which gets a bias for it."""
    if options.norms == "counted":
        return rows
    kept: list[Row] = []
    layer = -1
    for row in rows:
        if row.kind == "norm" and row.foldable:
            before = kept[layer] if layer >= 0 else None
            if before is not None and before.geometry is not None and not before.geometry.bias:
                kept[layer] = replace(before, geometry=replace(before.geometry, bias=before.geometry.out_channels))
            continue
        if row.kind == "synapse":
            layer = len(kept)
        kept.append(row)
    return kept


@dataclass
class _Sheet:
    """One line while it is written."""

    row: Row
    joules: dict[str, Number] = field(default_factory=dict)
    uncharged: list[Uncharged] = field(default_factory=list)

    def add(self, term: str, count: Number, pj: float | None, what: str = "") -> None:
        """Charge `count` operations; without a price they are listed."""
        if not np.any(count):
            return
        if pj is None:
            self.leave(what or term, count, "the table has no price for it")
        elif pj:
            self.joules[term] = self.joules.get(term, 0.0) + count * (pj * _JOULES)

    def leave(self, what: str, count: Number, reason: str) -> None:
        """List operations that are not charged."""
        if np.any(count):
            self.uncharged.append(Uncharged(self.row.layer, what, count, reason))


@dataclass(frozen=True)
class _Job:
    """One pricing: the table, what was decided, T or how many steps stand for one number, and steps of the data."""

    table: Table
    options: Options
    rule: Rule
    steps: int
    dense: bool = False
    bits: int | None = None
    data_steps: int = 1

    @property
    def costs(self) -> Fixed | IntScaled:
        """Prices of operations."""
        assert self.table.arithmetic is not None  # a table without them is a device
        return self.table.arithmetic

    def bill(self, rows: list[Row], uncounted: tuple[Uncounted, ...]) -> Bill:
        lines: list[Line] = []
        uncharged = [Uncharged(u.layer, u.op, u.elements, "no rule counts it") for u in uncounted]
        for row in rows:
            sheet = _Sheet(row)
            ops = self._row(row, sheet)
            uncharged += sheet.uncharged
            if sheet.joules or np.any(ops.macs) or np.any(ops.acs):
                lines.append(Line(row.layer, row.op, row.kind, sheet.joules, ops.macs, ops.acs))
        notes = tuple(self._notes(rows, uncharged))
        left = tuple(uncharged)
        return Bill(self.table, self.rule.name, self.options, tuple(lines), left, self.dense, notes, self.data_steps)

    def _notes(self, rows: list[Row], uncharged: list[Uncharged]) -> Iterator[str]:
        if self.table.device is not None and any(row.kind == "product" for row in rows):
            yield "Products of two signals, as in attention, are charged as connections, which no device table covers."
        if self.dense and self.table.device is not None and self.table.device.spiking:
            yield "A spiking device is not made for this: every connection is charged as an event."
        if uncharged:
            left: dict[str, list[str]] = {}
            for item in uncharged:
                left.setdefault(item.reason, []).append(item.what)
            parts = [f"{', '.join(dict.fromkeys(what))} ({reason})" for reason, what in left.items()]
            yield f"The total is a lower bound; not in it: {'; '.join(parts)}."

    def _row(self, row: Row, sheet: _Sheet) -> Ops:
        if self.table.device is not None:
            return self._on_device(row, sheet)
        if row.kind in _PRODUCTS:
            return self._products(row, sheet)
        if row.kind == "neuron":
            self._neurons(row, sheet)
        elif self.options.elementwise == "counted" or (row.kind == "norm" and self.options.norms == "counted"):
            work = row.elementwise
            self._single(work, "norm" if row.kind == "norm" else "elementwise", sheet)
            if isinstance(self.table.memory, Lemaire):
                operations = work.adds + work.muls + work.compares + work.special
                sheet.leave("memory accesses of single operations", operations, _NO_LAYER)
        return Ops()

    def _ops(self, row: Row) -> Ops:
        padding = self.options.padding if row.kind == "synapse" else "exact"
        if self.dense:
            return charge(row.products, self.rule, "real", padding)
        memory = self.table.memory
        printed = isinstance(memory, Lemaire) and memory.fan_out == "ceil" and self.rule.name != "dense_mac"
        if printed and row.source == "spike" and row.geometry is not None and row.geometry.form == "conv":
            count = ceil_fan_out(row.geometry, row.products, self.rule)
            return Ops(macs=count) if self.rule.multiplies else Ops(acs=count)
        return charge(row.products, self.rule, row.source, padding, self.options.zeros)

    def _width(self, row: Row) -> int | None:
        """Bits of what is multiplied with weights; None = the table's own for real numbers."""
        if self.dense and self.bits is not None:
            return self.bits
        if row.source == "real":
            return None
        if self.dense:
            levels = row.geometry.levels_in if row.geometry is not None else 2**row.products.bits - 1
            return twin_bits(self.steps, levels)
        return row.products.bits

    def _products(self, row: Row, sheet: _Sheet) -> Ops:
        ops = self._ops(row)
        sheet.add("mac", ops.macs, self.costs.mac(self._width(row)), "multiply-accumulates")
        sheet.add("ac", ops.acs, self.costs.add())
        if self.options.elementwise == "counted":
            if np.any(row.elementwise.adds):
                self._single(row.elementwise, "bias", sheet)
            elif row.geometry is not None and row.geometry.bias:
                sheet.add("bias", float(row.geometry.outputs * row.steps), self.costs.add())
        self._memory(row, ops, sheet)
        # Real inputs of layers with weights travel densely; spikes are charged where they are sent.
        mesh = self.table.movement
        if mesh is not None and row.kind == "synapse" and (row.source != "spike" or self.dense):
            bits = self._width(row) or mesh.activation_bits
            sheet.add("movement", row.products.inputs, bits * mesh.hops.value * mesh.dense_pj_per_bit_hop.value)
        return ops

    def _memory(self, row: Row, ops: Ops, sheet: _Sheet) -> None:
        memory, geometry = self.table.memory, row.geometry
        if memory is None:
            return
        if geometry is None:
            if isinstance(memory, Lemaire):
                sheet.leave("memory accesses of products of signals", ops.macs + ops.acs, _NO_LAYER)
        elif isinstance(memory, Flat):
            read: Number = float((geometry.weights + geometry.bias) * row.steps)
            if memory.weights_read == "per_operation":
                read = ops.macs + ops.acs + (float(geometry.outputs * row.steps) if geometry.bias else 0.0)
            sheet.add("read weights", read, memory.weight_bytes * memory.byte_pj.value)
        else:
            as_ann = self.dense or row.source == "real" or self.rule.name == "dense_mac"
            work = ann_layer(row, ops.macs, memory) if as_ann else snn_layer(row, self.rule, memory)
            self._accesses(work.accesses, memory, sheet)
            sheet.add("addressing", work.address.macs, self.costs.mac(), "addressing")
            sheet.add("addressing", work.address.acs, self.costs.add())

    def _accesses(self, accesses: tuple[Access, ...], memory: Lemaire, sheet: _Sheet) -> None:
        for access in accesses:
            sheet.add(access.term, access.count, memory.access(access.elements, access.bits))

    def _neurons(self, row: Row, sheet: _Sheet) -> None:
        neurons, memory, mesh = row.neurons, self.table.memory, self.table.movement
        if neurons is None or self.dense or self.options.neurons == "omitted":
            return
        if isinstance(memory, Lemaire):
            ops = neuron_ops(neurons, self.rule)
            sheet.add("neuron", ops.macs, self.costs.mac(), "leaks")
            sheet.add("neuron", ops.acs, self.costs.add())
            self._accesses(neuron_accesses(neurons, memory), memory, sheet)
        else:
            work = {name: getattr(neurons.per_update, name) * neurons.updates for name in SINGLE}
            self._single(Elementwise(**work), "neuron", sheet)
        if isinstance(memory, Flat):
            for term in ("read potentials", "write potentials"):
                sheet.add(term, neurons.updates, memory.state_bytes * memory.byte_pj.value)
        if mesh is not None:
            bits = mesh.payload_bits or bits_of(neurons.levels)
            sheet.add("movement", neurons.spikes, bits * mesh.hops.value * mesh.sparse_pj_per_bit_hop.value)

    def _single(self, work: Elementwise, term: str, sheet: _Sheet) -> None:
        sheet.add(term, work.adds, self.costs.add())
        sheet.add(term, work.muls, self.costs.mul(), f"multiplications ({term})")
        sheet.add(term, work.compares, self.costs.compare())
        sheet.add(term, work.special, self.costs.special(), f"divisions, roots and exponentials ({term})")

    def _on_device(self, row: Row, sheet: _Sheet) -> Ops:
        device = self.table.device
        assert device is not None
        if row.kind in _PRODUCTS:
            spiking_real = not self.dense and row.source == "real"
            # A spiking device gets an event for every number that is not zero.
            ops = Ops(acs=row.products.events) if spiking_real else self._ops(row)
            sheet.add("ac" if not self.dense else "mac", ops.macs + ops.acs, device.synaptic_event_pj.value)
            return ops
        if row.kind == "neuron" and row.neurons is not None and self.options.neurons == "counted":
            updates = row.neurons.membranes * row.steps if self.dense else row.neurons.updates
            sheet.add("neuron", updates, device.neuron_update_pj.value)
        return Ops()
