"""Baselines for videos: the last frame, black, the mean frame."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from snnctl.baselines.base import Baseline, Fitted, NotApplicableError, Told
from snnctl.baselines.classes import evenly
from snnctl.core.catalog import BASELINES
from snnctl.core.shapes import SignalSpec
from snnctl.measure.items import SplitData, TargetBatch

# Numbers held at once, and numbers of train frames that a mean is taken of.
_HELD = 1 << 23
_MOST_VALUES = 1 << 28


class SequenceBatch(TargetBatch, Protocol):
    """Frames [B, F, L, C] of which the first are `inputs`, the others `targets`."""

    def __len__(self) -> int: ...
    @property
    def frames(self) -> Tensor: ...


class VideoSource(SplitData[SequenceBatch], Protocol):
    """Sequences of frames."""

    @property
    def input_signal(self) -> SignalSpec: ...


def held_at_once(signal: SignalSpec, batch_size: int) -> int:
    """Sequences in a batch: fewer than `batch_size` where frames are large."""
    return max(1, min(batch_size, _HELD // _values(signal)))


def _values(signal: SignalSpec) -> int:
    """Numbers in one sequence."""
    return (signal.frames + signal.ahead) * signal.length * signal.features


@BASELINES.register("copy_last")
class CopyLast(Baseline):
    """The last frame that is seen, again and again."""

    serves = ("video",)

    def fit(self, data: VideoSource, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        ahead = data.input_signal.ahead
        return Fitted(lambda seen: seen[:, -1:].expand(-1, ahead, -1, -1))


@BASELINES.register("black")
class Black(Baseline):
    """Black frames."""

    serves = ("video",)

    def fit(self, data: VideoSource, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        ahead = data.input_signal.ahead
        return Fitted(lambda seen: torch.zeros_like(seen[:, -1:]).expand(-1, ahead, -1, -1))


@BASELINES.register("train_mean")
class TrainMean(Baseline):
    """The mean of all train frames at each pixel."""

    serves = ("video",)

    def fit(self, data: VideoSource, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        """The mean over an even selection of sequences of `train`."""
        train, signal = data.split("train"), data.input_signal
        if not len(train):
            raise NotApplicableError("it needs train sequences, and there are none")
        chosen = evenly(len(train), max(1, _MOST_VALUES // _values(signal)))
        total = torch.zeros(signal.length, signal.features, dtype=torch.float64)
        for indices in chosen.split(batch_size):
            total += train.batch(indices).frames.mean(1).to("cpu", torch.float64).sum(0)
        mean = (total / len(chosen)).float()
        text = f"on {len(chosen):,} of {len(train):,} sequences" if len(chosen) < len(train) else ""
        return Fitted(lambda seen: mean.to(seen).expand(len(seen), signal.ahead, -1, -1), text)
