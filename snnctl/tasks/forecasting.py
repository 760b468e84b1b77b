"""Forecasting: a window of a series in, its next `horizon` values out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal, Protocol

import torch
import torch.nn.functional as F
from annotated_types import Ge, MinLen
from torch import Tensor, nn

from snnctl.baselines.windows import WindowBatch, WindowData
from snnctl.core.catalog import TASKS
from snnctl.core.registry import NameOf
from snnctl.core.shapes import SignalSpec
from snnctl.measure.metrics import ForecastMetrics, MetricName
from snnctl.tasks.base import Task

# Rows (windows x channels) that baselines hold at once, so that wide series fit in memory.
MOST_ROWS = 2**16
DEFAULT_METRICS: list[MetricName] = ["mse", "mae", "r2", "rse"]
DEFAULT_BASELINES: list[str] = ["last_value", "seasonal_naive", "ridge", "dlinear"]


class ForecastSource(WindowData, Protocol):
    """Windows of a series, with the signal that they make."""

    @property
    def calendar_features(self) -> int: ...
    @property
    def input_signal(self) -> SignalSpec: ...


@TASKS.register("forecasting")
class Forecasting(Task[ForecastSource, MetricName]):
    """Predicts the next `horizon` values of every channel from a window of the series.

    Each window's normalisation is applied before the network and undone on its output, so loss and metrics
    are in the scaled units of the data. Targets that were not observed count nowhere.

    Equation:
        (x', scale) = window_norm(inputs[:, :, :C])
        joint:        y' [B, H, C] = network([x', calendar])            output h * C + c is step h, channel c
        independent:  y'[:, :, c] = network([x'[:, :, c], calendar])    the same network for every channel
        prediction = undo(y', scale)
        loss = mean over observed targets of (prediction - y)^2, |prediction - y| or Huber with delta 1

    Args:
        data: forecasting data, which gives window, horizon, channels and normalisation.
        loss: what training minimises.
        metrics: reported metrics, the first is the headline; they differ in how r2 is pooled, see
            `ForecastMetrics`. Default: what the field prints.
        channels: joint gives the network all channels at once, independent each channel on its own with
            shared weights (folded into the batch).
        known_neurons: spiking neurons that decode covariates known ahead, the same for every step of the horizon, >= 0;
            0 leaves them to the encoder alone.
        baselines: reference forecasts to report beside the network.

    Shape: inputs [B, L, C + covariates and calendar features], prediction [B, H, C].
    """

    needs: ClassVar[Literal["series"]] = "series"

    def __init__(
        self,
        data: ForecastSource,
        *,
        loss: Literal["mse", "mae", "huber"] = "mse",
        metrics: Annotated[list[MetricName], MinLen(1)] = DEFAULT_METRICS,
        channels: Literal["joint", "independent"] = "joint",
        known_neurons: Annotated[int, Ge(0)] = 64,
        baselines: list[Annotated[str, NameOf("baseline", serves="series")]] = DEFAULT_BASELINES,
    ) -> None:
        super().__init__(data, metrics, baselines)
        self.loss_name = loss
        self.channels = channels
        self.known_neurons = known_neurons

    @property
    def input_signal(self) -> SignalSpec:
        """What the encoder gets: one channel or all, covariates and calendar features after it."""
        signal, series = self.data.input_signal, 1 if self.channels == "independent" else self.data.channels
        neurons = self.known_neurons if signal.known else 0
        return signal.replace(features=series + signal.features - self.data.channels, known_neurons=neurons)

    @property
    def outputs(self) -> int:
        """Numbers per item: `horizon`, times the channels when they are joint."""
        return self.data.horizon * (1 if self.channels == "independent" else self.data.channels)

    def predict(self, network: nn.Module | Callable[[Tensor], Tensor], batch: WindowBatch) -> Tensor:
        """Forecast [B, H, C] in scaled units; `network` maps [B', L, features] to [B', outputs]."""
        C, H = self.data.channels, self.data.horizon
        series, calendar = batch.inputs[..., :C], batch.inputs[..., C:]
        series, scale = self.data.window_norm.apply(series)
        B, L, _ = series.shape
        if self.channels == "independent":
            folded = series.transpose(1, 2).reshape(B * C, L, 1)  # row b * C + c
            if calendar.shape[-1]:
                folded = torch.cat((folded, calendar.repeat_interleave(C, dim=0)), dim=-1)
            output = network(folded).reshape(B, C, H).transpose(1, 2)
        else:
            whole = torch.cat((series, calendar), dim=-1) if calendar.shape[-1] else series
            output = network(whole).reshape(B, H, C)
        return self.data.window_norm.undo(output.to(series.dtype), scale)

    def loss(self, prediction: Tensor, batch: WindowBatch) -> Tensor:
        """Mean loss over the observed targets; 0, with a gradient of 0, when there are none."""
        target, observed = batch.targets, batch.observed
        if observed is not None:
            # Filled before the difference: a nan would come back through the gradient of a later mask.
            target = torch.where(observed, target, prediction.detach())
        error = prediction - target
        match self.loss_name:
            case "mse":
                each = error.square()
            case "mae":
                each = error.abs()
            case "huber":
                each = F.huber_loss(error, torch.zeros_like(error), reduction="none")
        if observed is None:
            return each.mean()
        return each.sum() / observed.sum().clamp(min=1)

    def loss_weight(self, batch: WindowBatch) -> int:
        """How many targets are observed."""
        return batch.targets.numel() if batch.observed is None else int(batch.observed.sum())

    def meter(self) -> ForecastMetrics:
        """Fresh metrics for one split."""
        scaler = getattr(self.data, "scaler", None)
        scale = getattr(scaler, "scale", None)
        known = scale is not None and scale.shape == (self.data.channels,)
        return ForecastMetrics(
            self.metrics,
            self.data.horizon,
            self.data.channels,
            columns=getattr(self.data, "columns", ()),
            scaler=getattr(scaler, "kind", ""),
            scale=torch.as_tensor(scale, dtype=torch.float64) if known else None,
        )

    def held_at_once(self, batch_size: int) -> int:
        """Fewer windows where a series has many channels."""
        return max(1, min(batch_size, MOST_ROWS // self.data.channels))
