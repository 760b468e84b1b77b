"""What a local path holds and how to read it; pictures in folders named by class, as files or in a tar."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Self

from snnctl.data.arrays import Item, npy_source, npz_source
from snnctl.data.cache import Source
from snnctl.data.decoding import MOST_BYTES, Decoder, too_large
from snnctl.data.folders import Labelled, files_below, labelled_source, sort_out
from snnctl.data.images.known import KNOWN
from snnctl.data.images.readers.idx import find_idx, idx_source
from snnctl.data.images.readers.libraries import hub_source, torchvision_source
from snnctl.data.pictures import SUFFIXES
from snnctl.data.problems import data_error, unreadable

_MEGABYTE = 1 << 20
_MOST_PADDING = 64  # megabytes of zeros at the end of an archive, more than any writer lays there
_BAD_TAR = (OSError, tarfile.TarError, EOFError, ValueError, RecursionError, zlib.error, lzma.LZMAError)


def folder_source(folder: Path, decode: Decoder) -> Source[Item]:
    """A folder of pictures; Tiny-ImageNet's own layout is known."""
    files = files_below(folder)
    annotations = folder / "val" / "val_annotations.txt"
    found = _tiny_imagenet(files, annotations, folder) if annotations.is_file() else sort_out(files, folder)

    def read(items: list[tuple[str, int]]) -> Iterator[Item]:
        for name, label in items:
            yield decode(folder / name, str(folder / name)), label

    return replace(labelled_source(found, folder, "folder", read), findings=decode.findings)


def _tiny_imagenet(files: list[str], annotations: Path, folder: Path) -> Labelled:
    """`train/WNID/images/*.JPEG`, `val/images/*.JPEG` with a table of classes; `test` has no labels and is left out."""
    try:
        lines = annotations.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise unreadable(annotations, "text", error) from error
    table = dict(line.split("\t")[:2] for line in lines if "\t" in line)
    found = sort_out([name for name in files if name.startswith("train/")], folder)
    names = sorted(name for name in files if name.startswith("val/") and name.lower().endswith(SUFFIXES))
    unknown = [name for name in names if Path(name).name not in table]
    if unknown:
        raise data_error("D222", f"`{unknown[0]}` has no line in val_annotations.txt", file=annotations)
    return {**found, "val": [(name, table[Path(name).name]) for name in names]}


def tar_source(path: Path, decode: Decoder) -> Source[Item]:
    """A tar archive of such a folder; pictures are decoded in the order in which they lie; hard links are followed.

    Raises:
        DiagnosticError: D104 it cannot be read, D266 what is named like a picture is no file.
    """
    names = []
    for member, _ in _members(path):
        name = str(PurePosixPath(member.name))
        if member.isfile() or member.islnk():
            names.append(name)
        elif not member.isdir() and name.lower().endswith(SUFFIXES):
            what = f"a link to `{member.linkname}`" if member.issym() else "no file"
            help = "archive the files themselves: tar --dereference"
            raise data_error("D266", f"`{name}` in the archive is {what}", file=path, help=help)
    found = sort_out(names, path)

    def read(items: list[tuple[str, int]]) -> Iterator[Item]:
        classes = dict(items)
        for member, archive in _members(path):
            name = str(PurePosixPath(member.name))
            if name in classes:
                yield decode(_content(member, archive, path), f"{path.name}/{name}"), classes[name]

    return replace(labelled_source(found, path, "tar", read), findings=decode.findings)


class _Member(tarfile.TarInfo):
    """A member of an archive; Python takes a header that is damaged for the end, and leaves out what follows."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(f"no header is at byte {archive.offset:,}: {error}") from error


def _members(path: Path) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    """Each member of an archive, one after the other, and the archive; raises D104."""
    try:
        with tarfile.open(path, tarinfo=_Member) as archive:
            for member in archive:
                yield member, archive
            for _ in range(_MOST_PADDING):  # checksums of what is packed stand at its end
                if not archive.fileobj.read(_MEGABYTE):
                    break
    except _BAD_TAR as error:
        raise unreadable(path, "tar", error) from error


def _content(member: tarfile.TarInfo, archive: tarfile.TarFile, path: Path) -> bytes:
    try:
        stream = archive.extractfile(member)
        if member.size > MOST_BYTES:
            raise too_large(f"{path.name}/{member.name}", f"{member.size:,} bytes", path)
        # In pieces: what is asked for is set aside before a byte is read, and a header may lie.
        data = b"" if stream is None else b"".join(iter(partial(stream.read, _MEGABYTE), b""))
    except (KeyError, RecursionError) as error:  # how tarfile says that what a link means is not there
        message = f"`{member.name}` in the archive is a link to `{member.linkname}`, which is not there"
        raise data_error("D266", message, file=path, help="archive the files themselves") from error
    except _BAD_TAR as error:
        raise unreadable(path, "tar", error) from error
    return data


_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_CIFARS = {"cifar-10-batches-py": "cifar10", "cifar-100-python": "cifar100"}


def image_source(path: Path, decode: Decoder, label: str | None = None) -> Source[Item]:
    """Images at a local path: a tar archive, arrays, Parquet, IDX files, CIFAR's batches, or folders of pictures.

    Raises:
        DiagnosticError: D105 a file of no known kind, or what its reader finds.
    """
    name = path.name.lower()
    if path.is_file():
        if name.endswith(_TARS):
            return tar_source(path, decode)
        if name.endswith(".npz"):
            return npz_source(path, frames=False, tones=decode.tones)
        if name.endswith(".npy"):
            return npy_source(path, frames=False, tones=decode.tones)
        if name.endswith((".parquet", ".pq")):
            return hub_source(str(path), decode, label=label, online=False)
        help = "a folder of pictures, a tar of one, IDX files, .npz, .npy, Parquet"
        raise data_error("D105", f"`{path.name}` is not of a kind that is read", file=path, help=f"it reads {help}")
    for folder, known in _CIFARS.items():
        for root in (path, path.parent):
            if (root / folder).is_dir() and (root == path or path.name == folder):
                return torchvision_source(KNOWN[known], root)
    if find_idx(path):
        return idx_source(path, decode.tones)
    if any(found.suffix == ".parquet" for found in (*path.glob("*"), *path.glob("data/*"))):
        return hub_source(str(path), decode, label=label, online=False)
    return folder_source(path, decode)
