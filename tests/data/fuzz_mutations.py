"""Ways to damage a file, each a pure function of a random generator and of what the file holds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random

Mutation = Callable[[Random, bytes], bytes]

_EXTREMES = (0, 1, -1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 1 << 16, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_WIDE = (*_EXTREMES, 1 << 33, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_NUMBERS = (b"0", b"-1", b"1e999", b"-1e999", b"nan", b"inf", b"9" * 25, b"9" * 5000, b"1e308", b"0x10", b"1_000", b"")
_WORDS = (
    *_NUMBERS,
    *(b'"', b'""', b"'", b"\\", b"\0", b"\r", b"\n", b"\x1a", b"None", b"True", b"[]", b"{}", b"[" * 3000, b"{" * 3000),
    *("\u0661\u0662".encode(), "\ufeff".encode(), "\u2028".encode(), b"\xff", b"\xc3", b"x" * 200_000, b",;\t" * 50),
    *(b'"\\ud800"', b"1" + b"0" * 400, b"NaN", b"Infinity", b"2020-13-45", b"9999-12-31 23:59:59", b"0000-00-00"),
)
_ENCODINGS = ("utf-16", "utf-32", "utf-8-sig", "cp037", "utf-7")
_DTYPES = (
    *("O", "<c16", "|b1", "|V8", "<M8[ns]", "<m8[s]", "|S5", "<U3", ">f8", "<f2", "<f4", "|u1", "|i1", "<u8", "<g"),
    *("<i4", "|V0", "|S0", "<U1000000000", "[('a', '<f8')]", "[('a', '|O')]", "('<f8', (1000, 1000))", "('<f8', (0,))"),
)
_SHAPES = (
    *("()", "(0,)", "(0, 3)", "(3, 0)", "(-1,)", "(1000000000000,)", "(60, 3, 1)", "(True,)", "(1.5,)", "None", "'ab'"),
    *(
        "(99999999999999999999,)",
        "(4294967296, 4294967296)",
        "(1,) * 40",
        f"({'1, ' * 70})",
        "(2147483648, 0)",
        "(180,)",
    ),
    f"{'(' * 150}{')' * 150}",
)


def _span(random: Random, data: bytes, most: int = 4096) -> tuple[int, int]:
    first = random.randrange(len(data) + 1)
    return first, min(len(data), first + random.choice((1, 2, 4, 8, 16, 64, 512, most)))


def _place(random: Random, data: bytes) -> int:
    """Rather at the beginning or the end, where headers and directories are."""
    where = random.random()
    if where < 0.5:
        return random.randrange(min(len(data), 256))
    if where < 0.7:
        return max(0, len(data) - 1 - random.randrange(min(len(data), 256)))
    return random.randrange(len(data))


def flip_bits(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        changed[_place(random, data)] ^= 1 << random.randrange(8)
    return bytes(changed)


def set_bytes(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 4, 16))):
        changed[_place(random, data)] = random.choice((0, 0xFF, 0x7F, random.randrange(256)))
    return bytes(changed)


def set_number(random: Random, data: bytes) -> bytes:
    """A whole number of 1 to 8 bytes becomes an extreme one."""
    width, order = random.choice((1, 2, 4, 8)), random.choice(("little", "big"))
    at = _place(random, data) // width * width
    value = random.choice(_WIDE) % (1 << 8 * width)
    return data[:at] + value.to_bytes(width, order) + data[at + width :]  # type: ignore[arg-type]


def truncate(random: Random, data: bytes) -> bytes:
    return data[: random.choice((_place(random, data), len(data) // 2, len(data) - 1))]


def prolong(random: Random, data: bytes) -> bytes:
    return data + random.choice((data, b"\0" * 512, random.randbytes(64), b"\n", b"\xff"))


def repeat_block(random: Random, data: bytes) -> bytes:
    first, last = _span(random, data)
    return data[:first] + data[first:last] * random.choice((2, 3, 50)) + data[last:]


def remove_block(random: Random, data: bytes) -> bytes:
    first, last = _span(random, data)
    return data[:first] + data[last:]


def swap_blocks(random: Random, data: bytes) -> bytes:
    a, b, c = sorted(random.randrange(len(data) + 1) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def fill_block(random: Random, data: bytes) -> bytes:
    first, last = _span(random, data)
    return data[:first] + random.choice((b"\0", b"\xff", b" ", b"9")) * (last - first) + data[last:]


def insert_word(random: Random, data: bytes) -> bytes:
    at = _place(random, data)
    return data[:at] + random.choice(_WORDS) + data[at:]


def replace_number(random: Random, data: bytes) -> bytes:
    """One number that stands as text becomes an odd one."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", data[:20_000]))
    if not found:
        return insert_word(random, data)
    match = random.choice(found)
    return data[: match.start()] + random.choice(_NUMBERS) + data[match.end() :]


def replace_word(random: Random, data: bytes) -> bytes:
    found = list(re.finditer(rb"[^\s,;\"]+", data[:20_000]))
    if not found:
        return insert_word(random, data)
    match = random.choice(found)
    return data[: match.start()] + random.choice(_WORDS) + data[match.end() :]


