"""Scheduled sampling: how often a network that continues a sequence sees the truth in place of its own output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """The share of true inputs falls in a straight line, from the first step of training on.

    Equation:
        eta = start * max(0, 1 - done / stop)      done: share of all training steps that is done

    The published decay of 2e-5 a step reaches 0 after 50,000 steps; `stop` is that in shares of a run, so that a short
    run, too, learns to go on from its own frames.

    Args:
        start: probability of the truth at first, for each sample and step by itself, 0 <= start <= 1 (1 as published).
        stop: share of training after which it is 0, > 0 (.4, ours).
    """

    start: Annotated[float, Ge(0.0), Le(1.0)] = 1.0
    stop: Annotated[float, Gt(0.0), Le(1.0)] = 0.4

    def eta(self, done: float) -> float:
        """The probability after this share of training, 0 <= done <= 1."""
        return self.start * max(0.0, 1.0 - done / self.stop)


def drawn(eta: float, batch: int, steps: int) -> Tensor:
    """Whether each sample sees the truth at each step, [steps, batch] bool, from torch's random state."""
    return torch.rand(steps, batch) < eta
