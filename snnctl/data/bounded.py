"""NumPy files of unknown origin: what they declare is checked before anything is unpacked."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from snnctl.data.problems import data_error

MOST_BYTES = 1 << 32  # that one file may hold once it is unpacked
# What zipfile, its decompressors, and the parser of NumPy's headers raise on damaged bytes.
BAD_ARRAY = (
    *(OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, OverflowError, SyntaxError, TypeError),
    *(AttributeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError),
)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever is wrong with the bytes of `path` becomes D104."""
    try:
        yield
    except BAD_ARRAY as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise data_error("D104", f"`{path.name}` cannot be read: {text}", file=path) from error


def names_in(path: Path) -> list[str]:
    """Names of the arrays in an .npz, of which none is unpacked.

    Raises:
        DiagnosticError: D104, it is no .npz.
    """
    with reading(path), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def read_npz(path: Path, wanted: Collection[str] | None = None, most: int = MOST_BYTES) -> dict[str, Any]:
    """Arrays of an .npz, by name.

    Args:
        wanted: the names that are read where they are there; None = all.
        most: bytes that they may hold together.

    Raises:
        DiagnosticError: D104 it cannot be read, D252 it declares more than `most`, or more than is there.
    """
    found: dict[str, Any] = {}
    with reading(path), zipfile.ZipFile(path) as archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        members = {name: member for name, member in members.items() if wanted is None or name in wanted}
        total = sum(member.file_size for member in members.values())
        if total > most:
            message = f"`{path.name}` holds {total:,} bytes once it is unpacked"
            raise data_error("D252", message, file=path, help=f"at most {most:,} are read of one file: cut it")
        for name, member in members.items():
            with archive.open(member) as stream:
                shape, fortran, dtype = read_header(stream)
                size = _declared(shape, dtype)
                if size > member.file_size:
                    message = f"`{name}` in `{path.name}` declares {size:,} bytes and holds {member.file_size:,}"
                    raise data_error("D252", message, file=path, help="it is damaged: fetch it again")
                data = stream.read(size)
                if len(data) != size:
                    raise EOFError(f"`{name}` ends after {len(data):,} bytes of {size:,}")
                found[name] = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return found


def map_npy(path: Path) -> Any:
    """The array of an .npy, memory-mapped.

    Raises:
        DiagnosticError: D104 it cannot be read, D252 it declares more than is there.
    """
    with reading(path):
        with path.open("rb") as stream:
            shape, fortran, dtype = read_header(stream)
            offset = stream.tell()
        there, size = path.stat().st_size - offset, _declared(shape, dtype)
        if size > there:
            message = f"`{path.name}` declares {size:,} bytes and holds {there:,}"
            raise data_error("D252", message, file=path, help="it is cut short: fetch it again")
        if not size:
            return np.empty(shape, dtype)
        return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, Any]:
    """Shape, whether columns come first, and dtype, off the head of an .npy; raises ValueError."""
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if any(length < 0 for length in shape):
        raise ValueError(f"a shape {shape}")
    return shape, fortran, dtype


def _declared(shape: tuple[int, ...], dtype: Any) -> int:
    size: int = dtype.itemsize
    for length in shape:
        size *= length
    return size
