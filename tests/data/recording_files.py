"""Recordings in the formats in which event cameras pass them on, written event by event; the values are made up."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Events = tuple[Any, Any, Any, Any]  # t, x, y, p
US = 1_000_000


def events(count: int, size: tuple[int, int] = (128, 128), seconds: float = 1.0, seed: int = 0) -> Events:
    """Microseconds, columns, rows and polarities, in the order of time."""
    random = np.random.default_rng(seed)
    t = np.sort(random.integers(0, round(seconds * US), count))
    return t, random.integers(0, size[1], count), random.integers(0, size[0], count), random.integers(0, 2, count)


def spikes(folder: Path, change: Callable[[Any], Any], each: int = 12, units: int = 8) -> Path:
    """.npz with `t` and `unit` of two classes; `change` makes what is stored of seconds 0.1 to 0.9."""
    random = np.random.default_rng(0)
    for label in (0, 1):
        (folder / f"c{label}").mkdir(parents=True, exist_ok=True)
        for number in range(each):
            t = np.sort(random.uniform(0.1, 0.9, 60))
            unit = random.integers(0, units, 60) + units * label
            np.savez(folder / f"c{label}" / f"{number:02}.npz", t=change(t), unit=unit)
    return folder


def spikes_hdf5(path: Path, change: Callable[[Any], Any], recordings: int = 24) -> Path:
    """The layout of SHD with another kind of times."""
    random = np.random.default_rng(0)
    times = [change(np.sort(random.uniform(0.1, 0.9, 60))) for _ in range(recordings)]
    with h5py.File(path, "w") as file:
        for name, values in (("times", times), ("units", [np.arange(60, dtype=np.uint16) % 16] * recordings)):
            held = file.create_dataset(f"spikes/{name}", (recordings,), h5py.vlen_dtype(values[0].dtype))
            for number, one in enumerate(values):
                held[number] = one
        file["labels"] = np.arange(recordings, dtype=np.uint16) % 2
    return path


def aedat2(path: Path, found: Events, camera: str = "DVS128", other: Sequence[int] = ()) -> Path:
    """Addresses as jAER has them: rows from below, DVS128 and DAVIS with columns from the right.

    Args:
        other: addresses at time 5 before all events.
    """
    words = [(address, 5) for address in other]
    for t, x, y, p in zip(*(column.tolist() for column in found), strict=True):
        small, large = (127 - y) << 8 | (127 - x) << 1 | (1 - p), (179 - y) << 22 | (239 - x) << 12 | p << 11
        words.append((small if camera == "DVS128" else large, t & 0xFFFFFFFF))
    head = f"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n# AEChip: eu.seebetter.{camera}\r\n"
    path.write_bytes(head.encode() + b"".join(struct.pack(">II", *word) for word in words))
    return path


def packet3(kind: int, rows: Sequence[tuple[int, int]], overflow: int = 0, room: int = 0) -> bytes:
    """A packet of AEDAT 3.1 with events of two words; `room` more are unused."""
    head = struct.pack("<hhiiiiii", kind, 1, 8, 4, overflow, len(rows) + room, len(rows), len(rows))
    return head + b"".join(struct.pack("<Ii", *row) for row in rows) + bytes(8 * room)


def pixels3(found: Events, valid: int = 1) -> list[tuple[int, int]]:
    """Words of pixels: column, row, polarity and the bit of what is valid; then the time."""
    columns = (column.tolist() for column in found)
    return [(x << 17 | y << 2 | p << 1 | valid, t) for t, x, y, p in zip(*columns, strict=True)]


def aedat3(path: Path, packets: Sequence[bytes], form: str = "RAW") -> Path:
    head = f"#!AER-DAT3.1\r\n#Format: {form}\r\n#Source 1: DVS128\r\n#Start-Time: 2015-02-03\r\n#!END-HEADER\r\n"
    path.write_bytes(head.encode() + b"".join(packets))
    return path


def _table(fields: Sequence[tuple[str, Any]]) -> tuple[bytes, int, list[int]]:
    """A flatbuffer's head, where its table lies, and where its fields lie."""
    inline = 4
    places = []
    for form, _ in fields:
        width = struct.calcsize(form)
        inline += -inline % width
        places.append(inline)
        inline += width
    heading = struct.pack("<HH", 4 + 2 * len(fields), inline) + b"".join(struct.pack("<H", place) for place in places)
    root = 8 + len(heading) + (-(8 + len(heading)) % 8)
    return heading, root, places


def _flat(fields: Sequence[tuple[str, Any]], tail: bytes, identifier: bytes) -> bytes:
    """A flatbuffer with its size in front; the value None points to `tail`."""
    heading, root, places = _table(fields)
    end = root + max(place + struct.calcsize(form) for place, (form, _) in zip(places, fields, strict=True))
    end += (4 - end) % 8  # what follows the length of a vector lies on eight bytes
    data = bytearray(end)
    struct.pack_into("<I4s", data, 0, root, identifier)
    data[root - len(heading) : root] = heading
    struct.pack_into("<i", data, root, len(heading))
    for place, (form, value) in zip(places, fields, strict=True):
        struct.pack_into(form, data, root + place, end - root - place if value is None else value)
    return struct.pack("<I", len(data) + len(tail)) + bytes(data) + tail


