"""Augmentation of training images: what is drawn is a pure function of the seed that a batch is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Le
from torch import Tensor

from snnctl.data.images.rand_augment import rand_augment

_TRIES = 10
_AREA = (0.02, 1 / 3)
_ASPECT = 0.3


@dataclass(frozen=True)
class Augment:
    """What is done to training images, in this order; evaluation never sees any of it.

    Args:
        crop: zeros added on every side before a random crop back to the size.
        flip: whether half of the images are mirrored left to right.
        rand: RandAugment operations per image, 0 = none.
        rand_magnitude: their strength out of 10.
        rand_spread: standard deviation of that strength.
        erase: share of images of which a random rectangle is set to the mean.
        mixup: alpha of the Beta distribution that two images are mixed with; 0 = off.
        cutmix: alpha of the Beta distribution of the area that is taken from another image; 0 = off.
        mix_share: share of batches that are mixed; with both, half of them each way.
        mix_until: first epoch without mixing (counted from 0); null = always.
    """

    # Read by pydantic where recipes are validated; this room does not import it.
    __pydantic_config__ = {"extra": "forbid", "strict": True, "allow_inf_nan": False}  # noqa: RUF012

    crop: Annotated[int, Ge(0)] = 0
    flip: bool = False
    rand: Annotated[int, Ge(0)] = 0
    rand_magnitude: Annotated[float, Ge(0.0), Le(10.0)] = 9.0
    rand_spread: Annotated[float, Ge(0.0)] = 0.0
    erase: Annotated[float, Ge(0.0), Le(1.0)] = 0.0
    mixup: Annotated[float, Ge(0.0)] = 0.0
    cutmix: Annotated[float, Ge(0.0)] = 0.0
    mix_share: Annotated[float, Ge(0.0), Le(1.0)] = 1.0
    mix_until: Annotated[int, Ge(0)] | None = None

    @classmethod
    def of(cls, value: Augment | Mapping[str, Any]) -> Augment:
        """`value` itself, or made from the mapping of a resolved recipe."""
        return value if isinstance(value, Augment) else cls(**value)

    def pixels(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """Crop, flip and RandAugment of uint8 images [B, H, W, C]; C may hold the frames of a recording."""
        if self.crop:
            images = random_crop(images, self.crop, random)
        if self.flip:
            mirrored = torch.from_numpy(random.random(len(images)) < 0.5)
            images = torch.where(mirrored[:, None, None, None], images.flip(2), images)
        for _ in range(self.rand):
            images = rand_augment(images, random, self.rand_magnitude, self.rand_spread)
        return images

    def erased(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """Some of the normalised images [B, H, W, C] with a rectangle of zeros, the mean colour; written in place.

        Source: Zhong et al. 2020, "Random erasing data augmentation", with the area and shape of timm.
        """
        if self.erase:
            for index in np.flatnonzero(random.random(len(images)) < self.erase):
                top, left, rows, columns = _rectangle(images.shape[1], images.shape[2], random)
                images[index, top : top + rows, left : left + columns] = 0
        return images

    def mixed(
        self, images: Tensor, targets: Tensor, classes: int, epoch: int, random: np.random.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Images [B, H, W, C] mixed with those of another order, and the shares of classes [B, K]; None if not mixed.

        Equation:
            mixup:  x = m x_i + (1 - m) x_j,                  y = m y_i + (1 - m) y_j,  m ~ Beta(alpha, alpha)
            cutmix: a rectangle of area 1 - m comes from x_j, y = m y_i + (1 - m) y_j,  m as its true area says

        Source: Zhang et al. 2018, "mixup", arXiv 1710.09412; Yun et al. 2019, "CutMix", arXiv 1905.04899.
        """
        ended = self.mix_until is not None and epoch >= self.mix_until
        if ended or not (self.mixup or self.cutmix) or random.random() >= self.mix_share:
            return images, None
        other = torch.from_numpy(random.permutation(len(images)))
        cuts = bool(self.cutmix) and (not self.mixup or random.random() < 0.5)
        alpha = self.cutmix if cuts else self.mixup
        share = float(random.beta(alpha, alpha))
        if cuts:
            height, width = images.shape[1:3]
            rows, columns = (round(side * (1 - share) ** 0.5) for side in (height, width))
            top, left = int(random.integers(height - rows + 1)), int(random.integers(width - columns + 1))
            images = images.clone()
            here = (slice(None), slice(top, top + rows), slice(left, left + columns))
            images[here] = images[other][here]
            share = 1 - rows * columns / (height * width)
        else:
            images = torch.lerp(images[other], images, share)
        soft = torch.zeros(len(targets), classes)
        soft[torch.arange(len(targets)), targets] = share
        soft[torch.arange(len(targets)), targets[other]] += 1 - share
        return images, soft


def random_crop(images: Tensor, border: int, random: np.random.Generator) -> Tensor:
    """Images [B, H, W, C], each moved by up to `border` pixels; zeros come in from outside."""
    count, height, width = images.shape[:3]
    padded = torch.nn.functional.pad(images, (0, 0, border, border, border, border))
    rows, columns = (
        torch.from_numpy(random.integers(2 * border + 1, size=count))[:, None] + torch.arange(side)
        for side in (height, width)
    )
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def _rectangle(height: int, width: int, random: np.random.Generator) -> tuple[int, int, int, int]:
    """Top, left, rows and columns of a rectangle of 2 to 33 % of the area; a small one where none fits."""
    for _ in range(_TRIES):
        area = random.uniform(*_AREA) * height * width
        aspect = float(np.exp(random.uniform(np.log(_ASPECT), -np.log(_ASPECT))))
        rows, columns = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < rows < height and 0 < columns < width:
            break
    else:
        rows = columns = 1
    return int(random.integers(height - rows + 1)), int(random.integers(width - columns + 1)), rows, columns
