"""DLinear-style baseline: trend and remainder of the window, one trained linear map for each."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from snnctl.baselines.base import Baseline, Fitted, Told, unheard
from snnctl.baselines.windows import WindowBatch, WindowData, affine, fittable, fold_channels, unfold_channels
from snnctl.core.catalog import BASELINES
from snnctl.measure.items import batches

KERNEL = 25
EPOCHS = 15
PATIENCE = 3
LEARNING_RATE = 2e-3
# At least this many optimiser steps per epoch, by smaller batches, or short series would stay untrained.
STEPS_PER_EPOCH = 32


def moving_average(x: Tensor, kernel: int) -> Tensor:
    """Mean over `kernel` (odd) positions around each, [N, L] -> [N, L]; the ends are repeated."""
    side = kernel // 2
    return F.avg_pool1d(F.pad(x.unsqueeze(1), (side, side), mode="replicate"), kernel, stride=1).squeeze(1)


def trend_kernel(window: int) -> int:
    """25, or the largest odd number within half the window when that is shorter."""
    half = max(1, window // 2)
    return min(KERNEL, half if half % 2 else half - 1)


def fit_dlinear(
    data: WindowData, *, seed: int, batch_size: int = 512, epochs: int = EPOCHS, progress: Told = unheard
) -> tuple[Callable[[Tensor], Tensor], int]:
    """Train with Adam on `train`, stop early on `val`; returns the predictor and the best epoch.

    Maps are shared by all channels; windows are normalised as for the model. The order of windows comes
    from a generator of its own, so no global random state is read or changed.

    Equation:
        trend = moving_average(x', 25)
        y' = trend W_t + (x' - trend) W_r + b
        loss = mean over observed targets of (y - undo(y'))^2

    Args:
        seed: seeds the order of the windows; weights start at 1 / window, a plain mean.
        batch_size: most windows per step.
        epochs: most passes over `train`.
        progress: told the share of the epochs that are done, 0..1.

    Raises:
        NotApplicableError: there are no windows to fit or to choose on.

    Source: Zeng et al., "Are Transformers Effective for Time Series Forecasting?", AAAI 2023
        (cure-lab/LTSF-Linear).
    """
    train, val = fittable(data)
    kernel = trend_kernel(data.window)
    generator = torch.Generator().manual_seed(seed)
    weights = torch.full((2 * data.window, data.horizon), 1.0 / data.window, requires_grad=True)
    bias = torch.zeros(data.horizon, requires_grad=True)
    size = max(1, min(batch_size, len(train) // STEPS_PER_EPOCH))

    def predict(inputs: Tensor) -> Tensor:
        series = inputs[..., : data.channels].to("cpu", torch.float32)
        normalised, offset, factor = affine(data.window_norm, series, data.horizon)
        rows = fold_channels(normalised)
        trend = moving_average(rows, kernel)
        forecast = torch.addmm(bias, torch.cat((trend, rows - trend), dim=1), weights)
        return offset + factor * unfold_channels(forecast, data.channels)

    def squared_errors(batch: WindowBatch) -> tuple[Tensor, int]:
        error = batch.targets.to("cpu", torch.float32) - predict(batch.inputs)
        if batch.observed is None:
            return error.square().sum(), error.numel()
        observed = batch.observed.cpu()
        return error.masked_fill(~observed, 0.0).square().sum(), int(observed.sum())

    @torch.no_grad()
    def validate() -> float:
        sums = [squared_errors(batch) for batch in batches(val, batch_size)]
        return sum(float(error) for error, _ in sums) / max(1, sum(count for _, count in sums))

    optimiser = torch.optim.Adam([weights, bias], lr=LEARNING_RATE)
    best_error, best_epoch = validate(), 0
    best = [part.detach().clone() for part in (weights, bias)]
    for epoch in range(1, epochs + 1):
        with torch.enable_grad():
            for batch in batches(train, size, generator):
                error, count = squared_errors(batch)
                if not count:
                    continue
                optimiser.zero_grad()
                (error / count).backward()
                optimiser.step()
        progress(epoch / epochs)
        if (reached := validate()) < best_error:
            best_error, best_epoch = reached, epoch
            best = [part.detach().clone() for part in (weights, bias)]
        elif epoch - best_epoch >= PATIENCE:
            break
    with torch.no_grad():
        weights.copy_(best[0])
        bias.copy_(best[1])
    progress(1.0)
    return torch.no_grad()(predict), best_epoch


@BASELINES.register("dlinear")
class DLinear(Baseline):
    """DLinear-style: trend and remainder of the window, a trained linear map for each.

    See `fit_dlinear`.
    """

    serves = ("series",)

    def fit(self, data: WindowData, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        predict, epoch = fit_dlinear(data, batch_size=batch_size, seed=seed, progress=progress)
        return Fitted(predict, f"epoch {epoch}")
