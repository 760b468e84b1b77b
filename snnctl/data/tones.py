"""What stands in a picture becomes 0..255: depth, an own range, and what is transparent on a ground."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import MaxLen, MinLen

from snnctl.core.signature import KnobGroup
from snnctl.data.problems import data_error

Ground = Literal["white", "black", "grey", "none"]
Range = Annotated[list[float], MinLen(2), MaxLen(2)]  # [lowest, highest], as a recipe has it
_GROUNDS = {"white": 255, "black": 0, "grey": 128}
_DEEP = {"I;16", "I;16L", "I;16B", "I;16N", "I", "F"}
GREY = {"1", "L", "LA", "La"} | _DEEP
_CHUNK = 1 << 24  # values that are scaled at once


@dataclass(frozen=True)
class Tones(KnobGroup):
    """How values of pictures become 0..255.

    Args:
        ground: what transparent pictures lie on: white, black or grey; none leaves transparency off and shows what
            colours lie beneath; null is white, with a warning.
        range: [lowest, highest] value that becomes 0 and 255, others are cut to them ([0, 4095] of 12 bits); null goes
            by the depth of the file: 16 bits 0..65535, 8 bits as they are, fractions 0..1.
    """

    ground: Ground | None = None
    range: Range | None = None

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The range goes up."""
        found = knobs.get("range")
        if found is not None and not found[0] < found[1]:
            yield "range", "`range` is [lowest, highest], and the first is not below the second"

    @property
    def settings(self) -> tuple[tuple[str, object], ...]:
        """What differs from the defaults, for the keys of sets in the cache."""
        given = (("ground", self.ground), ("range", self.range and tuple(map(float, self.range))))
        return tuple((name, value) for name, value in given if value is not None)

    def scaled(self, values: Any, highest: float, deeper: int = 1) -> Any:
        """uint8 of numbers of any type.

        Args:
            highest: that becomes 255 where no range is given; 0 becomes 0.
            deeper: what the numbers have to be multiplied with before they are compared with a range.
        """
        low, high = (self.range[0] / deeper, self.range[1] / deeper) if self.range else (0.0, highest)
        found = np.empty(values.shape, np.uint8)
        rows = max(1, _CHUNK // max(1, int(np.prod(values.shape[1:]))))
        for first in range(0, len(values), rows):
            block = (np.asarray(values[first : first + rows], np.float64) - low) * 255.0 / (high - low)
            found[first : first + rows] = np.rint(np.clip(block, 0.0, 255.0))
        return found

    def of_arrays(self, arrays: Sequence[Any], path: Path) -> tuple[list[Any], dict[str, Any]]:
        """uint8 pixels, channels last, of arrays of pictures, and what these held (see `Decoder.findings`).

        False and True become 0 and 255, uint16 goes by its 16 bits where a value of any is above 255; other numbers
        are taken as 0..255, or in the range that is given.

        Args:
            arrays: [N, H, W] or [N, H, W, C] each.

        Raises:
            DiagnosticError: D202 fractions or negative numbers, D222 channels first, D261 no depth and above 255.
        """
        for data in arrays:
            if data.dtype.kind not in "biuf":
                raise data_error("D202", f"`{path.name}` holds {data.dtype}, which are no pixels", file=path)
            if data.ndim == 4 and data.shape[1] in (1, 3) and data.shape[-1] > 4:
                message = f"`{path.name}` holds {list(data.shape)}: channels first, it seems, and they come last"
                raise data_error("D222", message, file=path, help="save np.moveaxis(images, 1, -1) instead")
        kinds = {data.dtype for data in arrays}
        found: dict[str, Any] = {"range": self.range, "types": sorted(map(str, kinds))}
        if kinds == {np.dtype(bool)}:
            return [self.scaled(data, 1.0) for data in arrays], found
        if kinds == {np.dtype(np.uint8)} and self.range is None:
            return list(arrays), found
        low = min((float(data.min()) for data in arrays if data.size), default=0.0)
        high = max((float(data.max()) for data in arrays if data.size), default=0.0)
        found["values"] = [low, high]
        whole = all(data.dtype.kind != "f" or bool((data == np.round(data)).all()) for data in arrays)  # nan is not
        if not (np.isfinite(low) and np.isfinite(high)) or (self.range is None and (low < 0 or not whole)):
            message = f"`{path.name}` holds values from {low:g} to {high:g} that are no counts or pixels 0..255"
            help = "`data.range: [lowest, highest]` says which of them are black and white"
            raise data_error("D202", message, file=path, path="data.range", help=help)
        if self.range is not None:
            return [self.scaled(data, 255.0) for data in arrays], found
        if high <= 255:
            return [data.astype(np.uint8) for data in arrays], found
        if kinds != {np.dtype(np.uint16)}:
            raise unclear(f"`{path.name}`", low, high, path)
        return [self.scaled(data, 65535.0) for data in arrays], found

    def grey(self, values: Any, depth: int, name: str, file: Path | str) -> Any:
        """uint8 of the grey values of a picture of more than 8 bits, or of fractions.

        Raises:
            DiagnosticError: D261, there are values of which the depth does not say what is white.
        """
        low, high = float(values.min()), float(values.max())
        highest = 1.0 if values.dtype.kind == "f" else float((1 << depth) - 1)
        if not (np.isfinite(low) and np.isfinite(high)):
            raise data_error("D261", f"`{name}` holds values that are no numbers", file=file)
        if self.range is None and not (low >= 0 and high <= highest):
            raise unclear(f"`{name}`", low, high, file)
        return self.scaled(values, highest)

    def stretched(self, picture: Any, depth: int) -> Any:
        """A picture of Pillow of 8 bits, in the range that is given; transparency stays.

        Args:
            depth: of the file; Pillow gives the upper 8 bits of 16.
        """
        from PIL import Image

        if self.range is None:
            return picture
        table = self.scaled(np.arange(256), 255.0, 257 if depth == 16 else 1).tolist()
        if picture.mode == "1":
            picture = picture.convert("L")
        elif picture.mode not in ("L", "LA", "RGB", "RGBA"):
            picture = picture.convert("RGB")
        bands = dict(zip(picture.getbands(), picture.split(), strict=True))
        made = [band if name == "A" else band.point(table) for name, band in bands.items()]
        return Image.merge(picture.mode, made)

    def composed(self, picture: Any) -> Any:
        """A picture of Pillow (LA or RGBA) on its ground: L or RGB."""
        from PIL import Image

        plain = "L" if picture.mode == "LA" else "RGB"
        if self.ground == "none":
            return picture.convert(plain)
        tone = _GROUNDS[self.ground or "white"]
        ground = Image.new("RGBA", picture.size, (tone, tone, tone, 255))
        return Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB").convert(plain)


def is_deep(mode: str) -> bool:
    """Whether a mode of Pillow has more than 8 bits of grey."""
    return mode in _DEEP


def unclear(what: str, low: float, high: float, file: Path | str) -> Exception:
    """D261: which values are black and white has to be said."""
    message = f"{what} holds values from {low:g} to {high:g}, and nothing says which of them is white"
    help = f"set `data.range: [lowest, highest]`, such as [{low:g}, {high:g}], or [0, 4095] of 12 bits"
    return data_error("D261", message, file=file, path="data.range", help=help)