def events4(found: Events) -> bytes:
    """A packet of events."""
    rows = b"".join(struct.pack("<qhhB3x", *row) for row in zip(*(column.tolist() for column in found), strict=True))
    return _flat([("<I", None)], struct.pack("<I", len(found[0])) + rows, b"EVTS")


def aedat4(
    path: Path, packets: Sequence[tuple[int, bytes]], codec: str = "", size: tuple[int, int] = (128, 128)
) -> Path:
    """Packets of streams: 0 holds events, 1 triggers."""
    import pyarrow as pa

    xml = (
        '<dv version="2.0"><node name="outInfo" path="/">'
        '<node name="0" path="/0/"><attr key="typeIdentifier" type="string">EVTS</attr>'
        f'<node name="info" path="/0/info/"><attr key="sizeX" type="int">{size[1]}</attr>'
        f'<attr key="sizeY" type="int">{size[0]}</attr></node></node>'
        '<node name="1" path="/1/"><attr key="typeIdentifier" type="string">TRIG</attr></node></node></dv>'
    ).encode()
    kind = {"": 0, "lz4": 1, "zstd": 3}[codec]
    fields = [("<i", kind), ("<q", -1), ("<I", None)]
    data = b"#!AER-DAT4.0\r\n" + _flat(fields, struct.pack("<I", len(xml)) + xml + b"\0", b"IOHE")
    for stream, packet in packets:
        packed = pa.compress(packet, codec, asbytes=True) if codec else packet
        data += struct.pack("<ii", stream, len(packed)) + packed
    path.write_bytes(data)
    return path


def dat(path: Path, found: Events, size: tuple[int, int] | None = (128, 128)) -> Path:
    head = "% Data file containing CD events\n% Version 2\n"
    head += f"% Width {size[1]}\n% Height {size[0]}\n" if size else ""
    rows = zip(*(column.tolist() for column in found), strict=True)
    words = b"".join(struct.pack("<II", t & 0xFFFFFFFF, x | y << 14 | p << 28) for t, x, y, p in rows)
    path.write_bytes(head.encode() + bytes([0x0C, 8]) + words)
    return path


def evt2(path: Path, found: Events, size: tuple[int, int] = (720, 1280)) -> Path:
    words, high = [], -1
    for t, x, y, p in zip(*(column.tolist() for column in found), strict=True):
        if t >> 6 != high:
            high = t >> 6
            words.append(8 << 28 | high & 0xFFFFFFF)
        words.append(p << 28 | (t & 63) << 22 | x << 11 | y)
    head = f"% date 2026-01-01 00:00:00\n% evt 2.0\n% geometry {size[1]}x{size[0]}\n% end\n"
    path.write_bytes(head.encode() + np.array(words, "<u4").tobytes())
    return path


def evt3_words(found: Events) -> list[int]:
    """Rows, times and single pixels; pixels of one time, row and polarity side by side become vectors."""
    words, high, low, row = [], -1, -1, -1
    rows = list(zip(*(column.tolist() for column in found), strict=True))
    place = 0
    while place < len(rows):
        t, x, y, p = rows[place]
        if t >> 12 != high:
            high, low = t >> 12, -1
            words.append(8 << 12 | high & 0xFFF)
        if t & 0xFFF != low:
            low = t & 0xFFF
            words.append(6 << 12 | low)
        if y != row:
            row = y
            words.append(y)
        taken = [x]
        while place + len(taken) < len(rows):
            after = rows[place + len(taken)]
            if (after[0], after[2], after[3]) != (t, y, p) or not taken[-1] < after[1] < x + 32:
                break
            taken.append(after[1])
        if len(taken) == 1:
            words.append(2 << 12 | p << 11 | x)
        else:
            mask = sum(1 << (one - x) for one in taken)
            words.append(3 << 12 | p << 11 | x)
            words += [4 << 12 | mask & 0xFFF, 4 << 12 | mask >> 12 & 0xFFF, 5 << 12 | mask >> 24]
        place += len(taken)
    return words


def evt3(path: Path, words: Sequence[int], head: str = "% evt 3.0\n% geometry 1280x720\n% end\n") -> Path:
    path.write_bytes(head.encode() + np.array(words, "<u2").tobytes())
    return path


def gestures(folder: Path, users: int = 4, rows: int = 6) -> Path:
    """DVS128 Gesture as it is published: long recordings, a table of labels beside each, lists of trials."""
    folder.mkdir(parents=True)
    names = []
    for user in range(users):
        name = f"user{user + 1:02}_led"
        found = events(4000, seconds=rows, seed=user)
        aedat3(folder / f"{name}.aedat", [packet3(1, pixels3(found))])
        lines = [f"{row % 2 + 1},{row * US},{row * US + US // 2}" for row in range(rows)]
        (folder / f"{name}_labels.csv").write_text("class,startTime_usec,endTime_usec\n" + "\n".join(lines) + "\n")
        names.append(f"{name}.aedat")
    (folder / "trials_to_train.txt").write_text("\n".join(names[:-1]) + "\n")
    (folder / "trials_to_test.txt").write_text(names[-1] + "\n")
    return folder
