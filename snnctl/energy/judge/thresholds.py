"""Published thresholds for when a spiking network can win, and verdicts in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from snnctl.energy.count.counts import Counts, Number, mean, share, total, twin_bits
from snnctl.energy.price.rules import RULES, RuleName
from snnctl.energy.price.sections import IntScaled
from snnctl.energy.price.table import Table

DAMPFHOFFER = "Dampfhoffer et al., IEEE TETCI 7(3), 2023"
DAVIDSON = "Davidson & Furber, Front. Neurosci. 15:651141, 2021"
YAN = "Yan, Bai and Wong, arXiv 2409.08290"
CONVERSION = "the conversion identity of multi-bit neurons"


@dataclass(frozen=True)
class Verdict:
    """One measured value against one published threshold."""

    name: str  # what is compared
    value: float | None  # measured here; None if it could not be
    threshold: float | None  # the bound, above which a spiking network loses; None if none applies
    wins: bool | None  # True, False, or None where the source leaves it open
    source: str  # who published it
    sentence: str  # all of that in plain words


class BreakEven(NamedTuple):
    """Bit planes against a real multiplier at one width."""

    bits: int  # b of the spikes
    # mac_pj, ac_pj: a multiply-accumulate of b bits, one addition
    mac_pj: float
    ac_pj: float
    popcount: float  # mean set bits per spike below which bit planes are cheaper


def break_even(table: Table, widths: tuple[int, ...] = (1, 2, 3, 4, 6, 8)) -> list[BreakEven]:
    """Where a multiplication becomes cheaper than its bit planes; shifts are not charged. Empty without a MAC price."""
    costs = table.arithmetic
    if costs is None:
        return []
    priced = ((bits, costs.mac(bits), costs.add()) for bits in widths)
    return [BreakEven(bits, mac, add, mac / add) for bits, mac, add in priced if mac is not None and add > 0]


def spikes_per_synapse(counts: Counts, rule: RuleName = "event") -> Number:
    """Synaptic operations per synapse and inference, over layers that spikes drive; 0 without any.

    A convolution has as many synapses as dense connections.
    """
    driven = [row for row in counts.rows if row.kind == "synapse" and row.source == "spike"]
    operations = total(RULES[rule].products(row.products) for row in driven)
    return share(operations, total(row.products.dense / row.steps for row in driven))


def firing_rate(counts: Counts) -> Number:
    """s_r: share of neurons that spike in a step, over all neurons."""
    return share(total(n.spikes for n in counts.neurons), total(n.updates for n in counts.neurons))


def active_share(counts: Counts) -> Number:
    """1 - gamma: share of neurons that spike at least once; the twin's activations that are not zero."""
    return share(total(n.ever_active for n in counts.neurons), total(n.membranes for n in counts.neurons))


def verdicts(counts: Counts, table: Table) -> list[Verdict]:
    """Every threshold that applies to the count."""
    if not counts.neurons:
        return []
    # Set against what a network that does not spike has to do: one pass, or one for each step that the data bring.
    per_synapse, rate = mean(spikes_per_synapse(counts)) / counts.data_steps, mean(firing_rate(counts))
    per = "inference" if counts.data_steps == 1 else "step of the data"
    found = [dampfhoffer(per_synapse, per), davidson_furber(per_synapse, per)]
    if counts.data_steps == 1:
        found += yan_rate(rate, counts.steps)
        found.append(yan_compute(rate, counts.steps, mean(active_share(counts)), table, _levels(counts)))
    else:
        says = (
            f"firing rate {rate:.2%}: thresholds are published for steps that stand for one number, not for data's own"
        )
        found.append(Verdict("firing rate", rate, None, None, YAN, says))
    found += twin(counts)
    return found


