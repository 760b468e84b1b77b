"""What is read as a picture, and the size and channels that pictures are brought to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le, MaxLen, MinLen

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
Pixels = npt.NDArray[np.uint8]
Size = Annotated[list[Annotated[int, Ge(1), Le(4096)]], MinLen(2), MaxLen(2)]  # [rows, columns], as a recipe has it


def as_pair(size: Size | None) -> tuple[int, int] | None:
    """(rows, columns)."""
    return (size[0], size[1]) if size else None


def spelled(shape: Iterable[int]) -> str:
    """A shape in words: "28 x 28 x 1"."""
    return " x ".join(map(str, shape))


@dataclass(frozen=True)
class Shape:
    """How pictures are brought to one shape: scaled (bicubic) until they cover the size, and the middle cut out.

    Args:
        size: (rows, columns), or None to take them as they are.
        channels: 1 or 3, or None to take what they have: 1 for grey, else 3.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None

    def apply(self, picture: Any) -> Any:
        """A picture of Pillow in this shape."""
        from PIL import Image, ImageOps

        picture = self.coloured(picture)
        if self.size is not None and picture.size != self.size[::-1]:
            picture = ImageOps.fit(picture, self.size[::-1], Image.Resampling.BICUBIC)
        return picture

    def coloured(self, picture: Any) -> Any:
        """A picture of Pillow with the channels that are wanted, or that it has."""
        channels = self.channels or (1 if picture.mode in ("1", "L") else 3)
        return picture.convert("L" if channels == 1 else "RGB")
