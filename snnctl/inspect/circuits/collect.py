"""What was found of autaptic circuits, kept as arrays from which the pictures can be drawn anew."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from snnctl.inspect.circuits.maps import FactorMaps
from snnctl.measure.circuits import LayerCircuits
from snnctl.measure.modulators import BINS, Modulators, Spread

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
