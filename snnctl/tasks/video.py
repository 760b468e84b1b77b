"""Video prediction: some frames in, the frames that follow out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import torch.nn.functional as F
from annotated_types import MinLen
from torch import Tensor, nn

from snnctl.baselines.continuations import SequenceBatch, VideoSource, held_at_once
from snnctl.core.catalog import TASKS
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.registry import NameOf
from snnctl.core.shapes import ShapeError
from snnctl.measure.video import DATA_RANGES, VideoMetricName, VideoMetrics, large_enough
from snnctl.tasks.base import Task

DEFAULT_METRICS: list[VideoMetricName] = ["mse", "mae", "ssim", "ssim2", "psnr"]
DEFAULT_BASELINES: list[str] = ["copy_last", "black", "train_mean"]


@TASKS.register("video_prediction")
class VideoPrediction(Task[VideoSource, VideoMetricName]):
    """Predicts the frames of a video that follow those that are seen.

    In training the network is given whole sequences, as it may be shown true later frames for a while (scheduled
    sampling); in evaluation it is given the frames that are seen and nothing else.

    Equation:
        y = network(frames) in training, network(inputs) else; y is frames 2 .. F_in + F_out, or the last F_out alone
        loss = mean of (y - true frames)^2 over all frames of y, or over the last F_out
        metrics are those of the last F_out frames, see `VideoMetrics`

    Args:
        data: videos cut into sequences.
        loss_frames: all = every frame that the network gives counts, those included that it could look at next (as
            published); ahead = the last F_out alone.
        metrics: reported metrics, the first is the headline; mse and mae are sums over a frame, ssim2 is the one that
            compares with published numbers.
        baselines: reference predictions to report beside the network: the last seen frame, black, and the mean train
            frame.

    Shape: inputs [B, F_in, L, C], prediction [B, F_in + F_out - 1, L, C] or [B, F_out, L, C], values in 0..1.

    Raises:
        DiagnosticError: R332, frames are too small for structural similarity.
    """

    needs: ClassVar[Literal["video"]] = "video"
    answers: ClassVar[Literal["frames"]] = "frames"

    def __init__(
        self,
        data: VideoSource,
        *,
        loss_frames: Literal["all", "ahead"] = "all",
        metrics: Annotated[list[VideoMetricName], MinLen(1)] = DEFAULT_METRICS,
        baselines: list[Annotated[str, NameOf("baseline", serves="video")]] = DEFAULT_BASELINES,
    ) -> None:
        super().__init__(data, metrics, baselines)
        self.loss_frames = loss_frames
        grid = data.input_signal.grid
        assert grid is not None
        self.grid = grid
        small = [name for name in self.metrics if name in DATA_RANGES]
        if small and not large_enough(grid):
            message = f"frames of {grid[0]} x {grid[1]} are smaller than the window of 7 x 7 of `{small[0]}`"
            help = "leave ssim and ssim2 out of `task.metrics`, or use larger frames"
            raise DiagnosticError(Diagnostic("R332", message, path="task.metrics", help=help))

    @property
    def outputs(self) -> int:
        """Values per pixel of a predicted frame: C."""
        return self.data.input_signal.features

    def predict(self, network: nn.Module | Callable[[Tensor], Tensor], batch: SequenceBatch) -> Tensor:
        """Frames [B, F_in + F_out - 1, L, C], or [B, F_out, L, C].

        Raises:
            ShapeError: the network gives anything else.
        """
        training = bool(getattr(network, "training", False))
        frames: Tensor = network(batch.frames if training else batch.inputs)
        count, ahead = batch.frames.shape[1] - 1, batch.targets.shape[1]
        fitting = [(len(batch.frames), n, *batch.frames.shape[2:]) for n in (count, ahead)]
        if tuple(frames.shape) not in fitting:
            message = f"the read-out gives {list(frames.shape)}, not {list(fitting[0])} or {list(fitting[1])}"
            raise ShapeError(message, knob="type", help="use a read-out that answers with frames")
        return frames

    def loss(self, prediction: Tensor, batch: SequenceBatch) -> Tensor:
        """Mean squared error over the frames that count, per pixel."""
        if self.loss_frames == "ahead":
            prediction = prediction[:, -batch.targets.shape[1] :]
        return F.mse_loss(prediction, batch.frames[:, -prediction.shape[1] :])

    def loss_weight(self, batch: SequenceBatch) -> int:
        """Every sequence counts alike."""
        return len(batch)

    def meter(self) -> VideoMetrics:
        return VideoMetrics(self.metrics, self.data.input_signal.ahead, self.grid)

    def held_at_once(self, batch_size: int) -> int:
        """Fewer sequences where frames are large."""
        return held_at_once(self.input_signal, batch_size)
