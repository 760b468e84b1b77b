"""The commands that faults are put to: what each needs, what it must leave, and what may never lie anywhere."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECIPE = """\
schema: 1
name: tiny
task: {type: forecasting, metrics: [mse, mae], baselines: [last_value]}
data: {type: timeseries, source: ./series.csv, window: 12, horizon: 2, split: {train: 0.6, val: 0.2, test: 0.2}}
encoder: {type: repeat, steps: 4}
model: {type: spike_mlp, width: 16, layers: 2, dropout: 0.0}
readout: mean_linear
optim: {type: adamw, lr: 1.0e-2}
schedule: constant
train: {epochs: 6, batch_size: 8, seed: 3}
"""
ROWS = 150


def write_inputs(folder: Path) -> None:
    """The recipe and its data."""
    values = (f"{math.sin(0.35 * i) + 0.3 * math.cos(1.3 * i):.6f}" for i in range(ROWS))
    (folder / "series.csv").write_text("value\n" + "\n".join(values) + "\n", encoding="utf-8")
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")


@dataclass(frozen=True)
class Command:
    """A command, given in a folder that holds `write_inputs` and, at `base`, a trained run that does not spike.

    Args:
        arguments: of `snnctl`; results go to `out/`.
        saves: whether a signal lets it save (exit code 75 and a run to go on with).
        equal: whether the end is the same bit for bit; a search goes on with other draws.
        many: whether it starts processes of its own.
    """

    name: str
    arguments: tuple[str, ...]
    saves: bool = False
    equal: bool = True
    many: bool = False


def commands(published: Path | None) -> list[Command]:
    """All of them; `data prep` needs a published file, the ETTh1 series."""
    sweep = ("sweep", "recipe.yaml", "--set", "train.epochs=3", "--jobs", "2", "--out", "out/sweep")
    found = [
        Command("train", ("train", "recipe.yaml", "--out", "out/run", "--continue"), saves=True),
        Command(
            "train --jobs",
            ("train", "recipe.yaml", "--seeds", "1,2", "--jobs", "2", "--out", "out/seeds", "--continue"),
            saves=True,
            many=True,
        ),
        Command("sweep grid", (*sweep, "--over", "optim.lr=[1e-2, 2e-2]"), saves=True, many=True),
        Command(
            "sweep search",
            (*sweep, "--search", "optim.lr=1e-3..1e-2:log", "--trials", "2"),
            saves=True,
            equal=False,
            many=True,
        ),
        Command("convert", ("convert", "base", "--out", "out/converted")),
        Command("export", ("export", "base", "--format", "safetensors", "--out", "out/weights.safetensors")),
        Command("predict", ("predict", "base", "--output", "out/next.csv")),
        Command("stats", ("stats", "spiking", "--out", "out/stats")),
    ]
    if published is not None:
        found.append(Command("data prep", ("data", "prep", "etth1", "--from", str(published), "--cache", "out/cache")))
    return found


# What differs from one time to the next, and is no result.
_TIMES = {
    "created", "updated", "seconds", "training_seconds", "samples_per_second", "argv", "hostname", "pid",
    "epoch_seconds", "provenance", "seconds_each", "items_per_second",
}  # fmt: skip


def outcome(folder: Path, command: Command) -> dict[str, str]:
    """Digests of all results of a finished command, of what is the same each time."""
    found = {}
    for path in sorted((folder / "out").rglob("*")):
        name = str(path.relative_to(folder))
        if not path.is_file() or path.name in ("log.txt", "environment.json", "search.log", "search.log.lock"):
            continue
        if path.suffix in (".html", ".svg", ".png"):
            found[name] = "there"
        elif path.suffix == ".json":
            found[name] = _digest(json.dumps(_lasting(json.loads(path.read_bytes())), sort_keys=True).encode())
        elif path.suffix == ".jsonl":
            lines = [_lasting(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
            found[name] = _digest(json.dumps(lines, sort_keys=True).encode())
        elif path.suffix == ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                found[name] = _digest(json.dumps([_lasting(row) for row in csv.DictReader(file)]).encode())
        elif path.name == "trainer.pt":
            found[name] = _trainer(path)
        else:
            found[name] = _digest(path.read_bytes())
    if not command.equal:
        return {name: "there" for name in found if name.endswith("results.json")}
    return found


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(item) for key, item in value.items() if key not in _TIMES}
    return [_lasting(item) for item in value] if isinstance(value, list) else value


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _trainer(path: Path) -> str:
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    state["loop"].pop("seconds")
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            digest.update(value.contiguous().numpy().tobytes())
        elif isinstance(value, dict):
            for key in sorted(value, key=str):
                digest.update(str(key).encode())
                add(value[key])
        elif isinstance(value, list | tuple):
            for item in value:
                add(item)
        else:
            digest.update(repr(value).encode())

    add(state)
    return digest.hexdigest()[:16]


def damage(folder: Path) -> list[str]:
    """What is not whole in `out/` after a fault: every run, file and folder that has its name must be."""
    import torch
    from safetensors import safe_open

    readers: dict[str, Callable[[Path], object]] = {
        ".json": lambda path: json.loads(path.read_bytes()),
        ".pt": lambda path: torch.load(path, map_location="cpu", weights_only=True),
        ".safetensors": lambda path: safe_open(path, framework="pt"),
    }
    found = []
    out = folder / "out"
    for path in sorted(out.rglob("*")):
        if _temporary(path.relative_to(folder)) or not path.is_file():
            continue
        if path.suffix in readers:
            try:
                readers[path.suffix](path)
            except Exception as error:
                found.append(f"{path.relative_to(folder)}: {type(error).__name__}: {error}")
        if path.name == "recipe.yaml" and not (path.parent / "manifest.json").is_file():
            found.append(f"{path.parent.relative_to(folder)} is half a run")
    return found


def epochs_saved(folder: Path) -> dict[str, int]:
    """Epochs that each run's checkpoint holds."""
    import torch

    found = {}
    for path in sorted((folder / "out").rglob("trainer.pt")):
        if not _temporary(path.relative_to(folder)):
            try:
                loop = torch.load(path, map_location="cpu", weights_only=True)["loop"]
                found[str(path.relative_to(folder))] = int(loop["epoch"])
            except (OSError, EOFError):
                continue  # it got its name or lost it just now
    return found


def leftovers(folder: Path) -> list[str]:
    """What only a command at work may have."""
    places = [path.relative_to(folder) for path in folder.rglob("*")]
    return [str(place) for place in places if _temporary(place)]


def _temporary(place: Path) -> bool:
    marks = (".tmp",)
    heads = (".take-in-", ".snnctl-", ".probe-", ".digests-", "tmp")
    return any((part.startswith(".") and part.endswith(marks)) or part.startswith(heads) for part in place.parts[1:])


def environment(folder: Path, mark: str) -> dict[str, str]:
    """Of a process: nothing of the user's own is touched, and it can be found by `mark`."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")}
    own = {"HOME": folder / "home", "TMPDIR": folder / "temporary", "XDG_CACHE_HOME": folder.parent / "cache"}
    quiet = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "CUDA_VISIBLE_DEVICES": ""}
    return {**kept, **quiet, **{key: str(value) for key, value in own.items()}, "SNNCTL_FAULT": mark}
