"""AEDAT, the files of iniVation's cameras: version 2 (jAER) and 3.1 (cAER); version 4 (DV) is in `aedat4`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.data.events.readers.aedat4 import read_aedat4
from snnctl.data.events.readers.recording import MOST_EVENTS, Recording, Size, refuse_many
from snnctl.data.problems import data_error

_MOST_HEADER = 1 << 20
_DVS128: Size = (128, 128)
_DAVIS = {"davis346": (260, 346), "davis640": (480, 640), "davis240": (180, 240), "davis208": (192, 208)}
_ADC, _OTHER = np.uint32(1 << 31), np.uint32(1 << 10)  # bits of what is no event of a DAVIS pixel
_HEADER = np.dtype(
    [
        *(("type", "<i2"), ("source", "<i2"), ("size", "<i4"), ("offset", "<i4"), ("overflow", "<i4")),
        *(("capacity", "<i4"), ("number", "<i4"), ("valid", "<i4")),
    ]
)
_POLARITY = 1  # type of the packets of pixels


def read_aedat(path: Path) -> Recording:
    """A recording in AEDAT 2, 3.1 or 4, told apart by its first line.

    Raises:
        DiagnosticError: D105 another version, D224 it is damaged, D252 it holds too many events.
    """
    with path.open("rb") as stream:
        first = stream.readline(64)
        match = re.fullmatch(rb"#!AER-DAT(\d)\.(\d)\r?\n?", first)
        if match is None:
            message = f"`{path.name}` does not begin with #!AER-DAT and a version"
            raise data_error("D105", message, file=path, help="it reads AEDAT 2, 3.1 and 4")
        version = f"{match[1].decode()}.{match[2].decode()}"
        if version == "4.0":
            return read_aedat4(path, len(first))
        if version not in ("2.0", "3.1"):
            message = f"`{path.name}` is AEDAT {version}, which is not read"
            raise data_error("D105", message, file=path, help="save it as AEDAT 2, 3.1 or 4, with jAER or DV")
        lines, start = [], len(first)
        while start < _MOST_HEADER:
            line = stream.readline(_MOST_HEADER)
            text = line.decode("latin-1").rstrip("\r\n")
            if not text.startswith("#") or not text.replace("\t", " ").isprintable() or not line.endswith(b"\n"):
                break  # data may begin with the byte of # as well
            start += len(line)
            lines.append(text)
            if text in ("#!END-HEADER", "#End Of ASCII Header"):
                break
    return _read_2(path, start, lines) if version == "2.0" else _read_3(path, start, lines)


def _read_2(path: Path, start: int, lines: list[str]) -> Recording:
    """Addresses and microseconds, 32 bits each, big-endian; pixels are turned so that they count from the upper left.

    A header that names no camera leaves it to the addresses: those of a DVS128 have 16 bits.
    """
    size = path.stat().st_size - start
    if size % 8:
        message = f"`{path.name}` has {size:,} bytes after its header: no events of eight bytes each"
        raise data_error("D224", message, file=path, help="it is cut short: fetch it again")
    refuse_many(size // 8, path)
    words = np.fromfile(path, ">u4", offset=start).astype(np.uint32).reshape(-1, 2)
    address, t = words[:, 0], _unwrapped(words[:, 1].astype(np.int64), 32)
    said = " ".join(lines).lower()
    camera = next((size for name, size in _DAVIS.items() if name in said), None)
    if camera is None and "dvs128" not in said and (address >> np.uint32(16)).any():
        camera = _DAVIS["davis240"]
    if camera is None:
        kept = address < 1 << 15  # bit 15 marks what comes from elsewhere
        address, t = address[kept].astype(np.int64), t[kept]
        return Recording(t, 127 - ((address >> 1) & 127), 127 - (address >> 8), 1 - (address & 1), None, "us", _DVS128)
    kept = (address & (_ADC | _OTHER)) == 0
    address, t = address[kept].astype(np.int64), t[kept]
    rows, columns = camera
    x, y = columns - 1 - ((address >> 12) & 1023), rows - 1 - ((address >> 22) & 511)
    return Recording(t, x, y, (address >> 11) & 1, None, "us", camera)


def _unwrapped(t: Any, bits: int) -> Any:
    """Times of a clock that starts over after 2^bits, which run on."""
    over = np.diff(t, prepend=t[:1]) < -(1 << (bits - 1))
    return t + (np.cumsum(over) << bits)


def _read_3(path: Path, start: int, lines: list[str]) -> Recording:
    """Packets, of which those of pixels count: events that are valid, times with the overflow of their packet."""
    form = next((line for line in lines if line.lower().startswith("#format:")), "#Format: RAW")
    if form.split(":", 1)[1].strip().upper() != "RAW":
        message = f"`{path.name}` is AEDAT 3.1 in the form{form.split(':', 1)[1]}, which is not read"
        raise data_error("D105", message, file=path, help="save it in the form RAW")
    raw = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
    pieces: list[Any] = []
    place, held = start, 0
    while place < len(raw):
        head = _packet(raw, place)
        if head is None:
            raise _cut_short(path, place)
        kind, size, offset, overflow, capacity, number = head
        count, body = number, place + _HEADER.itemsize
        if capacity != number and _packet(raw, body + number * size) is None:
            count = capacity  # what is not used is written as well
        place = body + count * size
        if place > len(raw):
            raise _cut_short(path, body)
        if kind != _POLARITY or not number:
            continue
        if size != 8 or offset != 4:
            raise data_error("D224", f"`{path.name}` has events of {size} bytes, not of 8", file=path)
        held += number
        refuse_many(held, path)
        words = raw[body : body + number * 8].view("<u4").reshape(-1, 2)
        kept = words[(words[:, 0] & 1) == 1]
        pieces.append((kept[:, 0], kept[:, 1].astype(np.int64) | (overflow << 31)))
    pieces.append((np.empty(0, np.uint32), np.empty(0, np.int64)))
    data, t = (np.concatenate(column) for column in zip(*pieces, strict=True))
    data = data.astype(np.int64)
    return Recording(t, data >> 17, (data >> 2) & 0x7FFF, (data >> 1) & 1, None, "us", _size_3(lines))


def _packet(raw: Any, place: int) -> tuple[int, int, int, int, int, int] | None:
    """Type, size, offset of times, overflow, capacity and number of the packet at `place`; None where none can be."""
    if place == len(raw):
        return (0, 1, 0, 0, 0, 0)
    if place + _HEADER.itemsize > len(raw):
        return None
    head = raw[place : place + _HEADER.itemsize].view(_HEADER)[0]
    found = tuple(int(head[name]) for name in ("type", "size", "offset", "overflow", "capacity", "number"))
    kind, size, offset, overflow, capacity, number = found
    sound = 0 <= kind < 1 << 15 and size > 0 and 0 <= offset <= size and overflow >= 0
    most = max(MOST_EVENTS, len(raw))
    return (kind, size, offset, overflow, capacity, number) if sound and 0 <= number <= capacity <= most else None


def _cut_short(path: Path, place: int) -> Exception:
    message = f"`{path.name}` has no whole packet at byte {place:,}"
    return data_error("D224", message, file=path, help="it is cut short or damaged: fetch it again")


def _size_3(lines: list[str]) -> Size | None:
    """Of the camera that the header names."""
    said = " ".join(lines).lower()
    return next((size for name, size in {"dvs128": _DVS128, **_DAVIS}.items() if name in said), None)
