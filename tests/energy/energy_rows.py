"""Rows of counts made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.energy.count.counts import Counts, Elementwise, Geometry, Neurons, Products, Row
from snnctl.energy.price.table import FOLDER, Table, read_table


def macs(count: float, layer: str = "stem", **more: Any) -> Row:
    """A layer with weights that real numbers drive, without padding."""
    return Row(layer, "conv2d", "synapse", products=Products(dense=count, inside=count, events=count), **more)


def spikes(events: Any, layer: str = "layer", **more: Any) -> Row:
    """A layer that binary spikes drive."""
    products = Products(dense=1e12, inside=1e12, events=events, popcount=events, unary=events)
    return Row(layer, "conv2d", "synapse", source="spike", products=products, **more)


def layer_of_codes(codes: np.ndarray, outputs: int, bits: int, **more: Any) -> Row:
    """A fully connected layer without bias; `codes` [T, inputs]."""
    steps, inputs = codes.shape
    events, set_bits = np.count_nonzero(codes), sum(int(c).bit_count() for c in codes.ravel())
    dense = float(codes.size * outputs)
    products = Products(
        dense=dense,
        inside=dense,
        events=float(events * outputs),
        popcount=float(set_bits * outputs),
        unary=float(codes.sum() * outputs),
        inputs=float(codes.size),
        active_inputs=float(events),
        popcount_inputs=float(set_bits),
        unary_inputs=float(codes.sum()),
        bits=bits,
    )
    geometry = Geometry(
        "fc", inputs, outputs, inputs * outputs, 0, in_channels=inputs, out_channels=outputs, levels_in=2**bits - 1
    )
    return Row("fc", "linear", "synapse", "spike", steps=steps, products=products, geometry=geometry, **more)


def neurons(count: int, steps: int, fired: Any, levels: int = 1, leaky: bool = True, **more: Any) -> Row:
    """A place of neurons; one subtraction, one multiplication and one comparison per update."""
    place = Neurons(
        "lif",
        updates=float(count * steps),
        membranes=float(count),
        leaky=leaky,
        spikes=fired,
        popcount_spikes=fired,
        unary_spikes=fired,
        ever_active=fired / steps,
        levels=levels,
        per_update=Elementwise(adds=1.0, muls=1.0, compares=1.0),
    )
    return Row("neurons", "lif", "neuron", steps=steps, neurons=replace(place, **more))


def counts(*rows: Row, steps: int = 1) -> Counts:
    """A whole count."""
    return Counts(tuple(rows), steps)


def edited(name: str, *changes: tuple[str, str]) -> Table:
    """A shipped table with text replaced, as a user would edit it."""
    text = (Path(FOLDER) / f"{name}.yaml").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return read_table(text, f"{name}.yaml")
