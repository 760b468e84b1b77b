"""Means and spreads that are built batch by batch against numpy over everything at once."""

import numpy as np
import pytest

from snnctl.energy.count.counts import CountMean, Counts, Elementwise, Neurons, Products, Row, Spread
from snnctl.energy.price.joules import price
from snnctl.energy.price.table import load_table


def test_spread_is_that_of_all_values() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 29)
    spread = Spread()
    for first in range(0, 29, 8):
        spread.add(values[first : first + 8], len(values[first : first + 8]))
    assert spread.mean == pytest.approx(values.mean())
    assert spread.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(29))


def test_one_value_has_no_standard_error() -> None:
    spread = Spread()
    spread.add(2.0, 1)
    assert spread.standard_error is None


def batch(events: np.ndarray, dense: float) -> Counts:  # type: ignore[type-arg]
    products = Products(dense=dense, events=events, popcount=events)
    work = Elementwise(adds=1.0)
    neurons = Neurons("lif", updates=4.0, membranes=2.0, spikes=events / 2, per_update=work)
    synapse = Row("a", "mm", "synapse", "spike", steps=2, products=products)
    return Counts((synapse, Row("n", "neuron", "neuron", neurons=neurons)), steps=2)


def test_counts_of_unequal_batches_are_the_mean_over_samples() -> None:
    whole = np.array([1.0, 5.0, 2.0, 8.0, 4.0])
    mean = CountMean()
    mean.add(batch(whole[:3], 10.0), 3)
    mean.add(batch(whole[3:], 10.0), 2)
    found = mean.counts()
    assert found.samples == 5
    assert found.rows[0].products.events == pytest.approx(whole.mean())
    assert found.rows[0].products.dense == pytest.approx(10.0)
    neurons = found.rows[1].neurons
    assert neurons is not None
    assert neurons.spikes == pytest.approx(whole.mean() / 2)
    assert neurons.membranes == 2.0
    # Prices are linear: the price of the mean is the mean of the prices.
    table = load_table("horowitz45_fp32")
    each = np.concatenate(
        [np.broadcast_to(price(batch(part, 10.0), table).joules, len(part)) for part in (whole[:3], whole[3:])]
    )
    assert price(found, table).joules == pytest.approx(each.mean())


def test_a_row_that_comes_in_some_batches_only_is_averaged_over_all() -> None:
    mean = CountMean()
    mean.add(Counts((Row("a", "mm", "synapse", "spike", products=Products(events=4.0)),), 1), 1)
    mean.add(Counts((), 1), 3)
    assert mean.counts().rows[0].products.events == pytest.approx(1.0)
