"""The arrays that reports leave, read back: all that their pictures are drawn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from snnctl.inspect.circuits.collect import Circuits, FactorMaps
from snnctl.inspect.predictions.collect import Curves, Sequences
from snnctl.measure.circuits import Modulators, Spread


def saved_circuits(path: Path) -> Circuits:
    """What `Circuits.to_bytes` has written."""
    with np.load(path, allow_pickle=False) as found:
        arrays = {key: found[key] for key in found.files}

    def factor(number: int, name: str) -> Spread | None:
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
            factors={kind: own[kind] for kind in ("beta", "gamma") if kind in own},
        )

    index, label = arrays["sample"].tolist()
    return Circuits(
        samples=int(arrays["samples"]),
        split=str(arrays["split"]),
        layers=[
            Modulators(name, torch.from_numpy(arrays[f"layer/{n}/largest"]), factor(n, "beta"), factor(n, "gamma"))
            for n, name in enumerate(arrays["layers"].tolist())
        ],
        maps=[maps(number, name) for number, name in enumerate(arrays["maps"].tolist())],
        sample=(index, None if label < 0 else label),
    )


def saved_sequences(path: Path) -> Sequences:
    """What `Sequences.to_bytes` has written."""
    with np.load(path, allow_pickle=False) as found:
        curves: Curves = {}
        for key in found.files:
            if key.startswith("curve/"):
                _, who, metric = key.split("/")
                curves.setdefault(who, {})[metric] = found[key].tolist()
        arrays = {name: found[name] for name in ("indices", "frames", "predicted", "spikes")}
        return Sequences(str(found["name"]), str(found["split"]), int(found["seen"]), **arrays, curves=curves)
