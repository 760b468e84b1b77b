"""From the bytes of a picture to uint8 pixels of the wanted size and channels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnctl.data.images.source import Pixels
from snnctl.data.problems import data_error

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Shape:
    """How pictures are brought to one shape.

    Args:
        size: (rows, columns), or None to take them as they are.
        channels: 1 or 3, or None to take what they have: 1 for grey, else 3.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None


def decode(data: bytes | Any, shape: Shape, name: str) -> Pixels:
    """Pixels [H, W, C] of an encoded picture, or of one that Pillow has already opened.

    Where sizes differ from the wanted one, the picture is scaled (bicubic) until it covers the wanted size, and the
    middle is cut out.

    Raises:
        DiagnosticError: D220, it cannot be decoded.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(data)) if isinstance(data, bytes | bytearray) else data
        channels = shape.channels or (1 if picture.mode in ("1", "L", "I", "I;16") else 3)
        picture = picture.convert("L" if channels == 1 else "RGB")
        if shape.size is not None and picture.size != shape.size[::-1]:
            picture = ImageOps.fit(picture, shape.size[::-1], Image.Resampling.BICUBIC)
        pixels = np.asarray(picture, dtype=np.uint8)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise data_error("D220", f"`{name}` is not a picture that can be read: {error}", file=name) from error
    return pixels[..., None] if pixels.ndim == 2 else pixels
