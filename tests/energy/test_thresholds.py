from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from energy_rows import counts, layer_of_codes, macs, neurons
from hypothesis import given
from hypothesis import strategies as st

from snnctl.energy.count.counts import twin_bits
from snnctl.energy.judge import thresholds
from snnctl.energy.judge.thresholds import break_even, firing_rate, spikes_per_synapse, verdicts
from snnctl.energy.price.table import load_table


@pytest.mark.parametrize(
    ("steps", "bits", "width"), [(4, 1, 3), (1, 4, 4), (4, 2, 4), (1, 1, 1), (3, 1, 2), (8, 1, 4), (10, 1, 4)]
)
def test_width_of_the_twin(steps: int, bits: int, width: int):
    assert twin_bits(steps, 2**bits - 1) == width


@given(st.integers(1, 200), st.integers(1, 300))
def test_the_twin_has_as_many_values_and_no_bit_more(steps: int, levels: int):
    width = twin_bits(steps, levels)
    assert 2 ** (width - 1) < steps * levels + 1 <= 2**width


def test_break_even_of_int_scaled():
    rows = break_even(load_table("int_scaled"))
    assert [row.bits for row in rows] == [1, 2, 3, 4, 6, 8]
    assert [f"{row.mac_pj:.4f}" for row in rows] == ["0.0742", "0.0984", "0.1227", "0.1469", "0.1953", "0.2438"]
    assert [f"{row.popcount:.2f}" for row in rows] == ["1.48", "1.97", "2.45", "2.94", "3.91", "4.88"]


@pytest.mark.parametrize(
    ("name", "ratio"), [("horowitz45_fp32", "5.11"), ("horowitz45_fp16", "3.75"), ("horowitz45_int8", "7.67")]
)
def test_break_even_of_fixed_prices(name: str, ratio: str):
    assert f"{break_even(load_table(name), (4,))[0].popcount:.2f}" == ratio


def test_no_break_even_without_a_price_of_a_mac():
    assert break_even(load_table("yan22")) == []
    assert break_even(load_table("loihi")) == []


def test_spikes_per_synapse():
    codes = np.array([[1, 1, 0, 0], [1, 3, 0, 0], [1, 0, 0, 3]])  # 6 spikes, 8 bits on 4 inputs
    layer = layer_of_codes(codes, 5, 2)
    found = counts(macs(1e9), layer, neurons(5, 3, 4.0), steps=3)  # the stem has no spikes
    assert spikes_per_synapse(found) == 6 * 5 / (4 * 5)
    assert spikes_per_synapse(found, "bitplane") == 8 / 4
    assert spikes_per_synapse(counts(macs(1e9))) == 0
    batch = replace(layer, products=replace(layer.products, events=np.array([30.0, 10.0])))
    assert np.array_equal(spikes_per_synapse(counts(batch)), [1.5, 0.5])


def test_firing_rate():
    assert firing_rate(counts(neurons(10, 5, 10.0), neurons(30, 5, 0.0))) == 10 / 200


@pytest.mark.parametrize(("value", "wins"), [(0.1, True), (0.15, None), (1.0, None), (1.38, None), (1.4, False)])
def test_dampfhoffer(value: float, wins: bool | None):
    assert thresholds.dampfhoffer(value).wins is wins


def test_davidson_furber():
    assert thresholds.davidson_furber(1.71).wins is True
    above = thresholds.davidson_furber(2.1)
    assert (above.wins, above.threshold) == (False, 1.72)
    assert above.sentence == (
        "2.1 spikes per synapse per inference: above the 1.72 threshold; a digital SNN would not win here"
    )


@pytest.mark.parametrize(
    ("rate", "steps", "wins"),
    [(0.05, 5, [True, True]), (0.06, 5, [True, False]), (0.07, 5, [False, False]), (0.06, 10, [True]),
     (0.064, 6, [False]), (0.01, 4, [None]), (0.01, 11, [None])],
)  # fmt: skip
def test_yan_rates(rate: float, steps: int, wins: list[bool | None]):
    assert [verdict.wins for verdict in thresholds.yan_rate(rate, steps)] == wins


def test_yan_compute_only():
    fp32 = load_table("horowitz45_fp32")
    within = thresholds.yan_compute(0.1, 4, 0.1, fp32)
    assert within.threshold == pytest.approx(4.6 / 0.9 * 0.1)  # 0.511
    assert within.value == pytest.approx(0.4)
    assert within.wins is True
    above = thresholds.yan_compute(0.2, 4, 0.1, fp32)
    assert above.wins is False
    assert "not favour" in above.sentence
    scaled = thresholds.yan_compute(0.1, 4, 0.1, load_table("int_scaled"))
    assert scaled.threshold == pytest.approx(0.12265625 / 0.05 * 0.1)  # a 3-bit twin
    assert thresholds.yan_compute(0.1, 4, 0.1, load_table("loihi")).wins is None


def test_verdicts_of_a_network():
    fp32 = load_table("horowitz45_fp32")
    layer = layer_of_codes(np.array([[1, 1, 0, 0]] * 5), 5, 1)
    found = verdicts(counts(layer, neurons(5, 5, 1.0), steps=5), fp32)
    assert [v.threshold for v in found[:4]] == [1.38, 1.72, 0.064, 0.057]
    assert [v.value for v in found[:2]] == [2.5, 2.5]
    assert found[-1].value == 3  # bits of the twin: 6 values
    assert all(v.sentence and v.source for v in found)
    assert verdicts(counts(macs(5.0)), fp32) == []


def test_one_step_without_a_leak_is_the_quantised_network():
    fp32 = load_table("horowitz45_fp32")
    still = verdicts(counts(neurons(5, 1, 2.0, levels=15, leaky=False), steps=1), fp32)
    assert still[-1].sentence == "At T=1 without a leak this network is the 4-bit quantised network"
    for steps, leaky in ((2, False), (1, True)):
        others = verdicts(counts(neurons(5, steps, 2.0, levels=15, leaky=leaky), steps=steps), fp32)
        assert not any("is the" in verdict.sentence for verdict in others)
