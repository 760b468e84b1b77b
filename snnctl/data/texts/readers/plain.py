"""Bytes of text files as text: unpacked where they are packed, within bounds, in the encoding that they are in."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snnctl.data.problems import data_error, unreadable

PACKED: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_CHUNK = 1 << 20
# Texts shrink to a tenth, seldom to a fiftieth; what grows more than this was made to fill the memory.
_MOST_GROWTH = 200
_SURELY_FINE = 64 << 20
# The longer mark first: that of UTF-32 begins as that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ARCHIVES = (
    (0, b"PK\x03\x04", "a zip archive or a workbook", "unpack it and name the folder, or save the sheet as CSV"),
    (0, b"PK\x05\x06", "an empty zip archive", "unpack it and name the folder"),
    (0, b"7z\xbc\xaf", "a 7z archive", "unpack it and name the folder"),
    (0, b"Rar!", "a rar archive", "unpack it and name the folder"),
    (257, b"ustar", "a tar archive", "unpack it and name the folder"),
    (0, b"\xd0\xcf\x11\xe0", "an old workbook or document", "save the sheet as CSV"),
    (0, b"%PDF", "a PDF", "bring its text"),
    (0, b"SQLite format 3", "a database", "write the table as CSV"),
    (0, b"PAR1", "a Parquet table", "name it .parquet"),
    (0, b"\x1f\x8b", "packed by gzip", "name it .gz"),
    (0, b"BZh", "packed by bzip2", "name it .bz2"),
    (0, b"\xfd7zXZ", "packed by xz", "name it .xz"),
    (0, b"\x28\xb5\x2f\xfd", "packed by zstd", "unpack it"),
)


def suffix_of(path: Path) -> str:
    """The ending that tells the format, in lower case: .csv of reviews.csv.gz."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in PACKED else suffix


def read_lines(path: Path, encoding: str) -> list[str]:
    """All lines that are not blank. Only a line feed ends a line: in Latin-1 other characters may look like ends."""
    lines = read_text(path, encoding).split("\n")
    return [line.rstrip("\r") for line in lines if line.strip()]


def read_text(path: Path, encoding: str) -> str:
    """The whole file, without a byte-order mark; a mark says more of the encoding than `encoding` does.

    Raises:
        DiagnosticError: D103 no text in that encoding, D104 it cannot be read or unpacked, D105 it is an archive.
    """
    raw = _bytes(path)
    for at, begin, what, help in _ARCHIVES:
        if raw.startswith(begin, at):
            raise data_error("D105", f"this is {what}, and texts are read from text files", file=path, help=help)
    marked = next((name for mark, name in _MARKS if raw.startswith(mark)), "")
    text = decoded(raw, marked or encoding, path).removeprefix("\ufeff")
    if "\0" in text:
        message = f"this is not {marked or encoding} text: it holds characters without meaning (NUL)"
        help = "set `data.encoding`, for instance to utf-16-le" if text.count("\0") * 4 > len(text) else ""
        line = text.count("\n", 0, text.index("\0")) + 1
        raise data_error("D103", message, file=path, line=line, path="data.encoding", help=help)
    return text


def decoded(raw: bytes, encoding: str, path: Path) -> str:
    """`raw` as text; raises D103."""
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        help = "set `data.encoding`, for instance to latin-1" if encoding.lower().startswith("utf") else ""
        message = f"this is not {encoding} text"
        raise data_error("D103", message, file=path, line=line, path="data.encoding", help=help) from None
    except (LookupError, ValueError):  # no codec of that name, or one that is not for text
        help = "such as utf-8, latin-1, gb18030"
        raise data_error("D103", f"unknown encoding `{encoding}`", path="data.encoding", help=help) from None


def _bytes(path: Path) -> bytes:
    unpack = PACKED.get(path.suffix.lower())
    try:
        if unpack is None:
            return path.read_bytes()
        most = max(_SURELY_FINE, _MOST_GROWTH * path.stat().st_size)
        with unpack(path) as stream:
            return _bounded(stream, most, path)
    except (lzma.LZMAError, zlib.error, EOFError) as error:
        raise unreadable(path, "", error) from error
    except OSError as error:
        raise data_error("D104", f"cannot be read: {error.strerror or error}", file=path) from error
    except MemoryError as error:
        raise data_error("D104", "does not fit into memory", file=path) from error


def _bounded(stream: Any, most: int, path: Path) -> bytes:
    pieces, size = [], 0
    while chunk := stream.read(_CHUNK):
        pieces.append(chunk)
        size += len(chunk)
        if size > most:
            message = f"cannot be read: it unpacks to over {_MOST_GROWTH} times its size, as no text does"
            raise data_error("D104", message, file=path, help="unpack it by hand, if that is right")
    return b"".join(pieces)
