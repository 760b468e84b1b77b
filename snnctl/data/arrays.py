"""Labelled sets that are kept in arrays of NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snnctl.data.cache import Part, Source
from snnctl.data.numpy_files import open_npy, open_npz
from snnctl.data.pictures import Pixels
from snnctl.data.problems import data_error
from snnctl.data.tones import Tones

AS_THEY_ARE = Tones()
Whole = npt.NDArray[np.int64]
Item = tuple[Pixels, int]  # uint8 [H, W, C], or [T, H, W, C] for event frames, and the index of the class

DATA_NAMES = ("frames", "images", "data", "x")
LABEL_NAMES = ("labels", "label", "targets", "y")
_SPARSE = 1000  # numbers of classes below this may have gaps
_PARTS = {"": "all", "train_": "train", "val_": "val", "valid_": "val", "test_": "test"}


def npz_source(path: Path, *, frames: bool, tones: Tones = AS_THEY_ARE) -> Source[Item]:
    """Arrays `images` (or `frames`, `data`, `x`) and `labels` (or `targets`, `y`), each also with `train_`, `val_` or
    `test_` before its name.

    Args:
        frames: whether the items are [T, C, H, W]; else [H, W] or [H, W, C].
        tones: how values of pictures become 0..255.

    Raises:
        DiagnosticError: D222, no such arrays, or they do not match; or what `Tones.of_arrays` or `to_items` find.
    """
    arrays = open_npz(path)
    names, found, labelled = [], [], []
    for prefix, part in _PARTS.items():
        data = next((arrays[prefix + name] for name in DATA_NAMES if prefix + name in arrays), None)
        labels = next((arrays[prefix + name] for name in LABEL_NAMES if prefix + name in arrays), None)
        if data is None or labels is None:
            continue
        names.append(part)
        found.append(data)
        labelled.append(_whole(labels, _items_in(data, path), path))
    if not names:
        help = "it needs `frames` and `labels`" if frames else "it needs `images` and `labels`"
        raise data_error("D222", f"`{path.name}` has {', '.join(arrays)}", file=path, help=help)
    return _arrays_source(names, found, labelled, path, "npz", frames, tones)


def npy_source(path: Path, *, frames: bool, tones: Tones = AS_THEY_ARE) -> Source[Item]:
    """`NAME.npy` with the items and `NAME_labels.npy` (or `labels.npy`) with their classes beside it."""
    beside = (path.with_name(f"{path.stem}_labels.npy"), path.with_name("labels.npy"))
    labels_path = next((other for other in beside if other.is_file()), None)
    if labels_path is None:
        raise data_error("D222", f"no `{beside[0].name}` lies beside `{path.name}`", file=path)
    data = open_npy(path, mapped=True)
    labels = _whole(open_npy(labels_path), _items_in(data, path), labels_path)
    return _arrays_source(["all"], [data], [labels], path, "npy", frames, tones)


def _arrays_source(
    names: list[str], found: list[Any], labels: list[Any], path: Path, format: str, frames: bool, tones: Tones
) -> Source[Item]:
    findings: dict[str, Any] = {}
    if not frames:
        found, findings = tones.of_arrays(found, path)
    items = [to_items(data, path, frames=frames) for data in found]
    classes, own = indexed(labels)
    parts = tuple(map(array_part, names, items, own))
    return Source(parts, str(path), format, classes=classes, findings=lambda: findings)


def array_part(name: str, images: Any, labels: Any) -> Part[Item]:
    """A part whose items lie in arrays: uint8 [N, H, W], [N, H, W, C] or [N, T, H, W, C], and labels [N]."""

    def items() -> Iterator[Item]:
        for image, label in zip(images, labels, strict=True):
            pixels = np.asarray(image)
            yield (pixels[..., None] if pixels.ndim == 2 else pixels), int(label)

    return Part(name, len(labels), items)


def numbered(highest: int) -> tuple[str, ...]:
    """Names of classes that have numbers alone, up to the highest."""
    return tuple(map(str, range(highest + 1)))


def indexed(labels: Sequence[Any]) -> tuple[tuple[str, ...], list[Any]]:
    """Names of classes and the labels [N] of each part as their indices: the numbers themselves, up to the highest.

    Where they go far beyond the items, such as numbers of articles, the classes are those numbers alone that occur.
    """
    highest = max(int(part.max(initial=0)) for part in labels)
    if highest < max(_SPARSE, 2 * sum(map(len, labels))):
        return numbered(highest), list(labels)
    wide = [part.astype(np.uint64) for part in labels]  # int64 and uint64 would meet in float64
    known = np.unique(np.concatenate(wide))
    return tuple(map(str, known.tolist())), [np.searchsorted(known, part) for part in wide]


def to_items(data: Any, path: Path, *, frames: bool) -> Pixels:
    """Whole numbers 0..255 as uint8, channels last; larger counts become 255.

    Raises:
        DiagnosticError: D222 another number of axes, D202 fractions or negative numbers.
    """
    wanted = (5,) if frames else (3, 4)
    if data.ndim not in wanted:
        axes = "[N, T, C, H, W]" if frames else "[N, H, W] or [N, H, W, C]"
        raise data_error("D222", f"`{path.name}` holds {list(data.shape)}, not {axes}", file=path)
    if data.dtype.kind not in "biuf":
        raise data_error("D202", f"`{path.name}` holds {data.dtype}, not counts or pixels 0..255", file=path)
    if data.dtype != np.uint8:
        if not np.isfinite(data).all() or (data < 0).any() or (data != np.round(data)).any():
            raise data_error("D202", f"`{path.name}` holds values that are no counts or pixels 0..255", file=path)
        data = (data if data.dtype == np.int8 else np.minimum(data, 255)).astype(np.uint8)  # int8 ends at 127
    found: Pixels = np.moveaxis(data, 2, -1) if frames else data
    return found


def _items_in(data: Any, path: Path) -> int:
    if not data.ndim:
        raise data_error("D222", f"`{path.name}` holds a single number, no items", file=path)
    return len(data)


def _whole(labels: Any, count: int, path: Path) -> Any:
    if labels.shape != (count,) or labels.dtype.kind not in "iu" or (labels < 0).any():
        message = f"`{path.name}` has classes {labels.dtype} {list(labels.shape)} for {count} items"
        help = "one whole number from 0 on for each item; where -1 marks items without a class, leave them out"
        raise data_error("D222", message, file=path, help=help)
    return labels
