"""Pools of digit images for videos: of one source, one pool for each split, none with an image of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snnctl.data.cache import Progress
from snnctl.data.cuts import Share, cut_parts
from snnctl.data.images.component import Image
from snnctl.data.images.known import KNOWN
from snnctl.data.images.store import open_images
from snnctl.data.pictures import Pixels
from snnctl.data.splits import SPLIT_NAMES
from snnctl.data.video.moving.segments import segment_digits

BUILTIN = "builtin"
KNOWN_DIGITS = tuple(name for name, known in KNOWN.items() if known.channels == 1)


@dataclass(frozen=True)
class Pools:
    """Digit images of each split.

    Args:
        images: split -> uint8 [N, h, w].
        origin: where they come from.
        licence: as the source states it.
        parted: whether the source says itself which images are train and which are test.
        removed: images that were left out of train or val because an equal one stands in another pool.
    """

    images: dict[str, Pixels]
    origin: str
    licence: str
    parted: bool
    removed: int = 0


def picture_set(source: str) -> Image:
    """The labelled pictures that a source other than `builtin` names: grey."""
    return Image(source=source, channels=None if source in KNOWN else 1)


def make_pools(source: str, val: Share, test: Share, seed: int, progress: Progress | None = None) -> Pools:
    """Cut the digits of `source`; every class gives the same share.

    Args:
        source: `builtin`, a name of `KNOWN_DIGITS`, or a path as the data component `image` reads it.
        val: share of the train images, or how many.
        test: the same of all images, where the source has no test part.
        seed: of those draws.

    Raises:
        DiagnosticError: D101, a named set is not there; R320, an empty pool; or what reading finds.
    """
    images: dict[str, Any]
    classes: dict[str, Any]
    if source == BUILTIN:
        drawn, labels = segment_digits()
        images, classes = {"all": drawn}, {"all": labels}
        origin, licence = "digits drawn by snnctl", "Apache-2.0"
    else:
        store = open_images(picture_set(source).manifest(progress))
        images, classes = {part: found[..., 0] for part, found in store.images.items()}, store.labels
        origin, licence = store.manifest.origin, store.manifest.licence or "unknown"
    cut = cut_parts(classes, val, test, seed, origin)
    pools = {name: np.ascontiguousarray(images[part][chosen]) for name, (part, chosen) in cut.items()}
    removed = _tell_apart(pools)
    return Pools(pools, origin, licence, "train" in classes, removed)


def _tell_apart(pools: dict[str, Pixels]) -> int:
    """Take images out of val that equal one of test, and out of train those of either; how many there were."""
    known: set[bytes] = set()
    removed = 0
    for name in reversed(SPLIT_NAMES):
        keys = [image.tobytes() for image in pools[name]]
        fresh = np.array([key not in known for key in keys])
        removed += int((~fresh).sum())
        if not fresh.all():
            pools[name] = pools[name][fresh]
        known.update(keys)
    return removed


def scaled_digits(images: Pixels, size: int) -> Pixels:
    """[N, h, w] -> [N, size, size], each new pixel the mean over the area that it covers."""
    rows, columns = (_areas(side, size) for side in images.shape[1:])
    return np.round(rows @ images.astype(np.float64) @ columns.T).astype(np.uint8)


def _areas(old: int, new: int) -> Any:
    """[new, old] shares of each old pixel in each new one; rows sum to 1."""
    edges = np.arange(new + 1) * old / new
    places = np.arange(old)
    overlap = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
    return np.clip(overlap, 0.0, None) * new / old
