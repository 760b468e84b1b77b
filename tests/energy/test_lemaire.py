"""Layers small enough to work by hand, under prices that let each term be told apart."""

from __future__ import annotations

import pytest
from energy_rows import counts, edited, layer_of_codes, neurons, np

from snnctl.energy.count.counts import Geometry, Products, Row
from snnctl.energy.price.bill import Options
from snnctl.energy.price.joules import price, price_dense
from snnctl.energy.price.lemaire import ann_layer, ceil_fan_out, snn_layer, touched
from snnctl.energy.price.rules import RULES
from snnctl.energy.price.sections import Lemaire
from snnctl.energy.price.table import load_table

TABLE = load_table("lemaire45")
EVENT = RULES["event"]
T = 4

# 2 channels of 6 x 6 into 3 channels of 4 x 4 with 3 x 3 kernels, no padding, a bias.
CONV = Geometry(
    "conv", inputs=72, outputs=48, weights=54, bias=3, in_channels=2, out_channels=3, kernel=9, kernel_side=3
)
DENSE = 48 * 2 * 9


def memory() -> Lemaire:
    assert isinstance(TABLE.memory, Lemaire)
    return TABLE.memory


def conv(source: str = "spike", **more: object) -> Row:
    products = Products(
        dense=DENSE * T, inside=DENSE * T, events=200, popcount=200, unary=200,
        inputs=72 * T, active_inputs=10, popcount_inputs=10, unary_inputs=10,
    )  # fmt: skip
    given = {"products": products, "geometry": CONV, "feeds": "neurons", "steps": T, **more}
    return Row("conv", "conv2d", "synapse", source, **given)  # type: ignore[arg-type]


def accesses(work) -> dict[str, float]:
    found: dict[str, float] = {}
    for access in work.accesses:
        found[access.term] = found.get(access.term, 0.0) + access.count
    return found


def test_ann_convolution():
    row = conv("real", steps=1, feeds="")
    work = ann_layer(row, DENSE, memory())
    assert accesses(work) == {
        "read inputs": 864,  # (3): Ci Co Ho Wo k^2
        "read weights": 864,  # (6.1)
        "read bias": 48,
        "write outputs": 48,  # (11)
    }
    assert (work.address.macs, work.address.acs) == (0, 72 + 48 + 3 * 9)


def test_ann_fully_connected():
    geometry = Geometry("fc", inputs=5, outputs=3, weights=15, bias=3, in_channels=5, out_channels=3)
    row = Row("fc", "linear", "synapse", products=Products(dense=15, inside=15), geometry=geometry)
    work = ann_layer(row, 15, memory())
    assert accesses(work) == {"read inputs": 5, "read weights": 15, "read bias": 3, "write outputs": 3}
    assert work.address.acs == 8  # N_i + N_o
    product = edited("lemaire45", ("fc_addressing: sum", "fc_addressing: product")).memory
    assert isinstance(product, Lemaire)
    assert ann_layer(row, 15, product).address.acs == 15  # N_i * N_o


def test_snn_convolution():
    work = snn_layer(conv(), EVENT, memory())
    assert accesses(work) == {
        "read inputs": 10,  # (5)
        "read weights": 10 * 3 * 9,  # (7)
        "read potentials": 10 * 3 * 9,  # (9), without what the neurons read
        "write potentials": 10 * 3 * 9,  # (14)
        "read bias": 48 * T,  # (7), at each step
    }
    assert (work.address.macs, work.address.acs) == (20, 270)  # (16.2), (16.3)


def test_a_spiking_convolution_with_its_neurons_is_the_whole_equation():
    fired = 7.0
    bill = price(counts(conv(), neurons(48, T, fired), steps=T), TABLE, Options(rule="event"))
    pj = {term: joules * 1e12 for term, joules in bill.by_term().items()}
    word, small = 32 / 8, 10 / 8192  # bytes of a datum, pJ per byte below 8 KiB
    potentials = 270 + 48 * T  # (9): th_in Co k^2 + T Co Ho Wo
    assert pj["ac"] + pj["bias"] == pytest.approx(0.1 * (200 + 48 * T))  # (1.4) but for the reset
    assert pj["neuron"] == pytest.approx(3.2 * 48 * T + 0.1 * fired)  # (1.3), and the reset
    assert pj["read inputs"] == pytest.approx(10 * 1000 * word * small)
    assert pj["read weights"] == pytest.approx(270 * 54 * word * small)
    assert pj["read bias"] == pytest.approx(48 * T * 3 * word * small)
    assert pj["read potentials"] == pj["write potentials"] == pytest.approx(potentials * 48 * word * small)
    assert pj["write outputs"] == pytest.approx(fired * 1000 * word * small)  # (13)
    assert pj["addressing"] == pytest.approx(20 * 3.2 + 270 * 0.1)
    assert bill.complete
    assert bill.joules == pytest.approx(sum(pj.values()) * 1e-12)


