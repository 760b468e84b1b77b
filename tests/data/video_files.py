"""Tiny videos in the layouts in which real ones are passed on; what they show is made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]


def clips(count: int, frames: int, rows: int = 8, columns: int = 10, channels: int = 1, seed: int = 0) -> Pixels:
    """Noise, uint8 [N, T, H, W, C]; every frame is another one."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, frames, rows, columns, channels), dtype=np.uint8)


def npy(path: Path, array: Any) -> Path:
    """A .npy file."""
    np.save(path, array)
    return path


def taxi(path: Path, train: int = 40, test: int = 6, frames: int = 4, **other: Any) -> dict[str, Any]:
    """TaxiBJ's file: samples one slot apart, so that neighbours share frames; values count slots within -1..1."""
    arrays = {}
    for name, count, first in (("train", train, 0), ("test", test, train)):
        slots = (np.arange(first, first + count)[:, None] + np.arange(2 * frames)) / (train + test + 2 * frames) * 2 - 1
        samples = np.broadcast_to(slots[..., None, None, None], (count, 2 * frames, 2, 4, 5)).astype(np.float32)
        arrays[f"X_{name}"], arrays[f"Y_{name}"] = samples[:, :frames], samples[:, frames:]
    arrays |= other
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return arrays


def pictures(folder: Path, numbers: Any, value: int = 0, size: tuple[int, int] = (12, 16), name: str = "image") -> Path:
    """Numbered JPEGs, each of one grey that tells clip and number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        pixels = np.full((*size, 3), (value + 2 * number) % 256, np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}_{number:04d}.jpg", quality=100)
    return folder


def kth(root: Path, persons: tuple[int, ...] = (1, 2, 16, 17, 25), frames: int = 14) -> Path:
    """KTH's tree: two actions, one recording of each person."""
    for person in persons:
        for action in ("boxing", "running"):
            clip = root / action / f"person{person:02d}_{action}_d1_uncomp"
            pictures(clip, range(1, frames + 1), value=7 * person)
    return root
