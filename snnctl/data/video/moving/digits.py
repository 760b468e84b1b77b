"""Digit images for videos: seven strokes drawn in code, or those of another source, in one pool for each split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from snnctl.data.cuts import SPLIT_NAMES, Cutting, cut_classes
from snnctl.data.images.component import Image
from snnctl.data.images.known import KNOWN
from snnctl.data.images.store import open_images
from snnctl.data.pictures import Pixels

SIZE = 28
CLASSES = 10
EACH = 200  # images of every digit
_SEED = 20240229
_CHUNK = 256

# Ends of the strokes in a box 2 wide and 4 high, x to the right and y down from the middle.
_STROKES = np.array(
    [
        [(-1, -2), (1, -2)],  # top
        [(1, -2), (1, 0)],  # upper right
        [(1, 0), (1, 2)],  # lower right
        [(-1, 2), (1, 2)],  # bottom
        [(-1, 0), (-1, 2)],  # lower left
        [(-1, -2), (-1, 0)],  # upper left
        [(-1, 0), (1, 0)],  # middle
    ],
    np.float64,
)
_USED = ("012345", "12", "01346", "01236", "1256", "02356", "023456", "012", "0123456", "012356")


@cache
def segment_digits() -> tuple[Pixels, Pixels]:
    """Images uint8 [2000, 28, 28], white on black, and their digits [2000]; the same at every call.

    Every image has a slant, thickness, width, height, turn and place of its own, and the corners where strokes meet
    are moved a little.
    """
    random = np.random.default_rng(_SEED)
    labels = np.repeat(np.arange(CLASSES), EACH)
    count = len(labels)
    corners = random.normal(0.0, 0.09, (count, 3, 3, 2))  # by row and column of the corner
    across, down = random.uniform(3.2, 5.0, count), random.uniform(3.7, 4.7, count)
    slant, turn = random.normal(-0.12, 0.14, count), random.normal(0.0, 0.07, count)
    thick, place = random.uniform(2.0, 4.4, count), random.normal(0.0, 0.7, (count, 2))

    ends = _STROKES + corners[:, (_STROKES[..., 1] / 2 + 1).astype(int), (_STROKES[..., 0] + 1).astype(int)]
    x = ends[..., 0] * across[:, None, None] + slant[:, None, None] * ends[..., 1] * down[:, None, None]
    y = ends[..., 1] * down[:, None, None]
    cos, sin = np.cos(turn)[:, None, None], np.sin(turn)[:, None, None]
    ends = np.stack((cos * x - sin * y, sin * x + cos * y), -1) + place[:, None, None] + (SIZE - 1) / 2

    ends = ends.astype(np.float32)
    used = np.array([[str(stroke) in strokes for stroke in range(len(_STROKES))] for strokes in _USED])[labels]
    images = np.empty((count, SIZE, SIZE), np.uint8)
    for first in range(0, count, _CHUNK):
        part = slice(first, first + _CHUNK)
        away = np.where(used[part, :, None, None], _distance(ends[part]), np.inf).min(1)
        images[part] = np.round(255 * np.clip(thick[part, None, None].astype(np.float32) / 2 + 0.5 - away, 0.0, 1.0))
    classes = labels.astype(np.uint8)
    for array in (images, classes):  # everyone who asks gets the same ones
        array.setflags(write=False)
    return images, classes


def _distance(ends: np.ndarray) -> np.ndarray:
    """[N, strokes, 2 ends, 2] -> [N, strokes, 28, 28] how far each pixel's middle is from each stroke."""
    begin, along = ends[:, :, 0], ends[:, :, 1] - ends[:, :, 0]
    square = (along**2).sum(-1)
    axis = np.arange(SIZE, dtype=np.float32)
    x, y = axis - begin[..., :1], axis - begin[..., 1:]  # [N, strokes, 28]
    # Where on the stroke the nearest point lies, 0 at its beginning and 1 at its end.
    reach = (y * (along[..., 1] / square)[..., None])[..., None] + (x * (along[..., 0] / square)[..., None])[
        ..., None, :
    ]
    np.clip(reach, 0.0, 1.0, out=reach)
    away_x = x[..., None, :] - reach * along[..., 0, None, None]
    away_y = y[..., None] - reach * along[..., 1, None, None]
    return np.sqrt(away_x * away_x + away_y * away_y)


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


def make_pools(source: str, cutting: Cutting) -> Pools:
    """Cut the digits of `source`; every class gives the same share.

    Args:
        source: `builtin`, a name of `KNOWN_DIGITS`, or a path as the data component `image` reads it.
        cutting: how the images of val and test are drawn.

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
        store = open_images(picture_set(source).manifest())
        images, classes = {part: found[..., 0] for part, found in store.images.items()}, store.labels
        origin, licence = store.manifest.origin, store.manifest.licence or "unknown"
    cut = cut_classes(classes, cutting, origin)
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
