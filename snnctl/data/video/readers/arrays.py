"""Videos in NumPy files: their axes and values, TaxiBJ, and the test sequences of Moving MNIST."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from snnctl.data.cache import Part, sha256_file
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.numpy_files import open_npy
from snnctl.data.problems import data_error
from snnctl.data.video.clips import Clips, Run, VideoSet, VideoSource

Layout = Literal["nthw", "nthwc", "ntchw", "tnhw"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
ONE = ("frames", "video", "videos", "data", "arr_0")


def npy_set(path: Path, layout: Layout | None) -> VideoSet | None:
    """The clips of a .npy file of bytes, memory-mapped where it lies; None for other types, which are to be checked.

    Raises:
        DiagnosticError: as `open_npy`, D230 other axes, D231 a type that is no pixel's, R333 no layout.
    """
    array = open_npy(path, mapped=True)
    _check_layout(array.shape, layout, path)
    check_type(array.dtype, path)
    if array.dtype != np.uint8:
        return None
    clips = to_clips(array, layout, path)
    return VideoSet({"all": clips}, str(path), "npy", "", sha256_file(path), path.stat().st_size)


def npy_source(path: Path, layout: Layout | None) -> VideoSource:
    """The clips of a .npy file, for the cache."""
    return VideoSource((array_part("all", open_npy(path, mapped=True), layout, path),), str(path), "npy")


def npz_source(path: Path, arrays: Mapping[str, Any], layout: Layout | None) -> VideoSource:
    """Arrays `train`, `test` and perhaps `val`; or one array, called `frames` or the only one.

    Raises:
        DiagnosticError: D230, other arrays.
    """
    named: dict[str, Any] = {name: arrays[name] for name in SPLIT_NAMES if name in arrays}
    if not {"train", "test"} <= set(named):
        one = next((name for name in ONE if name in arrays), next(iter(arrays)) if len(arrays) == 1 else "")
        if not one:
            help = "it needs `train` and `test`, or one array `frames`; TaxiBJ has X_train, Y_train, X_test, Y_test"
            raise data_error("D230", f"`{path.name}` holds {', '.join(arrays) or 'nothing'}", file=path, help=help)
        named = {"all": arrays[one]}
    parts = tuple(array_part(name, array, layout, path) for name, array in named.items())
    return VideoSource(parts, str(path), "npz")


def array_part(name: str, array: Any, layout: Layout | None, path: Path) -> Part[Run]:
    """One part in an array; values are checked while they are taken in.

    Raises:
        DiagnosticError: D230, D231, R333 as `npy_set`.
    """
    _check_layout(array.shape, layout, path)
    check_type(array.dtype, path)
    clips = to_clips(array, layout, path)
    length = int(clips.lengths[0])

    def runs() -> Iterator[Run]:
        for number, taken in enumerate(clips.each()):
            yield Run(to_pixels(taken, path), number)

    return Part(name, len(clips.firsts) * length, runs)


def to_clips(array: Any, layout: Layout | None, path: Path) -> Clips:
    """Frames [M, H, W, C] and where clips begin; views, nothing is copied; raises D230."""
    if layout == "tnhw":
        length, count, rows, columns = array.shape
    else:
        count, length, rows, columns = array.shape[:4]
    frames = array.reshape(count * length, rows, columns, *array.shape[4:])
    if layout == "ntchw":
        frames = np.moveaxis(frames, 1, -1)
    elif layout != "nthwc":
        frames = frames[..., None]
    if 0 in array.shape or frames.shape[-1] > min(frames.shape[1:3]):
        rows, columns, channels = frames.shape[1:]
        read = f"{rows} x {columns} of {channels} channels"
        message = f"`{path.name}` holds {list(array.shape)}, and as {layout} its frames were {read}"
        raise data_error("D230", message, file=path, path="data.layout", help="`data.layout` names the axes in order")
    firsts = np.arange(count) * (1 if layout == "tnhw" else length)
    lengths, zeros = np.full(count, length), np.zeros(count, np.int64)
    return Clips(frames, firsts, lengths, np.arange(count), zeros, count if layout == "tnhw" else 1)


def check_type(dtype: Any, path: Path) -> None:
    """Bytes, or real numbers; raises D231."""
    if dtype != np.uint8 and dtype not in (np.float16, np.float32, np.float64):
        message = f"`{path.name}` holds {dtype}; pixels are uint8 0..255, or real numbers 0..1"
        raise data_error("D231", message, file=path)


def to_pixels(values: Any, path: Path, low: float = 0.0) -> Any:
    """Bytes as they are; real numbers in `low`..1 as float32 in 0..1; raises D231."""
    if values.dtype == np.uint8:
        return values
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large for it is refused below
        values = np.asarray(values, np.float32)
    least, most = float(values.min()), float(values.max())
    if not (low <= least and most <= 1.0):  # nan is neither
        message = f"`{path.name}` holds values from {least:g} to {most:g}, not {low:g} to 1"
        raise data_error("D231", message, file=path)
    return (values - low) / (1.0 - low) if low else values


def _check_layout(shape: tuple[int, ...], layout: Layout | None, path: Path) -> None:
    if layout is None:
        message = f"`{path.name}` holds {list(shape)}, and it has to be said which axis is which"
        fitting = [layout for layout in LAYOUTS if len(layout) == len(shape)] or LAYOUTS
        help = f"set `data.layout` to {', '.join(fitting)}: n clips, t time, h rows, w columns, c channels"
        raise data_error("R333", message, file=path, path="data.layout", help=help)
    if len(shape) != len(layout):
        message = f"`{path.name}` holds {list(shape)}, which is not {' x '.join(layout)}"
        raise data_error("D230", message, file=path, path="data.layout", help="`data.layout` names the axes in order")


MOVING_MNIST = (20, 64, 64)
KEYS = ("X_train", "Y_train", "X_test", "Y_test")


def is_taxi(names: Any) -> bool:
    """Whether a file with these arrays is meant to be TaxiBJ's."""
    return any(key in names for key in KEYS)


def taxi_source(path: Path, arrays: Mapping[str, Any]) -> VideoSource:
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
    array = open_npy(path, mapped=True)
    if array.ndim != 4 or (array.shape[0], *array.shape[2:]) != MOVING_MNIST:
        message = f"`{path.name}` holds {list(array.shape)}, not [20, N, 64, 64]: time, sequence, rows, columns"
        raise data_error("D230", message, file=path, help="time is the first axis of Moving MNIST's file")
    if array.dtype != np.uint8:
        raise data_error("D231", f"`{path.name}` holds {array.dtype}, not uint8", file=path)
    return VideoSource((array_part("test", array, "tnhw", path),), str(path), "moving_mnist")
