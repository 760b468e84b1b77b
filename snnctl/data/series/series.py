"""A multivariate series in memory, or several of a panel, and how a file is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from snnctl.core.diagnostic import Diagnostic
from snnctl.data.cache import sha256_of

if TYPE_CHECKING:
    from snnctl.data.series.steps import Step

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Part:
    """Rows of one series of a panel, [first, last); the whole where there is one alone.

    Args:
        name: what tells it apart; "" where there is one alone.
        first, last: its rows.
        starts: rows at which windows begin anew: `first`, and those after holes that cut.
    """

    name: str
    first: int
    last: int
    starts: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        """How many."""
        return self.last - self.first


@dataclass(frozen=True)
class Series:
    """Values over time, the rows of every part one step apart; NaN is a missing value.

    Args:
        values: [N, C] float64, of the targets.
        columns: C names.
        times: [N] datetime64[ms] on the clock of the file, or None when the source has no dates.
        origin: the file it was read from, for messages.
        past: [N, P], covariates that are known up to now; None = there are none.
        known: [N, K], covariates that are known ahead; None = there are none.
        past_names, known_names: of them.
        parts: the series of a panel one behind the other; empty = it is one series.
        format: what it was read from ("csv", "hdf5", "cache", ...).
        time: columns that the stamps stand in; empty where there are none.
        left_out: name -> why, of the columns that are not used.
        facts: how time and rows were understood, for `data info`.
        warnings: what was decided, or is odd.
        step: from one row to the next; None where it is not known, or series of a panel differ in it.
        read_as: how the stamps were understood ("day first", ...); "" where there are none.
    """

    values: Floats
    columns: tuple[str, ...]
    times: Times | None = None
    origin: str = ""
    past: Floats | None = None
    known: Floats | None = None
    past_names: tuple[str, ...] = ()
    known_names: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    format: str = "csv"
    time: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()
    step: Step | None = None
    read_as: str = ""

    @property
    def pieces(self) -> tuple[Part, ...]:
        """Its parts; the whole where it is one series."""
        return self.parts or (Part("", 0, len(self.values), (0,)),)

    def without(self, names: Collection[str]) -> Series:
        """Without some of its parts."""
        if not names:
            return self
        parts, rows, first = [], [], 0
        for part in self.parts:
            if part.name not in names:
                shift = first - part.first
                parts.append(Part(part.name, first, first + part.rows, tuple(start + shift for start in part.starts)))
                rows.append(np.arange(part.first, part.last))
                first += part.rows
        return self._at(np.concatenate(rows), tuple(parts))

    def observed(self) -> Series:
        """Without the rows after the last target of each part: those that are known ahead of everything else."""
        kept, parts, first = [], [], 0
        for part in self.pieces:
            seen = np.flatnonzero(~np.isnan(self.values[part.first : part.last]).all(axis=1))
            rows = np.arange(part.first, part.first + int(seen[-1]) + 1 if len(seen) else part.last)
            starts = tuple(start - part.first + first for start in part.starts if start <= rows[-1])
            kept.append(rows)
            parts.append(Part(part.name, first, first + len(rows), starts))
            first += len(rows)
        return self if first == len(self.values) else self._at(np.concatenate(kept), tuple(parts) if self.parts else ())

    def _at(self, rows: npt.NDArray[np.int64], parts: tuple[Part, ...]) -> Series:
        return replace(
            self,
            values=self.values[rows],
            times=None if self.times is None else self.times[rows],
            past=None if self.past is None else self.past[rows],
            known=None if self.known is None else self.known[rows],
            parts=parts,
        )

    def fingerprint(self) -> str:
        """SHA-256 hex over shape, names and values, whatever file format they came from.

        Values count as float32: what a model sees, and beyond the last bit in which parsers differ.
        """
        facts: tuple[object, ...] = (self.values.shape, self.columns)
        if self.past_names or self.known_names or self.parts:
            parts = tuple((part.name, part.first, part.starts) for part in self.parts)
            facts = (*facts, self.past_names, self.known_names, parts)
        return sha256_of(facts, (_plain(each) for each in (self.values, self.past, self.known) if each is not None))


def _plain(values: Floats) -> bytes:
    with np.errstate(over="ignore"):
        whole = np.ascontiguousarray(values, dtype="<f4")
    # One bit pattern for every NaN and for both zeros.
    return np.where(np.isnan(whole), np.float32("nan"), whole + np.float32(0)).tobytes()


@dataclass(frozen=True)
class ReadOptions:
    """How to read a file into a table.

    Args:
        key: the array inside an NPZ or HDF5 file; None = the only one.
        header: whether the first line of a text file names its columns; None = look and decide.
        missing_marks: what stands for a missing value, beside what always does.
        encoding: of a text file.
        decimal: the decimal mark of a text file; None = look and decide.
        text: names of columns that are text whatever they hold: 01 and 1 are two identities.
        only: names of the columns that are used: others may hold anything; None = all that are numeric.
    """

    key: str | None = None
    header: bool | None = None
    missing_marks: tuple[str, ...] = ()
    encoding: str = "utf-8"
    decimal: str | None = None
    text: tuple[str, ...] = ()
    only: frozenset[str] | None = None


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
