from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from energy_rows import counts, edited, layer_of_codes, macs, neurons, spikes
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.energy.count.counts import Counts, Elementwise, Geometry, Products, Row, Uncounted, mapped
from snnctl.energy.price.bill import TERMS, Options
from snnctl.energy.price.joules import price, price_dense
from snnctl.energy.price.table import load_table, table_names

FP32 = load_table("horowitz45_fp32")


def millijoules(table: str, *rows: Row) -> float:
    return float(price(counts(*rows), load_table(table)).joules) * 1e3


@pytest.mark.parametrize(
    ("giga_acs", "giga_macs", "printed"), [(0.0, 1.82, "8.372"), (0.10, 0.14, "0.734"), (0.50, 2.75, "13.100")]
)
def test_published_resnets(giga_acs: float, giga_macs: float, printed: str):
    # syops-counter's README: ResNet-18, spiking_resnet18, sew_resnet18
    assert f"{millijoules('horowitz45_fp32', macs(giga_macs * 1e9), spikes(giga_acs * 1e9)):.3f}" == printed


def test_published_spike_yolo():
    # its workbook: 101.21 G MAC; the stem's 240,844,800 MAC stand there at 0.9 x 4.6 pJ, where 4.6 was meant
    ann = millijoules("horowitz45_fp32", macs(101_211_340_800))
    assert ann == pytest.approx(465.57216768, abs=1e-8)
    stem, acs = macs(240_844_800), spikes(37_213_636_608)
    snn = millijoules("horowitz45_fp32", stem, acs)
    assert f"{snn:.3f}" == "34.600"
    cheap = edited("horowitz45_fp32", ("value: 4.6", "value: 4.14"))
    published = float(price(counts(stem, acs), cheap).joules) * 1e3
    assert published == pytest.approx(34.4893704192, abs=1e-9)
    assert f"{ann / published:.3f}" == "13.499"


ROWS = st.lists(st.floats(0, 1e6), min_size=4, max_size=4)


def sample(fired: float, macs_done: float, popcount: float, units: float) -> Row:
    products = Products(
        dense=9000, inside=8000, events=fired, popcount=popcount, unary=units,
        inputs=300, active_inputs=fired, popcount_inputs=popcount, unary_inputs=units, bits=3,
    )  # fmt: skip
    geometry = Geometry("fc", 30, 20, 600, 20, in_channels=30, out_channels=20, levels_in=7)
    return Row("fc", "linear", "synapse", "spike", steps=4, products=products, geometry=geometry)


def network(row: Row, fired: float | np.ndarray) -> Counts:
    norm = Row("norm", "batch_norm", "norm", steps=4, elementwise=Elementwise(adds=80.0 * fired, muls=80.0))
    attention = replace(row, kind="product", geometry=None, layer="attention")
    return counts(macs(5e4, steps=4), row, norm, attention, neurons(20, 4, fired, levels=7), steps=4)


@pytest.mark.parametrize("name", table_names())
@pytest.mark.parametrize("padding", ["exact", "counted"])
@given(st.lists(ROWS, min_size=1, max_size=4), st.sampled_from(["event", "bitplane", "unary", "allbits", "mac"]))
@settings(max_examples=6, deadline=None)
def test_price_of_the_mean_is_the_mean_of_prices(name: str, padding: str, samples: list[list[float]], rule: str):
    table, options = load_table(name), Options(rule=rule, padding=padding)  # type: ignore[arg-type]
    rows = [sample(*values) for values in samples]
    batch = np.array(samples)
    together = network(sample(*batch.T), batch[:, 0])  # type: ignore[arg-type]
    mean = network(sample(*batch.mean(0)), float(batch[:, 0].mean()))
    each = [price(network(row, values[0]), table, options).joules for row, values in zip(rows, samples, strict=True)]
    as_array = price(together, table, options)
    assert np.allclose(np.broadcast_to(as_array.joules, len(samples)), each, rtol=1e-9, atol=0)
    assert float(np.mean(each)) == pytest.approx(float(price(mean, table, options).joules), rel=1e-9)
    assert np.allclose(sum(as_array.by_term().values()), as_array.joules)
    assert np.allclose(sum(as_array.by_layer().values()), as_array.joules)
    assert set(as_array.by_term()) <= set(TERMS)


