"""Small stand-ins for data with classes, in the shape that measure asks for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from snnctl.baselines.base import BaselineReport, run_baselines
from snnctl.core.shapes import SignalSpec
from snnctl.measure.classes import ClassificationMetrics


@dataclass(frozen=True)
class Items:
    inputs: Tensor
    targets: Tensor
    observed: None = None
    soft: None = None

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, indices: Tensor) -> Items:
        return Items(self.inputs[indices], self.targets[indices])


@dataclass
class Labelled:
    """`parts` by name; a part may be left out, and then must not be asked for."""

    classes: int
    parts: dict[str, Items]

    @property
    def input_signal(self) -> SignalSpec:
        shape = self.parts["train"].inputs.shape
        return SignalSpec(steps=0, length=shape[1], features=shape[2])

    def split(self, name: str) -> Items:
        return self.parts[name]


def items(count: int, classes: int, shape: tuple[int, ...], seed: int, pull: float = 1.0) -> Items:
    """Random inputs whose class pulls at the first value of each."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(classes, (count,), generator=generator)
    inputs = torch.randn(count, *shape, generator=generator)
    inputs.view(count, -1)[:, 0] += pull * targets
    return Items(inputs, targets)


def labelled(classes: int = 3, shape: tuple[int, ...] = (4, 2), pull: float = 1.0) -> Labelled:
    sizes = {"train": 200, "val": 80, "test": 80}
    return Labelled(
        classes, {name: items(count, classes, shape, i, pull) for i, (name, count) in enumerate(sizes.items())}
    )


def run(names: list[str], data: Labelled, metrics: list[str], **options: object) -> BaselineReport:
    """Baselines under such metrics."""
    return run_baselines(names, data, lambda: ClassificationMetrics(metrics, data.classes), **options)
