"""Tiny recordings in the layouts in which spikes are passed on; the values are made up."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import h5py
import numpy as np


def shd(
    path: Path,
    labels: list[int],
    *,
    speakers: list[int] | None = None,
    takes: list[int] | None = None,
    keys: int = 20,
    spikes: int = 30,
    units: int = 700,
    seed: int = 0,
) -> tuple[list[Any], list[Any]]:
    """What the published files hold: float16 seconds, uint16 units, classes, speakers, names as bytes.

    Written by h5py alone. Returns times and units.
    """
    random = np.random.default_rng(seed)
    times = [np.sort(random.uniform(0, 1.39, spikes)).astype(np.float16) for _ in labels]
    channels = [random.integers(0, units, spikes).astype(np.uint16) for _ in labels]
    with h5py.File(path, "w") as file:
        group = file.create_group("spikes")
        for name, values, kind in (("times", times, np.float16), ("units", channels, np.uint16)):
            held = group.create_dataset(name, (len(labels),), h5py.vlen_dtype(np.dtype(kind)))
            for number, one in enumerate(values):
                held[number] = one
        file["labels"] = np.array(labels, np.uint16)
        extra = file.create_group("extra")
        extra["keys"] = np.array([f"word {number}".encode() for number in range(keys)])
        if speakers is not None:
            extra["speaker"] = np.array(speakers, np.uint16)
        if takes is not None:
            extra["take"] = np.array(takes, np.uint16)
        extra.create_group("meta_info")["gender"] = np.array([b"f", b"m"])
    return times, channels


def sound(path: Path, samples: Any, rate: int = 8000, width: int = 2) -> Path:
    """A mono WAV file of samples -1..1."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes((np.asarray(samples) * 32767).astype("<i2").tobytes())
    return path


def tone(hertz: float, seconds: float = 0.3, rate: int = 8000) -> Any:
    """A sine, not quite at full scale."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