@given(ROWS, st.floats(0.1, 10))
@settings(max_examples=30, deadline=None)
def test_twice_the_work_costs_twice(values: list[float], factor: float):
    one = counts(*(r for r in network(sample(*values), values[0]).rows if r.geometry is None), steps=4)
    more = replace(one, rows=tuple(mapped(row, lambda n: n * factor) for row in one.rows))
    assert price(more, FP32).joules == pytest.approx(float(price(one, FP32).joules) * factor)


def test_terms_by_hand():
    codes = np.array([[1, 0, 2], [3, 0, 0]])  # 3 spikes, 1 + 1 + 2 bits
    bill = price(counts(layer_of_codes(codes, 5, 2), neurons(5, 2, 4.0), steps=2), FP32)
    assert bill.rule == "bitplane"
    assert bill.by_term() == {
        "ac": pytest.approx(4 * 5 * 0.9e-12),
        "neuron": pytest.approx(10 * (0.9 + 3.7 + 0.9) * 1e-12),
    }
    assert (bill.acs, bill.macs) == (20, 0)
    assert bill.by_layer().keys() == {"fc", "neurons"}
    assert price(counts(layer_of_codes(codes, 5, 2)), FP32, Options(rule="mac")).joules == pytest.approx(15 * 4.6e-12)
    omitted = price(counts(neurons(5, 2, 4.0)), FP32, Options(neurons="omitted"))
    assert omitted.joules == 0.0


def test_a_bias_is_added_once_per_step_whatever_the_bits():
    row = layer_of_codes(np.array([[7, 5], [0, 1], [2, 2]]), 4, 3)
    assert row.geometry is not None
    biased = replace(row, geometry=replace(row.geometry, bias=4))
    for rule in ("event", "bitplane", "unary", "allbits"):
        assert price(counts(biased), FP32, Options(rule=rule)).by_term()["bias"] == pytest.approx(3 * 4 * 0.9e-12)
    counted = replace(biased, elementwise=Elementwise(adds=12.0))  # counted as it ran: not charged twice
    assert price(counts(counted), FP32).joules == price(counts(biased), FP32).joules
    assert "bias" not in price(counts(biased), FP32, Options(elementwise="omitted")).by_term()


def test_norms_fold_into_the_layer_before_them():
    layer = layer_of_codes(np.array([[1, 1], [0, 1]]), 4, 1)
    norm = Row("bn", "batch_norm", "norm", steps=2, foldable=True, elementwise=Elementwise(adds=8, muls=8))
    folded = price(counts(layer, norm, steps=2), FP32).by_term()
    assert folded["bias"] == pytest.approx(8 * 0.9e-12)  # the shift is left, the scale is in the weights
    assert "norm" not in folded
    counted = price(counts(layer, norm, steps=2), FP32, Options(norms="counted")).by_term()
    assert counted["norm"] == pytest.approx(8 * (0.9 + 3.7) * 1e-12)
    assert "bias" not in counted
    assert layer.geometry is not None
    biased = replace(layer, geometry=replace(layer.geometry, bias=4))
    assert price(counts(biased, norm), FP32).by_term()["bias"] == pytest.approx(8 * 0.9e-12)  # not a second one
    free = replace(norm, foldable=False)
    assert "norm" in price(counts(layer, free, steps=2), FP32).by_term()
    lemaire = price(counts(layer, norm, steps=2), load_table("lemaire45")).by_term()
    assert lemaire["read bias"] > 0


@pytest.mark.parametrize(
    ("row", "run", "once", "steps"),
    [
        (macs(400, steps=4, same_each_step=True, stem=True), 400, 100, 400),
        (macs(100, steps=1, stem=True), 100, 100, 400),
        (macs(400, steps=4, stem=True), 400, 400, 400),  # data that change with time
        (macs(100, steps=1), 100, 100, 100),  # a readout of the mean
    ],
)
def test_stem(row: Row, run: int, once: int, steps: int):
    found = [price(counts(row, steps=4), FP32, Options(stem=p)).macs for p in ("run", "once", "steps")]  # type: ignore[arg-type]
    assert found == [run, once, steps]


def test_what_has_no_price_is_listed():
    softmax = Row("head", "softmax", "activation", elementwise=Elementwise(adds=3, special=7))
    bill = price(replace(counts(softmax), uncounted=(Uncounted("sort", "head", 9.0),)), FP32)
    assert bill.joules == pytest.approx(2.7e-12)
    assert [(u.layer, u.amount) for u in bill.uncharged] == [("head", 9.0), ("head", 7)]
    assert not bill.complete
    priced = edited("horowitz45_fp32", ("  mul_pj", '  special_pj: {value: 20, source: "mine"}\n  mul_pj'))
    assert price(counts(softmax), priced).joules == pytest.approx(142.7e-12)


