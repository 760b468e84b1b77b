"""Pictures become pixels of one kind, and what they were is counted and told."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, printable
from snnctl.data.pictures import Pixels, Shape, spelled
from snnctl.data.problems import data_error
from snnctl.data.tones import GREY, Tones, is_deep

MOST_PIXELS = 1 << 27  # of one picture: 134 million, more than a camera of 100 megapixels has
MOST_OF_A_CLIP = 1 << 29  # pixels of all frames of one animated picture
MOST_BYTES = 1 << 30  # of the file of one picture
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "PPM", "TIFF", "WEBP")
_ORIENTATION = 274  # the tag of EXIF
_TAGS = {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}  # where Pillow keeps what may hold it
_SLIVER = 32  # of 256 levels
_SHOWN = 12  # sizes
_LONGEST = 200


class Decoder:
    """From the bytes of a picture to uint8 pixels of the wanted size, channels and tones.

    Turned as EXIF says, the first of several frames, transparent ones on a ground, deep ones scaled.

    Args:
        shape: the size and channels that are wanted.
        tones: how values become 0..255.
    """

    def __init__(self, shape: Shape, tones: Tones) -> None:
        self.shape, self.tones = shape, tones
        self._counts: dict[str, Counter[str]] = {kind: Counter() for kind in ("modes", "depths", "sizes", "changed")}
        self._examples: dict[str, str] = {}
        self._span: tuple[float, float] | None = None  # of the values of deep pictures

    def __call__(self, data: bytes | Path | Any, name: str, file: Path | str = "") -> Pixels:
        """Pixels [H, W, C] of an encoded picture, of one in a file, or of one that Pillow has already opened.

        Args:
            name: what a message calls it.
            file: where it lies; "" = `name` says so.

        Raises:
            DiagnosticError: D220 it cannot be decoded, D260 it is absurdly large, D261 its values have no known range.
        """
        file = printable(str(file or name), _LONGEST)
        with _told(name, file):
            return self._pixels(_opened(data, name, file), name, file)

    def frames(self, path: Path, name: str) -> Pixels:
        """All frames [n, H, W, C] of an animated picture.

        Raises:
            DiagnosticError: as a call.
        """
        file = printable(str(path), _LONGEST)
        made = []
        with _told(name, file):
            picture = _opened(path, name, file)
            columns, rows = picture.size
            if picture.n_frames * rows * columns > MOST_OF_A_CLIP:
                raise too_large(name, f"{picture.n_frames:,} frames of {rows:,} x {columns:,} pixels", file)
            for number in range(picture.n_frames):
                picture.seek(number)
                # Of a palette Pillow gives the first frame alone, and the others in colour.
                own = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
                made.append(self._pixels(own, name, file))
            return np.stack(made)

    def _pixels(self, picture: Any, name: str, file: str) -> Pixels:
        pixels = np.asarray(self.shape.apply(self._plain(picture, name, file)), np.uint8)
        return pixels[..., None] if pixels.ndim == 2 else pixels

    def findings(self) -> dict[str, Any]:
        """What the pictures so far were, as a document: modes, depths, sizes, what was changed, values of deep ones."""
        found: dict[str, Any] = {kind: dict(counts.most_common()) for kind, counts in self._counts.items()}
        found |= {"examples": dict(self._examples), "ground": self.tones.ground, "range": self.tones.range}
        return found | {"values": self._span and list(self._span)}

    def _plain(self, picture: Any, name: str, file: str) -> Any:
        """A picture without depth, transparency and turn; one of 8 bits that has none of these as it is."""
        depth, mode, format = _depth(picture), picture.mode, picture.format
        if format != "MPO" and getattr(picture, "is_animated", False):  # the others of MPO are views of the first
            self._changed("first of several frames", name)
        turn = _turn(picture) if format == "TIFF" else 1  # Pillow turns these itself while it loads them
        picture.load()
        self._counts["modes"][mode] += 1
        self._counts["depths"][str(depth)] += 1
        self._counts["sizes"]["x".join(map(str, picture.size[::-1]))] += 1
        if format != "TIFF" and (turn := _turn(picture)) != 1:
            from PIL import ImageOps

            picture = ImageOps.exif_transpose(picture)
        if turn != 1:
            self._changed("turned", name)
        clear = picture.info.get("transparency")
        if is_deep(mode):
            picture = self._shallow(picture, depth, clear, name, file)
        elif picture.has_transparency_data:
            picture = picture.convert("LA" if mode in GREY else "RGBA")
        if mode in ("P", "PA", "CMYK"):
            self._changed({"CMYK": "from CMYK"}.get(mode, "from a palette"), name)
        if not is_deep(mode):
            picture = self.tones.stretched(picture, depth)
        if picture.mode not in ("LA", "RGBA"):
            return picture
        if picture.getchannel("A").getextrema()[0] == 255:
            return picture.convert("L" if picture.mode == "LA" else "RGB")
        self._changed("transparent", name)
        return self.tones.composed(picture)

    def _shallow(self, picture: Any, depth: int, clear: Any, name: str, file: str) -> Any:
        """A deep picture as L, or LA where one of its values stands for transparency."""
        from PIL import Image

        values = np.asarray(picture)
        low, high = float(values.min()), float(values.max())
        before = self._span or (low, high)
        self._span = (min(low, before[0]), max(high, before[1]))
        grey = Image.fromarray(self.tones.grey(values, depth, name, file))
        if isinstance(clear, int) and (values == clear).any():
            grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
        return grey

    def _changed(self, what: str, name: str) -> None:
        self._counts["changed"][what] += 1
        self._examples.setdefault(what, printable(name, _LONGEST))


@contextmanager
def _told(name: str, file: str) -> Iterator[None]:
    """What Pillow raises as D220 and D260; it stays silent."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, which `_opened` bounds, and of damaged tags
            yield
    except DiagnosticError:
        raise
    except Exception as error:  # readers of damaged files raise anything: struct.error, IndexError, MemoryError ...
        if type(error).__name__ == "DecompressionBombError":
            raise too_large(name, str(error), file) from error
        reason = str(error) or type(error).__name__
        raise data_error("D220", f"`{name}` is not a picture that can be read: {reason}", file=file) from error


