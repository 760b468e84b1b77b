from typing import Any

import numpy as np
import pytest
import torch
from energy_rows import layer_of_codes
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.energy.count.counts import Neurons, Products, bits_of, share
from snnctl.energy.count.products import codes_of, popcount
from snnctl.energy.count.signals import Signal
from snnctl.energy.price.rules import RULES, Ops, charge

CODES = st.integers(1, 6).flatmap(
    lambda b: st.tuples(st.just(b), st.lists(st.integers(0, 2**b - 1), min_size=1, max_size=30))
)


def operations(codes: list[int], bits: int, outputs: int = 3) -> dict[str, float]:
    products = layer_of_codes(np.array([codes]), outputs, bits).products
    return {name: float(charge(products, rule, "spike").acs) for name, rule in RULES.items() if not rule.multiplies}


def test_one_spike_by_hand():
    # codes 0, 1, 5 of 3 bits into 2 outputs: 2 spikes, 1 + 2 bits, 6 units
    found = operations([0, 1, 5], 3, outputs=2)
    assert found == {"event": 4, "bitplane": 6, "unary": 12, "allbits": 12}
    products = layer_of_codes(np.array([[0, 1, 5]]), 2, 3).products
    assert charge(products, RULES["mac"], "spike") == Ops(macs=4.0)
    assert charge(products, RULES["dense_mac"], "spike") == Ops(macs=6.0)


@given(CODES)
@settings(max_examples=100, deadline=None)
def test_bounds(made: tuple[int, list[int]]):
    bits, codes = made
    found = operations(codes, bits)
    assert found["event"] <= found["bitplane"] <= found["unary"]
    assert found["bitplane"] <= found["allbits"] == bits * found["event"]
    for theta in ("inputs", "products"):
        products = layer_of_codes(np.array([codes]), 3, bits).products
        values = {name: getattr(rule, theta)(products) for name, rule in RULES.items()}
        assert values["event"] <= values["bitplane"] <= values["unary"]


@given(st.lists(st.integers(0, 1), min_size=1, max_size=40))
@settings(max_examples=50, deadline=None)
def test_at_one_bit_every_rule_is_the_binary_count(codes: list[int]):
    assert set(operations(codes, 1).values()) == {3.0 * sum(codes)}
    products = layer_of_codes(np.array([codes]), 3, 1).products
    assert charge(products, RULES["mac"], "spike").macs == 3.0 * sum(codes)


@pytest.mark.parametrize(
    ("bits", "mean_bits", "mean_units", "nonzero"),
    [(1, 0.5, 0.5, 0.5), (2, 1.0, 1.5, 0.75), (3, 1.5, 3.5, 0.875), (4, 2.0, 7.5, 0.9375), (5, 2.5, 15.5, 0.96875)],
)
def test_uniform_codes(bits: int, mean_bits: float, mean_units: float, nonzero: float):
    found = codes_of(torch.arange(2.0**bits), Signal("spike", levels=2**bits - 1))
    assert [float(codes.mean()) for codes in found] == [nonzero, mean_bits, mean_units]


@given(st.lists(st.integers(0, 2**40), max_size=20))
@settings(max_examples=50, deadline=None)
def test_popcount_is_pythons(codes: list[int]):
    assert popcount(torch.tensor(codes, dtype=torch.float64)).tolist() == [code.bit_count() for code in codes]


def test_bits_of_levels():
    assert [bits_of(levels) for levels in (1, 2, 3, 4, 7, 8, 15)] == [1, 2, 2, 3, 3, 4, 4]


def test_padding_counted_is_rate_times_dense():
    # 10 of 40 inputs spike; 400 taps, 100 of them on padding; exactly 60 taps were reached
    products = Products(dense=400, inside=300, events=60, inputs=40, active_inputs=10, popcount_inputs=12)
    assert charge(products, RULES["event"], "spike", "exact").acs == 60
    assert charge(products, RULES["event"], "spike", "counted").acs == 100
    assert charge(products, RULES["bitplane"], "spike", "counted").acs == 120
    assert charge(products, RULES["dense_mac"], "spike", "exact").macs == 300
    assert charge(products, RULES["dense_mac"], "spike", "counted").macs == 400


def test_real_inputs_are_macs_under_every_rule():
    products = Products(dense=400, inside=300, events=60, inputs=40, active_inputs=10)
    for rule in RULES.values():
        assert charge(products, rule, "real") == Ops(macs=300)
        assert charge(products, rule, "real", "counted") == Ops(macs=400)
        assert charge(products, rule, "real", zeros="skipped") == Ops(macs=60)
        assert charge(products, rule, "real", "counted", "skipped") == Ops(macs=100)


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(3.0, 4.0, 0.75), (0.0, 0.0, 0.0), (np.array([1.0, 2.0]), 4.0, [0.25, 0.5]),
     (np.array([1.0, 0.0]), np.array([2.0, 0.0]), [0.5, 0.0])],
)  # fmt: skip
def test_share(part: Any, whole: Any, expected: Any):
    assert np.array_equal(share(part, whole), expected)


def test_resets_are_charged_by_rule():
    place = Neurons("lif", spikes=4.0, popcount_spikes=6.0, unary_spikes=11.0, levels=7)
    found = {name: rule.spikes(place) for name, rule in RULES.items()}
    assert found == {"event": 4, "bitplane": 6, "unary": 11, "allbits": 12, "mac": 4, "dense_mac": 4}


def test_every_rule_says_what_it_is():
    for name, rule in RULES.items():
        assert rule.name == name
        assert "\n" not in rule.describe
        assert len(rule.describe) > 20
