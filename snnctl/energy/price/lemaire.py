"""Operations and memory accesses of one layer after Lemaire et al. 2022 (arXiv 2210.13107).

Equation numbers are the article's, as qualia-plugin-snn cites them. theta = spikes per inference, over all steps;
k*k = kernel; T = steps.

              ANN conv                       ANN fc             SNN conv                         SNN fc
  MAC         Co Ho Wo Ci k^2 (1.1)          Ni No (2.1)        T Co Ho Wo if leaky (1.3)        T No if leaky (2.3)
  ACC         Co Ho Wo (1.2)                 No (2.2)           th_in fan-out + T Co Ho Wo       th_in No + T No
                                                                + th_out (1.4)                   + th_out (2.4)
  inputs      Ci Co Ho Wo k^2 (3)            Ni (4)             th_in (5)                        th_in (5)
  weights     (Ci k^2 + 1) Co Ho Wo (6.1)    (Ni + 1) No (6.2)  th_in Co k^2 + T Co Ho Wo (7)    th_in No + T No (8)
  potentials  0                              0                  as weights (9), (14)             as weights (10), (15)
  output      Co Ho Wo (11)                  No (12)            th_out (13)                      th_out (13)
  addr. ACC   Ci Hi Wi + Co Ho Wo + Co k^2   Ni + No            th_in Co k^2 (16.3)              th_in No (17.2)
  addr. MAC   0                              0                  2 th_in (16.2)                   0

What is decided where sources differ:
- Bias and potential terms carry T: each step reads them again. The article prints them without.
- (2.4) is the corrected one: the article has a factor Ni too many and leaves out the reset th_out.
- Fan-out in (1.4) is exact: padding, stride and weights that are zero. `ceil` gives ceil(k/s) per axis.
- Groups: output channels per group in (1.4), (7), (9), (16.3).
- Without bias there are no bias reads and no bias additions. A norm folded into a layer is a bias.
- ANN fc addressing has no equation number: Ni + No, or Ni * No with `fc_addressing: product`.
- Spikes of several bits: theta is the count of the charging rule for operations, weights, potentials and addresses;
  inputs are read as one message per spike, as wide as its address and its value. With `planes: summed`, weights and
  potentials are touched once per spike.
- Real inputs in a spiking network: ANN columns at each step; membranes as in the SNN columns.
- A place of neurons fed by several layers leaks, resets and fires once: (1.3), th_out and the T terms of (9) and (14)
  are charged to the neurons. A layer that feeds none reads and writes its sums once per step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from snnctl.energy.count.counts import Geometry, Neurons, Number, Products, Row
from snnctl.energy.price.rules import Ops, Rule
from snnctl.energy.price.sections import Lemaire


@dataclass(frozen=True)
class Access:
    """Accesses to one memory."""

    term: str  # the entry of the bill: `read weights`, `write potentials`, ...
    count: Number  # how many, per sample
    # elements, bits: size of the memory and width of an element
    elements: float
    bits: int


class Work(NamedTuple):
    """What one row costs besides its synaptic operations and biases."""

    address: Ops
    accesses: tuple[Access, ...]


def ann_layer(row: Row, macs: Number, memory: Lemaire) -> Work:
    """ANN columns, at each of the row's steps; `macs` is (1.1) or (2.1) over all of them."""
    at = _sizes(row)
    bits, steps = memory.data_bits, row.steps
    accesses = [
        Access("read inputs", macs if at.form == "conv" else float(at.inputs * steps), at.inputs, bits),  # (3), (4)
        Access("read weights", macs, at.weights, bits),  # (6.1), (6.2)
    ]
    if at.bias:
        accesses.append(Access("read bias", float(at.outputs * steps), at.bias, bits))
    if not row.feeds:
        accesses.append(Access("write outputs", float(at.outputs * steps), at.outputs, bits))  # (11), (12)
    if at.form == "conv":
        adds: Number = float((at.inputs + at.outputs + at.out_channels * at.kernel) * steps)
    else:
        adds = macs if memory.fc_addressing == "product" else float((at.inputs + at.outputs) * steps)
    return Work(Ops(acs=adds), tuple(accesses))


def snn_layer(row: Row, rule: Rule, memory: Lemaire) -> Work:
    """SNN columns but for what belongs to the neurons behind."""
    at, products = _sizes(row), row.products
    bits, outputs = memory.data_bits, float(at.outputs * row.steps)
    messages = products.active_inputs
    touches = touched(at, products, rule, memory)
    accesses = [
        Access("read inputs", messages, memory.fifo_messages, memory.message_bits(at.levels_in)),  # (5)
        Access("read weights", touches, at.weights, bits),  # (7), (8)
        Access("read potentials", touches, at.outputs, bits),  # (9), (10)
        Access("write potentials", touches, at.outputs, bits),  # (14), (15)
    ]
    if at.bias:
        accesses.append(Access("read bias", outputs, at.bias, bits))
    if not row.feeds:
        accesses += [
            Access("read potentials", outputs, at.outputs, bits),
            Access("write potentials", outputs, at.outputs, bits),
            Access("write outputs", outputs, at.outputs, bits),
        ]
    address_macs = 2.0 * messages if at.form == "conv" else 0.0  # (16.2)
    return Work(Ops(address_macs, touches), tuple(accesses))  # (16.3), (17.2)


def touched(at: Geometry, products: Products, rule: Rule, memory: Lemaire) -> Number:
    """theta_in Co k^2 of a convolution, theta_in No of a fully connected layer, by rule."""
    theta = products.active_inputs if memory.planes == "summed" else rule.inputs(products)
    return theta * (at.kernel * at.out_channels / at.groups if at.form == "conv" else at.out_channels)


def ceil_fan_out(at: Geometry, products: Products, rule: Rule) -> Number:
    """theta_in ceil(k/s)^axes Co / groups, the first term of (1.4) as it is printed."""
    side = at.kernel_side
    axes = round(math.log(at.kernel) / math.log(side)) if side > 1 else 1
    return rule.inputs(products) * math.ceil(side / at.stride) ** axes * at.out_channels / at.groups


def neuron_ops(neurons: Neurons, rule: Rule) -> Ops:
    """Leak (1.3), (2.3) and reset, the last term of (1.4), (2.4)."""
    return Ops(neurons.updates if neurons.leaky else 0.0, rule.spikes(neurons))


def neuron_accesses(neurons: Neurons, memory: Lemaire) -> tuple[Access, ...]:
    """Membranes once per step, the T terms of (9) and (14), and the spikes that are written, (13)."""
    bits = memory.data_bits
    return (
        Access("read potentials", neurons.updates, neurons.membranes, bits),
        Access("write potentials", neurons.updates, neurons.membranes, bits),
        Access("write outputs", neurons.spikes, memory.fifo_messages, memory.message_bits(neurons.levels)),
    )


def _sizes(row: Row) -> Geometry:
    assert row.geometry is not None, row.layer
    return row.geometry
