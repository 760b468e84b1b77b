"""Classification: one of K classes for every item, or at each of the data's own steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal, Protocol, TypeVar

import torch.nn.functional as F
from annotated_types import Ge, Lt, MinLen
from torch import Tensor, nn

from snnctl.core.catalog import TASKS
from snnctl.core.registry import NameOf
from snnctl.core.shapes import ShapeError
from snnctl.measure.classes import ClassificationMetrics, ClassMetricName, StepMetrics
from snnctl.measure.items import LabelledBatch, LabelledData, StepBatch, StepData
from snnctl.tasks.base import HasSignal, Task

DEFAULT_METRICS: list[ClassMetricName] = ["accuracy", "balanced_accuracy", "macro_f1"]
DEFAULT_BASELINES: list[str] = ["majority", "linear", "linear_pooled"]
STEP_METRICS: list[ClassMetricName] = ["accuracy", "balanced_accuracy"]
STEP_BASELINES: list[str] = ["majority", "linear_step", "ceiling"]


class _HasClasses(HasSignal, Protocol):
    @property
    def classes(self) -> int: ...


ClassDataT = TypeVar("ClassDataT", bound=_HasClasses)


class ClassTask(Task[ClassDataT, ClassMetricName]):
    """What both share: one score per class, and smoothed labels."""

    def __init__(
        self, data: ClassDataT, metrics: list[ClassMetricName], baselines: list[str], label_smoothing: float
    ) -> None:
        super().__init__(data, metrics, baselines)
        self.label_smoothing = label_smoothing

    @property
    def outputs(self) -> int:
        return self.data.classes


@TASKS.register("classification")
class Classification(ClassTask[LabelledData]):
    """Predicts which one of the data's classes an item belongs to.

    Equation:
        scores [B, K] = network(inputs)
        loss = mean of -sum_k q_k log softmax(scores)_k,  q = (1 - s) onehot(target) + s / K,  s = label_smoothing

    Args:
        data: data with classes.
        label_smoothing: share of the target that is spread over all classes, 0 <= s < 1; it is part of the
            loss that is reported, too (0 is plain cross-entropy; 0.1 is usual for images).
        metrics: reported metrics, the first is the headline; balanced_accuracy is the mean recall of the
            classes, macro_f1 the mean of their F1.
        baselines: reference classifiers to report beside the network: the most frequent class, logistic
            regression on the flattened input, and on its mean over positions, which is blind to order; for images
            also cnn, a small convolutional network; for texts tfidf, words and their pairs weighed by how rare
            they are.

    Shape: inputs as the data gives them, prediction [B, K], targets [B].
    """

    needs: ClassVar[Literal["classes"]] = "classes"

    def __init__(
        self,
        data: LabelledData,
        *,
        label_smoothing: Annotated[float, Ge(0.0), Lt(1.0)] = 0.0,
        metrics: Annotated[list[ClassMetricName], MinLen(1)] = DEFAULT_METRICS,
        baselines: list[Annotated[str, NameOf("baseline", serves="classes")]] = DEFAULT_BASELINES,
    ) -> None:
        super().__init__(data, metrics, baselines, label_smoothing)

    def predict(self, network: nn.Module | Callable[[Tensor], Tensor], batch: LabelledBatch) -> Tensor:
        """Scores [B, K]; their softmax is the network's belief."""
        return network(batch.inputs)

    def loss(self, prediction: Tensor, batch: LabelledBatch) -> Tensor:
        """Mean cross-entropy over the items; of mixed ones with the shares of their classes."""
        targets = batch.targets if batch.soft is None else batch.soft
        return F.cross_entropy(prediction, targets, label_smoothing=self.label_smoothing)

    def loss_weight(self, batch: LabelledBatch) -> int:
        """How many items there are."""
        return len(batch.targets)

    def meter(self) -> ClassificationMetrics:
        return ClassificationMetrics(self.metrics, self.data.classes)


@TASKS.register("step_classification")
class StepClassification(ClassTask[StepData]):
    """Predicts a class at every step of the data; it is scored at the steps that the data names.

    Equation:
        scores [B, T, K] = network(inputs)
        loss = mean over steps that count of -sum_k q_k log softmax(scores[t])_k,
        q = (1 - s) onehot(target[t]) + s / K,  s = label_smoothing

    Args:
        data: data with a class at every step.
        loss_steps: all = every step counts in the loss, those included at which nothing can be known (as published for
            multi-time-scale XOR); scored = those alone that are scored.
        label_smoothing: share of the target that is spread over all classes, 0 <= s < 1; it is part of the
            loss that is reported, too.
        metrics: reported metrics over scored steps, the first is the headline.
        baselines: reference classifiers: the most frequent class, linear_step = logistic regression on the step's own
            input, which remembers nothing, and ceiling = the best decoder, where the data knows how it was made.

    Shape: inputs [B, T, L, C], prediction [B, T, K], targets [B, T], observed [B, T].
    """

    needs: ClassVar[Literal["step_classes"]] = "step_classes"
    answers: ClassVar[Literal["step"]] = "step"

    def __init__(
        self,
        data: StepData,
        *,
        loss_steps: Literal["all", "scored"] = "all",
        label_smoothing: Annotated[float, Ge(0.0), Lt(1.0)] = 0.0,
        metrics: Annotated[list[ClassMetricName], MinLen(1)] = STEP_METRICS,
        baselines: list[Annotated[str, NameOf("baseline", serves="step_classes")]] = STEP_BASELINES,
    ) -> None:
        super().__init__(data, metrics, baselines, label_smoothing)
        self.loss_steps = loss_steps

    def predict(self, network: nn.Module | Callable[[Tensor], Tensor], batch: StepBatch) -> Tensor:
        """Scores [B, T, K].

        Raises:
            ShapeError: the network gives other than one answer per step.
        """
        scores: Tensor = network(batch.inputs)
        if scores.shape != (*batch.targets.shape, self.outputs):
            message = f"the read-out gives {list(scores.shape)}, not {[*batch.targets.shape, self.outputs]}"
            raise ShapeError(message, knob="type", help="use a read-out that answers at every step")
        return scores

    def loss(self, prediction: Tensor, batch: StepBatch) -> Tensor:
        """Mean cross-entropy over the steps that count."""
        if self.loss_steps == "all" or batch.observed is None:
            # Classes before steps: softmax over an axis of a few values that lie side by side is slow.
            scores = prediction.permute(2, 1, 0).contiguous().flatten(1).unsqueeze(0)
            targets = batch.targets.t().flatten().unsqueeze(0)
        else:
            scores, targets = prediction[batch.observed], batch.targets[batch.observed]
        return F.cross_entropy(scores, targets, label_smoothing=self.label_smoothing)

    def loss_weight(self, batch: StepBatch) -> int:
        """How many steps count."""
        if self.loss_steps == "all" or batch.observed is None:
            return batch.targets.numel()
        return int(batch.observed.sum())

    def meter(self) -> StepMetrics:
        return StepMetrics(self.metrics, self.data.classes)
