"""What a local path holds and how to read it; pictures in folders named by class, as files or in a tar."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from snnctl.data.arrays import Item, npy_source, npz_source
from snnctl.data.cache import Source
from snnctl.data.folders import Labelled, files_below, labelled_source, sort_out
from snnctl.data.images.known import KNOWN
from snnctl.data.images.readers.idx import find_idx, idx_source
from snnctl.data.images.readers.libraries import hub_source, torchvision_source
from snnctl.data.pictures import SUFFIXES, Shape, decode
from snnctl.data.problems import data_error


def folder_source(folder: Path, shape: Shape) -> Source[Item]:
    """A folder of pictures; Tiny-ImageNet's own layout is known."""
    files = files_below(folder)
    annotations = folder / "val" / "val_annotations.txt"
    found = _tiny_imagenet(files, annotations, folder) if annotations.is_file() else sort_out(files, folder)

    def read(items: list[tuple[str, int]]) -> Iterator[Item]:
        for name, label in items:
            yield decode((folder / name).read_bytes(), shape, str(folder / name)), label

    return labelled_source(found, folder, "folder", read)


def _tiny_imagenet(files: list[str], annotations: Path, folder: Path) -> Labelled:
    """`train/WNID/images/*.JPEG`, `val/images/*.JPEG` with a table of classes; `test` has no labels and is left out."""
    table = dict(line.split("\t")[:2] for line in annotations.read_text().splitlines() if "\t" in line)
    found = sort_out([name for name in files if name.startswith("train/")], folder)
    names = sorted(name for name in files if name.startswith("val/") and name.lower().endswith(SUFFIXES))
    unknown = [name for name in names if Path(name).name not in table]
    if unknown:
        raise data_error("D222", f"`{unknown[0]}` has no line in val_annotations.txt", file=annotations)
    return {**found, "val": [(name, table[Path(name).name]) for name in names]}


def tar_source(path: Path, shape: Shape) -> Source[Item]:
    """A tar archive of such a folder; pictures are decoded in the order in which they lie; raises D104."""
    try:
        with tarfile.open(path) as archive:
            names = [member.name for member in archive if member.isfile()]
    except (OSError, tarfile.TarError, EOFError) as error:
        raise data_error("D104", f"`{path.name}` cannot be read: {error}", file=path) from error
    found = sort_out(names, path)

    def read(items: list[tuple[str, int]]) -> Iterator[Item]:
        classes = {str(PurePosixPath(name)): label for name, label in items}
        with tarfile.open(path) as archive:
            for member in archive:
                stream = archive.extractfile(member) if str(PurePosixPath(member.name)) in classes else None
                if stream is not None:
                    pixels = decode(stream.read(), shape, f"{path.name}/{member.name}")
                    yield pixels, classes[str(PurePosixPath(member.name))]

    return labelled_source(found, path, "tar", read)


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
