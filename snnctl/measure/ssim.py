"""Structural similarity of frames."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

WINDOW = 7
K1, K2 = 0.01, 0.03
_PIXELS = 1 << 21  # held at once: a few maps of float64


def ssim(prediction: Tensor, target: Tensor, ranges: Sequence[float]) -> Tensor:
    """Mean structural similarity of each image pair, once for each data range.

    Equation:
        m, v, c = mean, sample variance and covariance in a uniform window of 7 x 7 that lies wholly in the image
        s = (2 m_p m_t + (K1 R)^2) (2 c + (K2 R)^2) / ((m_p^2 + m_t^2 + (K1 R)^2) (v_p + v_t + (K2 R)^2))
        ssim = mean of s over all windows,  K1 = 0.01, K2 = 0.03, R the data range

    Args:
        prediction, target: [N, H, W], computed in float64.
        ranges: R of each result; frames in 0..1 have 1, and published numbers on video are for 2.

    Shape: [N, H, W] -> [len(ranges), N].

    Raises:
        ValueError: an image is smaller than the window.

    Source: Wang et al. 2004, "Image quality assessment"; window, border and sample covariance as in scikit-image.
    """
    rows, columns = target.shape[-2:]
    if min(rows, columns) < WINDOW:
        raise ValueError(f"images of {rows} x {columns} are smaller than the window of {WINDOW} x {WINDOW}")
    each = max(1, _PIXELS // (rows * columns))
    parts = [
        _ssim(p.to(torch.float64), t.to(torch.float64), ranges)
        for p, t in zip(prediction.split(each), target.split(each), strict=True)
    ]
    return torch.cat(parts, dim=1) if parts else target.new_zeros(len(ranges), 0, dtype=torch.float64)


def _ssim(p: Tensor, t: Tensor, ranges: Sequence[float]) -> Tensor:
    mean_p, mean_t = _window_mean(p), _window_mean(t)
    pixels = WINDOW * WINDOW
    sample = pixels / (pixels - 1)
    spread = sample * (_window_mean(p * p) + _window_mean(t * t) - mean_p.square() - mean_t.square())
    covariance = sample * (_window_mean(p * t) - mean_p * mean_t)
    square, product = mean_p.square() + mean_t.square(), mean_p * mean_t
    found = []
    for data_range in ranges:
        c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
        above = (2 * product + c1) * (2 * covariance + c2)
        found.append((above / ((square + c1) * (spread + c2))).mean(dim=(-2, -1)))
    return torch.stack(found)


def _window_mean(x: Tensor) -> Tensor:
    """Means of all windows that lie wholly in the image: columns first, then rows, half the time of pooling."""
    rows, columns = x.shape[-2] - WINDOW + 1, x.shape[-1] - WINDOW + 1
    down = x[..., :rows, :].clone()
    for shift in range(1, WINDOW):
        down += x[..., shift : shift + rows, :]
    across = down[..., :columns].clone()
    for shift in range(1, WINDOW):
        across += down[..., shift : shift + columns]
    return across / WINDOW**2
