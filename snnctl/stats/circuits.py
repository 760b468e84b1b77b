"""The part of the report on autaptic circuits: document, tables, arrays, section."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from snnctl.measure.circuits import LayerCircuits
from snnctl.measure.modulators import BINS, Modulators, Spread
from snnctl.report.page import Cell, Section, Table
from snnctl.report.tables import csv_text
from snnctl.stats.maps import FactorMaps

ARRAYS, HISTOGRAMS, STEPS = "circuits.npz", "circuits.csv", "circuits_by_step.csv"
EDGES = np.linspace(0.0, 2.0, BINS + 1)


@dataclass(frozen=True)
class Circuits:
    """All that the pictures of a network's circuits are drawn from.

    Args:
        samples: how many the factors are of.
        split: of the data.
        layers: those with circuits, in the network's order.
        maps: of one sample, of layers that are drawn as rasters and have a height and a width.
        sample: its index in the split, and its class or None.
    """

    samples: int = 0
    split: str = ""
    layers: Sequence[Modulators] = ()
    maps: Sequence[FactorMaps] = ()
    sample: tuple[int, int | None] = field(default=(0, None))

    @property
    def totals(self) -> list[LayerCircuits]:
        """Each layer over all steps."""
        return [layer.totals for layer in self.layers]

    def to_bytes(self) -> bytes:
        """An .npz with everything; see `read`."""
        index, label = self.sample
        arrays: dict[str, Any] = {
            "samples": self.samples,
            "split": self.split,
            "sample": [index, -1 if label is None else label],
            "layers": [layer.name for layer in self.layers],
            "maps": [one.name for one in self.maps],
        }
        for number, layer in enumerate(self.layers):
            arrays[f"layer/{number}/largest"] = layer.largest.numpy()
            for name, one in layer.factors.items():
                for part, values in vars(one).items():
                    arrays[f"layer/{number}/{name}/{part}"] = values.numpy()
        for number, maps in enumerate(self.maps):
            shown = {"steps": maps.steps, "of_steps": maps.of_steps, "channels": maps.channels, "spikes": maps.spikes}
            arrays |= {f"map/{number}/{part}": values for part, values in (shown | maps.factors).items()}
        data = io.BytesIO()
        np.savez_compressed(data, **{key: np.asarray(values) for key, values in arrays.items()})  # type: ignore[arg-type]
        return data.getvalue()


def read(path: Path) -> Circuits:
    """What `Circuits.to_bytes` has written: pictures can be drawn anew without network and data."""
    with np.load(path, allow_pickle=False) as found:
        arrays = {key: found[key] for key in found.files}

    def spread(number: int, name: str) -> Spread | None:
        parts = {part: arrays.get(f"layer/{number}/{name}/{part}") for part in ("counts", "mean", "sd")}
        if parts["counts"] is None:
            return None
        return Spread(**{part: torch.from_numpy(values) for part, values in parts.items()})

    def maps(number: int, name: str) -> FactorMaps:
        own = {key.split("/")[2]: values for key, values in arrays.items() if key.startswith(f"map/{number}/")}
        return FactorMaps(
            name=name,
            steps=own["steps"].tolist(),
            of_steps=int(own["of_steps"]),
            channels=own["channels"].tolist(),
            spikes=own["spikes"],
            factors={factor: own[factor] for factor in ("beta", "gamma") if factor in own},
        )

    index, label = arrays["sample"].tolist()
    return Circuits(
        samples=int(arrays["samples"]),
        split=str(arrays["split"]),
        layers=[
            Modulators(
                name,
                torch.from_numpy(arrays[f"layer/{number}/largest"]),
                spread(number, "beta"),
                spread(number, "gamma"),
            )
            for number, name in enumerate(arrays["layers"].tolist())
        ],
        maps=[maps(number, name) for number, name in enumerate(arrays["maps"].tolist())],
        sample=(index, None if label < 0 else label),
    )


def document(layer: Modulators) -> dict[str, Any]:
    """One layer, as the public document has it: over all steps, at each step, and by size of the factor."""
    totals = {key: value for key, value in vars(layer.totals).items() if key != "name"}
    by_step = {"largest_membrane": layer.largest.tolist()}
    histogram: dict[str, Any] = {"edges": EDGES.tolist()}
    for name in ("beta", "gamma"):
        one = layer.factors.get(name)
        totals[f"sd_{name}"] = None if one is None else one.total[1]
        histogram[name] = None if one is None else one.counts.sum(0).tolist()
        if one is not None:
            by_step |= {f"mean_{name}": one.mean.tolist(), f"sd_{name}": one.sd.tolist()}
    return {**totals, "by_step": by_step, "histogram": histogram}


def tables(found: Circuits) -> dict[str, str | bytes]:
    """File name -> CSV text or arrays; none of a network without circuits."""
    if not found.layers:
        return {}
    factors = [(layer.name, name, one) for layer in found.layers for name, one in layer.factors.items()]
    return {
        ARRAYS: found.to_bytes(),
        HISTOGRAMS: csv_text(
            ("layer", "factor", "from", "below", "count"),
            (
                [layer, name, *pair, count]
                for layer, name, one in factors
                for *pair, count in zip(
                    EDGES[:-1].tolist(), EDGES[1:].tolist(), one.counts.sum(0).tolist(), strict=True
                )
            ),
        ),
        STEPS: csv_text(
            ("layer", "step", "largest_membrane", "mean_beta", "sd_beta", "mean_gamma", "sd_gamma"),
            (
                [layer.name, step, largest, *_at(layer.beta, step), *_at(layer.gamma, step)]
                for layer in found.layers
                for step, largest in enumerate(layer.largest.tolist())
            ),
        ),
    }


def _at(one: Spread | None, step: int) -> list[float | None]:
    return [None, None] if one is None else [float(one.mean[step]), float(one.sd[step])]


def sections(found: Circuits) -> list[Section]:
    """Table and pictures; none of a network without circuits."""
    if not found.layers:
        return []
    from snnctl.stats.figures import circuits

    rows: list[list[Cell]] = []
    for layer in found.layers:
        cells = [
            None if one is None else f"{one.total[0]:.3f} ± {one.total[1]:.3f}" for one in (layer.beta, layer.gamma)
        ]
        rows.append([layer.name, layer.totals.largest_membrane, *cells])
    shown = Table(["layer", "max |u|", "beta, mean ± sd", "gamma, mean ± sd"], rows)
    pictures = [circuits.histograms(found), circuits.over_time(found), circuits.membranes(found)]
    pictures += [circuits.maps(found, one) for one in found.maps]
    words = (
        "Beta scales what is left of the membrane, gamma the input current; both follow from the layer's own spikes of "
        "the step before, and 1 leaves the host neuron as it is."
    )
    return [Section("Autaptic circuits", pictures, [words], [shown])]
