"""Digits drawn in code: seven strokes, anti-aliased, no two alike in slant, thickness and size."""

from __future__ import annotations

from functools import cache

import numpy as np

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
