"""Ridge regression baseline: one linear map window -> horizon, shared by all channels, in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from snnctl.baselines.base import Baseline, Fitted, Told, unheard
from snnctl.baselines.windows import (
    KnowsAhead,
    WindowBatch,
    WindowData,
    affine,
    fittable,
    fold_channels,
    unfold_channels,
)
from snnctl.core.catalog import BASELINES
from snnctl.measure.items import ItemSplit, batches

# Penalties relative to the mean diagonal of the Gram matrix, so that they fit any number of windows.
ALPHAS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
# Doubles held at once when steps of the horizon need Gram matrices of their own (256 MB).
_GRAM_BUDGET = 2**25


def fit_ridge(
    data: WindowData,
    *,
    batch_size: int = 512,
    alphas: Sequence[float] = ALPHAS,
    progress: Told = unheard,
) -> tuple[Callable[[Tensor], Tensor], float]:
    """Fit on `train`, choose the penalty on `val`; returns the predictor and the penalty chosen.

    Windows are normalised as for the model, and the error is counted after undoing that, as in the model's
    loss. Targets that were not observed are left out, step by step.

    Equation:
        (x', a, s) = normalised window, offset and factor of its undo
        f = [s x', s, z_h]                (s itself carries the bias; z_h: covariates known of step h, if any)
        W_h = argmin sum (y_h - a - f W_h)^2 + alpha tr(F'F)/(L + 1) |W_h without bias|^2
        prediction_h = a + f W_h

    Args:
        data: forecasting data.
        batch_size: windows per streamed block.
        alphas: relative penalties to choose from.
        progress: told the share of the fit that is done, 0..1.

    Raises:
        NotApplicableError: there are no windows to fit or to choose on.
    """
    train, val = fittable(data)
    known = len(data.known) if isinstance(data, KnowsAhead) else 0
    size, horizon = data.window + 1 + known, data.horizon
    gram = torch.zeros(size, size, dtype=torch.float64)
    moments = torch.zeros(size, horizon, dtype=torch.float64)
    gaps = torch.zeros(horizon, dtype=torch.bool)
    for done, batch in enumerate(batches(train, batch_size)):
        features, residual, observed = _rows(data, batch)
        if observed is not None:
            residual = residual.masked_fill(~observed, 0.0)
            gaps |= ~observed.all(0)
        if features.known is not None:  # features differ from step to step
            gaps |= True
            moments += torch.stack([features.at(h).T @ residual[:, h] for h in range(horizon)], dim=1)
            gram.diagonal().add_(features.at(0).square().sum(0))
        else:
            gram += features.shared.T @ features.shared
            moments += features.shared.T @ residual
        progress(0.8 * min(1.0, (done + 1) * batch_size / len(train)))
    shrink = gram.trace() / size
    penalty = shrink * torch.eye(size, dtype=torch.float64)
    penalty[data.window, data.window] = 0.0
    jitter = (1e-12 * shrink + 1e-300) * torch.eye(size, dtype=torch.float64)
    maps = torch.zeros(len(alphas), size, horizon, dtype=torch.float64)
    if not known:
        for a, alpha in enumerate(alphas):
            maps[a] = torch.linalg.solve(gram + alpha * penalty + jitter, moments)
    for steps, grams in _gap_grams(data, gaps, batch_size, size):
        for a, alpha in enumerate(alphas):
            systems = grams + alpha * penalty + jitter
            maps[a, :, steps] = torch.linalg.solve(systems, moments[:, steps].T.unsqueeze(-1)).squeeze(-1).T
    best = int(_validation_errors(data, val, maps, batch_size).argmin())
    chosen = maps[best]
    progress(1.0)

    def predict(inputs: Tensor) -> Tensor:
        features, offset = _features(data, inputs)
        return unfold_channels(offset + features.times(chosen), data.channels)

    return predict, alphas[best]


@dataclass(frozen=True)
class _Features:
    """What the maps of all steps see, [N, L + 1], and what each step sees besides, [N, H, K] or None."""

    shared: Tensor
    known: Tensor | None

    def at(self, step: int) -> Tensor:
        """[N, L + 1 + K]."""
        return self.shared if self.known is None else torch.cat((self.shared, self.known[:, step]), dim=1)

    def times(self, weights: Tensor) -> Tensor:
        """[N, H], for weights [L + 1 + K, H]."""
        size = self.shared.shape[1]
        found = self.shared @ weights[:size]
        return found if self.known is None else found + torch.einsum("nhk,kh->nh", self.known, weights[size:])


def _features(data: WindowData, inputs: Tensor) -> tuple[_Features, Tensor]:
    series = inputs[..., : data.channels].to("cpu", torch.float64)
    normalised, offset, factor = affine(data.window_norm, series, data.horizon)
    features = torch.cat((fold_channels(normalised * factor), fold_channels(factor)), dim=1)
    known = None
    if isinstance(data, KnowsAhead) and data.known:
        known = data.known_ahead(inputs).to("cpu", torch.float64).repeat_interleave(data.channels, dim=0)
    return _Features(features, known), fold_channels(offset)


def _rows(data: WindowData, batch: WindowBatch) -> tuple[_Features, Tensor, Tensor | None]:
    features, offset = _features(data, batch.inputs)
    residual = fold_channels(batch.targets.to("cpu", torch.float64)) - offset
    observed = None if batch.observed is None else fold_channels(batch.observed.cpu())
    return features, residual, observed


def _gap_grams(data: WindowData, gaps: Tensor, batch_size: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    # Steps with missing targets or features of their own: Gram matrices [steps, size, size] over rows observed there.
    for steps in gaps.nonzero().flatten().split(max(1, _GRAM_BUDGET // size**2)):
        grams = torch.zeros(len(steps), size, size, dtype=torch.float64)
        for batch in batches(data.split("train"), batch_size):
            features, _, observed = _rows(data, batch)
            for i, step in enumerate(steps.tolist()):
                rows = features.at(step) if observed is None else features.at(step)[observed[:, step]]
                grams[i] += rows.T @ rows
        yield steps, grams


def _validation_errors(data: WindowData, val: ItemSplit[WindowBatch], maps: Tensor, batch_size: int) -> Tensor:
    errors = torch.zeros(len(maps), dtype=torch.float64)
    for batch in batches(val, batch_size):
        features, residual, observed = _rows(data, batch)
        for i, weights in enumerate(maps):
            error = (residual - features.times(weights)).square()
            errors[i] += error.sum() if observed is None else error[observed].sum()
    return errors


@BASELINES.register("ridge")
class Ridge(Baseline):
    """Ridge regression: one linear map window -> horizon, shared by all channels; it sees covariates known ahead.

    See `fit_ridge`.
    """

    serves = ("series",)

    def fit(self, data: WindowData, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        predict, alpha = fit_ridge(data, batch_size=batch_size, progress=progress)
        return Fitted(predict, f"relative penalty {alpha:g}")
