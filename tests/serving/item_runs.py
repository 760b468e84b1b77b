"""Small runs on every kind of data but series, and their test items as files of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from snnctl.build import load_data
from snnctl.commands.listener import Listener
from snnctl.core.diagnostic import Diagnostic
from snnctl.recipe import load_recipe


class _Quiet(Listener):
    """Hears nothing: recipes are as small as they can be, and advice on them has no end."""

    def warn(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Drop them."""


QUIET = _Quiet()
CLASSES = ("bad", "good")
_SEQUENCES = """
task: {type: classification, metrics: [accuracy], baselines: [majority]}
encoder: none
model: {type: spike_mlp, width: 8, layers: 2, neuron: {type: lif, v_threshold: 0.3}}
readout: {type: leaky, decoder: mean}
"""
_STEPS = """
task: {type: step_classification, metrics: [accuracy], baselines: [majority]}
encoder: none
model: {type: spike_mlp, width: 8, layers: 1, neuron: {type: lif, v_threshold: 0.3}}
readout: {type: leaky_step}
"""
_PICTURES = """
task: {type: classification, metrics: [accuracy], baselines: [majority]}
encoder: {type: patch_split, dim: 8, stages: 2, pools: [1], norm_gain: 2.0}
model: {type: spikformer, dim: 8, depth: 1, heads: 2, embed: needed, embed_norm: true}
"""
_VIDEO = """
task: {type: video_prediction, metrics: [mse, mae], baselines: [copy_last]}
encoder: none
model: {type: video_stack, dim: 8, layers: 1, patch: 2, norm_groups: 2, kernel: 3}
readout: frames
"""
_TEXTS = """
task: {type: classification, metrics: [accuracy], baselines: [majority]}
encoder: {type: embedding, dim: 8, steps: 2, vectors: ./vectors.txt}
model: {type: spikformer, dim: 8, depth: 1, heads: 2, hidden: 16, norm_gain: 4.0, neuron: {type: lif, v_threshold: 0.3}}
readout: mean_linear
"""
_ORDER = """
task: {type: classification, metrics: [accuracy], baselines: [majority]}
encoder: {type: repeat, steps: 2}
model: {type: spikformer, dim: 8, depth: 1, heads: 2, hidden: 16, norm_gain: 4.0}
readout: mean_linear
"""
_TRAIN = "optim: {type: adamw, lr: 1.0e-2}\nschedule: constant\ntrain: {epochs: 1, batch_size: 16, seed: 3}\n"


@dataclass(frozen=True)
class Kind:
    """How a component is tried.

    Args:
        network: sections of the recipe besides data.
        data: knobs.
        write: lays the data into `data`, and the test items as a path below the other folder, which it gives; None =
            the data is made, and its test items are written as an array.
    """

    network: str
    data: str
    write: Callable[[Path, Path], str] | None = None


def texts(count: int, seed: int) -> list[tuple[str, str]]:
    """Texts and labels: words of the class among others."""
    random = np.random.default_rng(seed)
    words = {"good": ["fine", "great, really", "lovely"], "bad": ["dull", "awful", "poor"]}
    others = ["film", "plot", "the", "a", "of", "actors", 'said "so"']
    found = []
    for number in range(count):
        label = CLASSES[number % 2]
        chosen = [*random.choice(others, 3), random.choice(words[label]), *random.choice(others, number % 4)]
        found.append((f"{' '.join(chosen)} {number}", label))
    return found


def _write_texts(data: Path, brought: Path) -> str:
    import pandas as pd

    for part, count, seed in (("train", 60, 0), ("dev", 20, 1), ("test", 30, 2)):
        pd.DataFrame(texts(count, seed), columns=["text", "label"]).to_csv(data / f"{part}.csv", index=False)
    (data / "test.csv").rename(brought / "texts.csv")
    (data / "test.csv").write_bytes((brought / "texts.csv").read_bytes())
    words = ("film", "plot", "fine", "dull", "awful")
    rows = np.random.default_rng(0).normal(size=(len(words), 8))
    vectors = [f"{word} {' '.join(f'{value:.4f}' for value in row)}" for word, row in zip(words, rows, strict=True)]
    (data.parent / "vectors.txt").write_text("\n".join(vectors) + "\n")
    return "texts.csv"


