"""Baselines for classes, of items or of steps: the most frequent one, and logistic regression on the inputs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from snnctl.baselines.base import Baseline, Fitted, NotApplicableError, Told
from snnctl.baselines.logistic import fit_logistic
from snnctl.core.catalog import BASELINES
from snnctl.measure.items import ItemSplit, LabelledBatch, LabelledData, StepBatch, StepData

# Input values up to which features are doubles, and the optimum is exact; more are single floats, which takes seconds.
_MOST_DOUBLES = 2**22
# Input values held at all (1 GB of single floats); of more items an even selection is taken.
_MOST_VALUES = 2**28
# Features of steps that are fitted on; of more an even selection of items is taken.
_MOST_STEP_VALUES = 2**23


@BASELINES.register("majority")
class Majority(Baseline):
    """The most frequent class of `train`, always; of equally frequent ones the first."""

    serves = ("classes", "step_classes")

    def fit(self, data: LabelledData | StepData, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        """Count the targets of `train`; of steps those that are scored."""
        train = data.split("train")
        check_train(train)
        counts = torch.zeros(data.classes, dtype=torch.int64)
        axes = 0  # of the targets, behind the batch
        for indices in torch.arange(len(train)).split(batch_size):
            batch = train.batch(indices)
            targets, axes = batch.targets, batch.targets.dim() - 1
            if batch.observed is not None:
                targets = targets[batch.observed]
            counts += torch.bincount(targets.flatten().cpu(), minlength=data.classes)
        scores = counts.to(torch.float64)
        return Fitted(lambda inputs: scores.expand(*inputs.shape[: 1 + axes], -1))


@BASELINES.register("linear")
class Linear(Baseline):
    """Logistic regression on the flattened inputs: every value at its place."""

    serves = ("classes",)

    @staticmethod
    def features(inputs: Tensor) -> Tensor:
        """[B, ...] -> [B, F] float64."""
        return inputs.to("cpu", torch.float64).flatten(1)

    def fit(self, data: LabelledData, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        """Fit on `train`, or on an even selection of it; the penalty is chosen on `val`."""
        train, val = fit_and_choose_on(data)
        sample = train.batch(torch.arange(1)).inputs
        if not sample.is_floating_point():
            raise NotApplicableError(f"it needs real inputs, these are {sample.dtype}".replace("torch.", ""))
        self.check(sample)
        width = self.features(sample).numel()
        single = width * (len(train) + len(val)) > _MOST_DOUBLES
        dtype = torch.float32 if single else torch.float64

        def gather(split: ItemSplit[LabelledBatch]) -> tuple[Tensor, Tensor]:
            """Features [N, F] and classes [N] of an even selection of items."""
            chosen = evenly(len(split), max(1, _MOST_VALUES // width))
            values = torch.empty(len(chosen), width, dtype=dtype)
            targets = torch.empty(len(chosen), dtype=torch.int64)
            for first in range(0, len(chosen), batch_size):
                batch = split.batch(chosen[first : first + batch_size])
                values[first : first + batch_size] = self.features(batch.inputs)
                targets[first : first + batch_size] = batch.targets.cpu()
            return values, targets

        fitted = gather(train)
        model = fit_logistic(fitted, gather(val), data.classes)
        of = f", on {len(fitted[1]):,} of {len(train):,} items" if len(fitted[1]) < len(train) else ""
        return Fitted(lambda inputs: model.scores(self.features(inputs).to(dtype)), f"penalty {model.penalty:g}{of}")

    def check(self, sample: Tensor) -> None:
        """Whether inputs like `sample` [1, ...] have such features; raises NotApplicableError."""


@BASELINES.register("linear_pooled")
class LinearPooled(Linear):
    """Logistic regression on the mean of the inputs over positions, blind to their order."""

    @staticmethod
    def features(inputs: Tensor) -> Tensor:
        """[B, L, C] -> [B, C] float64."""
        return inputs.to("cpu", torch.float64).mean(1)

    def check(self, sample: Tensor) -> None:
        """There must be positions."""
        if sample.dim() != 3:
            raise NotApplicableError("the inputs have no axis of positions to pool over")


@BASELINES.register("linear_step")
class LinearStep(Baseline):
    """Logistic regression on each step's own input, which remembers nothing."""

    serves = ("step_classes",)

    def fit(self, data: StepData, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        """Fit on the scored steps of an even selection of `train`; the penalty is chosen on `val`."""

        def features(inputs: Tensor) -> Tensor:
            """[B, T, L, C] -> [B, T, L * C] float64."""
            return inputs.to("cpu", torch.float64).flatten(2)

        train, val = (_scored_steps(data.split(part), features, batch_size) for part in ("train", "val"))
        model = fit_logistic(train, val, data.classes)
        return Fitted(lambda inputs: model.scores(features(inputs)), f"penalty {model.penalty:g}")


@BASELINES.register("ceiling")
class Ceiling(Baseline):
    """The best decoder there is, which the data brings where it knows how it was made."""

    serves = ("step_classes",)

    def fit(self, data: StepData, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        ceiling = getattr(data, "ceiling", None)
        if ceiling is None:
            raise NotApplicableError("the data know no best decoder")
        return Fitted(ceiling)


def check_train(train: ItemSplit[object]) -> None:
    """Raises NotApplicableError where there is nothing to fit on."""
    if not len(train):
        raise NotApplicableError("it needs train items to fit on, and there are none")


def fit_and_choose_on(data: LabelledData) -> tuple[ItemSplit[LabelledBatch], ItemSplit[LabelledBatch]]:
    """Train and val; raises NotApplicableError where one of them is empty."""
    train, val = data.split("train"), data.split("val")
    check_train(train)
    if not len(val):
        raise NotApplicableError("its penalty is chosen on val items, and there are none")
    return train, val


def evenly(count: int, most: int) -> Tensor:
    """Indices of `most` of `count` items at most, as far from each other as they can be."""
    taken = min(count, most)
    return torch.arange(taken) * count // max(taken, 1)


def _scored_steps(
    split: ItemSplit[StepBatch], features: Callable[[Tensor], Tensor], batch_size: int
) -> tuple[Tensor, Tensor]:
    """Features [N, F] and classes [N] of the scored steps of an even selection of items."""

    def scored(batch: StepBatch) -> Tensor:
        return torch.ones_like(batch.targets, dtype=torch.bool) if batch.observed is None else batch.observed

    first = split.batch(torch.arange(1))
    each = int(scored(first).sum()) * features(first.inputs).shape[-1]
    values, targets = [], []
    for indices in evenly(len(split), max(1, _MOST_STEP_VALUES // max(each, 1))).split(batch_size):
        batch = split.batch(indices)
        values.append(features(batch.inputs)[scored(batch)])
        targets.append(batch.targets[scored(batch)].cpu())
    return torch.cat(values), torch.cat(targets)
