"""The data component `event_frames`: recordings of event cameras as frames of counts, batched as pictures are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Annotated, Any

from annotated_types import Ge

from snnctl.core.catalog import DATA
from snnctl.core.diagnostic import Diagnostic
from snnctl.core.registry import SourcePath
from snnctl.core.signature import takes_knobs
from snnctl.data.cache import Progress
from snnctl.data.cuts import Cutting
from snnctl.data.events.frames_anew import FittedFrames
from snnctl.data.events.readers.cameras import Cut, frames_source
from snnctl.data.events.times import Clock, TimeUnit, check_frames, odd_recordings, told
from snnctl.data.images.augment import Augment
from snnctl.data.images.component import NO_AUGMENT, Pictures
from snnctl.data.images.dataset import ImageData, Normalise
from snnctl.data.images.prepare import local_images
from snnctl.data.images.store import ImageManifest
from snnctl.data.pictures import Size, as_pair
from snnctl.data.walk import files_in, place_of

_CUTTING = Cutting(test=0.1)
ARRAYS = 2  # of how recordings in arrays are read: version 1 cut fractions of times off


@dataclass(frozen=True)
class FrameData(ImageData):
    """Event frames, and what is known of the recordings that they were counted from.

    Args:
        counting: `cut` and `size` of the recipe, by which new recordings are counted.
    """

    counting: tuple[Cut, tuple[int, int] | None] | None = None

    @property
    def fitted(self) -> FittedFrames | None:
        return None if self.counting is None else FittedFrames(*self.fitted_pixels, *self.counting)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        manifest = self.store.manifest
        odd = odd_recordings(manifest.found, manifest.origin)
        return (*check_frames(manifest.found, manifest.shape[0], manifest.origin), *odd, *super().warnings)

    def facts(self) -> dict[str, Any]:
        found = told(self.store.manifest.found)
        found.pop("start", None)  # frames have none
        return {**super().facts(), **found}


@DATA.register("event_frames")
class EventFrames(Pictures):
    """Recordings of event cameras as frames of counts: T and both polarities come from the data.

    Sources: .npz or .npy with frames [N, T, C, H, W] and labels; folders `[train|test/]CLASS/x.npz` with `frames`
    [T, C, H, W] each, as spikingjelly keeps CIFAR10-DVS, DVS128 Gesture and N-MNIST; or recordings, whose events are
    counted, of the same formats as in `event_spikes`: N-MNIST's .bin, .npy and .npz files, AEDAT, Prophesee's .dat and
    .raw, DVS128 Gesture's folder. Splits as in `image`.

    Args:
        source: a path (./CIFAR10DVS/frames_number_16_split_by_number).
        frames: T that events are counted into, >= 1; null where the source holds frames.
        cut: where frames of events begin: number gives each the same number of events, time the same duration.
        time_unit: what times are counted in, for what is told of them: frames are the same in any unit and from any
            start; auto = as the format says, else microseconds for whole numbers and seconds for fractions.
        size: [rows, columns] of the sensor; null is as the file says, 34 x 34 for .bin files, else 128 x 128.
        test: share of the whole set, or how many items, that test where the source is not cut (0.1 as published for
            CIFAR10-DVS).
        normalise: none = counts (0..255), unit = counts / 255, channel = mean 0 and sd 1 per channel over train.
        augment: what training recordings go through, all frames of one alike; `rand` is for pictures alone.

    Shape:
        inputs [B, T, H * W, C] float32, targets [B].

    Raises:
        DiagnosticError: from `probe` and `load`; see `snnctl.data.problems`.
    """

    @takes_knobs
    def __init__(
        self,
        *,
        source: Annotated[str, SourcePath()],
        frames: Annotated[int, Ge(1)] | None = None,
        cut: Cut = "number",
        time_unit: TimeUnit = "auto",
        size: Size | None = None,
        cutting: Cutting = _CUTTING,
        normalise: Normalise = "none",
        augment: Augment = NO_AUGMENT,
    ) -> None:
        super().__init__(cutting, normalise, augment)
        self.source, self.frames, self.cut = source, frames, cut
        self.size, self.clock = as_pair(size), Clock(time_unit)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Counts are no colours."""
        if Augment.of(knobs["augment"]).rand:
            yield "augment", "`augment.rand` changes colours of pictures; event frames hold counts"

    def manifest(self, progress: Progress | None = None) -> ImageManifest:
        read = partial(frames_source, frames=self.frames, size=self.size, cut=self.cut, clock=self.clock)
        settings: tuple[object, ...] = (self.frames, self.cut, self.size)
        folder = place_of(self.source)
        below = files_in(folder) if self.frames is not None and folder is not None and folder.is_dir() else []
        if any(file.suffix in (".npy", ".npz") for file in below):
            settings += (ARRAYS,)
        if self.clock != Clock():
            settings += (self.clock,)
        return local_images(self.source, settings, read, progress)

    def load(self) -> FrameData:
        found = super().load()
        shared = {field.name: getattr(found, field.name) for field in fields(found)}
        return FrameData(**shared, counting=(self.cut, self.size))
