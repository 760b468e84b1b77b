"""Arrays in NumPy files: a header is held against the bytes there are before they are read; nothing is unpickled."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.bounds import MOST_PACKED, refuse_more_than_memory
from snnctl.data.problems import data_error, unreadable

_SUFFIX = ".npy"
_MOST_AXES = 64  # of an array of NumPy
# zipfile raises RuntimeError for a member with a password, NotImplementedError for a way of packing it does not know.
_BAD_FILE = (OSError, ValueError, EOFError, RuntimeError, KeyError, zipfile.BadZipFile, zlib.error, MemoryError)


class Head(NamedTuple):
    """What the header of an array says."""

    shape: tuple[int, ...]
    dtype: Any
    fortran: bool = False  # whether the first axis runs fastest

    @property
    def bytes(self) -> int:
        """Of all values."""
        return math.prod(self.shape) * int(self.dtype.itemsize)


class Arrays(Mapping[str, Any]):
    """The arrays of an .npz by name, each read when it is first asked for and kept; asking raises as `open_npy`."""

    def __init__(self, path: Path, most: int | None = None) -> None:
        self.path, self._most = path, most
        with _telling(path), zipfile.ZipFile(path) as pack:
            names = [name.removesuffix(_SUFFIX) for name in pack.namelist() if name.endswith(_SUFFIX)]
        self._kept: dict[str, Any] = dict.fromkeys(names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, name: object) -> bool:
        return name in self._kept  # without reading it

    def __getitem__(self, name: str) -> Any:
        if self._kept[name] is None:
            self.several((name,))
        return self._kept[name]

    def several(self, names: Sequence[str]) -> list[Any]:
        """Arrays by name, for which the file is opened once; raises as asking for one."""
        with _telling(self.path), zipfile.ZipFile(self.path) as pack:
            for name in names:
                if self._kept[name] is None:
                    with self._stream(pack, name) as (stream, room):
                        self._kept[name] = _values(stream, self._checked(name, stream, room))
        return [self._kept[name] for name in names]

    def head(self, name: str) -> Head:
        """Shape and type of an array, from its header alone."""
        with _telling(self.path), zipfile.ZipFile(self.path) as pack, self._stream(pack, name) as (stream, room):
            return self._checked(name, stream, room)

    def _checked(self, name: str, stream: IO[bytes], room: int) -> Head:
        said = f"`{name}` of `{self.path.name}`"
        found = _head(stream, room, self.path, said)
        if self._most is not None and found.bytes > self._most:
            message = f"{said} unpacks to {found.bytes:,} bytes"
            help = f"at most {self._most:,} are read of one recording: cut it"
            raise data_error("D252", message, file=self.path, help=help)
        return found

    @contextmanager
    def _stream(self, pack: zipfile.ZipFile, name: str) -> Iterator[tuple[IO[bytes], int]]:
        """An array as bytes, and how many these can be."""
        member = pack.getinfo(name + _SUFFIX)
        packed = min(member.compress_size, self.path.stat().st_size)
        most = {zipfile.ZIP_STORED: packed, zipfile.ZIP_DEFLATED: packed * MOST_PACKED}
        with pack.open(member) as stream:
            yield stream, min(member.file_size, most.get(member.compress_type, member.file_size))


def open_npz(path: Path, *, most: int | None = None) -> Arrays:
    """The arrays of an .npz.

    Args:
        most: bytes that one array may take; None = as many as this machine has memory for. More are D252.

    Raises:
        DiagnosticError: D104, it cannot be read.
    """
    return Arrays(path, most)


def npy_head(path: Path, *, mapped: bool = False) -> Head:
    """Shape and type of the array of an .npy, from its header; arguments and errors as of `open_npy`."""
    with _telling(path), path.open("rb") as stream:
        return _head(stream, path.stat().st_size, path, f"`{path.name}`", mapped=mapped)


def open_npy(path: Path, *, mapped: bool = False) -> Any:
    """The array of an .npy.

    Args:
        mapped: whether it stays on disk until it is used.

    Raises:
        DiagnosticError: D104, it cannot be read or is larger than the memory of this machine; D202, it holds objects;
            D232, it has fewer bytes than it announces.
    """
    npy_head(path, mapped=mapped)
    with _telling(path):
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)


def _values(stream: IO[bytes], head: Head) -> Any:
    """The array behind a header that was read; its checksum in the archive is compared at the end."""
    flat = np.empty(math.prod(head.shape), head.dtype)
    room, at = memoryview(flat.view(np.uint8).data), 0
    while at < len(room):
        data = stream.read(min(len(room) - at, 1 << 24))
        if not data:
            raise EOFError("it ends before its last value")
        room[at : at + len(data)] = data
        at += len(data)
    stream.read(1)
    return flat.reshape(head.shape[::-1]).T if head.fortran else flat.reshape(head.shape)


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except DiagnosticError:
        raise
    except _BAD_FILE as error:
        raise unreadable(path, path.suffix.removeprefix("."), error) from error


def _head(stream: IO[bytes], room: int, path: Path, name: str, *, mapped: bool = False) -> Head:
    """The header of an array that has `room` bytes, itself counted."""
    try:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(stream)
        sound = all(type(length) is int and length >= 0 for length in shape)  # True is a whole number, too
        if not sound or len(shape) > _MOST_AXES or not dtype.itemsize:
            raise ValueError(f"{list(shape)} of {dtype} is no array")
    except Exception as error:  # parsed as Python: of a damaged one `tokenize` and `ast` raise theirs, too
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise data_error("D104", f"{name} cannot be read: {text}", file=path) from error
    found = Head(shape, dtype, fortran)
    if dtype.hasobject:
        message = f"{name} holds Python objects, which are never unpickled"
        raise data_error("D202", message, file=path, help="save it as an array of numbers")
    expected = stream.tell() + found.bytes
    if expected > room:
        message = f"{name} holds {room:,} bytes where its header says {expected:,}"
        raise data_error("D232", message, file=path, help="it is cut short or damaged: fetch it again")
    if not mapped:
        refuse_more_than_memory(found.bytes, name, path)
    return found
