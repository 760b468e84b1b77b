"""AEDAT 4, the files of DV: packets of flatbuffers, each compressed by itself."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.data.events.readers.recording import Recording, Size, refuse_many
from snnctl.data.problems import data_error

_EVENT = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1"), ("unused", "V3")])
_CODECS = ("", "lz4", "lz4", "zstd", "zstd")
_MOST_HEADER = 1 << 24
_MOST_PACKET = 1 << 28  # bytes of one packet, unpacked
_PIECE = 1 << 18
# An element of the header's XML: a node opens, a node closes, or a value stands alone.
_NODE = re.compile(r'<node\s[^>]*?name="([^"]*)"[^>]*?(/?)>|(</node>)|<attr\s[^>]*?key="([^"]*)"[^>]*>([^<]*)</attr>')


def read_aedat4(path: Path, start: int) -> Recording:
    """The events of the first stream that is one of events.

    Args:
        start: of the header, after the line that tells the version.

    Raises:
        DiagnosticError: D105 an unknown compression, D224 it is damaged or holds no stream of events, D252 too many
            events.

    Source: the schemas `ioheader`, `event` and `packet` of dv-processing.
    """
    with path.open("rb") as stream:
        stream.seek(start)
        try:
            codec, table, streams = _header(stream.read(4), stream, path)
            wanted = min(streams)
            end = path.stat().st_size if table < 0 else min(table, path.stat().st_size)
            pieces = list(_packets(stream, wanted, codec, end, path))
        except (struct.error, ValueError, IndexError, OSError, EOFError, OverflowError) as error:
            raise _damaged(path, str(error).splitlines()[0] if str(error) else "it ends early") from error
    held = np.concatenate(pieces) if pieces else np.empty(0, _EVENT)
    x, y = held["x"].astype(np.int64), held["y"].astype(np.int64)
    return Recording(held["t"], x, y, (held["p"] != 0).astype(np.int64), None, "us", streams[wanted])


def _header(prefix: bytes, stream: Any, path: Path) -> tuple[str, int, dict[int, Size | None]]:
    """Codec, where the table of packets begins (-1 = there is none), and the streams of events with their sensor."""
    (length,) = struct.unpack("<I", prefix)
    if not 8 < length <= _MOST_HEADER:
        raise ValueError(f"a header of {length:,} bytes")
    data = stream.read(length)
    if len(data) != length:
        raise EOFError("the header ends early")
    number = _field(data, 0)
    kind = struct.unpack_from("<i", data, number)[0] if number else 0
    if not 0 <= kind < len(_CODECS):
        help = "save it with LZ4, ZSTD or none"
        raise data_error("D105", f"`{path.name}` has compression {kind}, which is not read", file=path, help=help)
    place, text = _field(data, 1), _field(data, 2)
    table = struct.unpack_from("<q", data, place)[0] if place else -1
    streams = _streams(_string(data, text) if text else "")
    if not streams:
        raise ValueError("no stream of events is in it")
    return _CODECS[kind], table, streams


def _streams(xml: str) -> dict[int, Size | None]:
    """Number of each stream of events, and rows and columns of its sensor."""
    values: dict[str, dict[str, str]] = {}
    nodes: list[str] = []
    for name, alone, closes, key, value in _NODE.findall(xml):
        if closes:
            nodes = nodes[:-1]
        elif key:
            stream = next((node for node in nodes if node.isdecimal()), "")
            values.setdefault(stream, {})[key] = value.strip()
        elif not alone:
            nodes.append(name)
    found: dict[int, Size | None] = {}
    for stream, said in values.items():
        if said.get("typeIdentifier") == "EVTS" and stream and len(stream) < 9:
            rows, columns = (said.get(key, "") for key in ("sizeY", "sizeX"))
            sized = rows.isdecimal() and columns.isdecimal() and len(rows + columns) < 12
            found[int(stream)] = (int(rows), int(columns)) if sized else None
    return found


def _packets(stream: Any, wanted: int, codec: str, end: int, path: Path) -> Iterator[Any]:
    """The events of each packet of one stream."""
    held = 0
    while (place := stream.tell()) < end:
        number, size = struct.unpack("<ii", stream.read(8))
        if size < 0 or place + 8 + size > end:
            raise ValueError(f"the packet at byte {place:,} has {size:,} bytes, more than are left")
        if number != wanted:
            stream.seek(size, 1)
            continue
        found = _events(_unpacked(stream.read(size), codec))
        held += len(found)
        refuse_many(held, path)
        yield found


def _unpacked(data: bytes, codec: str) -> bytes:
    if not codec:
        return data
    import pyarrow as pa

    found = bytearray()
    with pa.CompressedInputStream(pa.BufferReader(data), codec) as stream:
        while piece := stream.read(_PIECE):  # pyarrow sets aside all that is asked for
            found += piece
            if len(found) > _MOST_PACKET:
                raise ValueError(f"a packet of more than {_MOST_PACKET:,} bytes")
    return bytes(found)


def _events(packet: bytes) -> Any:
    """[n] `_EVENT` of a flatbuffer with its size in front."""
    (size,) = struct.unpack_from("<I", packet)
    data = memoryview(packet)[4 : 4 + size]
    if len(data) != size or bytes(data[4:8]) != b"EVTS":
        raise ValueError("a packet is no packet of events")
    place = _field(data, 0)
    if not place:
        return np.empty(0, _EVENT)
    first = place + struct.unpack_from("<I", data, place)[0]
    (count,) = struct.unpack_from("<I", data, first)
    if first + 4 + count * _EVENT.itemsize > len(data):
        raise ValueError(f"a packet declares {count:,} events, more than it holds")
    return np.frombuffer(data, _EVENT, count, first + 4)


def _field(data: Any, number: int) -> int:
    """Where field `number` of the root table lies; 0 = it is left out."""
    (root,) = struct.unpack_from("<I", data)
    (back,) = struct.unpack_from("<i", data, root)
    head = root - back
    if head < 0:
        raise ValueError("a table without its head")
    (length,) = struct.unpack_from("<H", data, head)
    if 4 + 2 * number >= length:
        return 0
    (offset,) = struct.unpack_from("<H", data, head + 4 + 2 * number)
    return root + offset if offset else 0


def _string(data: bytes, place: int) -> str:
    first = place + struct.unpack_from("<I", data, place)[0]
    (length,) = struct.unpack_from("<I", data, first)
    if first + 4 + length > len(data):
        raise ValueError("a text is longer than the header")
    return data[first + 4 : first + 4 + length].decode("utf-8", "replace")


def _damaged(path: Path, what: str) -> Exception:
    return data_error("D224", f"`{path.name}` cannot be read: {what}", file=path, help="it may be cut short")