def _write_pictures(data: Path, brought: Path) -> str:
    random = np.random.default_rng(0)
    for part, count in (("train", 40), ("val", 12), ("test", 22)):
        for number in range(count):
            label = CLASSES[number % 2]
            pixels = random.integers(0, 140, (9, 8, 3)) + 70 * (number % 2)
            roots = (data, brought / "pictures") if part == "test" else (data,)
            for root in roots:
                folder = root / (part if root is data else "") / label
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:03}.png")
    return "pictures"


def recording(number: int, random: np.random.Generator) -> dict[str, Any]:
    """Events of an 8 x 8 sensor in microseconds; those of one class lie further to the right, and come later."""
    count = int(random.integers(60, 120))
    x = np.clip(random.normal(2.5 + 2 * (number % 2), 1.5, count), 0, 7).astype(np.int64)
    t = np.sort(random.integers(0, 90_000, count)) + 20_000 * (number % 2)
    return {"t": t, "x": x, "y": random.integers(0, 8, count), "p": random.integers(0, 2, count)}


def _write_recordings(data: Path, brought: Path) -> str:
    random = np.random.default_rng(0)
    for part, count in (("train", 40), ("test", 20)):
        for number in range(count):
            arrays = recording(number, random)
            for root in (data / part, brought / "recordings") if part == "test" else (data / part,):
                folder = root / CLASSES[number % 2]
                folder.mkdir(parents=True, exist_ok=True)
                np.savez(folder / f"{number:03}.npz", **arrays)
    return "recordings"


def _write_clips(data: Path, brought: Path) -> str:
    random = np.random.default_rng(0)
    clips = {part: random.integers(0, 256, (count, 4, 8, 12), np.uint8) for part, count in (("train", 9), ("test", 5))}
    np.savez(data / "clips.npz", **clips)
    np.save(brought / "clips.npy", clips["test"][:, :2])  # what is seen
    np.save(brought / "truth.npy", clips["test"][:, 2:])
    return "clips.npy"


KINDS: dict[str, Kind] = {
    "text": Kind(_TEXTS, "source: ./data, length: 17", _write_texts),
    "image": Kind(_PICTURES, "source: ./data, size: [8, 8]", _write_pictures),
    "sequential_image": Kind(_SEQUENCES, "source: ./data, size: [4, 4], order: permuted", _write_pictures),
    "event_frames": Kind(_PICTURES, "source: ./data, frames: 3, size: [8, 8], val: 0.2", _write_recordings),
    "event_spikes": Kind(_SEQUENCES, "source: ./data, steps: 6, max_time: 0.12, size: [8, 8]", _write_recordings),
    "order": Kind(_ORDER, "length: 8, symbols: 5, train: 48, val: 16, test: 24"),
    "mts_xor": Kind(_STEPS, "train: 32, val: 16, test: 20, channels: 8, slow: 4, windows: 2, silent: 1, coding: 3"),
    "moving_digits": Kind(_VIDEO, "canvas: 16, digit_size: 8, train: 8, val: 4, test: 6, frames_in: 2, frames_out: 2"),
    "video": Kind(_VIDEO, "source: ./data/clips.npz, layout: nthw, frames_in: 2, frames_out: 2", _write_clips),
}


def write(folder: Path, name: str, brought: Path) -> tuple[Path, Path]:
    """The recipe of a component with its data in `folder`, and its test items below `brought`."""
    kind = KINDS[name]
    (folder / "data").mkdir(parents=True)
    brought.mkdir(parents=True)
    recipe = folder / "small.yaml"
    data = f"data: {{type: {name}, {kind.data}}}\n"
    recipe.write_text(
        f"schema: 1\nname: small-{name.replace('_', '-')}\n{kind.network}{data}{_TRAIN}", encoding="utf-8"
    )
    if kind.write is not None:
        return recipe, brought / kind.write(folder / "data", brought)
    split = load_data(load_recipe(recipe)).split("test")
    batch = split.batch(torch.arange(len(split)))
    if kind.network == _VIDEO:
        frames = batch.frames.unflatten(2, (16, 16)).numpy()[..., 0]
        np.save(brought / "clips.npy", frames[:, :2])
        np.save(brought / "truth.npy", frames[:, 2:])
        return recipe, brought / "clips.npy"
    inputs, targets = batch.inputs.numpy(), batch.targets.numpy()
    if targets.ndim > 1:
        np.savez(brought / "items.npz", data=inputs[:, :, 0])
        np.savez(brought / "truth.npz", targets=targets, scored=batch.observed.numpy())
    else:
        np.savez(brought / "items.npz", data=inputs, labels=targets)
    return recipe, brought / "items.npz"
