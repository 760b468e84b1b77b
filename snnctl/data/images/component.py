"""The data components `image` and `event_frames`: labelled pictures and recordings, for classification."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen

from snnctl.core.catalog import DATA
from snnctl.core.registry import SourcePath
from snnctl.data.events.readers.cameras import Cut
from snnctl.data.images.augment import Augment
from snnctl.data.images.cut import cut_parts
from snnctl.data.images.dataset import ImageData, ImageProbe, Normalise
from snnctl.data.images.known import KNOWN_IMAGE_NAMES
from snnctl.data.images.prepare import PIPELINE, known_key, not_prepared, prepare_hub, prepare_known
from snnctl.data.images.readers.decode import Shape
from snnctl.data.images.readers.detect import event_source, image_source, local_path, stamp
from snnctl.data.images.source import Source
from snnctl.data.images.store import ImageManifest, Progress, open_store, sound_manifest, write_store
from snnctl.data.sets import key_of

Share = Annotated[float, Gt(0.0), Lt(1.0)] | Annotated[int, Ge(1)]
Size = Annotated[list[Annotated[int, Ge(1), Le(4096)]], MinLen(2), MaxLen(2)]
NO_AUGMENT = Augment()
HUB = "hub"


class _Pictures:
    """What both components share: the decoded set, its splits, what batches go through."""

    gives: ClassVar[Literal["classes"]] = "classes"

    def __init__(
        self, val: Share, test: Share, split_seed: int, normalise: Normalise, augment: Augment | Mapping[str, Any]
    ) -> None:
        self.val, self.test, self.split_seed = val, test, split_seed
        self.normalise: Normalise = normalise
        self.augment = Augment.of(augment)

    @abstractmethod
    def manifest(self, progress: Progress | None = None) -> ImageManifest:
        """The decoded set; a local one is decoded now if it has not been before."""

    def prepare(self, progress: Progress | None = None) -> ImageManifest:
        """The decoded set, fetched and decoded now if need be."""
        return self.manifest(progress)

    def probe(self) -> ImageProbe:
        """Shapes and sizes of splits; only labels are read.

        Raises:
            DiagnosticError: the set is not there or unfit, or a split is empty.
        """
        return self.load().probe

    def load(self) -> ImageData:
        """The set, memory-mapped."""
        store = open_store(self.manifest().key)
        labels: dict[str, Any] = {part: np.asarray(found) for part, found in store.labels.items()}
        cut = cut_parts(labels, self.val, self.test, self.split_seed, store.manifest.origin)
        return ImageData(store, cut, self.normalise, self.augment)


def _decoded(key: str, make: Any, progress: Progress | None) -> ImageManifest:
    found = sound_manifest(key)
    return write_store(key, make(), progress=progress) if found is None else found


@DATA.register("image")
class Image(_Pictures):
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
        channels: 1 or 3; null takes what the pictures have.
        label: column of the classes in a set of `datasets`; null finds it.
        val: share of train, or how many items of it, that validate where the source has no part for that.
        test: share of the whole set, or how many items, that test where the source is not cut.
        split_seed: of those draws; the run's own seed does not touch them.
        normalise: channel = mean 0 and sd 1 per channel over the train pixels, unit = 0..1, none = 0..255.
        augment: what training images go through; evaluation never does.

    Shape:
        inputs [B, H * W, C] float32 row by row, targets [B].

    Raises:
        DiagnosticError: from `probe` and `load`; see `snnctl.data.problems`.
    """

    def __init__(
        self,
        *,
        source: Annotated[str, SourcePath(known=(*KNOWN_IMAGE_NAMES, HUB))],
        hub: str | None = None,
        size: Size | None = None,
        channels: Literal[1, 3] | None = None,
        label: str | None = None,
        val: Share = 0.1,
        test: Share = 0.2,
        split_seed: Annotated[int, Ge(0)] = 0,
        normalise: Normalise = "channel",
        augment: Augment = NO_AUGMENT,
    ) -> None:
        super().__init__(val, test, split_seed, normalise, augment)
        self.source, self.hub, self.label = source, hub, label
        self.shape = Shape((size[0], size[1]) if size else None, channels)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """An id goes with the hub; a label column is one of `datasets`."""
        if (knobs["source"] == HUB) != (knobs["hub"] is not None):
            yield "hub", "`hub` names a set where `source` is hub, and only there"
        if knobs["label"] is not None and knobs["source"] in KNOWN_IMAGE_NAMES:
            yield "label", "`label` names a column of a `datasets` set; this source has none"

    def manifest(self, progress: Progress | None = None) -> ImageManifest:
        """The decoded set.

        Raises:
            DiagnosticError: D101, a set that has to be fetched is not there; or what reading a local one finds.
        """
        if self.source in (HUB, *KNOWN_IMAGE_NAMES):
            name = f"hub:{self.hub}" if self.source == HUB else self.source
            found = sound_manifest(known_key(name, self.shape, self.label))
            if found is None:
                raise not_prepared(self.source, self.hub)
            return found
        path = local_path(self.source)
        key = key_of(self.source, PIPELINE, str(path.resolve()), stamp(path), self.shape, self.label)
        return _decoded(key, lambda: image_source(path, self.shape, self.label), progress)

    def prepare(self, progress: Progress | None = None) -> ImageManifest:
        """The decoded set; a named one is fetched through torchvision, one of a hub through `datasets`."""
        if self.hub is not None:
            return prepare_hub(self.hub, self.shape, self.label, progress)
        if self.source in KNOWN_IMAGE_NAMES:
            return prepare_known(self.source, self.shape, progress=progress)
        return self.manifest(progress)


