"""RandAugment on whole batches: images that get the same operation are changed together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

# The fifteen operations of timm's `rand-...-inc1`, in which a larger magnitude is always a stronger change.
OPERATIONS = (
    "auto_contrast",
    "equalize",
    "invert",
    "rotate",
    "posterize",
    "solarize",
    "solarize_add",
    "color",
    "contrast",
    "brightness",
    "sharpness",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
)
SIGNED = ("rotate", "color", "contrast", "brightness", "sharpness", "shear_x", "shear_y", "translate_x", "translate_y")
_SHARE = 0.5


def rand_augment(images: Tensor, random: np.random.Generator, magnitude: float, spread: float = 0.0) -> Tensor:
    """One operation for each image, applied to half of them.

    Images that draw the same operation share its strength, so that they are changed as one batch.

    Args:
        images: uint8 [B, H, W, C], C = 1 or 3.
        random: what is drawn from.
        magnitude: strength, 0..10.
        spread: standard deviation of the strength.

    Source: Cubuk et al. 2020, "RandAugment", arXiv 1909.13719; operations and ranges as in timm.
    """
    drawn = random.integers(len(OPERATIONS), size=len(images))
    drawn[random.random(len(images)) >= _SHARE] = -1
    signs = random.integers(2, size=len(images)) * 2 - 1
    strengths = np.clip(random.normal(magnitude, spread, (len(OPERATIONS), 2)), 0.0, 10.0) / 10.0
    out = images.clone()
    for number, name in enumerate(OPERATIONS):
        for sign in (1, -1) if name in SIGNED else (0,):
            chosen = np.flatnonzero((drawn == number) & ((signs == sign) | (sign == 0)))
            if len(chosen):
                group = torch.from_numpy(chosen)
                strength = float(strengths[number, max(sign, 0)])
                out[group] = operate(images[group], name, strength * (sign or 1))
    return out


def operate(images: Tensor, name: str, level: float) -> Tensor:
    """One operation at `level` -1..1 on uint8 images [B, H, W, C]."""
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as change

    height, width = images.shape[1:3]
    first = images.permute(0, 3, 1, 2)
    bend: dict[str, Any] = {"angle": 0.0, "translate": [0.0, 0.0], "scale": 1.0, "shear": [0.0, 0.0]}
    degrees = float(np.rad2deg(np.arctan(0.3 * level)))
    moves: dict[str, dict[str, Any]] = {
        "rotate": {"angle": 30.0 * level},
        "shear_x": {"shear": [degrees, 0.0]},
        "shear_y": {"shear": [0.0, degrees]},
        "translate_x": {"translate": [0.45 * level * width, 0.0]},
        "translate_y": {"translate": [0.0, 0.45 * level * height]},
    }
    if name in moves:
        made = change.affine(first, **{**bend, **moves[name]}, interpolation=InterpolationMode.BILINEAR, fill=[128.0])
    else:
        factor = max(0.1, 1.0 + 0.9 * level)
        colours: dict[str, Callable[[], Tensor]] = {
            "auto_contrast": lambda: change.autocontrast(first),
            "equalize": lambda: change.equalize(first),
            "invert": lambda: change.invert(first),
            "posterize": lambda: change.posterize(first, max(4 - int(4 * level), 1)),
            "solarize": lambda: change.solarize(first, 255 - int(255 * level)),
            "solarize_add": lambda: torch.where(
                first < 128, (first.short() + int(110 * level)).clamp(0, 255).byte(), first
            ),
            "color": lambda: change.adjust_saturation(first, factor) if first.shape[1] == 3 else first,
            "contrast": lambda: change.adjust_contrast(first, factor),
            "brightness": lambda: change.adjust_brightness(first, factor),
            "sharpness": lambda: change.adjust_sharpness(first, factor),
        }
        made = colours[name]()
    return made.permute(0, 2, 3, 1)
