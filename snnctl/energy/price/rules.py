"""What a spike is charged: rules from counts to additions (AC) and multiply-accumulates (MAC).

No rule for spikes of several bits is agreed upon, so it is a parameter. With f the fan-out of an input element and
c its code of b bits, event <= bitplane <= unary and bitplane <= allbits = b * event; at b = 1 all count the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from snnctl.core.choices import Padding, RuleName, Zeros
from snnctl.energy.count.counts import Neurons, Number, Products, Source, bits_of, share


@dataclass(frozen=True)
class Ops:
    """Operations charged, per sample."""

    macs: Number = 0.0
    acs: Number = 0.0


@dataclass(frozen=True)
class Rule:
    """How spikes are charged."""

    name: RuleName  # in tables and options
    describe: str  # one line for people
    products: Callable[[Products], Number]  # operations of a layer, from its exact counts
    inputs: Callable[[Products], Number]  # how often one layer's inputs count: the theta_in of a memory model
    spikes: Callable[[Neurons], Number]  # the same of a neuron's output: theta_out
    multiplies: bool = False  # whether it charges MACs, and not ACs


# How much a spike's code counts: in the operations of a layer, among its inputs, among the spikes of a neuron.
_Theta = tuple[Callable[[Products], Number], Callable[[Products], Number], Callable[[Neurons], Number]]
_ONCE: _Theta = (lambda p: p.events, lambda p: p.active_inputs, lambda n: n.spikes)
_BY_BIT: _Theta = (lambda p: p.popcount, lambda p: p.popcount_inputs, lambda n: n.popcount_spikes)
_BY_UNIT: _Theta = (lambda p: p.unary, lambda p: p.unary_inputs, lambda n: n.unary_spikes)
_BY_WIDTH: _Theta = (
    lambda p: p.bits * p.events,
    lambda p: p.bits * p.active_inputs,
    lambda n: bits_of(n.levels) * n.spikes,
)
_ALWAYS: _Theta = (lambda p: p.inside, lambda p: p.inputs, lambda n: n.spikes)

_RULES = (
    Rule(
        "event",
        "one AC per spike and synapse whatever its value (graded spikes, payload free): the lower bound",
        *_ONCE,
    ),
    Rule(
        "bitplane",
        "one AC per set bit of the spike and synapse (shift and accumulate; shifts are not charged)",
        *_BY_BIT,
    ),
    Rule("unary", "one AC per unit of the spike's value and synapse (virtual time steps, as I-LIF counts)", *_BY_UNIT),
    Rule("allbits", "b ACs per spike and synapse (bit-serial, zero bits not skipped)", *_BY_WIDTH),
    Rule(
        "mac",
        "one MAC of b bits x weight bits per spike and synapse (an accelerator of quantised networks)",
        *_ONCE,
        True,
    ),
    Rule("dense_mac", "one MAC of b bits x weight bits per synapse and step, spike or not", *_ALWAYS, True),
)
RULES: dict[RuleName, Rule] = {rule.name: rule for rule in _RULES}


def charge(products: Products, rule: Rule, source: Source, padding: Padding = "exact", zeros: Zeros = "charged") -> Ops:
    """Operations of one layer.

    Spikes follow `rule`; real inputs are MACs at every position, or at those that are not zero. Under `counted`
    padding the operations are (inputs charged / inputs) x dense.
    """
    if source == "real":
        if zeros == "charged":
            return Ops(macs=products.dense if padding == "counted" else products.inside)
        rate = share(products.active_inputs, products.inputs)
        return Ops(macs=rate * products.dense if padding == "counted" else products.events)
    if padding == "counted":
        count = share(rule.inputs(products), products.inputs) * products.dense
    else:
        count = rule.products(products)
    return Ops(macs=count) if rule.multiplies else Ops(acs=count)
