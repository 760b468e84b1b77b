"""A multivariate series in memory, what is known of one before it is read, and which columns are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from snnctl.core.diagnostic import choices
from snnctl.data.cache import sha256_of
from snnctl.data.problems import data_error

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class SeriesHead:
    """What can be told of a series without parsing it.

    Args:
        rows: samples in time.
        columns: names of the channels, dates excluded.
        date_column: the column read as dates, or "" when there is none.
        ignored: columns that are neither channels nor dates (row numbers).
        format: "csv", "npy", "npz", "parquet", "hdf5", "builtin" or "cache".
    """

    rows: int
    columns: tuple[str, ...]
    date_column: str = ""
    ignored: tuple[str, ...] = ()
    format: str = "csv"

    def taking(self, wanted: Sequence[str] | None, file: Path | str) -> SeriesHead:
        """That of the `wanted` columns, see `select`."""
        return replace(self, columns=tuple(self.columns[i] for i in select(self.columns, wanted, file)))


@dataclass(frozen=True)
class Series:
    """Values over time; NaN is a missing value.

    Args:
        values: [N, C] float64.
        columns: C names.
        times: [N] datetime64[ms], or None when the source has no readable dates.
        origin: the file it was read from, for messages.
    """

    values: Floats
    columns: tuple[str, ...]
    times: Times | None = None
    origin: str = ""

    def taking(self, wanted: Sequence[str] | None) -> Series:
        """The `wanted` columns, see `select`, with values in row-major order."""
        chosen = select(self.columns, wanted, self.origin)
        values = np.ascontiguousarray(self.values if wanted is None else self.values[:, chosen])
        return replace(self, values=values, columns=tuple(self.columns[i] for i in chosen))

    def fingerprint(self) -> str:
        """SHA-256 hex over shape, column names and values, whatever file format they came from.

        Values count as float32: what a model sees, and beyond the last bit in which parsers differ.
        """
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(self.values, dtype="<f4")
        # One bit pattern for every NaN and for both zeros.
        plain = np.where(np.isnan(values), np.float32("nan"), values + np.float32(0)).tobytes()
        return sha256_of((self.values.shape, self.columns), (plain,))


@dataclass(frozen=True)
class ReadOptions:
    """How to read one source.

    Args:
        columns: names of the channels to keep, in this order; None = all numeric ones.
        key: the array inside an NPZ or HDF5 file; None = the only one.
        header: whether the first line of a text file names its columns; None = look and decide.
    """

    columns: tuple[str, ...] | None = None
    key: str | None = None
    header: bool | None = None


def select(names: Sequence[str], wanted: Sequence[str] | None, file: Path | str) -> list[int]:
    """Positions of the `wanted` columns among `names`; all of them when `wanted` is None.

    Raises:
        DiagnosticError: D204, one for the first name that is not there.
    """
    if wanted is None:
        return list(range(len(names)))
    for name in wanted:
        if name not in names:
            shown = [*names[:20], "..."] if len(names) > 20 else list(names)
            near = choices(name, names) if len(names) <= 20 else choices(name, shown)
            raise data_error("D204", f"no column `{name}`", file=file, path="data.columns", help=near)
    return [list(names).index(name) for name in wanted]


def numbered(count: int) -> tuple[str, ...]:
    """Names for columns that have none: c0, c1, ..."""
    return tuple(f"c{i}" for i in range(count))


def distinct(names: Sequence[str]) -> list[str]:
    """The names with `.1`, `.2` after repeated ones, as pandas does; empty names become their position."""
    seen: dict[str, int] = {}
    result = []
    for position, name in enumerate(names):
        name = name.strip() or f"c{position}"
        count = seen.get(name, 0)
        seen[name] = count + 1
        result.append(f"{name}.{count}" if count else name)
    return result
