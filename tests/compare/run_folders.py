"""Run directories as training leaves them, written without any training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

RECIPE: dict[str, Any] = {
    "schema": 1,
    "name": "made-up",
    "summary": "",
    "plugins": [],
    "task": {"type": "step_classification", "loss_steps": "all", "metrics": ["accuracy"], "baselines": ["majority"]},
    "data": {"type": "mts_xor", "train": 64, "test": 32, "seed": None},
    "encoder": {"type": "none"},
    "model": {"type": "layers", "hidden": 10, "neuron": {"type": "lif", "tau": 2.0}, "hierarchy": {"delta": 0.0}},
    "readout": {"type": "step_linear"},
    "train": {"epochs": 3, "seed": 0, "log_every": 1},
}


def with_changes(changes: dict[str, Any]) -> dict[str, Any]:
    """The recipe with dotted keys set; a value of `...` takes the key away."""
    values: dict[str, Any] = json.loads(json.dumps(RECIPE))
    for path, value in changes.items():
        *folders, last = path.split(".")
        place = values
        for name in folders:
            if not isinstance(place.get(name), dict):
                place[name] = {}
            place = place[name]
        if value is ...:
            place.pop(last, None)
        else:
            place[last] = value
    return values


def write_run(
    folder: Path,
    seed: int,
    accuracy: float | None,
    *,
    baselines: dict[str, float] | None = None,
    status: str = "done",
    fingerprint: str | None = None,
    created: str = "2026-01-01T00:00:00+00:00",
    manifest: dict[str, Any] | None = None,
    results: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """One run directory; `changes` are recipe keys with `__` for dots."""
    values = with_changes({key.replace("__", "."): value for key, value in changes.items()} | {"train.seed": seed})
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    head = {
        "schema": 1,
        "created": created,
        "status": status,
        "seed": seed,
        "data_fingerprint": fingerprint or f"data-of-seed-{seed}",
        "plugins": [],
    }
    (folder / "manifest.json").write_text(json.dumps(head | (manifest or {})))
    if status == "done":
        found = {
            "run": str(folder),
            "name": values["name"],
            "split": "test",
            "seed": seed,
            "parameters": 564,
            "leaks": [],
            "spiking": True,
            "metrics": {"test/loss": 0.5, "test/accuracy": accuracy},
            "baselines": {name: {"accuracy": value} for name, value in (baselines or {}).items()},
            "spikes": {"mean_rate": 0.1 + 0.01 * seed},
            "epochs_done": 3,
            "best_epoch": 2,
            "training_seconds": 2.0 + seed,
        }
        (folder / "results.json").write_text(json.dumps(found | (results or {})))
    records = [
        {"epoch": epoch, "val/accuracy": 0.5 + 0.01 * epoch + 0.001 * seed, "best": epoch < 2} for epoch in range(3)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder
