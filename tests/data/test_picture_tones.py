"""Pictures as they come: depth, transparency, palettes, turns, frames; the same data as from any viewer, or said."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture

from snnctl.cli.app import run
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.shapes import ShapeError
from snnctl.data.decoding import Decoder
from snnctl.data.images.component import Image
from snnctl.data.pictures import Shape
from snnctl.data.tones import Tones


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "snnctl"


def bars(count: int = 12, seed: int = 0) -> list[tuple[Any, int]]:
    """Bars of ones on zeros, [16, 16], upright of class 0 and lying of class 1."""
    random = np.random.default_rng(seed)
    made = []
    for label in np.arange(count) % 2:
        bar, place = np.zeros((16, 16)), int(random.integers(3, 12))
        bar[(slice(None), slice(place - 2, place + 2))[:: -1 if label else 1]] = 1
        made.append((bar, int(label)))
    return made


def laid(folder: Path, draw: Callable[[Any], Any], suffix: str = ".png", **saving: Any) -> Path:
    """`folder/cK/N.png` of what `draw` makes of each bar."""
    for number, (bar, label) in enumerate(bars()):
        path = folder / f"c{label}" / f"{number}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(bar).save(path, **saving)
    return folder


def stored(folder: Path, **knobs: Any) -> tuple[Any, Any]:
    """The decoded pictures in the order of their bars, and the data."""
    data = Image(source=str(folder), val=2, test=2, **knobs).load()
    return np.asarray(data.store.images["all"]), data


def in_order(pixels: Any) -> Any:
    """From the order of files (c0/0, c0/10, c0/2 ...) to that of the bars."""
    names = sorted((f"c{label}", f"{number}.") for number, (_, label) in enumerate(bars()))
    return pixels[np.argsort([int(name[:-1]) for _, name in names])]


def codes(data: Any) -> list[str]:
    return [warning.code for warning in data.warnings]


def problem(call: Any) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        call()
    assert caught.value.exit_code == 3
    return caught.value.diagnostics[0]


def decoded(picture: Any, tones: Tones | None = None, format: str = "PNG", **saving: Any) -> Any:
    stream = io.BytesIO()
    picture.save(stream, format, **saving)
    return Decoder(Shape(), tones or Tones())(stream.getvalue(), "x")


def test_sixteen_bits_go_by_their_depth_and_a_sliver_is_said(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 200, (16, 16))

    def deep(bar: Any) -> Any:
        return Picture.fromarray((600 + 4000 * bar + noise).astype(np.uint16))

    folder = laid(tmp_path / "deep", deep)
    pixels, data = stored(folder)
    wanted = np.stack([600 + 4000 * bar + noise for bar, _ in bars()])
    np.testing.assert_array_equal(in_order(pixels)[..., 0], np.rint(wanted / 65535 * 255))
    assert codes(data)[0] == "D262"
    said = data.warnings[0]
    assert (said.severity, said.path) == ("warning", "data.range")
    assert f"[{wanted.min():g}, {wanted.max():g}]" in said.help
    facts = data.facts()
    assert (facts["modes"], facts["depths"], facts["sizes"]) == ({"I;16": 12}, {"16": 12}, {"16x16": 12})
    assert facts["values"] == [wanted.min(), wanted.max()]

    ranged, data = stored(folder, range=[600, 4800])
    expected = np.rint(np.clip((wanted - 600) / 4200, 0, 1) * 255)
    np.testing.assert_array_equal(in_order(ranged)[..., 0], expected)
    assert "D262" not in codes(data)


def test_transparent_pictures_lie_on_a_ground(tmp_path: Path) -> None:
    def ink(bar: Any) -> Any:
        none = np.zeros_like(bar, np.uint8)
        return Picture.fromarray(np.stack([none, none, none, (255 * bar).astype(np.uint8)], -1))

    folder = laid(tmp_path / "ink", ink)
    pixels, data = stored(folder)
    wanted = np.stack([255 * (1 - bar) for bar, _ in bars()])
    np.testing.assert_array_equal(in_order(pixels), np.repeat(wanted[..., None], 3, -1))
    assert codes(data)[0] == "D263"
    assert "laid on white: 12 (`" in data.warnings[0].message
    assert (data.facts()["changed"], data.facts()["ground"]) == ({"transparent": 12}, "white")
    white, data = stored(folder, ground="white")
    np.testing.assert_array_equal(white, pixels)
    assert "D263" not in codes(data)
    grey, _ = stored(folder, ground="grey")
    np.testing.assert_array_equal(np.unique(grey), [0, 128])
    for ground in ("black", "none"):  # ink on black, and what was read before: nothing
        flat = problem(lambda ground=ground: stored(folder, ground=ground))
        assert (flat.code, "data.ground" in flat.help) == ("D265", True)


def test_pictures_that_are_opaque_or_plain_are_as_pillow_has_them() -> None:
    random = np.random.default_rng(0)
    colour = random.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    opaque = np.concatenate((colour, np.full((9, 7, 1), 255, np.uint8)), -1)
    np.testing.assert_array_equal(decoded(Picture.fromarray(colour)), colour)
    np.testing.assert_array_equal(decoded(Picture.fromarray(opaque)), colour)
    np.testing.assert_array_equal(decoded(Picture.fromarray(colour[..., 0])), colour[..., :1])
    bits = Picture.fromarray(colour[..., 0] > 99)
    np.testing.assert_array_equal(decoded(bits)[..., 0], np.where(colour[..., 0] > 99, 255, 0))
    palette = Picture.fromarray(colour).quantize(16)
    np.testing.assert_array_equal(decoded(palette), np.asarray(palette.convert("RGB")))
    cmyk = Picture.fromarray(colour).convert("CMYK")
    jpeg = io.BytesIO()
    cmyk.save(jpeg, "JPEG", quality=95)
    found = Decoder(Shape(), Tones())(jpeg.getvalue(), "x")
    assert np.abs(found.astype(int) - np.asarray(Picture.open(jpeg).convert("RGB"))).max() == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 255), st.integers(0, 255), st.sampled_from(["white", "black", "grey"]))
def test_composition_by_hand(tone: int, alpha: int, ground: Any) -> None:
    below = {"white": 255, "black": 0, "grey": 128}[ground]
    wanted = (alpha * tone + (255 - alpha) * below) / 255
    grey = Picture.fromarray(np.array([[[tone, alpha]]], np.uint8))
    colour = Picture.fromarray(np.array([[[tone, tone, tone, alpha]]], np.uint8))
    assert decoded(grey, Tones(ground)).shape == (1, 1, 1)
    assert decoded(colour, Tones(ground)).shape == (1, 1, 3)
    assert abs(float(decoded(grey, Tones(ground))[0, 0, 0]) - wanted) <= 1
    assert np.abs(decoded(colour, Tones(ground)) - wanted).max() <= 1


def test_transparency_of_palettes_and_of_single_values() -> None:
    palette = Picture.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putpixel((1, 0), 1)
    assert decoded(palette, Tones("black"), transparency=0).tolist() == [[[0, 0, 0], [200, 100, 50]]]
    assert decoded(palette, Tones("none"), transparency=0).tolist() == [[[10, 20, 30], [200, 100, 50]]]
    assert decoded(palette, Tones("white"), "GIF", transparency=1).tolist() == [[[10, 20, 30], [255, 255, 255]]]
    grey = Picture.fromarray(np.array([[7, 90]], np.uint8))
    assert decoded(grey, Tones("white"), transparency=7)[..., 0].tolist() == [[255, 90]]
    deep = Picture.fromarray(np.array([[700, 65535]], np.uint16))
    assert decoded(deep, Tones("grey"), transparency=700)[..., 0].tolist() == [[128, 255]]


@pytest.mark.parametrize("kind", ["<u2", ">u2"])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_every_way_of_sixteen_bits(kind: str, format: str) -> None:
    values = np.array([[0, 257, 32768, 65535]], kind)
    if kind == ">u2" and format != "TIFF":
        pytest.skip("its files have one order of bytes")
    mode = "I;16B" if kind == ">u2" else "I;16"
    picture = Picture.frombytes(mode, (4, 1), values.tobytes())
    assert decoded(picture, format=format)[0, :, 0].tolist() == [0, 1, 128, 255]
    assert decoded(picture, Tones(range=[0, 514]), format)[0, :, 0].tolist() == [0, 128, 255, 255]


def tiff(values: Any, bits: int, sample: int = 1) -> bytes:
    """A grey TIFF of one strip, written by hand: `bits` a value, packed; sample 1 unsigned, 2 signed, 3 real."""
    rows, columns = values.shape
    if bits == 12:
        strip = b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in values.reshape(-1, 2).tolist())
    else:
        strip = values.tobytes()
    tags = {256: columns, 257: rows, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: rows, 279: len(strip), 339: sample}
    table = b"".join(
        tag.to_bytes(2, "little") + b"\x04\x00\x01\x00\x00\x00" + value.to_bytes(4, "little")
        for tag, value in tags.items()
    )
    start = 8 + len(strip)
    return (
        b"II*\x00" + start.to_bytes(4, "little") + strip + len(tags).to_bytes(2, "little") + table + b"\x00\x00\x00\x00"
    )


def test_twelve_bits_signed_numbers_and_fractions() -> None:
    read = Decoder(Shape(), Tones())
    assert read(tiff(np.array([[0, 2048], [4095, 16]]), 12), "x")[..., 0].tolist() == [[0, 128], [255, 1]]
    assert read.findings()["depths"] == {"12": 1}
    fractions = np.array([[0.0, 0.25], [0.5, 1.0]], np.float32)
    assert read(tiff(fractions, 32, 3), "x")[..., 0].tolist() == [[0, 64], [128, 255]]
    for values in (fractions - 0.5, fractions * 4095, fractions * np.float32("nan")):
        assert problem(lambda values=values: read(tiff(values, 32, 3), "x")).code == "D261"
    signed = np.array([[-100, 0], [50, 100]], np.int16)
    said = problem(lambda: read(tiff(signed, 16, 2), "x"))
    assert (said.code, "`data.range: [lowest, highest]`, such as [-100, 100]" in said.help) == ("D261", True)
    ranged = Decoder(Shape(), Tones(range=[-100, 100]))
    assert ranged(tiff(signed, 16, 2), "x")[..., 0].tolist() == [[0, 128], [191, 255]]


def test_a_range_of_eight_bits_and_of_colours() -> None:
    colour = np.array([[[10, 20, 30], [60, 70, 80]]], np.uint8)
    wanted = np.rint(np.clip((colour - 20.0) / 50, 0, 1) * 255).tolist()
    assert decoded(Picture.fromarray(colour), Tones(range=[20, 70])).tolist() == wanted
    clear = np.concatenate((colour, np.array([[[255], [0]]], np.uint8)), -1)
    assert decoded(Picture.fromarray(clear), Tones("grey", [20, 70])).tolist() == [[wanted[0][0], [128] * 3]]


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_turned_as_exif_says(turn: int, format: str) -> None:
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :8], upright[8:, :8] = 255, 120
    back = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[turn]
    exif = Picture.Exif()
    exif[274] = turn
    saving = {"quality": 95} if format != "WEBP" else {"lossless": True}
    read = Decoder(Shape(channels=1), Tones())
    stream = io.BytesIO()
    Picture.fromarray(np.ascontiguousarray(back)).save(stream, format, exif=exif, **saving)
    found = read(stream.getvalue(), "x")[..., 0]
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).max() < 12
    assert read.findings()["changed"].get("turned", 0) == (turn != 1)


def test_the_first_of_several_frames_and_that_it_is_said(tmp_path: Path) -> None:
    def two(bar: Any) -> Any:
        return Picture.fromarray((200 * bar).astype(np.uint8))

    other = Picture.fromarray(np.full((16, 16), 77, np.uint8))
    for suffix, saving in ((".gif", {}), (".tiff", {}), (".png", {}), (".webp", {"lossless": True})):
        folder = laid(tmp_path / suffix[1:], two, suffix, save_all=True, append_images=[other], **saving)
        pixels, data = stored(folder, channels=1)
        np.testing.assert_array_equal(in_order(pixels)[..., 0], np.stack([200 * bar for bar, _ in bars()]))
        assert codes(data)[0] == "D264"
        assert "the first is read: 12 (`" in data.warnings[0].message


def test_arrays_by_their_type(tmp_path: Path) -> None:
    images = np.stack([bar for bar, _ in bars()])
    labels = np.array([label for _, label in bars()])

    def found(array: Any, **knobs: Any) -> Any:
        np.savez(tmp_path / "set.npz", images=array, labels=labels)
        return stored(tmp_path / "set.npz", **knobs)[0][..., 0]

    np.testing.assert_array_equal(found((60000 * images).astype(np.uint16)), np.rint(images * 60000 / 65535 * 255))
    np.testing.assert_array_equal(found((200 * images).astype(np.uint16)), 200 * images)  # 8 bits in 16
    np.testing.assert_array_equal(found((200 * images).astype(np.int64)), 200 * images)
    np.testing.assert_array_equal(found(images.astype(bool)), 255 * images)
    np.testing.assert_array_equal(found(images * 0.5, range=[0, 1]), np.rint(images * 127.5))
    np.testing.assert_array_equal(found(images * 2 - 1, range=[-1, 1]), 255 * images)
    np.testing.assert_array_equal(found((4095 * images).astype(np.int32), range=[0, 4095]), 255 * images)
    assert problem(lambda: found((4095 * images).astype(np.int32))).code == "D261"
    assert problem(lambda: found(images * 0.5)).code == "D202"
    assert problem(lambda: found(images - 1)).code == "D202"
    assert problem(lambda: found(images * 1j)).code == "D202"
    assert problem(lambda: found(np.stack([images] * 3, 1))).code == "D222"


def test_parts_of_arrays_are_scaled_alike(tmp_path: Path) -> None:
    images = np.stack([bar for bar, _ in bars()])
    labels = np.array([label for _, label in bars()])
    deep, faint = (60000 * images).astype(np.uint16), (250 * images).astype(np.uint16)
    np.savez(tmp_path / "set.npz", train_x=deep, train_y=labels, test_x=faint, test_y=labels)
    data = Image(source=str(tmp_path / "set.npz"), val=2).load()
    assert np.asarray(data.store.images["test"]).max() == 1  # of 65535, as train


def test_classes_of_large_numbers_are_mapped(tmp_path: Path) -> None:
    images = np.stack([(200 * bar).astype(np.uint8) for bar, _ in bars()])
    labels = np.array([10**12 + 5 * label for _, label in bars()])
    np.savez(tmp_path / "set.npz", images=images, labels=labels)
    _, data = stored(tmp_path / "set.npz")
    assert data.class_names == ("1000000000000", "1000000000005")
    assert np.unique(np.asarray(data.store.labels["all"])).tolist() == [0, 1]
    np.savez(tmp_path / "set.npz", images=images, labels=np.zeros(len(images), int))
    assert problem(lambda: stored(tmp_path / "set.npz")).code == "D213"
    np.savez(tmp_path / "set.npz", images=images, labels=np.where(np.arange(12) % 3, 1, -1))
    assert "-1 marks items without a class" in problem(lambda: stored(tmp_path / "set.npz")).help


def test_flat_pictures_are_refused(tmp_path: Path) -> None:
    folder = laid(tmp_path / "flat", lambda bar: Picture.new("RGB", (8, 8), (3, 4, 5)))
    flat = problem(lambda: stored(folder))
    assert (flat.code, flat.message) == ("D265", "all pixels of all pictures of train are alike (3 x 4 x 5)")
    deep = laid(tmp_path / "deep", lambda bar: Picture.fromarray((3 * bar).astype(np.uint16)))
    faint = problem(lambda: stored(deep))
    assert (faint.code, "values are 0 to 3: set `data.range`" in faint.help) == ("D265", True)
    pixels, _ = stored(deep, range=[0, 3])
    assert np.unique(pixels).tolist() == [0, 255]


def damaged() -> dict[str, bytes]:
    """Pictures that are cut short, lie, or are none."""
    noise = Picture.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    made = {}
    for format in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM"):
        stream = io.BytesIO()
        noise.save(stream, format)
        made[f"half.{format}"] = stream.getvalue()[: len(stream.getvalue()) // 2]
        made[f"head.{format}"] = stream.getvalue()[:20]
    png = io.BytesIO()
    noise.save(png, "PNG")
    raw = bytearray(png.getvalue())
    raw[60] ^= 0xFF
    made["flipped.PNG"] = bytes(raw)
    made["script"] = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n"
    made["nothing"] = b""
    return made


@pytest.mark.parametrize("name", damaged())
def test_damaged_pictures(name: str) -> None:
    assert problem(lambda: Decoder(Shape(), Tones())(damaged()[name], name)).code == "D220"


def test_pictures_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def header(rows: int, columns: int) -> bytes:
        return b"P5 %d %d 255\n" % (columns, rows)

    read = Decoder(Shape(), Tones())
    for rows, columns in ((20_000, 8_000), (1 << 20, 1 << 20)):
        said = problem(lambda rows=rows, columns=columns: read(header(rows, columns), "x"))
        assert said.code == "D260"
    monkeypatch.setattr("snnctl.data.decoding.MOST_BYTES", 10)
    (tmp_path / "x.pgm").write_bytes(header(2, 2) + b"abcd")
    assert problem(lambda: read(tmp_path / "x.pgm", "x")).code == "D260"


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    laid(tmp_path / "deep", lambda bar: Picture.fromarray((600 + 4000 * bar).astype(np.uint16)))
    recipe = tmp_path / "recipe.yaml"
    text = f"data: {{type: image, source: {tmp_path}/deep, val: 2, test: 2, range: [600, 4600]}}\n"
    text += (
        "encoder: {type: patch_split, dim: 8, stages: 2, pools: [1, 2]}\nmodel: {type: spikformer, dim: 8, heads: 2}\n"
    )
    recipe.write_text(f"schema: 1\nname: deep\ntask: classification\n{text}readout: mean_linear\n")
    assert run(["data", "info", str(recipe), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["data"]
    assert (facts["pixel_range"], facts["range_given"], facts["values"]) == ([0, 255], [600, 4600], [600, 4600])
    (tmp_path / "deep" / "c0" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert run(["validate", str(recipe)]) == 3
    assert "D220" in capsys.readouterr().err


def test_knobs_that_have_no_say(tmp_path: Path) -> None:
    for knobs in ({"source": "mnist", "range": [0, 9]}, {"source": "./x.npz", "ground": "white"}):
        with pytest.raises(ShapeError, match="has no say"):
            Image(**knobs)
    with pytest.raises(ShapeError, match="lowest, highest"):
        Image(source="./x", range=[5, 5])


def deep_png(samples: Any, kind: int) -> bytes:
    """A PNG of 16 bits a sample [H, W, bands], written by hand: kind 2 RGB, 4 grey with alpha, 6 RGB with alpha."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sixteen_bits_of_colour_and_of_alpha() -> None:
    """Pillow keeps the upper 8 bits of colours; a range is given in the units of the file nevertheless."""
    colour = np.array([[[0, 32896, 65535], [4096, 8192, 16384]]])
    read = Decoder(Shape(), Tones())
    np.testing.assert_array_equal(read(deep_png(colour, 2), "x"), colour >> 8)
    assert read.findings()["depths"] == {"16": 1}
    ranged = Decoder(Shape(), Tones(range=[0, 16448]))(deep_png(colour, 2), "x")
    assert np.abs(ranged - np.clip(colour / 16448 * 255, 0, 255)).max() <= 4
    half = np.array([[[65535, 65535], [65535, 0], [0, 32896]]])
    assert Decoder(Shape(), Tones("black"))(deep_png(half, 4), "x")[..., 0].tolist() == [[255, 0, 0]]
    both = np.concatenate((colour, np.array([[[65535], [0]]])), -1)
    assert Decoder(Shape(), Tones("white"))(deep_png(both, 6), "x").tolist() == [[[0, 128, 255], [255] * 3]]
