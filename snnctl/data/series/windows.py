"""Cutting a series in time: which rows and windows are train, val and test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.problems import data_error
from snnctl.data.series.series import Part


@dataclass(frozen=True)
class SplitSpec:
    """How a series is cut, in time order train, val, test.

    By rows, targets lie wholly inside their own split, and inputs of val and test reach back into the rows
    before it (the protocol of the ETT sets). By windows, windows are counted and cut instead, so neighbouring
    splits share rows (the published protocol of SeqSNN; such a run is marked as leaky).

    Args:
        train: share, or number of rows or windows.
        val: share or number; with shares it takes what rounding down train and test leaves over.
        test: share or number.
        by: "rows" or "windows".

    Raises:
        ValueError: the three parts are not all shares that sum to 1, nor all positive whole numbers.
    """

    # Read by pydantic where recipes are validated; this room does not import it.
    __pydantic_config__ = {"extra": "forbid", "strict": True, "allow_inf_nan": False}  # noqa: RUF012

    train: float | int = 0.7
    val: float | int = 0.1
    test: float | int = 0.2
    by: Literal["rows", "windows"] = "rows"

    def __post_init__(self) -> None:
        parts = (self.train, self.val, self.test)
        if all(isinstance(part, int) for part in parts):
            if min(parts) < 1:
                raise ValueError("train, val and test must each be at least 1")
        elif not all(isinstance(part, float) for part in parts):
            raise ValueError("train, val and test must all be shares (0.7) or all be counts (8640)")
        elif not min(parts) > 0.0:
            raise ValueError("train, val and test must each be more than 0")
        elif not math.isclose(math.fsum(parts), 1.0, rel_tol=0.0, abs_tol=1e-9):
            raise ValueError(f"shares must sum to 1, not {math.fsum(parts):g}")

    @classmethod
    def of(cls, value: SplitSpec | Mapping[str, Any]) -> SplitSpec:
        """`value` itself, or made from the mapping of a resolved recipe."""
        return value if isinstance(value, SplitSpec) else cls(**value)

    def counts(self, total: int) -> dict[SplitName, int]:
        """How many of `total` rows or windows go into each part; counts may leave some unused at the end."""
        if isinstance(self.train, int):
            return {"train": self.train, "val": int(self.val), "test": int(self.test)}
        # Without the epsilon 0.29 of 100 would be 28, because 0.29 * 100 is 28.999999999999996.
        train, test = (math.floor(total * part + 1e-9) for part in (self.train, self.test))
        return {"train": train, "val": total - train - test, "test": test}


DEFAULT_SPLIT = SplitSpec()


@dataclass(frozen=True)
class Cut:
    """One split: its own rows [first_row, last_row), and `windows` windows, the first from row `start`."""

    first_row: int
    last_row: int
    start: int
    windows: int


@dataclass(frozen=True)
class SplitPlan:
    """The three cuts of one series."""

    train: Cut
    val: Cut
    test: Cut
    shares_rows: bool

    def __getitem__(self, name: str) -> Cut:
        return {"train": self.train, "val": self.val, "test": self.test}[name]


@dataclass(frozen=True)
class WindowPlan:
    """Which windows of one series, or of all series of a panel, are train, val and test.

    Args:
        parts: the series that are used.
        cuts: of each of them, its rows counted from its own first.
        starts: split -> [n] first row of each window, int64, rows counted over all series.
        too_short: names of series that hold no window of some split, and are left out.
        shares_rows: whether neighbouring splits do.
    """

    parts: tuple[Part, ...]
    cuts: tuple[SplitPlan, ...]
    starts: Mapping[str, npt.NDArray[np.int64]]
    too_short: tuple[str, ...]
    shares_rows: bool

    def rows(self, name: str) -> npt.NDArray[np.int64]:
        """Its own rows of all series: for a window, the rows of its targets are among them."""
        pairs = zip(self.parts, self.cuts, strict=True)
        return np.concatenate(
            [np.arange(p.first + cut[name].first_row, p.first + cut[name].last_row) for p, cut in pairs]
        )

    def targets(self, name: str, window: int, horizon: int) -> npt.NDArray[np.int64]:
        """Rows that some window of a split forecasts."""
        ends = self.starts[name] + window
        reached = np.zeros(self.parts[-1].last + 1, np.int64)
        np.add.at(reached, ends, 1)
        np.add.at(reached, ends + horizon, -1)
        return np.flatnonzero(np.cumsum(reached) > 0)

    def part_of(self, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Which of `parts` windows that start at `starts` lie in."""
        return np.searchsorted([part.first for part in self.parts], starts, side="right") - 1


