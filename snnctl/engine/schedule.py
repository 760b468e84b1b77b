"""Learning-rate schedules of torch.optim.lr_scheduler as registered components.

Wiring: the optimiser, the number of epochs and the optimiser steps per epoch. All but `plateau` are pure
functions of the step, so that a resumed run follows the same curve.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, ReduceLROnPlateau

from snnctl.core.catalog import SCHEDULES

Epochs = Annotated[int, Ge(0)]


class Schedule:
    """A torch scheduler that is told of every step and of every epoch's watched metric."""

    def __init__(
        self, per_step: LambdaLR | OneCycleLR | None = None, per_epoch: ReduceLROnPlateau | None = None
    ) -> None:
        self._per_step, self._per_epoch = per_step, per_epoch

    def step(self) -> None:
        """One optimiser step is done."""
        if self._per_step is not None:
            self._per_step.step()

    def epoch(self, watched: float) -> None:
        """One epoch is validated; `watched` is the metric that chooses the best checkpoint."""
        if self._per_epoch is not None:
            self._per_epoch.step(watched)

    def state_dict(self) -> dict[str, Any]:
        """Plain values, enough to go on."""
        parts = {"per_step": self._per_step, "per_epoch": self._per_epoch}
        return {name: part.state_dict() for name, part in parts.items() if part is not None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`.

        Of a curve over the steps only the place is taken up: the curve itself is that of this run's length.
        """
        if self._per_step is not None:
            place = {name: state["per_step"][name] for name in ("last_epoch", "_step_count", "_last_lr")}
            self._per_step.load_state_dict({**self._per_step.state_dict(), **place})
        if self._per_epoch is not None:
            self._per_epoch.load_state_dict(state["per_epoch"])


def _warmed(
    factor: Callable[[float], float], warmup: int, per_epoch: int, start: float = 0.0
) -> Callable[[int], float]:
    """`factor(epoch)` after a linear rise from `start` over `warmup` epochs."""

    def at(step: int) -> float:
        epoch = step / per_epoch
        return start + (1 - start) * (step + 1) / (warmup * per_epoch) if epoch < warmup else factor(epoch)

    return at


@SCHEDULES.register("constant")
def constant(optimizer: Optimizer, epochs: int, per_epoch: int, *, warmup_epochs: Epochs = 0) -> Schedule:
    """The optimiser's learning rate throughout.

    Args:
        warmup_epochs: epochs over which the rate rises linearly from 0.
    """
    return Schedule(LambdaLR(optimizer, _warmed(lambda _: 1.0, warmup_epochs, per_epoch)))


@SCHEDULES.register("cosine")
def cosine(
    optimizer: Optimizer,
    epochs: int,
    per_epoch: int,
    *,
    warmup_epochs: Epochs = 0,
    start: Annotated[float, Ge(0), Le(1)] = 0.0,
    final: Annotated[float, Ge(0), Le(1)] = 0.0,
) -> Schedule:
    """Half a cosine from the full learning rate down to `final` of it at the last epoch.

    Args:
        warmup_epochs: epochs over which the rate rises linearly.
        start: share of the learning rate at which that rise begins; without one it has no say.
        final: share of the learning rate at the end.

    Source: Loshchilov and Hutter, ICLR 2017, without restarts.
    """
    span = max(epochs - warmup_epochs, 1)

    def factor(epoch: float) -> float:
        done = min((epoch - warmup_epochs) / span, 1.0)
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))

    return Schedule(LambdaLR(optimizer, _warmed(factor, warmup_epochs, per_epoch, start)))


@SCHEDULES.register("step")
def step(
    optimizer: Optimizer,
    epochs: int,
    per_epoch: int,
    *,
    every: Annotated[int, Ge(1)] = 10,
    first: Annotated[int, Ge(1)] | None = None,
    factor: Annotated[float, Gt(0), Lt(1)] = 0.5,
    warmup_epochs: Epochs = 0,
) -> Schedule:
    """The learning rate times `factor` every so many epochs.

    Args:
        every: epochs between two drops.
        first: epochs before the first drop; null = every.
        factor: what the rate is multiplied with at each drop.
        warmup_epochs: epochs over which the rate rises linearly from 0.
    """
    wait = every if first is None else first

    def at(epoch: float) -> float:
        return factor ** (1 + int((epoch - wait) // every)) if epoch >= wait else 1.0

    return Schedule(LambdaLR(optimizer, _warmed(at, warmup_epochs, per_epoch)))


@SCHEDULES.register("one_cycle")
def one_cycle(
    optimizer: Optimizer,
    epochs: int,
    per_epoch: int,
    *,
    rise: Annotated[float, Gt(0), Lt(1)] = 0.3,
    anneal: Literal["cos", "linear"] = "cos",
) -> Schedule:
    """One rise to the optimiser's learning rate and one fall to almost nothing.

    Args:
        rise: share of the run spent rising.
        anneal: shape of rise and fall.

    Source: torch.optim.lr_scheduler.OneCycleLR; Smith and Topin, 2017.
    """
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    steps = epochs * per_epoch + 1
    curve = OneCycleLR(optimizer, rates, steps, pct_start=rise, anneal_strategy=anneal, cycle_momentum=False)
    return Schedule(curve)


@SCHEDULES.register("plateau")
def plateau(
    optimizer: Optimizer,
    epochs: int,
    per_epoch: int,
    *,
    factor: Annotated[float, Gt(0), Lt(1)] = 0.5,
    patience: Annotated[int, Ge(0)] = 5,
    mode: Literal["min", "max"] = "min",
) -> Schedule:
    """The learning rate times `factor` when the watched validation metric has stopped improving.

    Args:
        factor: what the rate is multiplied with.
        patience: epochs without improvement before a drop.
        mode: whether lower or higher is better.

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau.
    """
    return Schedule(per_epoch=ReduceLROnPlateau(optimizer, mode=mode, factor=factor, patience=patience))