def frame_count(path: Path, name: str) -> int:
    """How many frames a picture has; raises D220, D260."""
    file = printable(str(path), _LONGEST)
    with _told(name, file):
        return int(getattr(_opened(path, name, file), "n_frames", 1))


def _opened(data: bytes | Path | Any, name: str, file: str) -> Any:
    """A picture of Pillow, of which the header alone was read."""
    from PIL import Image

    if isinstance(data, Path):
        if (size := data.stat().st_size) > MOST_BYTES:
            raise too_large(name, f"the file has {size:,} bytes", file)
        data = data.read_bytes()
    picture = Image.open(io.BytesIO(data), formats=_FORMATS) if isinstance(data, bytes | bytearray) else data
    columns, rows = picture.size
    if rows * columns > MOST_PIXELS:
        raise too_large(name, f"{rows:,} x {columns:,} pixels", file)
    return picture


def too_large(name: str, what: str, file: Path | str) -> DiagnosticError:
    """D260: a picture that nobody wants to read."""
    help = f"pictures of up to {MOST_PIXELS:,} pixels are read: scale it down, or remove it"
    return data_error("D260", f"`{name}` is too large: {what}", file=file, help=help)


def _depth(picture: Any) -> int:
    """Bits of a value in the file; what is said in units of 1, 2 and 4 bits counts as 8."""
    raw = str(picture.tile[0][3]) if getattr(picture, "tile", None) else ""
    for mark, bits in (("I;12", 12), (";16S", 15), (";16", 16), (";32S", 31), (";32", 32)):
        if mark in raw:
            return bits
    if picture.mode == "I":
        # Pillow brings PGM and PNG of more than 8 bits to 0..65535; all else are whole numbers of 32 bits with a sign.
        return 16 if picture.format in ("PPM", "PNG") else 31
    return {"1": 1, "F": 32}.get(picture.mode, 16 if is_deep(picture.mode) else 8)


def _turn(picture: Any) -> int:
    """How EXIF says that the picture lies, 1 = upright; tags that cannot be understood say nothing."""
    if picture.format != "TIFF" and _TAGS.isdisjoint(picture.info):
        return 1
    try:
        found = picture.getexif().get(_ORIENTATION, 1)
    except Exception:
        return 1
    return found if found in range(2, 9) else 1


