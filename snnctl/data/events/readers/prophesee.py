"""Prophesee's files: DAT, and RAW in the encodings EVT 2.0 and EVT 3.0."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.data.events.readers.recording import Recording, Size, refuse_many
from snnctl.data.problems import data_error

_MOST_LINES = 1000
_ONES = np.array([number.bit_count() for number in range(1 << 12)], np.int64)


def read_dat(path: Path) -> Recording:
    """Events of 8 bytes: microseconds, then column (14 bits), row (14) and polarity.

    Raises:
        DiagnosticError: D105 it is no such file, D224 it is cut short, D252 it holds too many events.
    """
    said, start = _header(path)
    if not said:
        help = "files .dat begin with lines after %; AEDAT 1 (.dat of jAER) is to be saved as AEDAT 2"
        raise data_error("D105", f"`{path.name}` has no header of Prophesee's", file=path, help=help)
    with path.open("rb") as stream:
        stream.seek(start)
        kind = stream.read(2)
    version = said.get("version", "1").split()[0] if said.get("version", "1").split() else "1"
    if len(kind) < 2 or kind[1] != 8 or kind[0] not in (0x00, 0x0C):
        message = f"`{path.name}` holds no events of pixels (type {kind.hex() or 'missing'})"
        raise data_error("D105", message, file=path, help="it reads 2d and CD events of 8 bytes")
    if version != "2":
        message = f"`{path.name}` is DAT of version {version}, which is not read"
        raise data_error("D105", message, file=path, help="save it as version 2")
    size = path.stat().st_size - start - 2
    _whole(size, 8, path)
    words = np.fromfile(path, "<u4", offset=start + 2).reshape(-1, 2)
    data = words[:, 1].astype(np.int64)
    t = words[:, 0].astype(np.int64)
    t += np.cumsum(np.diff(t, prepend=t[:1]) < -(1 << 31)) << 32
    sensor = _size(said.get("height", ""), said.get("width", ""))
    return Recording(t, data & 0x3FFF, (data >> 14) & 0x3FFF, (data >> 28) & 1, None, "us", sensor)


def read_raw(path: Path) -> Recording:
    """EVT 2.0 or EVT 3.0, as the header says (`% evt 3.0`, or `% format EVT3;height=720;width=1280`).

    Raises:
        DiagnosticError: D105 another encoding, D224 it is cut short, D252 it holds too many events.
    """
    said, start = _header(path)
    form = said.get("format", "").lower().split(";")
    encoding = {"2.0": "evt2", "3.0": "evt3"}.get(said.get("evt", "").strip(), form[0].strip())
    if encoding not in ("evt2", "evt3") or any("endianness=big" in part for part in form):
        named = (
            f"`{said.get('evt') or said.get('format')}`" if said.get("evt") or form[0] else "no encoding in a header"
        )
        help = "it reads EVT 2.0 and EVT 3.0; others are converted by metavision_file_to_dat"
        raise data_error("D105", f"`{path.name}` has the encoding {named}, which is not read", file=path, help=help)
    parts = dict(part.strip().split("=", 1) for part in form[1:] if "=" in part)
    columns, _, rows = said.get("geometry", "").partition("x")
    sensor = _size(parts.get("height", rows), parts.get("width", columns))
    size = path.stat().st_size - start
    width = 4 if encoding == "evt2" else 2
    _whole(size, width, path)
    words = np.fromfile(path, f"<u{width}", offset=start)
    found = _evt2(words) if encoding == "evt2" else _evt3(words, path)
    return Recording(*found, None, "us", sensor)


def _evt2(words: Any) -> tuple[Any, Any, Any, Any]:
    """t, x, y, p of words of 32 bits: a type (4 bits), then a pixel with 6 bits of time, or the 28 bits above these."""
    kind, high_at = words >> np.uint32(28), np.flatnonzero(words >> np.uint32(28) == 8)
    highs = _unwrapped((words[high_at] & np.uint32(0xFFFFFFF)).astype(np.int64), 28)
    at = np.flatnonzero(kind <= 1)
    before = np.searchsorted(high_at, at) - 1
    at, before = at[before >= 0], before[before >= 0]  # nothing tells the time of what comes before the first
    data = words[at].astype(np.int64)
    t = (highs[before] << 6) | ((data >> 22) & 63)
    return t, (data >> 11) & 2047, data & 2047, kind[at].astype(np.int64)


def _evt3(words: Any, path: Path) -> tuple[Any, Any, Any, Any]:
    """t, x, y, p of words of 16 bits, each of which changes a state or tells pixels in it.

    Types: 0 row; 2 one pixel; 3 the first column and the polarity of a vector; 4 and 5 its next 12 or 8 pixels; 6 the
    lower and 8 the upper 12 bits of the time. The upper ones set the lower to 0 where they change.
    """
    kind, data = (words >> np.uint16(12)).astype(np.int8), (words & np.uint16(0xFFF)).astype(np.int32)
    vector = (kind == 4) | (kind == 5)
    mask = np.where(kind == 5, data & 0xFF, data)
    refuse_many(int((kind == 2).sum()) + int(_ONES[mask[vector]].sum()), path)
    # How far a vector has come since its base: what was told since, less what was told up to the base.
    told = np.cumsum(np.where(kind == 4, 12, np.where(kind == 5, 8, 0)))
    high_at, low_at, row_at, base_at = (np.flatnonzero(kind == number) for number in (8, 6, 0, 3))
    highs = _unwrapped(data[high_at].astype(np.int64), 12)
    changed = high_at[np.diff(highs, prepend=-1) != 0]

    def pixels(at: Any) -> tuple[Any, Any, Any]:
        """Those of `at` whose time and row are told, their times and rows."""
        high, low, row, change = (np.searchsorted(where, at) - 1 for where in (high_at, low_at, row_at, changed))
        kept = (high >= 0) & (row >= 0)
        at, high, low, row, change = at[kept], high[kept], low[kept], row[kept], change[kept]
        fresh = low >= 0
        fresh[fresh] = low_at[low[fresh]] > changed[change[fresh]]
        lows = np.zeros(len(at), np.int64)
        lows[fresh] = data[low_at[low[fresh]]]
        return at, (highs[high] << 12) | lows, (data[row_at[row]] & 2047).astype(np.int64)

    single, t, y = pixels(np.flatnonzero(kind == 2))
    alone = single, t, (data[single] & 2047).astype(np.int64), y, (data[single] >> 11).astype(np.int64)
    at, t, y = pixels(np.flatnonzero(vector & (mask != 0)))
    base = np.searchsorted(base_at, at) - 1
    at, t, y, base = at[base >= 0], t[base >= 0], y[base >= 0], base_at[base[base >= 0]]
    x = (data[base] & 2047) + told[at] - np.where(kind[at] == 4, 12, 8) - told[base]
    many, bit = np.nonzero((mask[at][:, None] >> np.arange(12)) & 1)
    spread = at[many], t[many], (x[many] + bit).astype(np.int64), y[many], (data[base] >> 11).astype(np.int64)[many]
    if not len(spread[0]) or not len(single):
        t, x, y, p = spread[1:] if len(spread[0]) else alone[1:]
        return t, x, y, p
    order = np.argsort(np.concatenate((alone[0], spread[0])), kind="stable")
    t, x, y, p = (np.concatenate(pair)[order] for pair in zip(alone[1:], spread[1:], strict=True))
    return t, x, y, p


def _unwrapped(high: Any, bits: int) -> Any:
    """The upper bits of a clock, which go on where it starts over: where they fall by half of their range or more."""
    over = np.diff(high, prepend=high[:1]) <= -(1 << (bits - 1))
    return high + (np.cumsum(over) << bits)


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Keys and values of the lines after % at the head of a file, and where they end; `evt` of `% evt 3.0` is 3.0."""
    said: dict[str, str] = {}
    start = 0
    with path.open("rb") as stream:
        for _ in range(_MOST_LINES):
            line = stream.readline(4096)
            text = line.decode("latin-1").rstrip("\r\n")
            if not text.startswith("% ") or not text.isprintable() or not line.endswith(b"\n"):
                break  # data may begin with the byte of % as well
            start += len(line)
            key, _, value = text[2:].strip().partition(" ")
            if key == "end":
                break
            said.setdefault(key.lower(), value.strip())
    return said, start


def _size(rows: str, columns: str) -> Size | None:
    if not (re.fullmatch(r"\d{1,5}", rows.strip()) and re.fullmatch(r"\d{1,5}", columns.strip())):
        return None
    return (int(rows), int(columns)) if int(rows) and int(columns) else None


def _whole(size: int, width: int, path: Path) -> None:
    if size % width:
        message = f"`{path.name}` has {size:,} bytes after its header: no words of {width} bytes each"
        raise data_error("D224", message, file=path, help="it is cut short: fetch it again")
    refuse_many(size // width if width > 2 else 0, path)  # words of two bytes are counted by their kind
