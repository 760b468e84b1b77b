"""The data component `image`: labelled pictures for classification, decoded once and drawn by index."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from snnctl.core.catalog import DATA
from snnctl.core.registry import SourcePath
from snnctl.core.signature import KnobGroup, takes_knobs
from snnctl.data.base import DataSource
from snnctl.data.cache import Progress
from snnctl.data.cuts import Cutting, cut_classes, one_class
from snnctl.data.decoding import Decoder, refuse_flat
from snnctl.data.images.anew import ImageReading
from snnctl.data.images.augment import Augment
from snnctl.data.images.dataset import ImageData, Normalise
from snnctl.data.images.known import KNOWN
from snnctl.data.images.prepare import local_images, named_images, take_in, take_in_hub
from snnctl.data.images.readers.local import image_source
from snnctl.data.images.store import AS_THEY_ARE, STORE, ImageManifest, open_images
from snnctl.data.pictures import Shape, Size, as_pair
from snnctl.data.prepare import Prepared, reported
from snnctl.data.tones import Tones

NO_AUGMENT = Augment()
HUB = "hub"
DECODED = 2  # raised when decoding changes: pictures of one's own are decoded anew, sets that were fetched are not


@dataclass(frozen=True)
class Decoding(KnobGroup):
    """How pictures of a source become arrays.

    Args:
        hub: with `source: hub`, the id that `datasets.load_dataset` fetches; null otherwise.
        size: [rows, columns] that pictures are scaled and cropped to; null takes them as they are.
        channels: 1 or 3; null takes what the pictures have.
    """

    hub: str | None = None
    size: Size | None = None
    channels: Literal[1, 3] | None = None


DECODING, CUTTING = Decoding(), Cutting()


class Pictures(DataSource):
    """What all components of labelled pixels share: the decoded set, its splits, what batches go through."""

    gives: ClassVar[Literal["classes"]] = "classes"

    def __init__(self, cutting: Cutting, normalise: Normalise, augment: Augment | Mapping[str, Any]) -> None:
        self.cutting = cutting
        self.normalise: Normalise = normalise
        self.augment = Augment.of(augment)

    @abstractmethod
    def manifest(self, progress: Progress | None = None) -> ImageManifest:
        """The decoded set; a local one is decoded now if it has not been before.

        Raises:
            DiagnosticError: D101, a set that has to be fetched is not there; or what reading a local one finds.
        """

    def reading(self, manifest: ImageManifest) -> ImageReading | None:
        """How new items are read as those of the set were; None where `fitted` of what is loaded knows it itself."""
        return None

    def prepare(self, progress: Progress | None = None, brought: Path | None = None) -> tuple[Prepared, ...]:
        found = self.manifest(progress)
        return (reported(STORE.path(found.key), found),)

    def load(self) -> ImageData:
        """The set, memory-mapped; of pixels none is read yet."""
        store = open_images(self.manifest())
        cut = cut_classes(store.labels, self.cutting, store.manifest.origin)
        part, train = cut["train"]
        if len(classes := np.unique(store.labels[part][train])) < 2:
            raise one_class(store.manifest.classes[classes[0]], store.manifest.origin)
        data = ImageData(store, cut, self.normalise, self.augment, self.reading(store.manifest))
        what = "recordings" if len(store.manifest.shape) > 3 else "pictures"
        refuse_flat(data.blocks("train", 16), store.manifest.origin, store.manifest.found, what)
        return data


@DATA.register("image")
class Image(Pictures):
    """Labelled pictures of one size: a named set, folders, an archive, IDX files, arrays, or a set of a hub.

    Sources: cifar10, cifar100, mnist and fashion_mnist through torchvision, tiny_imagenet from its folder; folders
    `train/CLASS/`, `val/CLASS/`, `test/CLASS/`, or `CLASS/` alone; a tar of such a folder; IDX files (.gz too) as
    MNIST has them; .npz or .npy with images and labels; Parquet or a folder that `datasets` wrote; a hub id.

    Pictures are decoded once, into the cache, and memory-mapped from there. Makers' splits are kept; val is drawn from
    train where there is none, and a set that is not cut gives up a test part first. Every draw takes the same share of
    each class and is a pure function of `split_seed`. A set with train and val and no test with classes
    (tiny_imagenet) has its val as test.

    Args:
        source: a known name, a path (./pictures, ./set.tar.gz), or hub.
        hub: with `source: hub`, the id that `datasets.load_dataset` fetches (uoft-cs/cifar10); null otherwise.
        size: [rows, columns] that pictures are scaled and cropped to; null takes them as they are, all alike.
        label: column of the classes in a set of `datasets`; null finds it.
        normalise: channel = mean 0 and sd 1 per channel over the train pixels, unit = 0..1, none = 0..255.
        augment: what training images go through; evaluation never does.

    Shape:
        inputs [B, H * W, C] float32 row by row, targets [B].

    Raises:
        DiagnosticError: from `probe` and `load`; see `snnctl.data.problems`.
    """

    @takes_knobs
    def __init__(
        self,
        *,
        source: Annotated[str, SourcePath(known=(*KNOWN, HUB))],
        decoding: Decoding = DECODING,
        tones: Tones = AS_THEY_ARE,
        label: str | None = None,
        cutting: Cutting = CUTTING,
        normalise: Normalise = "channel",
        augment: Augment = NO_AUGMENT,
    ) -> None:
        super().__init__(cutting, normalise, augment)
        self.source, self.hub, self.label = source, decoding.hub, label
        self.shape, self.tones = Shape(as_pair(decoding.size), decoding.channels), tones

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """An id goes with the hub; a label column is one of `datasets`; known sets are of 8 bits and opaque."""
        if (knobs["source"] == HUB) != (knobs["hub"] is not None):
            yield "hub", "`hub` names a set where `source` is hub, and only there"
        if knobs.get("label") is not None and knobs["source"] in KNOWN:
            yield "label", "`label` names a column of a `datasets` set; this source has none"
        arrays = knobs["source"].lower().endswith((".npy", ".npz"))
        for knob in ("ground", "range"):
            if knobs.get(knob) is not None and (knobs["source"] in KNOWN or (arrays and knob == "ground")):
                yield knob, f"`{knob}` has no say in what `{knobs['source']}` holds"

    def reading(self, manifest: ImageManifest) -> ImageReading:
        found, tones = manifest.found, self.tones
        deep = "uint16" in found.get("types", ()) and tones.range is None and (found.get("values") or [0, 0])[1] > 255
        return ImageReading(self.shape, tones, self.label, deep)

    def manifest(self, progress: Progress | None = None) -> ImageManifest:
        if self.source in (HUB, *KNOWN):
            return named_images(self.source, self.hub, self.shape, self.label, self.tones)
        read = partial(image_source, decode=Decoder(self.shape, self.tones), label=self.label)
        settings = (self.shape, self.label, DECODED, *self.tones.settings)
        return local_images(self.source, settings, read, progress)

    def prepare(self, progress: Progress | None = None, brought: Path | None = None) -> tuple[Prepared, ...]:
        """The decoded set; a named one is fetched through torchvision or brought, one of a hub through `datasets`."""
        if self.hub is not None:
            found = take_in_hub(self.hub, self.shape, self.label, progress, self.tones)
        elif self.source in KNOWN:
            found = take_in(self.source, brought, self.shape, progress=progress)
        else:
            return super().prepare(progress)
        return (reported(STORE.path(found.key), found, KNOWN.get(self.source)),)
