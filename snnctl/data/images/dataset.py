"""Decoded images as batches: gathered by index, augmented in training, normalised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic
from snnctl.core.shapes import SignalSpec
from snnctl.data.alike import alike_names
from snnctl.data.base import Batch, Chosen, Labelled, Split
from snnctl.data.cuts import Indices, Splits, class_counts, cut_fingerprint
from snnctl.data.decoding import picture_facts, picture_warnings
from snnctl.data.images.anew import FittedImages, FittedPixels, ImageReading, pixel_signal, to_inputs
from snnctl.data.images.augment import Augment
from snnctl.data.images.store import STORE, ImageStore
from snnctl.data.pictures import spelled
from snnctl.data.repeats import Repeats, repeats

Normalise = Literal["channel", "unit", "none"]
_CHUNK = 1 << 24  # bytes of pixels counted at once


@dataclass(frozen=True)
class ImageSplit(Chosen):
    """One split: items of one part, by index.

    Args:
        images: uint8 [N, H, W, C] or [N, T, H, W, C], of the whole part.
        labels: [N].
        chosen: which of them are in the split.
        shift, scale: float32 [C], taken off the pixels, and multiplied with then.
        classes: K.
        augment: what training batches go through.
    """

    images: Any
    labels: Any
    chosen: Indices
    shift: Tensor
    scale: Tensor
    classes: int
    augment: Augment

    def batch(self, indices: Tensor) -> Batch:
        """The items at `indices` (int64 [B]) as they are.

        Shape:
            inputs [B, H * W, C] or [B, T, H * W, C] float32, targets [B] int64.
        """
        pixels, targets = self._gather(indices)
        return Batch(to_inputs(pixels, self.shift, self.scale), targets)

    def training_batch(self, indices: Tensor, seed: int, epoch: int) -> Batch:
        """The items at `indices` augmented, with shares of classes where images are mixed, as `epoch` decides."""
        random = np.random.default_rng(seed)
        pixels, targets = self._gather(indices)
        shape = pixels.shape
        # Frames lie beside the channels for a while: all frames of a recording are changed alike.
        folded = _fold(pixels)
        frames = folded.shape[-1] // shape[-1]
        normal = self._normalised(_unfold(self.augment.pixels(folded, random), frames))
        normal = self.augment.erased(_fold(normal), random)
        mixed, soft = self.augment.mixed(normal, targets, self.classes, epoch, random)
        return Batch(_flat(_unfold(mixed, frames) if pixels.dim() == 5 else mixed), targets, soft=soft)

    def show(self, index: int) -> NDArray[np.uint8]:
        """The picture at `index` as it was decoded, for people: uint8 [H, W, C] or [T, H, W, C]."""
        picture: NDArray[np.uint8] = np.array(self.images[self.chosen[index]], dtype=np.uint8)
        return picture

    def _gather(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        rows = self.chosen[indices.numpy()]
        return torch.from_numpy(np.ascontiguousarray(self.images[rows])), torch.from_numpy(self.labels[rows])

    def _normalised(self, pixels: Tensor) -> Tensor:
        return (pixels.float() - self.shift) * self.scale


def _fold(images: Tensor) -> Tensor:
    """[B, T, H, W, C] -> [B, H, W, T * C]; [B, H, W, C] stays."""
    return images if images.dim() == 4 else images.permute(0, 2, 3, 1, 4).flatten(3)


def _unfold(images: Tensor, frames: int) -> Tensor:
    """The inverse of `_fold`; one frame is none."""
    return images if frames == 1 else images.unflatten(3, (frames, -1)).permute(0, 3, 1, 2, 4)


def _flat(images: Tensor) -> Tensor:
    """[..., H, W, C] -> [..., H * W, C]."""
    return images.flatten(-3, -2).contiguous()


@dataclass(frozen=True)
class ImageData(Labelled):
    """A set of labelled images, cut and normalised.

    Args:
        store: the decoded arrays.
        cut: split -> (part, indices).
        normalise: `channel`: mean 0 and standard deviation 1 per channel over the train pixels; `unit`: 0..1;
            `none`: 0..255, or counts.
        augment: of training batches.
        reading: how new items are read, see `fitted`.
    """

    store: ImageStore
    cut: Splits
    normalise: Normalise
    augment: Augment
    reading: ImageReading | None = None

    @property
    def fitted(self) -> FittedPixels | None:
        """What a trained model keeps of the set."""
        return None if self.reading is None else FittedImages(*self.fitted_pixels, self.reading)

    @property
    def fitted_pixels(self) -> tuple[tuple[str, ...], tuple[int, ...], Tensor, Tensor]:
        """Classes, shape of an item, and the normaliser."""
        return self.class_names, tuple(self.store.manifest.shape), *self.normaliser

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.store.manifest.classes)

    @cached_property
    def warnings(self) -> tuple[Diagnostic, ...]:
        manifest = self.store.manifest
        of_pictures = () if len(manifest.shape) > 3 else picture_warnings(manifest.found, manifest.origin)
        of_names = alike_names(manifest.classes, manifest.origin)
        return (*of_pictures, *of_names, *self.repeats.warnings(manifest.origin))

    @cached_property
    def repeats(self) -> Repeats:
        """Items that stand in two splits."""
        images = self.store.images
        parts = {part: partial(iter, images[part]) for part in images}
        what = "recordings" if len(self.store.manifest.shape) > 3 else "pictures"
        return repeats(parts, self.cut, what, STORE.path(self.store.manifest.key))

    @property
    def input_signal(self) -> SignalSpec:
        """Pixels row by row, channels last, and the grid they lie on."""
        return pixel_signal(self.store.manifest.shape)

    def split(self, name: SplitName) -> Split:
        part, indices = self.cut[name]
        shift, scale = self.normaliser
        images, labels = self.store.images[part], self.store.labels[part]
        return ImageSplit(images, labels, indices, shift, scale, self.classes, self.augment)

    @cached_property
    def normaliser(self) -> tuple[Tensor, Tensor]:
        """What is taken off each channel, and the factor after it, float32 [C]."""
        channels = self.store.manifest.shape[-1]
        if self.normalise == "channel":
            mean, sd = self.statistics
            return torch.from_numpy(mean).float(), torch.from_numpy(1 / np.where(sd > 0, sd, 1.0)).float()
        scale = 1 / 255 if self.normalise == "unit" else 1.0
        return torch.zeros(channels), torch.full((channels,), scale)

    def blocks(self, name: SplitName, count: int | None = None) -> Iterator[Any]:
        """The items of a split, `count` at a time: uint8 [n, H, W, C] or [n, T, H, W, C]."""
        part, indices = self.cut[name]
        images = self.store.images[part]
        step = count or max(1, _CHUNK // int(np.prod(images.shape[1:])))
        for first in range(0, len(indices), step):
            yield images[indices[first : first + step]]

    @cached_property
    def levels(self) -> Any:
        """[C, 256] how often each value occurs in the train pixels."""
        channels = self.store.manifest.shape[-1]
        counts = np.zeros((channels, 256), np.int64)
        for images in self.blocks("train"):
            block = images.reshape(-1, channels)
            for channel in range(channels):
                counts[channel] += np.bincount(block[:, channel], minlength=256)
        return counts

    @cached_property
    def statistics(self) -> tuple[Any, Any]:
        """Mean and standard deviation of each channel over the train pixels, exact: from counts of the 256 values."""
        counts = self.levels
        values, total = np.arange(256), counts.sum(1)
        mean = counts @ values / total
        return mean, np.sqrt(np.maximum(counts @ values**2 / total - mean**2, 0.0))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 hex over the decoded files and the splits."""
        manifest = self.store.manifest
        return cut_fingerprint((manifest.classes, manifest.checksums(), self.normalise), self.cut)

    def facts(self) -> dict[str, Any]:
        manifest = self.store.manifest
        facts: dict[str, Any] = {
            "origin": manifest.origin,
            "format": manifest.format,
            "shape": spelled(manifest.shape),
            "classes": len(manifest.classes),
            "class_names": list(manifest.classes),
            "parts": dict(manifest.parts),
            "splits": class_counts(self.store.labels, self.cut, self.classes),
        }
        if self.normalise == "channel" or len(manifest.shape) == 3:
            mean, sd = self.statistics
            used = np.flatnonzero(self.levels.any(0))
            facts["pixel_range"] = [int(used[0]), int(used[-1])]
            facts["channel_mean"] = [round(float(value), 3) for value in mean]
            facts["channel_sd"] = [round(float(value), 3) for value in sd]
        facts |= picture_facts(manifest.found) | {"repeated": self.repeats.facts()}
        return facts | {"licence": manifest.licence or "unknown", "bytes": manifest.bytes}
