"""Sequences of moving digits, drawn when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from snnctl.core.choices import SplitName
from snnctl.core.seeds import stream_seed
from snnctl.core.shapes import SignalSpec
from snnctl.data.base import Dataset
from snnctl.data.cache import sha256_of
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.pictures import Pixels, spelled
from snnctl.data.tones import Tones
from snnctl.data.video.anew import FittedVideo
from snnctl.data.video.clips import VideoSet, lay_windows
from snnctl.data.video.dataset import VideoBatch, VideoSplit, to_frames, video_signal
from snnctl.data.video.moving.digits import Pools
from snnctl.data.video.moving.motion import MotionRule
from snnctl.data.video.readers.folders import FrameShape


@dataclass(frozen=True)
class MovingSplit:
    """Sequences by number; each is drawn anew whenever it is asked for, and is always the same.

    Args:
        rule: how digits move.
        images: the pool of this split, uint8 [N, h, w].
        count: sequences.
        seen: F_in.
        seed, place: sequence i is a pure function of them and of i.
        fresh: the run's seed where training sequences are other ones in every epoch; None = they are not.
    """

    rule: MotionRule
    images: Pixels
    count: int
    seen: int
    seed: int
    place: int
    fresh: int | None = None

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Tensor) -> VideoBatch:
        """The sequences at `indices` (int64 [B]) of the fixed set: the same for all runs.

        Shape:
            frames [B, F, H * W, 1] float32 in 0..1.
        """
        return self._drawn([stream_seed(self.seed, "data", self.place, index) for index in indices.tolist()])

    def training_batch(self, indices: Tensor, seed: int, epoch: int) -> VideoBatch:
        """The sequences at `indices` in `epoch`: a pure function of the run's seed, epoch and index.

        The batch's `seed` has no say, so that a sequence does not depend on how batches are cut.
        """
        if self.fresh is None:
            return self.batch(indices)
        return self._drawn([stream_seed(self.fresh, "augment", epoch, index) for index in indices.tolist()])

    def _drawn(self, seeds: list[int]) -> VideoBatch:
        return VideoBatch(to_frames(self.rule.draw(seeds, self.images)[..., None]), self.seen)


@dataclass(frozen=True)
class MovingData(Dataset):
    """Pools of digits, and the sequences once they are asked for.

    Args:
        pools: digit images of each split, scaled.
        rule: how they move.
        sizes: sequences in each split.
        seen: F_in.
        seed: of the fixed sequences.
        fresh: see `MovingSplit`.
        tested: sequences that are tested instead of drawn ones.
        leaks: what a reader of results has to know.
    """

    pools: Pools
    rule: MotionRule
    sizes: Mapping[str, int]
    seen: int
    seed: int
    fresh: int | None
    tested: VideoSet | None = None
    leaks: tuple[str, ...] = ()

    @property
    def input_signal(self) -> SignalSpec:
        return video_signal((*self.rule.canvas, 1), self.seen, self.rule.frames - self.seen)

    @property
    def fitted(self) -> FittedVideo:
        """What a trained model keeps of it; new videos are arrays [N, T, H, W], or pictures of the canvas."""
        shape, ahead = (*self.rule.canvas, 1), self.rule.frames - self.seen
        return FittedVideo(shape, self.seen, ahead, "nthw", FrameShape(None, 1), Tones(), "moving digits")

    def split(self, name: SplitName) -> MovingSplit | VideoSplit:
        if name == "test" and self.tested is not None:
            ((clips),) = self.tested.parts.values()
            windows = lay_windows(clips, self.rule.frames, None, from_end=False)
            return VideoSplit(clips, windows, self.seen, self.rule.frames - self.seen)
        fresh = self.fresh if name == "train" else None
        place = SPLIT_NAMES.index(name)
        return MovingSplit(self.rule, self.pools.images[name], self.sizes[name], self.seen, self.seed, place, fresh)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 hex over the digits and the constants: fixed sequences are a function of them."""
        tested = None if self.tested is None else self.tested.digest
        facts = (self.rule, dict(self.sizes), self.seen, self.seed, self.fresh is not None, tested)
        return sha256_of(facts, (self.pools.images[name].tobytes() for name in SPLIT_NAMES))

    def facts(self) -> dict[str, Any]:
        size = self.pools.images["train"].shape[1:]
        splits: dict[str, Any] = {}
        for name in SPLIT_NAMES:
            fixed = name == "test" and self.tested is not None
            digits = {} if fixed else {"digit_images": len(self.pools.images[name])}
            splits[name] = {"sequences": len(self.split(name)), **digits}
        return {
            "origin": self.pools.origin,
            "test_origin": "drawn" if self.tested is None else self.tested.origin,
            "frame": spelled((*self.rule.canvas, 1)),
            "digit": spelled(size),
            "digits": self.rule.digits,
            "frames_in": self.seen,
            "frames_out": self.rule.frames - self.seen,
            "fresh": self.fresh is not None,
            "images_left_out": self.pools.removed,
            "seed": self.seed,
            "splits": splits,
            "licence": self.pools.licence,
        }