def test_flat_memory():
    codes = np.array([[1, 0, 1], [1, 0, 0]])
    bill = price(counts(layer_of_codes(codes, 5, 1), neurons(5, 2, 4.0), steps=2), load_table("flat_mem"))
    terms = bill.by_term()
    assert terms["read weights"] == pytest.approx(15 * 2 * 4 * 24.96e-12)
    assert terms["read potentials"] == terms["write potentials"] == pytest.approx(10 * 4 * 24.96e-12)
    every = edited("flat_mem", ("weights_read: per_step", "weights_read: per_operation"))
    assert price(counts(layer_of_codes(codes, 5, 1)), every).by_term()["read weights"] == pytest.approx(
        15 * 4 * 24.96e-12
    )


def test_movement():
    table = load_table("yan22")
    stem = Row("stem", "linear", "synapse", products=Products(dense=80, inside=80, inputs=10), steps=2)
    bill = price(counts(stem, neurons(5, 2, 4.0, levels=7), steps=2), table)
    assert bill.by_term()["movement"] == pytest.approx((4 * 3 * 0.64 * 3.0 + 10 * 8 * 0.64 * 0.25) * 1e-12)
    assert [u.what for u in bill.uncharged] == ["multiply-accumulates", "multiplications (neuron)"]  # no MAC price
    dense = price_dense(counts(layer_of_codes(np.array([[1, 0], [1, 1]]), 3, 1), steps=2), table)
    assert dense.by_term()["movement"] == pytest.approx(2 * 2 * 0.64 * 0.25e-12)  # 2 inputs of ceil(log2(2 + 1)) bits


def test_devices():
    rows = layer_of_codes(np.array([[1, 0, 1], [1, 0, 0]]), 5, 1), neurons(5, 2, 4.0)
    loihi = price(counts(*rows, steps=2), load_table("loihi"))
    assert loihi.joules == pytest.approx((15 * 27.1 + 10 * 81) * 1e-12)
    gpu = price(counts(*rows, steps=2), load_table("gpu"))
    assert gpu.dense
    assert gpu.joules == pytest.approx((15 + 5) * 0.3e-9)  # 3 x 5 connections and 5 neurons, once
    assert not any("activations free" in sentence for sentence in gpu.policies())
    odd = price_dense(counts(*rows, steps=2), load_table("loihi"))
    assert any("not made for this" in sentence for sentence in odd.policies())


def test_dense_price_is_one_step_of_multiplications():
    spiking = layer_of_codes(np.array([[1, 0, 1], [1, 0, 0]]), 5, 1)
    bill = price_dense(counts(macs(200, steps=2), spiking, neurons(5, 2, 4.0), steps=2), FP32)
    assert bill.macs == 100 + 15
    assert bill.by_term() == {"mac": pytest.approx(115 * 4.6e-12)}


def test_dense_price_by_width():
    table = load_table("int_scaled")
    one = counts(layer_of_codes(np.array([[1, 0, 1]] * 4), 5, 1), steps=4)
    three_bits = 3.1 * 3 * 8 / 1024 + 0.05  # ceil(log2(4 + 1))
    assert price_dense(one, table).joules == pytest.approx(15 * three_bits * 1e-12)
    assert price_dense(one, table, bits=8).joules == pytest.approx(15 * 0.24375e-12)
    real = price(counts(macs(10)), table)
    assert real.joules == pytest.approx(10 * 0.24375e-12)  # activation_bits: 8


@pytest.mark.parametrize("name", table_names())
def test_policies_name_everything_that_was_decided(name: str):
    table = load_table(name)
    said = price(network(sample(9, 9, 9, 9), 9.0), table).policies()
    text = " ".join(said)
    assert table.name in text
    assert "Padding" in text
    for word in ("Memory", "Norms", "Neuron", "Stem", "rule ") if table.device is None else ("Device",):
        assert word in text
    changed = Options(rule="unary", norms="counted", stem="once", padding="counted", neurons="omitted")
    if table.device is None:
        others = price(network(sample(9, 9, 9, 9), 9.0), table, changed).policies()
        assert sum(a != b for a, b in zip(said, others, strict=False)) >= 5
