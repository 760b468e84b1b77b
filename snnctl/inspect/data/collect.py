"""Some of the items as a network gets them, and what the data says of itself; public parts of data sets alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch

from snnctl.core.choices import SplitName
from snnctl.core.shapes import SignalSpec

Form = Literal["series", "texts", "pictures", "frames", "spikes", "video", "sequences"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)
_BUDGET = 1 << 26  # numbers that are held at once
_AT_ONCE = 64
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """Items of a split, drawn at random and in their order.

    Args:
        inputs: [n, ...] as a batch has them; tokens [n, L], 0 where a text has ended.
        targets: [n, ...].
        split: which one.
        of: how many items that has.
    """

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    split: str
    of: int

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def words(self) -> str:
        """`512 of 7,200 items of train`."""
        some = "" if len(self) == self.of else f"{len(self):,} of "
        return f"{some}{self.of:,} items of {self.split}"

    def of_class(self, number: int, most: int) -> npt.NDArray[np.int64]:
        """Places of its first items of a class."""
        return np.flatnonzero(self.targets == number)[:most]


@dataclass(frozen=True)
class Counts:
    """Items of each class in each split.

    Args:
        names: of the K classes.
        splits: name -> [K]; empty where nothing is known of classes.
    """

    names: tuple[str, ...]
    splits: Mapping[str, npt.NDArray[np.int64]]


def form_of(signal: SignalSpec, batch: Any) -> Form:
    """The kind of a signal, by its axes and what is to be predicted of it."""
    if signal.kind == "tokens":
        return "texts"
    if signal.ahead:
        return "video"
    if batch.targets.is_floating_point() and batch.targets.dim() == 3:
        return "series"
    if signal.grid is not None and signal.length == signal.grid[0] * signal.grid[1]:
        return "frames" if signal.frames else "pictures"
    whole = bool((batch.inputs == batch.inputs.round()).all())
    return "spikes" if signal.frames and whole else "sequences"


def sample(data: Any, most: int = 512, split: SplitName = "train") -> Sample:
    """Up to `most` items of a split, fewer where they are large."""
    part = data.split(split)
    total = len(part)
    one = part.batch(torch.zeros(1, dtype=torch.int64))
    large = max(1, int(one.inputs.numel()) + int(one.targets.numel()))
    if data.input_signal.kind == "tokens":
        large = max(1, data.input_signal.length)
    count = max(1, min(most, total, _BUDGET // large))
    chosen = np.sort(np.random.default_rng(0).choice(total, count, replace=False))
    batches = [
        part.batch(torch.from_numpy(chosen[first : first + _AT_ONCE].astype(np.int64)))
        for first in range(0, count, _AT_ONCE)
    ]
    inputs = _joined([batch.inputs.numpy() for batch in batches])
    return Sample(inputs, np.concatenate([batch.targets.numpy() for batch in batches]), split, total)


def _joined(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """One array; what is shorter on the second axis, as texts are, is padded with 0."""
    longest = max(part.shape[1] for part in parts)
    padded = [np.pad(p, [(0, 0), (0, longest - p.shape[1]), *[(0, 0)] * (p.ndim - 2)]) for p in parts]
    return np.concatenate(padded)


def counts_of(data: Any, facts: Mapping[str, Any]) -> Counts:
    """Items of each class, as the data says; of data that does not, of none."""
    splits = facts.get("splits")
    found: dict[str, npt.NDArray[np.int64]] = {}
    names = tuple(map(str, getattr(data, "class_names", ())))
    for name, split in splits.items() if isinstance(splits, Mapping) else ():
        each = split.get("per_class") if isinstance(split, Mapping) else None
        if isinstance(each, Mapping):
            names = names or tuple(map(str, each))
            each = list(each.values())
        if each is not None:
            found[str(name)] = np.asarray(each, np.int64)
    longest = max(map(len, found.values()), default=0)
    if len(names) != longest:
        names = tuple(map(str, range(longest)))
    return Counts(names, {name: np.pad(each, (0, longest - len(each))) for name, each in found.items()})