@DATA.register("event_frames")
class EventFrames(_Pictures):
    """Recordings of event cameras as frames of counts: T and both polarities come from the data.

    Sources: .npz or .npy with frames [N, T, C, H, W] and labels; folders `[train|test/]CLASS/x.npz` with `frames`
    [T, C, H, W] each, as spikingjelly keeps CIFAR10-DVS, DVS128 Gesture and N-MNIST; or recordings, whose events are
    counted: N-MNIST's .bin files, DVS128 Gesture's .npy files, .npz files with t, x, y and p. Splits as in `image`.

    Args:
        source: a path (./CIFAR10DVS/frames_number_16_split_by_number).
        frames: T that events are counted into, >= 1; null where the source holds frames.
        cut: where frames of events begin: number gives each the same number of events, time the same duration.
        size: [rows, columns] of the sensor; null is 34 x 34 for .bin files, else 128 x 128.
        val: share of train, or how many items of it, that validate where the source has no part for that.
        test: share of the whole set, or how many items, that test where the source is not cut (0.1 as published for
            CIFAR10-DVS).
        split_seed: of those draws; the run's own seed does not touch them.
        normalise: none = counts (0..255), unit = counts / 255, channel = mean 0 and sd 1 per channel over train.
        augment: what training recordings go through, all frames of one alike; `rand` is for pictures alone.

    Shape:
        inputs [B, T, H * W, C] float32, targets [B].

    Raises:
        DiagnosticError: from `probe` and `load`; see `snnctl.data.problems`.
    """

    def __init__(
        self,
        *,
        source: Annotated[str, SourcePath()],
        frames: Annotated[int, Ge(1)] | None = None,
        cut: Cut = "number",
        size: Size | None = None,
        val: Share = 0.1,
        test: Share = 0.1,
        split_seed: Annotated[int, Ge(0)] = 0,
        normalise: Normalise = "none",
        augment: Augment = NO_AUGMENT,
    ) -> None:
        super().__init__(val, test, split_seed, normalise, augment)
        self.source, self.frames, self.cut = source, frames, cut
        self.size = (size[0], size[1]) if size else None

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Counts are no colours."""
        if Augment.of(knobs["augment"]).rand:
            yield "augment", "`augment.rand` changes colours of pictures; event frames hold counts"

    def manifest(self, progress: Progress | None = None) -> ImageManifest:
        """The decoded set.

        Raises:
            DiagnosticError: what reading it finds; R322 it holds other frames than `frames`.
        """
        path = local_path(self.source)
        key = key_of(self.source, PIPELINE, str(path.resolve()), stamp(path), self.frames, self.cut, self.size)
        return _decoded(key, lambda: self._source(path), progress)

    def _source(self, path: Path) -> Source:
        return event_source(path, self.frames, self.size, self.cut)
