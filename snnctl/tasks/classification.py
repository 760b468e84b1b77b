"""Classification: one of K classes for every item."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import torch.nn.functional as F
from annotated_types import Ge, Lt, MinLen
from torch import Tensor, nn

from snnctl.core.catalog import TASKS
from snnctl.core.registry import NameOf
from snnctl.measure.classes import ClassificationMetrics, ClassMetricName
from snnctl.measure.items import LabelledBatch, LabelledData
from snnctl.tasks.base import ReportingTask

DEFAULT_METRICS: list[ClassMetricName] = ["accuracy", "balanced_accuracy", "macro_f1"]
DEFAULT_BASELINES: list[str] = ["majority", "linear", "linear_pooled"]


@TASKS.register("classification")
class Classification(ReportingTask[LabelledData, ClassMetricName]):
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
        super().__init__(data, metrics, baselines)
        self.label_smoothing = label_smoothing

    @property
    def outputs(self) -> int:
        """One score per class."""
        return self.data.classes

    def predict(self, network: nn.Module | Callable[[Tensor], Tensor], batch: LabelledBatch) -> Tensor:
        """Scores [B, K]; their softmax is the network's belief."""
        scores: Tensor = network(batch.inputs)
        return scores

    def loss(self, prediction: Tensor, batch: LabelledBatch) -> Tensor:
        """Mean cross-entropy over the items; of mixed ones with the shares of their classes."""
        targets = batch.targets if batch.soft is None else batch.soft
        return F.cross_entropy(prediction, targets, label_smoothing=self.label_smoothing)

    def loss_weight(self, batch: LabelledBatch) -> int:
        """How many items there are."""
        return len(batch.targets)

    def meter(self) -> ClassificationMetrics:
        """Fresh metrics for one split."""
        return ClassificationMetrics(self.metrics, self.data.classes)
