"""What a network makes follow on videos whose truth nobody knows yet: a strip, and a moving picture."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from snnctl.inspect.predictions.figures import FRAME_MS, GAP, SIDE, Frames, to_colour
from snnctl.report.drawing import plots
from snnctl.report.style import GREY, INK, ORANGE, Drawn, picture, short

_SEEN, _MADE = (0.55, 0.55, 0.55), (0.90, 0.45, 0.05)  # colours of the bar below a frame


@picture("frames_ahead", "{title}")
def strip_ahead(seen: Frames, ahead: Frames, names: Sequence[str], title: str) -> Drawn:
    """Two rows for each clip: the frames that were seen, and those that follow.

    Args:
        seen: [N, F_in, H, W, C] in 0..1.
        ahead: [N, F_out, H, W, C].
        names: [N] of the clips.
        title: of the figure.
    """
    columns = max(seen.shape[1], ahead.shape[1])
    tile, (rows, width) = min(0.95, 11.0 / columns), seen.shape[2:4]
    tall = 2 * (tile * rows / width + 0.17) + 0.35
    figure, grid = plots(columns * tile + 1.0, len(names) * tall + 0.7, short(title, 80), len(names), squeeze=False)
    for axes, name, before, after in zip(grid[:, 0], names, seen, ahead, strict=True):
        for line, (word, first, tiles) in enumerate((("seen", 1, before), ("ahead", len(before) + 1, after))):
            top = line * 1.22 * rows
            for column, frame in enumerate(to_colour(tiles)):
                left = column * 1.05 * width
                place = (left, left + width, top + rows, top)
                axes.imshow(np.clip(frame, 0, 1), extent=place, interpolation="nearest")
                number = str(first + column)
                axes.text(left + width / 2, top - 0.03 * rows, number, ha="center", fontsize=7, color=GREY)
            colour = ORANGE if line else INK
            axes.text(-0.1 * width, top + rows / 2, word, ha="right", va="center", fontsize=8.5, color=colour)
        axes.set(xlim=(-0.8 * width / tile, columns * 1.05 * width), ylim=(2.3 * rows, -0.22 * rows))
        axes.set_title(short(name, 60).replace("$", r"\$"), fontsize=9)
        axes.set_aspect("equal")
        axes.set_axis_off()
    return figure, "Frames that the network was shown, and those that it gives; numbers count frames."


def moving_ahead(seen: Frames, ahead: Frames) -> bytes:
    """An animated GIF of all clips side by side: a grey bar below frames that were seen, an orange one below others.

    Args:
        seen: [N, F_in, H, W, C] in 0..1.
        ahead: [N, F_out, H, W, C].
    """
    from PIL import Image

    frames = np.concatenate((seen, ahead), axis=1)
    _, every, rows, columns, _ = frames.shape
    scale, film = max(1, -(-SIDE // max(rows, columns))), []
    for number in range(every):
        tiles = []
        for clip in frames:
            tile = to_colour(clip[number]).repeat(scale, 0).repeat(scale, 1)
            bar = np.broadcast_to(_SEEN if number < seen.shape[1] else _MADE, (2 * GAP, tile.shape[1], 3))
            tiles.append(np.pad(np.concatenate((tile, bar)), ((0, 0), (0, GAP), (0, 0)), constant_values=0.8))
        pixels = np.round(255 * np.clip(np.concatenate(tiles, 1), 0, 1)).astype(np.uint8)
        film.append(Image.fromarray(pixels).quantize(256))
    data, times = io.BytesIO(), [FRAME_MS] * (every - 1) + [4 * FRAME_MS]
    film[0].save(data, "GIF", save_all=True, append_images=film[1:], duration=times, loop=0, optimize=False)
    return data.getvalue()