def change_lines(random: Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    how = random.randrange(5)
    if how == 0:
        lines[at] = lines[other]
    elif how == 1:
        del lines[at]
    elif how == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif how == 3:
        lines[at] += random.choice(_WORDS)
    else:
        return random.choice((b"\r", b"\r\n", b"\n\n", b"")).join(lines)
    return b"\n".join(lines)


def other_encoding(random: Random, data: bytes) -> bytes:
    return data.decode("latin-1").encode(random.choice(_ENCODINGS), "replace")


def nothing(random: Random, data: bytes) -> bytes:
    return random.choice((b"", b"\n", b"\0" * len(data), random.randbytes(len(data)), b" "))


_PLAIN: tuple[Mutation, ...] = (
    *(flip_bits, set_bytes, set_number, set_number, truncate, prolong, repeat_block, remove_block, swap_blocks),
    *(fill_block, insert_word, nothing),
)
_TEXT: tuple[Mutation, ...] = (replace_number, replace_word, change_lines, other_encoding, insert_word)


def numpy_header(random: Random, data: bytes) -> bytes:
    """Another type or shape, in a header that is whole."""
    (length,) = struct.unpack("<H", data[8:10])
    text, body = data[10 : 10 + length].decode("latin-1"), data[10 + length :]
    how = random.randrange(4)
    if how == 0:
        kind = random.choice(_DTYPES)
        text = re.sub(r"'descr': '[^']*'", lambda _: f"'descr': {kind if kind[0] in '[(' else repr(kind)}", text)
    elif how == 1:
        text = re.sub(r"'shape': \([^)]*\)", lambda _: f"'shape': {random.choice(_SHAPES)}", text)
    elif how == 2:
        text = text.replace("False", random.choice(("True", "None", "1", "[]")))
    else:
        text = random.choice(("{}", "1", "(" * 9000, "-" * 9000 + "1", "{'descr': 1}", "a b", "[" * 60_000, "'" * 3))
    text += "\n"
    return data[:6] + b"\x01\x00" + struct.pack("<H", len(text) % 65536) + text.encode("latin-1") + body


def png_header(random: Random, data: bytes) -> bytes:
    """A field of the header of a PNG is another one, and its checksum is right."""
    at, fields = data.index(b"IHDR"), bytearray(data[16:29])
    if random.random() < 0.7:
        fields[(side := 4 * random.randrange(2)) : side + 4] = struct.pack(">I", random.choice(_EXTREMES) % (1 << 32))
    else:
        fields[8 + random.randrange(5)] = random.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
    chunk = b"IHDR" + bytes(fields)
    return data[:at] + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[at + 21 :]


def _inside_zip(random: Random, data: bytes) -> bytes:
    """One member is damaged and the archive is sound; or members are renamed, repeated or removed."""
    with zipfile.ZipFile(io.BytesIO(data)) as pack:
        members = [(info.filename, pack.read(info), info.compress_type) for info in pack.infolist()]
    at = random.randrange(len(members))
    name, content, kind = members[at]
    how = random.random()
    if how < 0.8:
        members[at] = name, mutated(random, name, content), kind
    elif how < 0.9:
        members[at] = random.choice(("a.npy", "../a.npy", "/a.npy", ".npy", "a", "a/", "\u00e9.npy")), content, kind
    else:
        del members[at]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as pack:
        for name, content, kind in members:
            pack.writestr(zipfile.ZipInfo(name), content, kind)
    return made.getvalue()


def _inside(unpack: Callable[[bytes], bytes], pack: Callable[[bytes], bytes]) -> Mutation:
    """What is packed is damaged, and packed again soundly."""

    def mutate(random: Random, data: bytes) -> bytes:
        return pack(_one_of(random, unpack(data), _PLAIN + _TEXT))

    return mutate


def mutated(random: Random, name: str, data: bytes) -> bytes:
    """`data` damaged in one to three ways that fit a file of this name."""
    ways: list[Mutation] = [*_PLAIN]
    own: Mutation | None = None
    if data[:6] == b"\x93NUMPY":
        own = numpy_header
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        own = png_header
    elif data[:2] == b"PK":
        own = _inside_zip
    elif data[:2] == b"\x1f\x8b":
        own = _inside(gzip.decompress, lambda raw: gzip.compress(raw, mtime=0))
    elif data[:3] == b"BZh":
        own = _inside(bz2.decompress, bz2.compress)
    elif data[:6] == b"\xfd7zXZ\0":
        own = _inside(lzma.decompress, lzma.compress)
    elif b"\0" not in data[:4096]:
        ways = [*_PLAIN, *_TEXT, *_TEXT]
    if own is not None and random.random() < 0.5:
        return own(random, data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        data = _one_of(random, data, ways)
    return data


def _one_of(random: Random, data: bytes, ways: tuple[Mutation, ...] | list[Mutation]) -> bytes:
    return random.choice(ways)(random, data) if data else data
