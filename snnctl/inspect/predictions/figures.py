"""Figures of single items: confusion and contact sheet of classes; strips, errors and a moving picture of videos."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnctl.inspect.predictions.collect import Example, Frames, Sequences
from snnctl.report.drawing import look, plots
from snnctl.report.page import Animation
from snnctl.report.style import BLUE, GREY, INK, RED, Drawn, annotated, picture, short, whole_ticks

_MOST_WRITTEN = 20  # classes up to which counts are written into the cells
_MOST_NAMED = 60
MOST_IN_GIF = 6
GAP = 2  # pixels between tiles, in pixels of a tile that is blown up
SIDE = 96  # pixels of a tile in the moving picture, at least
_NAMES = 0.85  # inches for the names of rows
_ERROR_MAP = "inferno"
FRAME_MS = 200
_FROM_ZERO = ("mse", "mae")  # the lower, the better
_TITLES = {
    "mse": "MSE, sum over a frame",
    "mae": "MAE, sum over a frame",
    "ssim": "SSIM, data range 1",
    "ssim2": "SSIM, data range 2",
    "psnr": "PSNR, dB",
}


@picture("confusion", "Which classes are taken for which")
def confusion_picture(name: str, split: str, names: Sequence[str], counts: NDArray[np.int64]) -> Drawn:
    classes = len(names)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(max(3.4, 0.55 * classes + 1.6), 9.5)
    figure, axes = plots(side + 1.6, side, f"{name}: {split} split")
    texts = [[f"{n:,}" if classes <= _MOST_WRITTEN else "" for n in line] for line in counts.tolist()]
    image = annotated(axes, shares.tolist(), texts, vmin=0.0, vmax=1.0)
    axes.set_aspect("equal")
    if classes <= _MOST_NAMED:
        labels = [short(label, 14) for label in names]
        turned = {"rotation": 60, "ha": "right", "rotation_mode": "anchor"} if max(map(len, labels)) >= 4 else {}
        axes.set_xticks(range(classes), labels, **turned)
        axes.set_yticks(range(classes), labels)
    axes.set(xlabel="predicted class", ylabel="class")
    figure.colorbar(image, ax=axes, label="share of the class", shrink=0.85)
    return figure, "Rows are classes, columns what was predicted; colour is the share of the row, numbers are items."


@picture("examples", "Single items")
def contact_sheet(name: str, split: str, names: Sequence[str], examples: Sequence[Example]) -> Drawn:
    columns = min(len(examples), 5)
    rows = math.ceil(len(examples) / columns)
    figure, panels = plots(2.1 * columns, 2.45 * rows + 0.6, f"{name}: {split} split", rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, example in zip(panels.flat, examples, strict=False):
        _draw(axes, example.shown)
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(visible=True, color=GREY if example.right else RED, linewidth=0.8 if example.right else 2.6)
        said = short(names[example.predicted], 16)
        words = f"{said} {example.confidence:.0%}"
        if not example.right:
            words = f"✗ {words}\nis {short(names[example.target], 18)}"
        axes.set_title(words, color=BLUE if example.right else RED, fontsize=8.5, loc="left", fontweight="normal")
        axes.set_xlabel(f"{example.spikes:,} spikes", fontsize=8)
    return figure, (
        "Predicted class with its confidence, and the spikes of the whole network for this item alone. A red frame "
        "and a cross mark errors, which come first."
    )


def _draw(axes: Any, picture: Any) -> None:
    """Grey, colour, or two channels of events as red and blue on white."""
    if picture.ndim == 4:  # frames of a recording: all of them in one
        picture = np.clip(picture.astype(np.int64).sum(0), 0, 255).astype(np.uint8)
    channels = picture.shape[-1]
    if channels == 1:
        axes.imshow(picture[..., 0], cmap="gray", vmin=0, vmax=255)
    elif channels == 2:
        strength = picture / max(int(picture.max()), 1)
        colours = np.stack([1 - strength[..., 1], 1 - strength.max(-1), 1 - strength[..., 0]], -1)
        axes.imshow(colours)
    else:
        axes.imshow(picture[..., :3])


def rows_of(found: Sequences, number: int) -> list[tuple[str, int, Frames]]:
    """The rows of a strip: title, number of the first frame, tiles [columns, H, W, 3] in 0..1."""
    seen, ahead = found.frames[number, : found.seen], found.frames[number, found.seen :]
    predicted = found.predicted[number]
    error = np.abs(predicted - ahead).mean(-1)
    return [
        ("input", 1, to_colour(seen)),
        ("target", found.seen + 1, to_colour(ahead)),
        ("prediction", found.seen + 1, to_colour(predicted)),
        ("|error|", found.seen + 1, _heat(error)),
    ]


@picture("{name}", "Sequences")
def strips(found: Sequences, numbers: Sequence[int], name: str) -> Drawn:
    columns = max(found.seen, found.frames.shape[1] - found.seen)
    height, width = found.frames.shape[2:4]
    tile = min(0.95, 11.0 / columns)
    row = tile * height / width + 0.17
    tall, title = len(numbers) * (4 * row + 0.35) + 0.7, f"{found.name}: {found.split} split"
    figure, grid = plots(columns * tile + _NAMES + 0.2, tall, title, len(numbers), squeeze=False)
    for axes, number in zip(grid[:, 0], numbers, strict=True):
        _strip(axes, rows_of(found, number), columns, _NAMES / tile)
        error = np.square(found.predicted[number] - found.frames[number, found.seen :], dtype=np.float64).sum()
        error /= len(found.predicted[number])
        axes.set_title(f"sequence {found.indices[number]}: MSE {error:.4g}, {found.spikes[number]:,} spikes")
    return figure, (
        "Frames that are seen, frames that follow, what the network made of them, and the absolute error (black 0, "
        "yellow 1); numbers count frames."
    )


def _strip(axes: Any, rows: list[tuple[str, int, Frames]], columns: int, names: float) -> None:
    """All tiles of a strip in one panel; `names` tiles are left free for the names of rows."""
    _, height, width, _ = rows[0][2].shape
    margin, between = 0.22 * height, 0.05 * width  # room for numbers above each row
    for line, (title, first, tiles) in enumerate(rows):
        top = line * (height + margin)
        for column, tile in enumerate(tiles):
            left = column * (width + between)
            axes.imshow(np.clip(tile, 0, 1), extent=(left, left + width, top + height, top), interpolation="nearest")
            axes.text(left + width / 2, top - 0.03 * height, str(first + column), ha="center", fontsize=7, color=GREY)
        axes.text(-0.1 * width, top + height / 2, title, ha="right", va="center", fontsize=8.5, color=INK)
    axes.set(
        xlim=(-names * width, columns * (width + between) - between), ylim=(4 * (height + margin) - margin, -margin)
    )
    axes.set_aspect("equal")
    axes.set_axis_off()


@picture("per_frame", "From frame to frame")
def curves_picture(name: str, split: str, seen: int, curves: Mapping[str, Mapping[str, Sequence[float]]]) -> Drawn:
    """Curves are who -> metric -> value at each frame; `seen` is F_in."""
    metrics = list(next(iter(curves.values())))
    columns = min(len(metrics), 3)
    rows = -(-len(metrics) // columns)
    figure, panels = plots(3.5 * columns, 2.7 * rows + 0.9, f"{name}: {split} split", rows, columns, squeeze=False)
    for axes in panels.flat[len(metrics) :]:
        axes.set_axis_off()
    for axes, metric in zip(panels.flat, metrics, strict=False):
        for number, (who, values) in enumerate(curves.items()):
            ahead = np.arange(seen + 1, seen + 1 + len(values[metric]))
            shown = [value if np.isfinite(value) else np.nan for value in values[metric]]
            axes.plot(ahead, shown, marker="." if len(ahead) < 2 else "", lw=1.8, label=who, **look(number))
        axes.set_title(_TITLES.get(metric, metric))
        axes.set_xlabel("frame")
        whole_ticks(axes, y=False)
        axes.set_ylim(bottom=0 if metric in _FROM_ZERO else None)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=len(labels))
    return figure, (
        "Metrics at each frame ahead. MSE and MAE are sums over a frame and better when lower, the others when higher; "
        "black frames and the mean train frame know nothing of the sequence."
    )


def moving(found: Sequences) -> Animation:
    """Truth, prediction and absolute error of the first sequences, over time; a GIF that repeats."""
    from PIL import Image

    count, every, height, width, _ = found.frames.shape
    count = min(count, MOST_IN_GIF)
    scale = max(1, -(-SIDE // max(height, width)))
    film = []
    for frame in range(every):
        lines = []
        for number in range(count):
            truth = to_colour(found.frames[number, frame])
            if frame < found.seen:  # nothing is predicted yet
                tiles = [truth, np.full_like(truth, 0.25), np.full_like(truth, 0.25)]
            else:
                made = found.predicted[number, frame - found.seen]
                error = np.abs(made - found.frames[number, frame]).mean(-1)
                tiles = [truth, to_colour(made), _heat(error)]
            blown_up = (tile.repeat(scale, 0).repeat(scale, 1) for tile in tiles)
            border = ((0, GAP), (0, GAP), (0, 0))  # light, on the right and below
            lines.append(np.concatenate([np.pad(tile, border, constant_values=0.8) for tile in blown_up], 1))
        pixels = np.round(255 * np.clip(np.concatenate(lines, 0), 0, 1)).astype(np.uint8)
        film.append(_indexed(Image.fromarray(pixels), colour=found.frames.shape[-1] == 3))
    data = io.BytesIO()
    times = [FRAME_MS] * (every - 1) + [4 * FRAME_MS]
    film[0].save(data, "GIF", save_all=True, append_images=film[1:], duration=times, loop=0, optimize=False)
    caption = (
        f"From left to right: the truth, the prediction and the absolute error of {count} sequences, one below the"
        f" other; grey as long as frames are seen ({found.seen} of {every})."
    )
    return Animation("sequences", "In motion", caption, data.getvalue(), film[0].size[0])


def _indexed(picture: Any, *, colour: bool) -> Any:
    """With a palette: half greys, half those of errors, unless frames have colours of their own."""
    from PIL import Image

    if colour:
        return picture.quantize(256)
    half = np.linspace(0, 1, 128)
    colours: Any = np.concatenate((half[:, None].repeat(3, 1), _heat(half.astype(np.float32))))
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.round(255 * colours).astype(np.uint8).tobytes())
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def to_colour(frames: Frames) -> Frames:
    """[..., H, W, C] -> [..., H, W, 3]: colours as they are, other numbers of channels as the grey of their mean."""
    if frames.shape[-1] == 3:
        return frames
    return frames.mean(-1, keepdims=True).repeat(3, -1)


def _heat(error: Frames) -> Frames:
    """[..., H, W] in 0..1 -> [..., H, W, 3]."""
    import matplotlib

    colours: Frames = matplotlib.colormaps[_ERROR_MAP](np.clip(error, 0, 1))[..., :3]
    return colours.astype(np.float32)