def test_spiking_fully_connected_by_the_corrected_equation():
    codes = np.array([[1, 0, 1, 0], [0, 0, 1, 1]])  # 4 spikes
    row = layer_of_codes(codes, outputs=3, bits=1, feeds="neurons")
    bill = price(counts(row, neurons(3, 2, 5.0), steps=2), TABLE)
    pj = {term: joules * 1e12 for term, joules in bill.by_term().items()}
    assert pj["ac"] == pytest.approx(0.1 * 4 * 3)  # (2.4): th_in N_o, not th_in N_i N_o
    assert "bias" not in pj  # no bias: no additions and no reads
    assert "read bias" not in pj
    assert pj["neuron"] == pytest.approx(3.2 * 2 * 3 + 0.1 * 5)  # (2.3) and th_out
    per_access = 3 * 4 * 10 / 8192
    assert pj["read potentials"] == pytest.approx((4 * 3 + 2 * 3) * per_access)  # (10)
    assert pj["addressing"] == pytest.approx(0.1 * 12)  # (17.2), no multiplications


def test_neurons_without_a_leak_multiply_nothing():
    bill = price(counts(neurons(48, T, 7.0, leaky=False), steps=T), TABLE)
    assert bill.by_term()["neuron"] == pytest.approx(0.1 * 7 * 1e-12)


def test_a_layer_that_feeds_no_neuron_keeps_its_sums():
    work = accesses(snn_layer(conv(feeds=""), EVENT, memory()))
    assert work["read potentials"] == work["write potentials"] == 270 + 48 * T
    assert work["write outputs"] == 48 * T


def test_real_inputs_of_a_spiking_network_take_the_ann_columns():
    bill = price(counts(conv("real"), neurons(48, T, 7.0), steps=T), TABLE)
    pj = {term: joules * 1e12 for term, joules in bill.by_term().items()}
    assert pj["mac"] == pytest.approx(3.2 * DENSE * T)
    assert pj["addressing"] == pytest.approx(0.1 * (72 + 48 + 27) * T)
    assert pj["read potentials"] == pytest.approx(48 * T * 48 * 4 * 10 / 8192)  # the neurons' alone


def test_groups_reach_the_channels_of_their_group():
    grouped = Geometry(
        "conv", 72, 96, 36, 0, in_channels=2, out_channels=4, kernel=9, kernel_side=3, stride=2, groups=2
    )
    assert touched(grouped, conv().products, EVENT, memory()) == 10 * 9 * 2
    assert ceil_fan_out(grouped, conv().products, EVENT) == 10 * 2**2 * 2


def test_ceil_fan_out():
    table = edited("lemaire45", ("fan_out: exact", "fan_out: ceil"))
    assert price(counts(conv()), table).acs == 10 * 9 * 3
    assert price(counts(conv()), TABLE).acs == 200
    temporal = Geometry("conv", 72, 48, 20, 0, in_channels=2, out_channels=2, kernel=5, kernel_side=5, stride=3)
    assert ceil_fan_out(temporal, conv().products, EVENT) == 10 * 2 * 2


def test_several_bits():
    codes = np.array([[5, 0, 1, 3]])  # 3 spikes, 5 bits, 9 units
    row = layer_of_codes(codes, outputs=2, bits=3, feeds="neurons")
    found = {name: accesses(snn_layer(row, RULES[name], memory())) for name in ("event", "bitplane", "unary")}
    assert [found[name]["read potentials"] for name in found] == [6, 10, 18]
    assert {found[name]["read inputs"] for name in found} == {3}  # one message per spike
    summed = edited("lemaire45", ("planes: each", "planes: summed")).memory
    assert isinstance(summed, Lemaire)
    assert accesses(snn_layer(row, RULES["bitplane"], summed))["write potentials"] == 6
    message = next(a for a in snn_layer(row, EVENT, memory()).accesses if a.term == "read inputs")
    assert message.bits == 32 + 3  # address and value


def test_products_of_signals_are_listed_as_not_covered():
    attention = Row("attention", "matmul", "product", "spike", products=Products(events=6, popcount=6, unary=6))
    bill = price(counts(attention), TABLE)
    assert bill.by_term() == {"ac": pytest.approx(0.6e-12)}
    assert not bill.complete
    (left,) = bill.uncharged
    assert (left.layer, left.amount) == ("attention", 6)
    assert "covers convolutions" in left.reason
    assert any("lower bound" in sentence for sentence in bill.policies())


def test_dense_price_takes_the_ann_columns_of_one_step():
    bill = price_dense(counts(conv(), neurons(48, T, 7.0), steps=T), TABLE)
    pj = {term: joules * 1e12 for term, joules in bill.by_term().items()}
    assert pj["mac"] == pytest.approx(3.2 * DENSE)
    assert pj["bias"] == pytest.approx(0.1 * 48)  # (1.2)
    assert pj["write outputs"] == pytest.approx(48 * 48 * 4 * 10 / 8192)
    assert set(pj) == {"mac", "bias", "read inputs", "read weights", "read bias", "write outputs", "addressing"}


@pytest.mark.parametrize(("variant", "pj"), [("a", 10.0), ("b", 1.09e-5 * 65536 + 13.2), ("c", 5.0)])
def test_variants_are_one_letter(variant: str, pj: float):
    table = edited("lemaire45", ("variant: a", f"variant: {variant}"))
    assert isinstance(table.memory, Lemaire)
    assert table.memory.access(2048, 32) == pytest.approx(pj)  # 8 KiB
