"""A table as a file holds it, before anything is decided: numbers, texts, and stamps that are typed as such."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from snnctl.core.diagnostic import Diagnostic
from snnctl.data.series.series import Floats
from snnctl.data.series.stamps import Stamps

Cells = npt.NDArray[np.object_]  # of str; "" where there is nothing


@dataclass(frozen=True)
class Table:
    """Columns of N rows.

    Args:
        names: of all columns, as they stand.
        numeric: names of those that are numbers, in that order.
        numbers: [N, len(numeric)] float64; NaN is a missing value.
        texts: name -> [N] cells.
        stamps: name -> stamps, of columns that the file itself types as dates.
        flags: columns of true and false, among the numeric ones.
        unnamed: columns that the file gives no name.
        format: "csv", "npy", "npz", "parquet", "hdf5", "builtin" or "cache".
        origin: the file, for messages.
        lines: the line of the file that a row stands in; None where there are no lines.
        notes: how it was read, for people: what separates columns, decimal commas, comments.
        warnings: what was decided about cells.
    """

    names: tuple[str, ...]
    numeric: tuple[str, ...]
    numbers: Floats
    texts: Mapping[str, Cells] = field(default_factory=dict)
    stamps: Mapping[str, Stamps] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    unnamed: frozenset[str] = frozenset()
    format: str = "csv"
    origin: str = ""
    lines: Callable[[int], int] | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def rows(self) -> int:
        """N."""
        return len(self.numbers)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Name -> position, of the numeric ones: tables may have 50,000."""
        return {name: place for place, name in enumerate(self.numeric)}

    def column(self, name: str) -> Floats:
        """[N], one of the numeric ones."""
        return self.numbers[:, self.places[name]]

    def matrix(self, names: Sequence[str]) -> Floats:
        """[N, len(names)], row-major; the whole of it is not copied."""
        if tuple(names) == self.numeric:
            return np.ascontiguousarray(self.numbers)
        return np.ascontiguousarray(self.numbers[:, [self.places[name] for name in names]])

    def without(self, names: frozenset[str]) -> Table:
        """Without some of its columns."""
        kept = tuple(name for name in self.numeric if name not in names)
        return replace(
            self,
            names=tuple(name for name in self.names if name not in names),
            numeric=kept,
            numbers=self.matrix(kept),
            texts={name: cells for name, cells in self.texts.items() if name not in names},
            stamps={name: stamps for name, stamps in self.stamps.items() if name not in names},
        )
