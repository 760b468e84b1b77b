"""Reference continuations of a video, under the same metrics as the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor

from snnctl.baselines.forecasts import BaselineReport, NotApplicableError, Progress
from snnctl.core.shapes import SignalSpec
from snnctl.measure.items import ItemSplit, TargetBatch
from snnctl.measure.video import VideoMetricName, VideoMetrics

VideoBaselineName = Literal["copy_last", "black", "train_mean"]
Continue = Callable[[Tensor], Tensor]  # frames that are seen [B, F_in, L, C] -> those ahead [B, F_out, L, C]

# Numbers held at once, and numbers of train frames that a mean is taken of.
_HELD = 1 << 23
_MOST_VALUES = 1 << 28


class SequenceBatch(TargetBatch, Protocol):
    """Frames [B, F, L, C] of which the first are `inputs`, the others `targets`."""

    def __len__(self) -> int: ...
    @property
    def frames(self) -> Tensor: ...


class VideoSource(Protocol):
    """Sequences of frames."""

    @property
    def input_signal(self) -> SignalSpec: ...
    def split(self, name: str, /) -> ItemSplit[SequenceBatch]:
        """The part called `train`, `val` or `test`."""


def run_video_baselines(
    names: Sequence[VideoBaselineName],
    data: VideoSource,
    metric_names: Sequence[VideoMetricName],
    *,
    batch_size: int = 512,
    split: str = "test",
    progress: Progress | None = None,
) -> BaselineReport:
    """Score each baseline on the frames ahead of `split`.

    Args:
        names: which baselines, in report order: the last frame that is seen, again and again; black frames; the mean of
            all train frames at each pixel.
        batch_size: sequences held at once; fewer where frames are large.
        progress: told how far each baseline is.
    """
    meters, chosen, omitted = continuation_meters(
        names, data, metric_names, batch_size=batch_size, split=split, progress=progress
    )
    return BaselineReport({name: meter.compute() for name, meter in meters.items()}, chosen, omitted)


def continuation_meters(
    names: Sequence[VideoBaselineName],
    data: VideoSource,
    metric_names: Sequence[VideoMetricName],
    *,
    batch_size: int = 512,
    split: str = "test",
    progress: Progress | None = None,
) -> tuple[dict[str, VideoMetrics], dict[str, str], dict[str, str]]:
    """As `run_video_baselines`, with the sums themselves: meters, what was chosen, what was left out and why."""
    signal = data.input_signal
    assert signal.grid is not None
    batch_size = max(1, min(batch_size, _HELD // _values(signal)))
    rules: dict[str, Continue] = {}
    chosen: dict[str, str] = {}
    omitted: dict[str, str] = {}
    for name in names:
        try:
            rules[name], text = _fit(name, data, batch_size)
        except NotApplicableError as reason:
            omitted[name] = str(reason)
            continue
        if text:
            chosen[name] = text
    meters = {name: VideoMetrics(metric_names, signal.ahead, signal.grid) for name in rules}
    part = data.split(split)
    for done, batch in _batches(part, batch_size):
        for called, go_on in rules.items():
            meters[called].update(go_on(batch.inputs), batch.targets)
            if progress:
                progress(called, done / len(part))
    return meters, chosen, omitted


def _values(signal: SignalSpec) -> int:
    """Numbers in one sequence."""
    return (signal.frames + signal.ahead) * signal.length * signal.features


def _batches(split: ItemSplit[SequenceBatch], batch_size: int) -> Iterator[tuple[int, SequenceBatch]]:
    """How many are done with each batch, and the batch."""
    for indices in torch.arange(len(split)).split(batch_size):
        yield int(indices[-1]) + 1, split.batch(indices)


def _fit(name: VideoBaselineName, data: VideoSource, batch_size: int) -> tuple[Continue, str]:
    ahead = data.input_signal.ahead
    if name == "copy_last":
        return (lambda seen: seen[:, -1:].expand(-1, ahead, -1, -1)), ""
    if name == "black":
        return (lambda seen: torch.zeros_like(seen[:, -1:]).expand(-1, ahead, -1, -1)), ""
    mean, text = _train_mean(data, batch_size)
    return (lambda seen: mean.to(seen).expand(len(seen), ahead, -1, -1)), text


def _train_mean(data: VideoSource, batch_size: int) -> tuple[Tensor, str]:
    """[L, C] the mean of all frames of an even selection of train sequences."""
    train = data.split("train")
    if not len(train):
        raise NotApplicableError("it needs train sequences, and there are none")
    count = min(len(train), max(1, _MOST_VALUES // _values(data.input_signal)))
    chosen = torch.arange(count) * len(train) // count
    total = torch.zeros(data.input_signal.length, data.input_signal.features, dtype=torch.float64)
    for indices in chosen.split(batch_size):
        total += train.batch(indices).frames.mean(1).to("cpu", torch.float64).sum(0)
    text = f"on {count:,} of {len(train):,} sequences" if count < len(train) else ""
    return (total / count).float(), text
