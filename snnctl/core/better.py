"""Which way each metric is better."""

from __future__ import annotations

from typing import Literal

ENERGY = "energy"  # stands where the split of a metric does: `energy/horowitz45_fp32`
_HIGHER = ("accuracy", "balanced_accuracy", "macro_f1", "r2", "r2_cell", "r2_column", "ssim", "ssim2", "psnr")
_LOWER = ("loss", "mse", "mae", "rmse", "rse", "mape")


def better_when(name: str) -> Literal["min", "max"] | None:
    """Whether a smaller or a larger value of the metric is better; None for one that is not known here."""
    return "max" if name in _HIGHER else "min" if name in _LOWER else None


def better_direction(metric: str) -> Literal["min", "max"] | None:
    """`better_when` of a metric with its split: `test/accuracy`; less energy is better, under any table of costs."""
    split, _, name = metric.partition("/")
    return "min" if split == ENERGY else better_when(name)
