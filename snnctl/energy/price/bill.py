"""The bill: joules by row and by term, what could not be priced, and the policies in words."""

from __future__ import annotations

from dataclasses import dataclass, field

from snnctl.core.choices import Counted, Norms, Stem
from snnctl.energy.count.counts import Kind, Number, total
from snnctl.energy.price.rules import RULES, Padding, RuleName, Zeros
from snnctl.energy.price.sections import Lemaire
from snnctl.energy.price.table import Table

# The entries of a bill, in the order in which people read them.
TERMS: tuple[str, ...] = (
    "mac",
    "ac",
    "bias",
    "neuron",
    "norm",
    "elementwise",
    "read inputs",
    "read weights",
    "read bias",
    "read potentials",
    "write potentials",
    "write outputs",
    "addressing",
    "movement",
)


@dataclass(frozen=True)
class Options:
    """What is charged."""

    rule: RuleName | None = None  # of spikes; None = the table's own
    # folded = a norm directly behind a layer with weights is part of them, and leaves one bias addition per output and
    # step; counted = its operations are charged
    norms: Norms = "folded"
    # layers whose input is the same at each step: run = as the network ran them, once = for one step, steps = for each
    stem: Stem = "run"
    padding: Padding = "exact"  # exact, or counted (rate x dense operations)
    neurons: Counted = "counted"  # counted, or omitted
    # pooling, residual and other additions, biases and norms that cannot be folded: counted, or omitted
    elementwise: Counted = "counted"
    zeros: Zeros = "charged"  # real inputs that are zero: charged, or skipped


@dataclass(frozen=True)
class Line:
    """What one row of the count costs."""

    # layer, op, kind: of the row
    layer: str
    op: str
    kind: Kind
    joules: dict[str, Number] = field(default_factory=dict)  # by term, only those that are not zero; per sample
    # macs, acs: synaptic operations charged
    macs: Number = 0.0
    acs: Number = 0.0

    @property
    def total(self) -> Number:
        """Joules of the row."""
        return total(self.joules.values())


@dataclass(frozen=True)
class Uncharged:
    """Work of a layer that is in the count and not in the bill: `amount` operations per sample, and why."""

    layer: str
    what: str
    amount: Number
    reason: str


@dataclass(frozen=True)
class Bill:
    """The price of a count under one table."""

    table: Table
    rule: RuleName
    options: Options
    lines: tuple[Line, ...]
    uncharged: tuple[Uncharged, ...]
    dense: bool = False
    notes: tuple[str, ...] = ()
    data_steps: int = 1

    @property
    def joules(self) -> Number:
        """In total, per sample."""
        return total(line.total for line in self.lines)

    @property
    def macs(self) -> Number:
        """Multiply-accumulates charged."""
        return total(line.macs for line in self.lines)

    @property
    def acs(self) -> Number:
        """Synaptic additions charged."""
        return total(line.acs for line in self.lines)

    @property
    def complete(self) -> bool:
        """Whether every operation had a price; if not, the total is a lower bound."""
        return not self.uncharged

    def by_term(self) -> dict[str, Number]:
        """Joules of each term that occurs, in the order of `TERMS`."""
        found = {term: [line.joules[term] for line in self.lines if term in line.joules] for term in TERMS}
        return {term: total(parts) for term, parts in found.items() if parts}

    def by_layer(self) -> dict[str, Number]:
        """Joules of each layer, in order of execution."""
        found: dict[str, Number] = {}
        for line in self.lines:
            found[line.layer] = found.get(line.layer, 0.0) + line.total
        return found

    def policies(self) -> list[str]:
        """Everything that was decided on the way to the total, one sentence each."""
        return [*_sentences(self), *self.notes]


_CHARGED = {"counted": "charged", "omitted": "not charged"}
_SAID = {
    ("padding", "exact"): "Padding: exact, taps on padding cost nothing.",
    ("padding", "counted"): "Padding: counted, operations are rate x dense operations, taps on padding included.",
    ("stem", "run"): "Stem: as the network ran it.",
    ("stem", "once"): "Stem: layers whose input is the same at each step are charged for one step (cached).",
    ("stem", "steps"): "Stem: layers whose input is the same at each step are charged at every step.",
    ("norms", "folded"): "Norms directly behind a layer with weights are folded into it;"
    " one bias addition per output and step is left.",
    ("norms", "counted"): "Norms: every one is charged.",
}


def _sentences(bill: Bill) -> list[str]:
    table, options = bill.table, bill.options
    said = [f"Costs: {table.name}" + (f" ({table.summary})." if table.summary else ".")]
    if bill.dense:
        free = "" if table.device is not None else ", activations free"
        steps = "one step" if bill.data_steps == 1 else f"all {bill.data_steps} steps of the data"
        said.append(f"Priced as a non-spiking network: {steps}, every synapse multiplied{free}.")
    else:
        said.append(f"Spikes: rule {bill.rule}, {RULES[bill.rule].describe}.")
        everywhere = options.zeros == "charged" and table.device is None
        said.append(f"Real inputs are charged {'everywhere' if everywhere else 'where they are not zero'}.")
    said.append(_SAID["padding", options.padding])
    if not bill.dense:
        said.append(_SAID["stem", options.stem])
    if table.device is not None:
        kind = "per spike arriving at a synapse" if table.device.spiking else "per connection, once"
        said.append(f"Device: {kind}, and per neuron update; all else is taken to be included; transfer is not.")
        return said
    said.append(_SAID["norms", options.norms])
    if not bill.dense:
        said.append(f"Neuron updates are {_CHARGED[options.neurons]}.")
    said.append(f"Biases, pooling, residual and other single operations are {_CHARGED[options.elementwise]}.")
    said += _memory_sentences(bill)
    return said


def _memory_sentences(bill: Bill) -> list[str]:
    memory, movement = bill.table.memory, bill.table.movement
    said = []
    if memory is None:
        said.append("Memory: not charged.")
    elif isinstance(memory, Lemaire):
        said.append(
            f"Memory: Lemaire et al. 2022, access price variant {memory.variant}, {memory.data_bits}-bit data, bias and"
            " potential terms at each step, equation 2.4 corrected."
        )
        fan_out = "exact" if memory.fan_out == "exact" else "ceil(k/s) per axis"
        fc = "N_i + N_o" if memory.fc_addressing == "sum" else "N_i * N_o"
        said.append(f"Fan-out of a spike in a convolution: {fan_out}. Addressing of a non-spiking fc layer: {fc}.")
    else:
        read = "once per step" if memory.weights_read == "per_step" else "at every operation"
        said.append(
            f"Memory: {memory.byte_pj.value:g} pJ per byte, weights read {read}, membranes read and written per update."
        )
    if movement is not None:
        said.append(
            f"Movement: {movement.hops.value:g} hops, {movement.sparse_pj_per_bit_hop.value:g} pJ/bit/hop for spikes,"
            f" {movement.dense_pj_per_bit_hop.value:g} for real numbers."
        )
    return said
