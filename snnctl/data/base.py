"""The contract of data: what a component is, what it loads, and the splits and batches that the engine sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic
from snnctl.core.shapes import SignalSpec

if TYPE_CHECKING:
    from snnctl.data.cache import Progress
    from snnctl.data.prepare import Prepared


@dataclass(frozen=True)
class Batch:
    """Items and what is to be predicted of them: windows and what follows, or inputs and their classes.

    Args:
        inputs: [B, L, C_in] float32; in forecasting the C target channels first, calendar features after them.
            Tokens are [B, L] int64, padded with 0.
        targets: [B, H, C] float32 in forecasting, [B] int64 in classification.
        observed: shaped as the targets, False where one was missing in the data; None when all are observed.
        soft: [B, K] shares of the classes where items are mixed ones; `targets` is then the class of the first.
        scale: [B, C] how much of the data's own units a scaled unit is, where each item was scaled in its own way.
    """

    inputs: Tensor
    targets: Tensor
    observed: Tensor | None = None
    soft: Tensor | None = None
    scale: Tensor | None = None

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on `device`."""
        parts = (self.observed, self.soft, self.scale)
        rest = (None if part is None else part.to(device) for part in parts)
        return Batch(self.inputs.to(device), self.targets.to(device), *rest)

    def __len__(self) -> int:
        return len(self.inputs)


class Split(Protocol):
    """One of train, val and test: items that can be gathered by index."""

    def __len__(self) -> int:
        """How many items."""

    def batch(self, indices: Tensor) -> Any:
        """The items at `indices` (int64 [B]): a `Batch`, or what has its `to`, `inputs`, `targets` and `observed`."""


class Targeted:
    """Base of splits that hold `targets` [N], the classes of all their items."""

    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)


class Chosen:
    """Base of splits that are items of a part: `chosen` [N] says which."""

    chosen: Any

    def __len__(self) -> int:
        return len(self.chosen)


@runtime_checkable
class ChangingSplit(Protocol):
    """A split whose items are other ones in training: augmented, or drawn anew in every epoch."""

    def training_batch(self, indices: Tensor, seed: int, epoch: int) -> Any:
        """The items at `indices` as training sees them: a pure function, which touches no global random state.

        Args:
            seed: what is drawn from.
            epoch: counted from 0.
        """


class Probe(ABC):
    """What a check of a recipe needs to know of data."""

    @property
    @abstractmethod
    def input_signal(self) -> SignalSpec:
        """The shape of the inputs, before encoding."""

    @property
    def leaks(self) -> tuple[str, ...]:
        """Why a score on this data would flatter, one reason each; empty when it would not."""
        return ()

    @property
    def leaky(self) -> bool:
        """Whether there is such a reason."""
        return bool(self.leaks)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What the reader of the data had to decide or found odd, weightiest first: of severity "warning" (D2xx).

        Told by `validate`, `data info` and `train` alike, in their documents and in `results.json`, before any advice
        on the network.
        """
        return ()


class Dataset(Probe):
    """What a component loads: three splits, and what is to be said of them."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the classes in the order of their indices; empty where there are none."""
        return ()

    @abstractmethod
    def split(self, name: SplitName) -> Split:
        """The part called `name`."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 hex over everything that a result depends on: a run goes on with the same data alone."""

    def remembered(self) -> dict[str, Any] | None:
        """What a trained model needs of this data to be used on other data: plain values, for JSON.

        It has `schema` and `kind`. It is what `fitted` says, a `snnctl.data.anew.Fitted` or the `FittedSeries` of a
        series. None where there is none: such a model cannot be used without its recipe's data.
        """
        fitted = getattr(self, "fitted", None)
        return None if fitted is None else {**fitted.to_json(), "fingerprint": self.fingerprint}

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What `describe` begins with."""

    def describe(self) -> dict[str, Any]:
        """Facts for `snnctl data info`."""
        return {**self.facts(), "leaks": list(self.leaks), "fingerprint": self.fingerprint}


class Labelled(Dataset):
    """Data whose classes have names."""

    @property
    def classes(self) -> int:
        """K."""
        return len(self.class_names)


class DataSource(ABC):
    """Base of data components. A plug-in need not inherit: one with `gives`, `probe` and `load` works as well."""

    gives: ClassVar[str]  # what a task needs: series, classes, step_classes, video

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Problems of knobs with each other: (knob, message)."""
        yield from ()

    def prepare(self, progress: Progress | None = None, brought: Path | None = None) -> tuple[Prepared, ...]:
        """Get ready what `load` needs: fetched or read into the cache; empty where nothing has to be.

        Args:
            progress: called with (bytes done, bytes in all or None).
            brought: where the files of a named set lie; None = they are fetched.
        """
        return ()

    def probe(self) -> Any:
        """A `Probe`; quick enough for `validate`.

        Raises:
            DiagnosticError: the data is not there, or does not fit the knobs.
        """
        return self.load()

    @abstractmethod
    def load(self) -> Any:
        """A `Dataset`.

        Raises:
            DiagnosticError: the data is not there, or does not fit the knobs.
        """
