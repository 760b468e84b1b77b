"""Published files: TaxiBJ's samples of a city's traffic, and the test sequences of Moving MNIST."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.data.problems import data_error
from snnctl.data.sets import Part
from snnctl.data.video.clips import Run, VideoSource
from snnctl.data.video.readers.arrays import array_part, map_npy, to_pixels

MOVING_MNIST = (20, 64, 64)
KEYS = ("X_train", "Y_train", "X_test", "Y_test")


def is_taxi(names: Any) -> bool:
    """Whether a file with these arrays is meant to be TaxiBJ's."""
    return any(key in names for key in KEYS)


def taxi_source(path: Path, arrays: dict[str, Any]) -> VideoSource:
    """Arrays X_train, Y_train, X_test, Y_test, each [N, T, C, H, W] in -1..1, mapped to (v + 1) / 2.

    Samples follow each other in time and overlap, so that validation is cut off in time order with a gap.

    Raises:
        DiagnosticError: D230 a key is missing or arrays do not match, D231 a value outside of -1..1.
    """
    missing = [key for key in KEYS if key not in arrays]
    if missing:
        message = f"`{path.name}` has no `{missing[0]}`; it holds {', '.join(arrays)}"
        raise data_error("D230", message, file=path, help=f"it needs {', '.join(KEYS)}")
    for key in KEYS:
        if arrays[key].ndim != 5 or arrays[key].dtype.kind != "f":
            message = f"`{key}` holds {arrays[key].dtype} {list(arrays[key].shape)}, not numbers [N, T, C, H, W]"
            raise data_error("D230", message, file=path)
    seen, ahead = arrays["X_train"].shape[1], arrays["Y_train"].shape[1]
    parts = []
    for name in ("train", "test"):
        x, y = arrays[f"X_{name}"], arrays[f"Y_{name}"]
        frame = arrays["X_train"].shape[2:]
        if (len(x), x.shape[1], y.shape[1]) != (len(y), seen, ahead) or not x.shape[2:] == y.shape[2:] == frame:
            message = f"`X_{name}` {list(x.shape)} and `Y_{name}` {list(y.shape)} do not match"
            raise data_error("D230", message, file=path)
        parts.append(Part(name, len(x) * (seen + ahead), partial(_runs, x, y, path)))
    return VideoSource(tuple(parts), str(path), "taxibj", by="time", shared=seen + ahead - 1, lengths=(seen, ahead))


def _runs(x: Any, y: Any, path: Path) -> Iterator[Run]:
    for number, (before, after) in enumerate(zip(x, y, strict=True)):
        frames = to_pixels(np.concatenate((before, after)), path, low=-1.0)
        yield Run(np.moveaxis(frames, 1, -1), number)


def moving_mnist_source(path: Path) -> VideoSource:
    """The file of test sequences, uint8 [20, N, 64, 64]: time is its first axis.

    Raises:
        DiagnosticError: D230 other axes, D231 another type, D232 cut short, D104 it cannot be read.
    """
    array = map_npy(path)
    if array.ndim != 4 or (array.shape[0], *array.shape[2:]) != MOVING_MNIST:
        message = f"`{path.name}` holds {list(array.shape)}, not [20, N, 64, 64]: time, sequence, rows, columns"
        raise data_error("D230", message, file=path, help="time is the first axis of Moving MNIST's file")
    if array.dtype != np.uint8:
        raise data_error("D231", f"`{path.name}` holds {array.dtype}, not uint8", file=path)
    return VideoSource((array_part("test", array, "tnhw", path),), str(path), "moving_mnist")
