"""The contract of a task: what a network must give, how wrong it is, and how that is measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from torch import Tensor, nn

from snnctl.baselines.base import BaselineReport, Progress, run_baselines
from snnctl.core.shapes import SignalSpec
from snnctl.measure.items import Meter

MetricT = TypeVar("MetricT", bound=str)


class HasSignal(Protocol):
    """Data that say what they give."""

    @property
    def input_signal(self) -> SignalSpec: ...


DataT = TypeVar("DataT", bound=HasSignal)


class Task(ABC, Generic[DataT, MetricT]):
    """Base of all tasks; `batch` is whatever the task's data gives.

    Args:
        data: whose inputs the network gets as they are, unless the task says otherwise.
        metrics: at least one; the first is the headline.
        baselines: names of reference predictions, in report order.
    """

    def __init__(self, data: DataT, metrics: Sequence[MetricT], baselines: Sequence[str]) -> None:
        self.data = data
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
        """The first metric, which is watched by default."""
        return self.metrics[0]

    @property
    def input_signal(self) -> SignalSpec:
        """What the encoder gets: the data as it is."""
        return self.data.input_signal

    @property
    @abstractmethod
    def outputs(self) -> int:
        """How many numbers the readout gives per item of its batch."""

    @abstractmethod
    def predict(self, network: nn.Module | Callable[[Tensor], Tensor], batch: Any) -> Tensor:
        """Predictions in the units of the targets."""

    @abstractmethod
    def loss(self, prediction: Tensor, batch: Any) -> Tensor:
        """A scalar: the mean over the values that count."""

    @abstractmethod
    def loss_weight(self, batch: Any) -> int:
        """How many values that mean is over, so that means of batches can be combined exactly."""

    @abstractmethod
    def meter(self) -> Meter:
        """Fresh metrics for one split."""

    def held_at_once(self, batch_size: int) -> int:
        """Items that baselines gather at once: `batch_size`, or fewer where they are large."""
        return batch_size

    def run_baselines(
        self, split: str = "test", *, seed: int = 0, batch_size: int = 512, progress: Progress | None = None
    ) -> BaselineReport:
        """The baselines of this task, fitted on `train`, scored on `split` by the task's metrics."""
        how = {"batch_size": self.held_at_once(batch_size), "split": split, "seed": seed, "progress": progress}
        return run_baselines(self.baselines, self.data, self.meter, **how)
