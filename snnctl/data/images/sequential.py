"""The data component `sequential_image`: pictures pixel by pixel, in reading order or in one that is shuffled."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor

from snnctl.core.catalog import DATA
from snnctl.core.choices import SplitName
from snnctl.core.registry import SourcePath
from snnctl.core.seeds import stream_seed
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.data.base import Batch, Split
from snnctl.data.cuts import Cutting
from snnctl.data.images.anew import FittedImages
from snnctl.data.images.component import CUTTING, DECODING, HUB, Decoding, Image
from snnctl.data.images.dataset import ImageData, Normalise
from snnctl.data.images.known import KNOWN
from snnctl.data.images.store import AS_THEY_ARE
from snnctl.data.tones import Tones

PixelOrder = Literal["rows", "permuted"]


@dataclass(frozen=True)
class SequenceSplit:
    """One split: pictures, and the order in which their pixels come."""

    pictures: Split
    order: Tensor | None

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: Tensor) -> Batch:
        """The items at `indices` (int64 [B]).

        Shape:
            inputs [B, H * W, 1, C] float32, targets [B] int64.
        """
        found: Batch = self.pictures.batch(indices)
        pixels = found.inputs if self.order is None else found.inputs[:, self.order]
        return replace(found, inputs=pixels.unsqueeze(2))


@dataclass(frozen=True)
class SequenceData(ImageData):
    """A set of pictures as sequences.

    Args:
        order: [H * W] int64, which pixel comes at each step; None = row by row.
    """

    order: Tensor | None = None

    @property
    def fitted(self) -> FittedImages | None:
        if self.reading is None:
            return None
        return FittedImages(*self.fitted_pixels, self.reading, pixel_by_pixel=True, order=self.order)

    @property
    def input_signal(self) -> SignalSpec:
        """One pixel a step."""
        pictures = super().input_signal
        return SignalSpec(0, 1, pictures.features, frames=pictures.length)

    def split(self, name: SplitName) -> SequenceSplit:
        return SequenceSplit(super().split(name), self.order)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 hex over the pictures and the order."""
        order = b"rows" if self.order is None else self.order.numpy().tobytes()
        return hashlib.sha256(super().fingerprint.encode() + order).hexdigest()

    def describe(self) -> dict[str, Any]:
        order = "rows" if self.order is None else "permuted"
        return super().describe() | {"order": order, "steps": self.input_signal.frames}


@DATA.register("sequential_image")
class SequentialImage(Image):
    """Labelled pictures given one pixel a step: sequential MNIST, and permuted sequential MNIST.

    Sources, parts and splits as in `image`. The permutation is drawn once and is the same for every picture.

    Args:
        source: a known name (mnist, fashion_mnist, cifar10 ...), a path, or hub.
        order: rows = in reading order; permuted = in a random order, which tears neighbours apart.
        order_seed: of that order; the run's own seed does not touch it.
        normalise: unit = 0..1, channel = mean 0 and sd 1 per channel over the train pixels, none = 0..255.

    Shape:
        inputs [B, H * W, 1, C] float32, targets [B].

    Raises:
        DiagnosticError: from `probe` and `load`; see `snnctl.data.problems`.

    Source: Le, Jaitly and Hinton 2015, "A simple way to initialize recurrent networks of rectified linear units",
        arXiv 1504.00941.
    """

    @takes_knobs
    def __init__(
        self,
        *,
        source: Annotated[str, SourcePath(known=(*KNOWN, HUB))],
        decoding: Decoding = DECODING,
        tones: Tones = AS_THEY_ARE,
        order: PixelOrder = "rows",
        order_seed: Annotated[int, Ge(0)] = 0,
        cutting: Cutting = CUTTING,
        normalise: Normalise = "unit",
    ) -> None:
        super().__init__(source=source, decoding=decoding, tones=tones, cutting=cutting, normalise=normalise)
        self.order, self.order_seed = order, order_seed

    def load(self) -> SequenceData:
        """The set, memory-mapped."""
        found = super().load()
        order = None
        if self.order == "permuted":
            random = np.random.default_rng(stream_seed(self.order_seed, "data", 0))
            order = torch.from_numpy(random.permutation(found.input_signal.length))
        return SequenceData(found.store, found.cut, found.normalise, found.augment, found.reading, order)
