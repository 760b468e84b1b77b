"""Which way each metric is better."""

from __future__ import annotations

from typing import Literal

_HIGHER = frozenset(
    {"accuracy", "balanced_accuracy", "macro_f1", "r2", "r2_cell", "r2_column", "ssim", "ssim2", "psnr"}
)
_LOWER = frozenset({"loss", "mse", "mae", "rmse", "rse", "mape"})


def better_when(name: str) -> Literal["min", "max"] | None:
    """Whether a smaller or a larger value of the metric is better; None for one that is not known here."""
    return "max" if name in _HIGHER else "min" if name in _LOWER else None
