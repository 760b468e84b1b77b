"""Videos in NumPy files: which axis is which, what values may stand in them, and whether all bytes are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.lib import format as npy

from snnctl.data.cache import sha256_file
from snnctl.data.problems import data_error
from snnctl.data.sets import Part
from snnctl.data.splits import SPLIT_NAMES
from snnctl.data.video.clips import Clips, Run, VideoSet, VideoSource

Layout = Literal["nthw", "nthwc", "ntchw", "tnhw"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
_ONE = ("frames", "video", "videos", "data", "arr_0")


def map_npy(path: Path) -> Any:
    """The array of a .npy file, memory-mapped.

    Raises:
        DiagnosticError: D104 it cannot be read, D232 it is cut short.
    """
    try:
        with path.open("rb") as stream:
            version = npy.read_magic(stream)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read(stream)
            expected = stream.tell() + int(np.prod(shape, dtype=object)) * dtype.itemsize
        size = path.stat().st_size
        if size < expected:
            message = f"`{path.name}` holds {size:,} bytes where its header says {expected:,}"
            raise data_error("D232", message, file=path, help="it is cut short: fetch it again")
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise data_error("D104", f"`{path.name}` cannot be read: {error}", file=path) from error


def npy_set(path: Path, layout: Layout | None) -> VideoSet | None:
    """The clips of a .npy file of bytes, memory-mapped where it lies; None for other types, which are to be checked.

    Raises:
        DiagnosticError: as `map_npy`, D230 other axes, D231 a type that is no pixel's, R333 no layout.
    """
    array = map_npy(path)
    _check_layout(array.shape, layout, path)
    check_type(array.dtype, path)
    if array.dtype != np.uint8:
        return None
    clips = to_clips(array, layout, path)
    return VideoSet({"all": clips}, str(path), "npy", "", sha256_file(path), path.stat().st_size)


def npy_source(path: Path, layout: Layout | None) -> VideoSource:
    """The clips of a .npy file, for the cache."""
    return VideoSource((array_part("all", map_npy(path), layout, path),), str(path), "npy")


def npz_source(path: Path, arrays: dict[str, Any], layout: Layout | None) -> VideoSource:
    """Arrays `train`, `test` and perhaps `val`; or one array, called `frames` or the only one.

    Raises:
        DiagnosticError: D230, other arrays.
    """
    named: dict[str, Any] = {name: arrays[name] for name in SPLIT_NAMES if name in arrays}
    if not {"train", "test"} <= set(named):
        one = next((name for name in _ONE if name in arrays), next(iter(arrays)) if len(arrays) == 1 else "")
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
        for number, first in enumerate(clips.firsts.tolist()):
            taken = clips.frames[first : first + clips.step * length : clips.step][:length]
            yield Run(to_pixels(taken, path), number)

    return Part(name, len(clips.firsts) * length, runs)


def to_clips(array: Any, layout: Layout | None, path: Path) -> Clips:
    """Frames [M, H, W, C] and where clips begin; views, nothing is copied.

    Raises:
        DiagnosticError: D230, axes that can be no frames.
    """
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
    """Bytes, or real numbers.

    Raises:
        DiagnosticError: D231, anything else.
    """
    if dtype != np.uint8 and dtype not in (np.float16, np.float32, np.float64):
        message = f"`{path.name}` holds {dtype}; pixels are uint8 0..255, or real numbers 0..1"
        raise data_error("D231", message, file=path)


def to_pixels(values: Any, path: Path, low: float = 0.0) -> Any:
    """Bytes as they are; real numbers in `low`..1 as float32 in 0..1.

    Raises:
        DiagnosticError: D231, a value outside of them.
    """
    if values.dtype == np.uint8:
        return values
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