def dampfhoffer(per_synapse: float, per: str = "inference") -> Verdict:
    """0.15 to 1.38 spikes per synapse per inference, by the ANN implementation compared with."""
    says = f"{per_synapse:.3g} spikes per synapse per {per}: "
    wins: bool | None
    if per_synapse < 0.15:
        wins, says = True, says + "below 0.15; competitive with every implementation of the ANN considered"
    elif per_synapse <= 1.38:
        wins, says = None, says + "between 0.15 and 1.38; it depends on how well the ANN reuses data and skips zeros"
    else:
        wins, says = False, says + "above 1.38; a digital SNN would not win here"
    return Verdict(f"spikes per synapse per {per}", per_synapse, 1.38, wins, DAMPFHOFFER, says)


def davidson_furber(per_synapse: float, per: str = "inference") -> Verdict:
    """About 1.72 spikes per synapse per inference."""
    wins = per_synapse < 1.72
    end = "below the 1.72 threshold" if wins else "above the 1.72 threshold; a digital SNN would not win here"
    says = f"{per_synapse:.3g} spikes per synapse per {per}: {end}"
    return Verdict(f"spikes per synapse per {per}", per_synapse, 1.72, wins, DAVIDSON, says)


def yan_rate(rate: float, steps: int) -> Iterator[Verdict]:
    """s_r < 6.4 % for 5 to 10 steps (versions 2, 3), < 5.7 % at 5 steps (version 4)."""
    name = "firing rate"
    if not 5 <= steps <= 10:
        says = f"firing rate {rate:.2%} at {steps} steps: a threshold is published for 5 to 10 steps only"
        yield Verdict(name, rate, None, None, YAN, says)
        return
    bounds = [(0.064, f"{YAN}, versions 2 and 3", "5 to 10 steps")]
    if steps == 5:
        bounds.append((0.057, f"{YAN}, version 4", "5 steps"))
    for bound, source, where in bounds:
        wins = rate < bound
        end = "below" if wins else "not below"
        after = "" if wins else "; the quantised twin would use less energy"
        says = f"firing rate {rate:.2%}: {end} the {bound:.1%} threshold for {where}{after}"
        yield Verdict(name, rate, bound, wins, source, says)


def yan_compute(rate: float, steps: int, active: float, table: Table, levels: int = 1) -> Verdict:
    """Arithmetic alone: T * s_r <= (E_MAC / E_AC) (1 - gamma), where `active` is 1 - gamma.

    That is the share of the twin's activations that are not zero; under int_scaled its MAC is as wide as they are.
    """
    name, value, costs = "spikes per neuron per inference", steps * rate, table.arithmetic
    width = twin_bits(steps, levels) if isinstance(costs, IntScaled) else None
    mac = costs.mac(width) if costs is not None else None
    if costs is None or mac is None or not costs.add():
        return Verdict(name, value, None, None, YAN, f"table {table.name} does not price MAC and AC: no compute bound")
    ratio = mac / costs.add()
    bound = ratio * active
    wins = value <= bound
    says = (
        f"{value:.3g} spikes per neuron per inference: {'within' if wins else 'above'} the bound {bound:.3g} ="
        f" E_MAC/E_AC {ratio:.3g} x {active:.3g} active; arithmetic alone would {'' if wins else 'not '}favour the SNN"
    )
    return Verdict(name, value, bound, wins, YAN, says)


def twin(counts: Counts) -> Iterator[Verdict]:
    """The fair quantised twin; at T = 1 without a leak it is the same network."""
    levels, steps = _levels(counts), counts.coding_steps
    bits = twin_bits(steps, levels)
    source = YAN if levels == 1 else CONVERSION
    says = f"the fair non-spiking twin has {bits}-bit activations: {steps * levels + 1} values, T x levels + 1"
    yield Verdict("width of the quantised twin", float(bits), None, None, source, says)
    leaky = any(n.leaky for n in counts.neurons)
    if counts.steps == 1 and not leaky:
        says = f"At T=1 without a leak this network is the {bits}-bit quantised network"
        yield Verdict("identity with the quantised twin", float(bits), None, None, source, says)


def _levels(counts: Counts) -> int:
    return max((neurons.levels for neurons in counts.neurons), default=1)
