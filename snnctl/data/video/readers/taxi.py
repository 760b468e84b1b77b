"""TaxiBJ's file: inflow and outflow of a city's districts, cut into samples of four and four frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.data.problems import data_error
from snnctl.data.video.readers.arrays import to_pixels
from snnctl.data.video.source import Run, VideoPart, VideoSource

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
        parts.append(VideoPart(name, len(x) * (seen + ahead), lambda x=x, y=y: _runs(x, y, path)))  # type: ignore[misc]
    return VideoSource(tuple(parts), str(path), "taxibj", by="time", shared=seen + ahead - 1, lengths=(seen, ahead))


def _runs(x: Any, y: Any, path: Path) -> Iterator[Run]:
    for number, (before, after) in enumerate(zip(x, y, strict=True)):
        frames = to_pixels(np.concatenate((before, after)), path, low=-1.0)
        yield Run(np.moveaxis(frames, 1, -1), number)
