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
from snnctl.data.bounds import MOST_PACKED, refuse_more_than_memory
from snnctl.data.cache import Part, Source
from snnctl.data.pictures import Pixels
from snnctl.data.problems import data_error, unreadable
from snnctl.data.tones import Tones

_PARTS = {"train": "train", "t10k": "test"}
_MOST_AXES = 8
_FOLDERS = ("", "raw", "MNIST/raw", "FashionMNIST/raw", "KMNIST/raw")


def read_idx(path: Path) -> Pixels:
    """The array of one file: a big-endian header (type, dimensions, sizes), then unsigned bytes.

    Raises:
        DiagnosticError: D104 it cannot be unpacked, or not within memory; D220 it is no such file, or cut short.
    """
    packed = path.suffix == ".gz"
    try:
        room = path.stat().st_size * (MOST_PACKED if packed else 1)
        with gzip.open(path) if packed else path.open("rb") as stream:
            start = stream.read(4)
            axes = start[3] if len(start) == 4 and start[:3] == b"\0\0\x08" else 0
            if not 1 <= axes <= _MOST_AXES:
                raise data_error("D220", f"`{path.name}` is no IDX file of unsigned bytes", file=path)
            head = stream.read(4 * axes)
            sizes = struct.unpack(f">{axes}I", head) if len(head) == 4 * axes else ()
            announced = math.prod(sizes)
            if not sizes or not announced or announced > room:
                message = f"`{path.name}` announces {list(sizes)} bytes, and {room:,} are there at most"
                raise data_error("D220", message, file=path, help="fetch it again")
            refuse_more_than_memory(announced, f"`{path.name}`", path)
            body = stream.read(announced + 1)
    except (OSError, EOFError, zlib.error, MemoryError) as error:
        raise unreadable(path, "IDX", error) from error
    if len(body) != announced:
        more = "more than " * (len(body) > announced)
        message = f"`{path.name}` holds {more}{min(len(body), announced):,} bytes where its header says {announced:,}"
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
