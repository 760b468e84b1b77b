"""New sequences for a model of sequences that are made: arrays alone, as nobody records such things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.shapes import SignalSpec
from snnctl.data.anew import Fitted, NewItems, array_items, arrays_of, given_array, names_of, place, refuse_shape
from snnctl.data.base import Batch
from snnctl.data.problems import data_error

_IN_MEMORY = Path("the array")


@dataclass(frozen=True, eq=False)
class FittedMade(Fitted):
    """The shape of sequences.

    Args:
        class_names: of the classes.
        steps: L, or T.
        channels: C.
        spikes: whether they are binary spikes with a class at every step; else symbols, real numbers over C channels.
        dt_ms: what a step of spikes lasts.
    """

    class_names: tuple[str, ...]
    steps: int
    channels: int
    spikes: bool
    dt_ms: float = 0.0

    kind: ClassVar[str] = "made"

    @property
    def input_signal(self) -> SignalSpec:
        if self.spikes:
            return SignalSpec(0, 1, self.channels, kind="spikes", frames=self.steps, dt_ms=self.dt_ms)
        return SignalSpec(0, self.steps, self.channels)

    def values(self) -> dict[str, Any]:
        return {
            "classes": list(self.class_names),
            "steps": self.steps,
            "channels": self.channels,
            "spikes": self.spikes,
            "dt_ms": self.dt_ms,
        }

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> FittedMade:
        steps, channels = values["steps"], values["channels"]
        if type(steps) is not int or type(channels) is not int or min(steps, channels) < 1:
            raise ValueError(f"{steps!r} steps of {channels!r} channels")
        return cls(names_of(values["classes"]), steps, channels, bool(values["spikes"]), float(values["dt_ms"]))

    def new(self, given: Any) -> NewItems:
        """New sequences.

        Args:
            given: a .npy or .npz file, or an array: spikes [N, T, C] of 0 and 1, or symbols [N, L, C] as real numbers
                or [N, L] as their numbers; or one of them.

        Raises:
            DiagnosticError: D1xx and D2xx, it cannot be read; D310, it is of another shape.
        """
        if not isinstance(given, Path):
            return self._items(given_array(given, "sequences"), None, _IN_MEMORY)
        path = place(given)
        if not path.is_file() or path.suffix.lower() not in (".npy", ".npz"):
            raise data_error("D105", f"`{path.name}` is no array", file=path, path="", help="it reads .npy and .npz")
        return self._items(*arrays_of(path, "sequences", self.class_names), path)

    def _items(self, data: Any, labels: Sequence[str] | None, path: Path) -> NewItems:
        if data.dtype.kind not in "biuf":
            raise data_error("D202", f"`{path.name}` holds {data.dtype}, which are no numbers", file=path, path="")
        tokens = not self.spikes and data.dtype.kind in "iu" and data.shape[-1:] == (self.steps,)
        wanted = (self.steps,) if tokens else (self.steps, self.channels)
        if data.shape == wanted:
            data, labels = data[None], None
        refuse_shape(data.shape[1:], wanted, path.name, path, "bring sequences as the model takes them")

        def check(one: Any, name: str) -> Any:
            high = self.channels - 1 if tokens else 1
            if tokens or self.spikes:
                if not ((one >= 0) & (one <= high) & (one == np.round(one))).all():
                    message = f"sequence {name} holds other values than the whole numbers 0 to {high}"
                    raise DiagnosticError(Diagnostic("D310", message, file=str(path)))
            elif not np.isfinite(one).all():
                raise data_error("D202", f"sequence {name} holds values that are no numbers", file=path, path="")
            found = np.eye(self.channels, dtype=np.float32)[one] if tokens else np.asarray(one, np.float32)
            return found[:, None] if self.spikes else found

        return NewItems(array_items(data, labels, check), len(data), labels is not None)

    def batch(self, contents: Sequence[Any]) -> Batch:
        """Sequences as they are; with a target for each step where classes are of steps."""
        inputs = torch.from_numpy(np.stack(contents))
        shape = (len(contents), self.steps) if self.spikes else (len(contents),)
        return Batch(inputs, torch.zeros(shape, dtype=torch.int64))
