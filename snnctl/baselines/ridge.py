"""Ridge regression baseline: one linear map window -> horizon, shared by all channels, in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from snnctl.baselines.base import Baseline, Fitted, Told, unheard
from snnctl.baselines.windows import WindowBatch, WindowData, affine, fittable, fold_channels, unfold_channels
from snnctl.core.catalog import BASELINES
from snnctl.measure.items import ItemSplit, batches

# Penalties relative to the mean diagonal of the Gram matrix, so that they fit any number of windows.
ALPHAS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
# Doubles held at once when steps of the horizon need Gram matrices of their own (256 MB).
_GRAM_BUDGET = 2**25


def fit_ridge(
    data: WindowData, *, batch_size: int = 512, alphas: Sequence[float] = ALPHAS, progress: Told = unheard
) -> tuple[Callable[[Tensor], Tensor], float]:
    """Fit on `train`, choose the penalty on `val`; returns the predictor and the penalty chosen.

    Windows are normalised as for the model, and the error is counted after undoing that, as in the model's
    loss. Targets that were not observed are left out, step by step.

    Equation:
        (x', a, s) = normalised window, offset and factor of its undo
        f = [s x', s]                                     (s itself carries the bias)
        W_h = argmin sum (y_h - a - f W_h)^2 + alpha tr(F'F)/(L + 1) |W_h without bias|^2
        prediction_h = a + f W_h

    Args:
        batch_size: windows per streamed block.
        alphas: relative penalties to choose from.
        progress: told the share of the fit that is done, 0..1.

    Raises:
        NotApplicableError: there are no windows to fit or to choose on.
    """
    train, val = fittable(data)
    size, horizon = data.window + 1, data.horizon
    gram = torch.zeros(size, size, dtype=torch.float64)
    moments = torch.zeros(size, horizon, dtype=torch.float64)
    gaps = torch.zeros(horizon, dtype=torch.bool)
    for done, batch in enumerate(batches(train, batch_size)):
        features, residual, observed = _rows(data, batch)
        if observed is not None:
            residual = residual.masked_fill(~observed, 0.0)
            gaps |= ~observed.all(0)
        gram += features.T @ features
        moments += features.T @ residual
        progress(0.8 * min(1.0, (done + 1) * batch_size / len(train)))
    shrink = gram.trace() / size
    penalty = shrink * torch.eye(size, dtype=torch.float64)
    penalty[-1, -1] = 0.0
    jitter = (1e-12 * shrink + 1e-300) * torch.eye(size, dtype=torch.float64)
    maps = torch.stack([torch.linalg.solve(gram + alpha * penalty + jitter, moments) for alpha in alphas])
    for steps, grams in _gap_grams(data, gaps, batch_size, size):
        for a, alpha in enumerate(alphas):
            systems = grams + alpha * penalty + jitter
            maps[a, :, steps] = torch.linalg.solve(systems, moments[:, steps].T.unsqueeze(-1)).squeeze(-1).T
    best = int(_validation_errors(data, val, maps, batch_size).argmin())
    chosen = maps[best]
    progress(1.0)

    def predict(inputs: Tensor) -> Tensor:
        features, offset = _features(data, inputs)
        return unfold_channels(offset + features @ chosen, data.channels)

    return predict, alphas[best]


def _features(data: WindowData, inputs: Tensor) -> tuple[Tensor, Tensor]:
    series = inputs[..., : data.channels].to("cpu", torch.float64)
    normalised, offset, factor = affine(data.window_norm, series, data.horizon)
    features = torch.cat((fold_channels(normalised * factor), fold_channels(factor)), dim=1)
    return features, fold_channels(offset)


def _rows(data: WindowData, batch: WindowBatch) -> tuple[Tensor, Tensor, Tensor | None]:
    features, offset = _features(data, batch.inputs)
    residual = fold_channels(batch.targets.to("cpu", torch.float64)) - offset
    observed = None if batch.observed is None else fold_channels(batch.observed.cpu())
    return features, residual, observed


def _gap_grams(data: WindowData, gaps: Tensor, batch_size: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    # Steps with missing targets: Gram matrices [steps, L + 1, L + 1] over the rows observed at each step.
    for steps in gaps.nonzero().flatten().split(max(1, _GRAM_BUDGET // size**2)):
        grams = torch.zeros(len(steps), size, size, dtype=torch.float64)
        for batch in batches(data.split("train"), batch_size):
            features, _, observed = _rows(data, batch)
            for i, step in enumerate(steps.tolist()):
                rows = features if observed is None else features[observed[:, step]]
                grams[i] += rows.T @ rows
        yield steps, grams


def _validation_errors(data: WindowData, val: ItemSplit[WindowBatch], maps: Tensor, batch_size: int) -> Tensor:
    errors = torch.zeros(len(maps), dtype=torch.float64)
    for batch in batches(val, batch_size):
        features, residual, observed = _rows(data, batch)
        for i, weights in enumerate(maps):
            error = (residual - features @ weights).square()
            errors[i] += error.sum() if observed is None else error[observed].sum()
    return errors


@BASELINES.register("ridge")
class Ridge(Baseline):
    """Ridge regression: one linear map window -> horizon, shared by all channels.

    See `fit_ridge`.
    """

    serves = ("series",)

    def fit(self, data: WindowData, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        predict, alpha = fit_ridge(data, batch_size=batch_size, progress=progress)
        return Fitted(predict, f"relative penalty {alpha:g}")
