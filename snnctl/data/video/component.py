"""The data component `video`: recordings cut into sequences of frames that are seen and frames that follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge

from snnctl.core.catalog import DATA
from snnctl.core.registry import SourcePath
from snnctl.data.base import DataSource
from snnctl.data.cache import Progress
from snnctl.data.cuts import Share
from snnctl.data.decoding import refuse_flat
from snnctl.data.pictures import Size, as_pair
from snnctl.data.prepare import Prepared, reported
from snnctl.data.problems import data_error
from snnctl.data.tones import Ground, Range, Tones
from snnctl.data.video.anew import FittedVideo
from snnctl.data.video.clips import By, VideoSet
from snnctl.data.video.cut import cut_windows
from snnctl.data.video.dataset import VideoData
from snnctl.data.video.known import KNOWN
from snnctl.data.video.moving.component import MOVING_MNIST, MovingData, MovingDigits
from snnctl.data.video.moving.digits import picture_set
from snnctl.data.video.prepare import local_videos, named_videos, take_in
from snnctl.data.video.readers.arrays import Layout
from snnctl.data.video.readers.folders import KTH_SIZE, FrameShape

_TRAIN = 10000  # sequences of an epoch of Moving MNIST, as published


@DATA.register("video")
class Video(DataSource):
    """Videos to be continued: a named set, an array, or folders of numbered pictures, cut into windows.

    Sources: moving_mnist (train and val drawn anew from MNIST's train digits, test from the published file; other
    settings: `moving_digits`), taxibj from its .npz file, kth from its tree of pictures; a path to any of the last two,
    to a .npy or .npz file of videos, to folders `[train|val|test/]CLIP/x0001.png`, or to animated GIFs, each a clip.

    No window crosses from one clip into another or over a missing frame. Makers' parts are kept; validation is cut from
    train and never is the test set: whole clips, of kth whole persons, or the end of train in time order (taxibj),
    where windows that show a frame of both sides are left out.

    Args:
        source: a known name, or a path (./clips.npy, ./kth).
        layout: which axis of an array is which: n clips, t time, h rows, w columns, c channels; null for other sources.
        frames_in: F_in, frames that are seen, >= 1.
        frames_out: F_out, frames that are predicted, >= 1.
        stride: frames from one window to the next, >= 1; null = windows do not overlap (of kth, jogging and running: 3
            as published).
        size: [rows, columns] that pictures are scaled to; null takes them as they are, of kth 128 x 128.
        channels: 1 (of kth the first colour) or 3 of pictures; null takes what they have, of kth 1.
        ground: what transparent pictures lie on: white, black or grey; none leaves transparency off; null is white,
            with a warning.
        range: [lowest, highest] value of pictures that becomes 0 and 1, others are cut to them; null goes by the depth
            of the files (of 16 bits, 0..65535).
        val: share of train that validates where the source has no part for that, or how many: clips, persons of kth,
            windows in time order.
        test: likewise what tests where the source is not cut.
        by: clip = whole clips are drawn, time = the end in time order; null = clip where there are enough, of taxibj
            time.
        split_seed: of those draws; the run's own seed does not touch them.

    Shape:
        frames [B, F_in + F_out, H * W, C] float32 in 0..1.

    Raises:
        DiagnosticError: from `probe` and `load`; see `snnctl.data.problems`.
    """

    gives: ClassVar[Literal["video"]] = "video"

    def __init__(
        self,
        *,
        source: Annotated[str, SourcePath(known=tuple(KNOWN))],
        layout: Layout | None = None,
        frames_in: Annotated[int, Ge(1)] = 10,
        frames_out: Annotated[int, Ge(1)] = 10,
        stride: Annotated[int, Ge(1)] | None = None,
        size: Size | None = None,
        channels: Literal[1, 3] | None = None,
        ground: Ground | None = None,
        range: Range | None = None,
        val: Share = 0.1,
        test: Share = 0.2,
        by: By | None = None,
        split_seed: Annotated[int, Ge(0)] = 0,
    ) -> None:
        self.source, self.layout = source, layout
        self.seen, self.ahead, self.stride = frames_in, frames_out, stride
        self.shape, self.tones = FrameShape(as_pair(size), channels), Tones(ground, range)
        self.val, self.test, self.split_seed = val, test, split_seed
        self.by: By | None = by
        self._moving: MovingDigits | None = None
        if source == MOVING_MNIST:
            count = val if isinstance(val, int) else max(1, round(_TRAIN * val))
            self._moving = MovingDigits(
                source="mnist",
                frames_in=frames_in,
                frames_out=frames_out,
                train=_TRAIN,
                val=count,
                split_seed=split_seed,
                test_file=MOVING_MNIST,
            )

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Knobs of one kind of source stand with that kind alone."""
        source = knobs["source"]
        yield from Tones.rules(knobs)
        if source in KNOWN and knobs["layout"] is not None:
            yield "layout", f"`layout` names the axes of an array; those of {source} are known"
        if source == MOVING_MNIST:
            for knob in ("stride", "by"):
                if knobs[knob] is not None:
                    yield knob, f"`{knob}` cuts recordings; sequences of {source} are whole and drawn one by one"
        if source in (MOVING_MNIST, "taxibj") or source.lower().endswith((".npy", ".npz")):
            for knob in ("size", "channels", "ground", "range"):
                if knobs.get(knob) is not None:
                    yield knob, f"`{knob}` is for pictures; arrays are taken as they are"

    def prepare(self, progress: Progress | None = None, brought: Path | None = None) -> tuple[Prepared, ...]:
        """The clips, fetched or taken into the cache if need be; of moving_mnist MNIST's digits as well."""
        if self.source in KNOWN:
            take_in(self.source, brought, self.shape, self.tones, progress=progress)
        if self._moving is not None:
            picture_set(self._moving.source).prepare(progress)
        found = self._videos(progress)
        return (reported(found.origin, found, KNOWN.get(self.source)),)

    def load(self) -> VideoData | MovingData:
        """The set, memory-mapped, and its windows.

        Raises:
            DiagnosticError: D101 it is not there, D233 clips too short, R320 an empty split, R330 the set is made for
                other numbers of frames, or what reading finds.
        """
        if self._moving is not None:
            return self._moving.load()
        found = self._videos()
        if found.lengths is not None and found.lengths != (self.seen, self.ahead):
            seen, ahead = found.lengths
            message = f"its samples have {seen} frames in and {ahead} out, the recipe {self.seen} and {self.ahead}"
            help = f"set `data.frames_in: {seen}` and `data.frames_out: {ahead}`"
            raise data_error("R330", message, file=found.origin, path="data.frames_in", help=help)
        length = self.seen + self.ahead
        cut = cut_windows(found, length, self.stride, self.val, self.test, self.by, self.split_seed)
        part, train = cut["train"]
        clips = found.parts[part]
        blocks = (clips.gather(train[first : first + 1], length) for first in range(len(train)))
        refuse_flat(blocks, found.origin, found.findings, "frames")
        reading = self.shape
        if found.format == "kth":
            reading = FrameShape(reading.size or KTH_SIZE, reading.channels or 1)
        fitted = FittedVideo(found.shape, self.seen, self.ahead, self.layout, reading, self.tones, found.format)
        return VideoData(found, cut, self.seen, self.ahead, fitted)

    def _videos(self, progress: Progress | None = None) -> VideoSet:
        if self.source in KNOWN:
            return named_videos(self.source, self.shape, self.tones)
        return local_videos(self.source, self.layout, self.shape, progress, self.tones)
