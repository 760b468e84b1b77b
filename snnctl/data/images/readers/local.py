"""What a local path holds, and how to read it."""

from __future__ import annotations

from pathlib import Path

from snnctl.data.arrays import Item, npy_source, npz_source
from snnctl.data.images.known import KNOWN
from snnctl.data.images.readers.folders import folder_source, tar_source
from snnctl.data.images.readers.idx import find_idx, idx_source
from snnctl.data.images.readers.libraries import hub_source, torchvision_source
from snnctl.data.pictures import Shape
from snnctl.data.problems import data_error
from snnctl.data.sets import Source

_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_CIFARS = {"cifar-10-batches-py": "cifar10", "cifar-100-python": "cifar100"}


def image_source(path: Path, shape: Shape, label: str | None = None) -> Source[Item]:
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
                return torchvision_source(KNOWN[known], root)
    if find_idx(path):
        return idx_source(path)
    if any(found.suffix == ".parquet" for found in (*path.glob("*"), *path.glob("data/*"))):
        return hub_source(str(path), shape, label=label, online=False)
    return folder_source(path, shape)
