"""What a local path holds, and how to read it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from snnctl.core.diagnostic import did_you_mean
from snnctl.data.events.readers.cameras import Cut, events_source
from snnctl.data.images.known import KNOWN_IMAGE_NAMES, KNOWN_IMAGES
from snnctl.data.images.readers.arrays import frames_folder_source, npy_source, npz_source, open_npz
from snnctl.data.images.readers.decode import Shape
from snnctl.data.images.readers.folders import folder_source, tar_source
from snnctl.data.images.readers.idx import find_idx, idx_source
from snnctl.data.images.readers.libraries import hub_source, torchvision_source
from snnctl.data.images.source import Source
from snnctl.data.problems import data_error

_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_CIFARS = {"cifar-10-batches-py": "cifar10", "cifar-100-python": "cifar100"}


def local_path(text: str) -> Path:
    """The path, if something is there.

    Raises:
        DiagnosticError: D101, there is nothing.
    """
    path = Path(text).expanduser() if "\0" not in text else Path()
    if text and path.exists():
        return path
    name = path.name.split(".")[0].lower()
    help = (
        f"for the named set, write `source: {name}` and run: {KNOWN_IMAGES[name].command}"
        if name in KNOWN_IMAGES
        else ""
    )
    help = help or f"{did_you_mean(text, KNOWN_IMAGE_NAMES)}  known names: {', '.join(KNOWN_IMAGE_NAMES)}".strip()
    raise data_error("D101", f"nothing is at `{text}`", file=text, help=help)


def stamp(path: Path) -> str:
    """A digest of names, sizes and times of change: another one once a file changes."""
    files = sorted(found for found in path.rglob("*") if found.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        facts = file.stat()
        digest.update(f"{file.relative_to(path)}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def image_source(path: Path, shape: Shape, label: str | None = None) -> Source:
    """Images at a local path: a tar archive, arrays, Parquet, IDX files, CIFAR's batches, or folders of pictures.

    Raises:
        DiagnosticError: D105 a file of no known kind, or what its reader finds.
    """
    name = path.name.lower()
    if path.is_file():
        if name.endswith(_TARS):
            return tar_source(path, shape)
        if name.endswith(".npz"):
            return npz_source(path, frames=False)
        if name.endswith(".npy"):
            return npy_source(path, frames=False)
        if name.endswith((".parquet", ".pq")):
            return hub_source(str(path), shape, label=label, online=False)
        help = "a folder of pictures, a tar of one, IDX files, .npz, .npy, Parquet"
        raise data_error("D105", f"`{path.name}` is not of a kind that is read", file=path, help=f"it reads {help}")
    for folder, known in _CIFARS.items():
        for root in (path, path.parent):
            if (root / folder).is_dir() and (root == path or path.name == folder):
                return torchvision_source(KNOWN_IMAGES[known], root)
    if find_idx(path):
        return idx_source(path)
    if any(found.suffix == ".parquet" for found in (*path.glob("*"), *path.glob("data/*"))):
        return hub_source(str(path), shape, label=label, online=False)
    return folder_source(path, shape)


def event_source(path: Path, frames: int | None, size: tuple[int, int] | None, cut: Cut) -> Source:
    """Event frames at a local path: arrays of frames, or recordings whose events are counted into `frames` frames.

    Raises:
        DiagnosticError: D105 a file of no known kind, R321 recordings without `frames`, or what its reader finds.
    """
    if path.is_file():
        if path.suffix == ".npz":
            return npz_source(path, frames=True)
        if path.suffix == ".npy":
            return npy_source(path, frames=True)
        raise data_error("D105", f"`{path.name}` holds no event frames", file=path, help="it reads .npz, .npy, folders")
    first = min(path.rglob("*.npz"), default=None)
    if first is not None and "frames" in open_npz(first):
        return frames_folder_source(path)
    if frames is None:
        message = "recordings of events have to be counted into frames"
        raise data_error("R321", message, file=path, path="data.frames", help="set `data.frames` to the T you want")
    if size is None:
        size = (34, 34) if next(path.rglob("*.bin"), None) is not None else (128, 128)
    return events_source(path, frames, size, cut)
