"""Cutting a series in time: which rows and windows are train, val and test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from snnctl.core.choices import SplitName
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.problems import data_error


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
