"""The lines of a text table, plain or gzipped: in its encoding, blank ones and comments left out."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.problems import data_error
from snnctl.data.series.readers.layout import COMMENT

_BAD_STREAM = (OSError, EOFError, zlib.error)
_WIDE = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_MOST_LINE = 1 << 26  # bytes of a line that is unpacked: a million columns of numbers have a third of it
_PIECE = 1 << 20
_MOST_WIDE = 1 << 30  # bytes of a packed file in UTF-16 or UTF-32, which is turned as a whole


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[IO[bytes]]:
    """The bytes of the file, as UTF-8 where its encoding spends more than one byte on a line's end."""
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as stream:
            if encoding.replace("_", "-").lower().startswith(("utf-16", "utf-32")):
                yield io.BytesIO(_whole(stream, path).decode(encoding).encode())
            else:
                yield stream  # type: ignore[misc]
    except UnicodeDecodeError as error:
        raise data_error(
            "D103", f"cannot be read as {encoding}: {error.reason}", file=path, path="data.encoding"
        ) from error
    except _BAD_STREAM as error:
        raise data_error("D104", f"cannot be read: {error}", file=path) from error


def encoding_of(path: Path, wanted: str) -> str:
    """The encoding that a recipe names, or that the first bytes do."""
    try:
        name = codecs.lookup(wanted).name
    except LookupError as error:
        help = "utf-8, latin-1, cp1252, utf-16, ..."
        raise data_error(
            "D103", f"there is no encoding `{wanted}`", file=path, path="data.encoding", help=help
        ) from error
    with open_text(path, "utf-8") as stream:
        start = stream.read(4)
    return next((found for mark, found in _WIDE.items() if start.startswith(mark)), name)


def _whole(stream: Any, path: Path) -> bytes:
    pieces, size = [], 0
    while piece := stream.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > _MOST_WIDE:
            message = f"it holds more than {_MOST_WIDE:,} bytes of UTF-16 or UTF-32"
            raise data_error("D104", message, file=path, help="save it as UTF-8")
    return b"".join(pieces)


def lines_of(stream: IO[bytes], path: Path, skip: list[int]) -> Iterator[tuple[int, bytes]]:
    """(physical line number, line) of lines that are neither blank nor comments; numbers of those go to `skip`."""
    packed = path.suffix.lower() == ".gz"
    for number, raw in enumerate(iter(partial(stream.readline, _MOST_LINE + 1), b"") if packed else stream, start=1):
        if packed and len(raw) > _MOST_LINE:  # of what is not packed the file itself is the bound
            message = f"line {number} has more than {_MOST_LINE:,} bytes"
            raise data_error("D104", message, file=path, line=number, help="expected rows of numbers, a line each")
        if b"\0" in raw:
            help = "expected text; see the formats in `snnctl show data timeseries`"
            raise data_error("D103", "the file is binary, not a text table", file=path, line=number, help=help)
        line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        if line.lstrip()[:1] == COMMENT.encode():
            skip.append(number)
        elif line.strip():
            yield number, line


def decode(raw: bytes, number: int, path: Path, encoding: str) -> str:
    name = "utf-8" if encoding.startswith(("utf-16", "utf-32")) else encoding
    try:
        return raw.decode(name).rstrip("\r\n")
    except UnicodeDecodeError as error:
        message = f"byte 0x{raw[error.start]:02x} is not {name.upper()} text"
        help = "set `data.encoding` (latin-1, cp1252, ...), or save the file as UTF-8"
        raise data_error("D103", message, file=path, line=number, help=help) from error


def undecodable(path: Path, encoding: str) -> Exception:
    """D103 with the line of the first byte that cannot be read."""
    with open_text(path, encoding) as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                decode(raw, number, path, encoding)
            except DiagnosticError as error:
                return error
    return data_error("D103", f"not {encoding.upper()} text", file=path, help="set `data.encoding`")


def line_of_row(path: Path, encoding: str, before: int, row: int) -> int:
    """Physical line number of a row."""
    with open_text(path, encoding) as stream:
        lines = lines_of(stream, path, [])
        return next((number for i, (number, _) in enumerate(lines) if i == row + before), 0)
