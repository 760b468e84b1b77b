"""What a baseline is, and how baselines are scored: on the model's own items, in its units, under its metrics."""

from __future__ import annotations

import inspect
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from snnctl.core.catalog import BASELINES
from snnctl.measure.items import Meter, add

Predict = Callable[[Tensor], Tensor]  # inputs of a batch -> predictions as the model makes them
Progress = Callable[[str, float], None]  # name of the baseline, share done 0..1
Told = Callable[[float], None]  # share of the fit that is done, 0..1
MeterT = TypeVar("MeterT", bound=Meter)


def unheard(*_told: object) -> None:
    """Progress that nobody wants to know."""


SERVED = ("series", "classes", "step_classes", "video")


class NotApplicableError(Exception):
    """A baseline does not fit this data; the message says why."""


@dataclass(frozen=True)
class Fitted:
    """A baseline that is ready to predict.

    Args:
        predict: inputs of a batch -> predictions.
        chosen: what was chosen on validation, as text.
    """

    predict: Predict
    chosen: str = ""


class Baseline(ABC):
    """A reference that a result has to beat. Made without arguments; a recipe names it in `task.baselines`."""

    serves: ClassVar[tuple[str, ...]]
    """What tasks need of data, for which it can stand: series, classes, step_classes, video."""

    def __init_subclass__(cls) -> None:
        """Refuse a class that no task could name; raises TypeError."""
        super().__init_subclass__()
        serves = getattr(cls, "serves", ())
        if not serves or not set(serves) <= set(SERVED):
            raise TypeError(f"`{cls.__name__}.serves` must name some of {', '.join(SERVED)}, got {serves!r}")

    @abstractmethod
    def fit(self, data: Any, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        """Fit on `train`, choose on `val`; `test` is not looked at.

        Args:
            data: what the task has.
            batch_size: items gathered at once.
            seed: of all that is drawn.
            progress: to be told the share that is done, 0..1.

        Raises:
            NotApplicableError: it does not go with this data.
        """


@dataclass(frozen=True)
class BaselineReport:
    """Scores of the baselines that apply.

    Args:
        scores: baseline -> metric -> value.
        chosen: baseline -> what was chosen on validation, as text.
        omitted: baseline -> why it was left out.
        meters: baseline -> the sums behind its scores.
    """

    scores: dict[str, dict[str, float]]
    chosen: dict[str, str]
    omitted: dict[str, str]
    meters: Mapping[str, Meter] = field(default_factory=dict, compare=False)


def run_baselines(names: Sequence[str], data: Any, meter: Callable[[], Meter], **how: Any) -> BaselineReport:
    """Scores of the baselines, from `baseline_meters` with the same arguments."""
    meters, chosen, omitted = baseline_meters(names, data, meter, **how)
    return BaselineReport({name: found.compute() for name, found in meters.items()}, chosen, omitted, meters)


def baseline_meters(
    names: Sequence[str],
    data: Any,
    meter: Callable[[], MeterT],
    *,
    batch_size: int = 512,
    split: str = "test",
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[dict[str, MeterT], dict[str, str], dict[str, str]]:
    """Fit each baseline on `train` (choices on `val`) and score it on `split`, which has no say in any choice.

    Args:
        names: which baselines, in report order.
        meter: gives fresh metrics.
        batch_size, seed: as in `Baseline.fit`.
        progress: told how far each baseline is.

    Returns:
        By baseline: the sums, what was chosen on validation, and why it was left out.
    """
    told = progress or unheard
    fitted, omitted = fit_baselines(names, data, batch_size=batch_size, seed=seed, progress=told)
    meters = {name: meter() for name in fitted}
    part = data.split(split)
    for indices in torch.arange(len(part)).split(batch_size) if fitted else ():  # items may be costly: walked over once
        batch = part.batch(indices)
        for name, found in list(meters.items()):
            try:
                add(found, fitted[name].predict(batch.inputs), batch)
            except Exception as error:
                omitted[name] = _failed(name, error)
                del meters[name], fitted[name]
            else:
                told(name, (int(indices[-1]) + 1) / len(part))
    return meters, {name: found.chosen for name, found in fitted.items() if found.chosen}, omitted


def fit_baselines(
    names: Sequence[str], data: Any, *, batch_size: int, seed: int, progress: Progress = unheard
) -> tuple[dict[str, Fitted], dict[str, str]]:
    """Fit each baseline; by baseline what is ready to predict, and why it was left out."""
    fitted: dict[str, Fitted] = {}
    omitted: dict[str, str] = {}
    for name in names:
        try:
            baseline: Baseline = BASELINES.get(name)()
            fitted[name] = baseline.fit(data, batch_size=batch_size, seed=seed, progress=partial(progress, name))
        except NotApplicableError as reason:
            omitted[name] = str(reason)
        except Exception as error:
            omitted[name] = _failed(name, error)
    return fitted, omitted


def _failed(name: str, error: Exception) -> str:
    """Why a plug-in's baseline is left out: its mistake must not cost the trained run. Others are ours, and raise."""
    if BASELINES.source(name) == "snnctl":
        raise error
    frames = traceback.extract_tb(error.__traceback__)
    own = inspect.getfile(BASELINES.get(name))
    place = next((frame for frame in reversed(frames) if frame.filename == own), frames[-1])
    return f"it failed: {type(error).__name__}: {error} ({place.filename}:{place.lineno})"
