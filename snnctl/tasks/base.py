"""The task contract: what a network must give, how wrong it is, and how that is measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from torch import Tensor, nn

from snnctl.baselines.forecasts import BaselineReport
from snnctl.core.shapes import SignalSpec

MetricT = TypeVar("MetricT", bound=str)
BaselineT = TypeVar("BaselineT", bound=str)


class Meter(Protocol):
    """Streaming metrics of a task."""

    def update(self, prediction: Tensor, target: Tensor, observed: Tensor | None = None, /) -> None:
        """Add one batch."""

    def merge(self, other: Any, /) -> None:
        """Add what another meter of the same kind has seen."""

    def compute(self) -> dict[str, float]:
        """Metric name -> value; nan where undefined."""


class Task(Protocol):
    """What the engine needs of a task; `batch` is whatever the task's data gives."""

    @property
    def headline(self) -> str:
        """The metric shown first and watched by default."""

    @property
    def input_signal(self) -> SignalSpec:
        """What the encoder gets."""

    @property
    def outputs(self) -> int:
        """How many numbers the readout gives per item of its batch."""

    def predict(self, network: nn.Module, batch: Any, /) -> Tensor:
        """Predictions in the units of the targets."""

    def loss(self, prediction: Tensor, batch: Any, /) -> Tensor:
        """A scalar: the mean over the values that count."""

    def loss_weight(self, batch: Any, /) -> int:
        """How many values that mean is over, so that means of batches can be combined exactly."""

    def meter(self) -> Meter:
        """Fresh metrics."""

    def run_baselines(
        self,
        split: str = "test",
        *,
        seed: int = 0,
        batch_size: int = 512,
        progress: Callable[[str, float], None] | None = None,
    ) -> BaselineReport:
        """Reference predictions, scored on `split`."""


class ReportingTask(Generic[MetricT, BaselineT]):
    """What tasks share: the metrics they report, and the baselines beside them.

    Args:
        metrics: at least one; the first is the headline.
        baselines: reference predictions, in report order.
    """

    def __init__(self, metrics: Sequence[MetricT], baselines: Sequence[BaselineT]) -> None:
        self.metrics = tuple(metrics)
        self.baselines = tuple(baselines)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """No metric and no baseline stands twice in its list."""
        for knob in ("metrics", "baselines"):
            for name, count in Counter(knobs.get(knob, ())).items():
                if count > 1:
                    yield knob, f"`{name}` is named {count} times"

    @property
    def headline(self) -> MetricT:
        """The first metric."""
        return self.metrics[0]