def picture_warnings(found: Mapping[str, Any], origin: str) -> Iterator[Diagnostic]:
    """What is to be said of decoded pictures.

    Args:
        found: as `Decoder.findings` gives it, and `levels`, the lowest and highest of 0..255 where few are used;
            empty for sets of which nothing was written down.
        origin: of the set.
    """

    def warning(code: str, message: str, path: str, help: str) -> Diagnostic:
        return Diagnostic(code, message, severity="warning", file=origin, path=path, help=help)

    changed, examples = found.get("changed", {}), found.get("examples", {})
    if found.get("levels") and not found.get("range"):
        low, high = found["levels"]
        values = found.get("values") or [low, high]
        span = ", ".join(f"{value:g}" for value in values)
        message = f"values {values[0]:g} to {values[1]:g} become {low} to {high} of 0..255: {high - low + 1} levels"
        help = f"`data.range: [{span}]` makes use of all; [0, 4095] is a camera's 12 bits"
        yield warning("D262", message, "data.range", help)
    if changed.get("transparent") and found.get("ground") is None:
        count, example = changed["transparent"], examples.get("transparent", "")
        message = f"transparent pictures were laid on white: {count:,} (`{example}`)"
        yield warning("D263", message, "data.ground", "set `data.ground` to white, black or grey; none leaves it off")
    if changed.get("first of several frames"):
        count, example = changed["first of several frames"], examples.get("first of several frames", "")
        message = f"of pictures with several frames or pages the first is read: {count:,} (`{example}`)"
        yield warning("D264", message, "data.source", "if the others count, save each as a picture of its own")


def picture_facts(found: Mapping[str, Any]) -> dict[str, Any]:
    """The same for `snnctl data info`; empty for sets of which nothing was written down."""
    facts: dict[str, Any] = {name: found[name] for name in ("modes", "types", "depths", "values") if found.get(name)}
    if found.get("sizes"):
        sizes = dict(list(found["sizes"].items())[:_SHOWN])
        others = len(found["sizes"]) - len(sizes)
        facts["sizes"] = sizes | ({"others": others} if others else {})
    if found.get("changed"):
        facts["changed"] = found["changed"]
        if "transparent" in found["changed"]:
            facts["ground"] = found.get("ground") or "white"
    if found.get("range"):
        facts["range_given"] = found["range"]
    return facts


class Span:
    """Whether items make use of few levels: looked at until they do not."""

    def __init__(self) -> None:
        self.low, self.high = 255, 0

    def add(self, pixels: Pixels) -> None:
        """Count in one item."""
        if self.high - self.low < _SLIVER:
            self.low, self.high = min(self.low, int(pixels.min())), max(self.high, int(pixels.max()))

    @property
    def levels(self) -> list[int] | None:
        """[lowest, highest] where that is a sliver of 0..255, else None."""
        return [self.low, self.high] if 0 <= self.high - self.low < _SLIVER else None


def refuse_flat(rows: Any, origin: str, found: Mapping[str, Any], what: str = "pictures") -> None:
    """Some pixel differs from another in the same channel.

    Args:
        rows: gives blocks of items, channels last.
        found: see `picture_warnings`.
        what: the items are.

    Raises:
        DiagnosticError: D265, none does.
    """
    first: Any = None
    for block in rows:
        pixels = np.asarray(block).reshape(-1, block.shape[-1])
        first = pixels[0] if first is None else first
        if (pixels != first).any():
            return
    if first is None:
        return
    helps = []
    if found.get("values"):
        low, high = found["values"]
        helps.append(f"its values are {low:g} to {high:g}: set `data.range`")
    if found.get("changed", {}).get("transparent"):
        helps.append("transparent pictures lie on the colour they are drawn in: set `data.ground` to another one")
    help = "; ".join(helps) or f"look at the {what}: are they what you meant to bring?"
    message = f"all pixels of all {what} of train are alike ({spelled(first.tolist())})"
    raise data_error("D265", message, file=origin, path="data.source", help=help)