def plan_windows(spec: SplitSpec, parts: Sequence[Part], window: int, horizon: int, file: str = "") -> WindowPlan:
    """Cut every series by its own time. No window reaches over a series' end, nor over a hole that cuts.

    Raises:
        DiagnosticError: R310, R311 or R312 when the series, or all of them, are too short.
    """
    used: list[tuple[Part, SplitPlan]] = []
    too_short: list[str] = []
    for part in parts:
        try:
            used.append((part, plan_splits(spec, part.rows, window, horizon, file)))
        except DiagnosticError:
            if len(parts) == 1:
                raise
            too_short.append(part.name)
    if not used:
        longest = max(part.rows for part in parts)
        message = f"none of {len(parts)} series holds a window of every split; the longest has {longest} rows"
        help = "shorten `data.window` or `data.horizon`"
        raise data_error("R310", message, file=file, path="data.window", help=help)
    starts = {
        name: np.concatenate([_starts(part, cut[name], window + horizon) for part, cut in used]) for name in SPLIT_NAMES
    }
    for name, found in starts.items():
        if not len(found):
            message = f"the {name} split holds no window that does not reach over a hole"
            help = "shorten `data.window` or `data.horizon`, or set `data.rows.missing` to insert"
            raise data_error("R312", message, file=file, path=f"data.split.{name}", help=help)
    return WindowPlan(
        tuple(part for part, _ in used), tuple(cut for _, cut in used), starts, tuple(too_short), spec.by == "windows"
    )


def _starts(part: Part, cut: Cut, length: int) -> npt.NDArray[np.int64]:
    starts = part.first + np.arange(cut.start, cut.start + cut.windows)
    borders = np.asarray(part.starts[1:], np.int64)
    whole = np.searchsorted(borders, starts, side="right") == np.searchsorted(
        borders, starts + length - 1, side="right"
    )
    return starts[whole]


def plan_splits(spec: SplitSpec, rows: int, window: int, horizon: int, file: str = "") -> SplitPlan:
    """Cut `rows` rows; a window needs `window` rows in and `horizon` rows out.

    Raises:
        DiagnosticError: R310, R311 or R312 when the series is too short.
    """
    total = rows - window - horizon + 1
    if total < 1:
        key = "data.horizon" if horizon > window else "data.window"
        message = f"window {window} + horizon {horizon} is longer than the series of {rows} rows"
        raise data_error("R310", message, file=file, path=key, help=f"keep their sum at or below {rows}")
    available = rows if spec.by == "rows" else total
    counts = spec.counts(available)
    if sum(counts.values()) > available:
        message = f"the split asks for {sum(counts.values())} {spec.by}, the series has {available}"
        raise data_error("R311", message, file=file, path="data.split", help="lower the counts")
    cuts: dict[str, Cut] = {}
    first = 0
    for name in SPLIT_NAMES:
        count = counts[name]
        if spec.by == "rows":
            target = max(first, window)
            cut = Cut(first, first + count, target - window, first + count - horizon - target + 1)
        else:
            cut = Cut(first, first + count + window + horizon - 1, first, count)
        if cut.windows < 1:
            raise _no_window(name, spec, count, window if first == 0 else 0, horizon, file)
        cuts[name] = cut
        first += count
    return SplitPlan(**cuts, shares_rows=spec.by == "windows")


def _no_window(name: str, spec: SplitSpec, count: int, window: int, horizon: int, file: str) -> Exception:
    needed = window + horizon if spec.by == "rows" else 1
    parts = f"window {window} + horizon {horizon}" if window else f"horizon {horizon}"
    message = f"the {name} split has {count} {spec.by} and holds no window"
    if spec.by == "rows":
        message += f"; it needs {needed} rows ({parts})"
    return data_error(
        "R312",
        message,
        file=file,
        path=f"data.split.{name}",
        help=f"enlarge `data.split.{name}`, or shorten `data.window` or `data.horizon`",
    )
