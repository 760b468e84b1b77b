"""The IDX files of MNIST and its kin, plain or gzipped."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.data.arrays import Item, array_part, numbered
from snnctl.data.cache import Part, Source
from snnctl.data.pictures import Pixels
from snnctl.data.problems import data_error
from snnctl.data.tones import Tones

_PARTS = {"train": "train", "t10k": "test"}
_FOLDERS = ("", "raw", "MNIST/raw", "FashionMNIST/raw", "KMNIST/raw")


def read_idx(path: Path) -> Pixels:
    """The array of one file: a big-endian header (type, dimensions, sizes), then unsigned bytes; raises D104, D220."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise data_error("D104", f"`{path.name}` cannot be read: {error}", file=path) from error
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise data_error("D220", f"`{path.name}` is no IDX file of unsigned bytes", file=path)
    sizes = struct.unpack(f">{raw[3]}I", raw[4 : 4 + 4 * raw[3]]) if len(raw) >= 4 + 4 * raw[3] else ()
    body = raw[4 + 4 * raw[3] :]
    if not sizes or len(body) != math.prod(sizes):
        message = f"`{path.name}` holds {len(body):,} bytes where its header says {math.prod(sizes):,}"
        raise data_error("D220", message, file=path, help="fetch it again")
    return np.frombuffer(body, np.uint8).reshape(sizes)


def find_idx(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Part -> (images, labels), for the parts of which both files are there."""
    for below in _FOLDERS:
        found = {}
        for stem, part in _PARTS.items():
            pair = [_file(folder / below, stem, kind) for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
            if pair[0] is not None and pair[1] is not None:
                found[part] = (pair[0], pair[1])
        if found:
            return found
    return {}


def idx_source(folder: Path, tones: Tones) -> Source[Item]:
    """The parts that lie in `folder`; where there is one alone, it is a set that is not cut yet."""
    parts: list[Part[Item]] = []
    highest = 0
    findings: dict[str, Any] = {}
    found = find_idx(folder)
    for name, (images_path, labels_path) in found.items():
        images, labels = read_idx(images_path), read_idx(labels_path)
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            message = (
                f"{images_path.name} {list(images.shape)} and {labels_path.name} {list(labels.shape)} do not match"
            )
            raise data_error("D222", message, file=folder)
        highest = max(highest, int(labels.max(initial=0)))
        (images,), findings = tones.of_arrays([images], images_path)
        parts.append(array_part(name if len(found) > 1 else "all", images, labels))
    return Source(tuple(parts), str(folder), "idx", classes=numbered(highest), findings=lambda: findings)


def _file(folder: Path, stem: str, kind: str) -> Path | None:
    """`t10k-images-idx3-ubyte`, also with a dot for the last dash, as some mirrors write it, and with .gz."""
    for name in (f"{stem}-{kind}", f"{stem}-{kind.replace('-idx', '.idx')}"):
        for suffix in ("", ".gz"):
            if (folder / (name + suffix)).is_file():
                return folder / (name + suffix)
    return None
