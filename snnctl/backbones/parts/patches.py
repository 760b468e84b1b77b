"""Frames as maps of patches, and back."""

from __future__ import annotations

from torch import Tensor

from snnctl.core.shapes import ShapeError

Grid = tuple[int, int]


def to_patches(frames: Tensor, grid: Grid, patch: int) -> Tensor:
    """Every patch of pixels becomes the channels of one position, in the order row in patch, column in patch, channel.

    For one channel that is torch's pixel_unshuffle; for more the channels lie innermost, as in PredRNN.

    Shape: [*, H W, C] -> [*, H / patch, W / patch, patch^2 C].
    """
    rows, columns = patch_grid(grid, patch)
    x = frames.unflatten(-2, (rows, patch, columns, patch))  # [*, rows, p, columns, p, C]
    return x.transpose(-4, -3).flatten(-3)


def from_patches(maps: Tensor, patch: int) -> Tensor:
    """The inverse of `to_patches`.

    Shape: [*, H / patch, W / patch, patch^2 C] -> [*, H W, C].
    """
    x = maps.unflatten(-1, (patch, patch, -1)).transpose(-4, -3)
    return x.flatten(-5, -2)


def patch_grid(grid: Grid, patch: int) -> Grid:
    """Rows and columns of patches.

    Raises:
        ShapeError: patches do not fill the frame.
    """
    if grid[0] % patch or grid[1] % patch:
        fitting = [size for size in range(1, min(grid) + 1) if grid[0] % size == 0 and grid[1] % size == 0]
        help = f"sizes that do: {', '.join(map(str, fitting[:12]))}"
        raise ShapeError(
            f"patches of {patch} x {patch} do not fill frames of {grid[0]} x {grid[1]}", knob="patch", help=help
        )
    return grid[0] // patch, grid[1] // patch
