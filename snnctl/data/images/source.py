"""What every source of images gives: parts of labelled items, decoded one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Item = tuple[Pixels, int]


@dataclass(frozen=True)
class Part:
    """One part of a source, as its makers cut it.

    Args:
        name: `train`, `val`, `test`, or `all` for a source that is not cut.
        count: items.
        items: gives them in an order that is always the same: uint8 [H, W, C], or [T, H, W, C] for event frames,
            and the index of the class.
    """

    name: str
    count: int
    items: Callable[[], Iterator[Item]]


@dataclass(frozen=True)
class Source:
    """A labelled set of images before it is decoded.

    Args:
        parts: see `Part`; names are unique.
        classes: names, in the order of their indices.
        origin: what a message calls it.
        format: how it is stored ("folder", "idx", ...).
        licence: as its makers state it; "" where nothing is known.
    """

    parts: tuple[Part, ...]
    classes: tuple[str, ...]
    origin: str
    format: str
    licence: str = ""


def array_part(name: str, images: Any, labels: Any) -> Part:
    """A part whose items lie in arrays: uint8 [N, H, W], [N, H, W, C] or [N, T, H, W, C], and labels [N]."""

    def items() -> Iterator[Item]:
        for image, label in zip(images, labels, strict=True):
            pixels = np.asarray(image)
            yield (pixels[..., None] if pixels.ndim == 2 else pixels), int(label)

    return Part(name, len(labels), items)
