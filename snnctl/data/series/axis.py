"""Rows in time: their order, stamps that repeat, and holes, which no window treats as if they were none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from snnctl.core.diagnostic import Diagnostic
from snnctl.data.problems import data_error
from snnctl.data.series.stamps import NONE, Micros, Stamps
from snnctl.data.series.steps import SLACK, Step, find_step

# Inserted rows beyond so many times those that are there mean another step, or a table of pieces.
MOST_INSERTED = 10
_ONTO_ONE = "bring rows onto one (resample), or set `data.rows.missing` to keep: rows then count as evenly spaced"


@dataclass(frozen=True)
class Rows:
    """What becomes of rows that do not follow each other by one step.

    Args:
        order: of rows that are not in the order of their stamps: sort = they are sorted, and it is said; refuse;
            keep = taken as they stand.
        repeated: of stamps that stand twice: refuse; first, last or mean of such rows; keep = taken as they stand.
        missing: of rows that the step expects and that are not there: insert = as missing values, and it is said how
            many; cut = no window reaches over a hole; refuse; keep = what is on both sides counts as neighbours.
    """

    # Read by pydantic where recipes are validated; this room does not import it.
    __pydantic_config__ = {"extra": "forbid", "strict": True}  # noqa: RUF012

    order: Literal["sort", "refuse", "keep"] = "sort"
    repeated: Literal["refuse", "first", "last", "mean", "keep"] = "refuse"
    missing: Literal["insert", "cut", "refuse", "keep"] = "insert"

    @classmethod
    def of(cls, value: Rows | Mapping[str, Any]) -> Rows:
        """`value` itself, or made from the mapping of a resolved recipe."""
        return value if isinstance(value, Rows) else cls(**value)


DEFAULT_ROWS = Rows()
AS_THEY_ARE = Rows("keep", "keep", "keep")


@dataclass(frozen=True)
class Axis:
    """The rows of one series as they follow each other in time.

    Args:
        rows: [N] which row of the table each one is, -1 for one that was inserted.
        stamps: of them.
        groups: [N] of rows with the same stamp that are averaged: where each of the table's rows goes; None = none are.
        starts: rows at which a window may not reach back any further (the first one, and those after holes that cut).
        step: how far apart they are; None where it is not known.
        facts: for `data info`.
        warnings: what was decided.
    """

    rows: npt.NDArray[np.int64]
    stamps: Stamps
    groups: npt.NDArray[np.int64] | None
    starts: tuple[int, ...]
    step: Step | None
    facts: dict[str, Any]
    warnings: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where rows stand, for messages.

    Args:
        file: they were read from.
        lines: line of the file of each row, or None where it has no lines.
        series: the name of the series in a panel, or "".
        advice: what helps where stamps repeat.
    """

    file: str
    lines: Any = None
    series: str = ""
    advice: str = ""

    def at(self, row: int) -> tuple[int, str]:
        """(line or 0, "row 3 of the data" in words) of a row."""
        inside = f" (series {self.series})" if self.series else ""
        return (int(self.lines(row)) if self.lines is not None else 0), f"row {row + 1} of the data{inside}"


def arrange(stamps: Stamps, numbers: npt.NDArray[np.int64], rules: Rows, step: Step | None, place: Place) -> Axis:
    """Put rows in order, on one step.

    Args:
        stamps: of the rows.
        numbers: [N] which rows of the table they are.
        rules: what is done about what is wrong.
        step: of the recipe; None = it is found.
        place: for messages.

    Raises:
        DiagnosticError: D240 out of order, D241 repeated, D242 missing, D249 no stamp, no step, or another one.
    """
    told: list[Diagnostic] = []
    if (stamps.local == NONE).any():
        row = int(numbers[int(np.argmax(stamps.local == NONE))])
        line, where = place.at(row)
        count = int((stamps.local == NONE).sum())
        help = "complete them, or remove those rows"
        raise data_error(
            "D249",
            f"{count} rows have no stamp; the first is {where}",
            file=place.file,
            line=line,
            path="data.time",
            help=help,
        )
    instants = stamps.instants
    facts: dict[str, Any] = {"order": "rising", "repeated": 0, "inserted": 0, "holes": 0}
    back = np.diff(instants) < 0
    if back.any():
        facts["order"], order = _order(back, instants, numbers, rules, place, told)
        stamps, numbers = stamps.at(order), numbers[order]
        instants = stamps.instants
    groups = None
    same = np.diff(instants) == 0
    if same.any() and rules.repeated != "keep":
        facts["repeated"] = int(same.sum())
        numbers, stamps, groups = _repeated(same, stamps, numbers, rules, place, told)
        instants = stamps.instants
    rising = bool((np.diff(instants) > 0).all())
    starts, rows = (0,), numbers
    if rising and len(instants) > 1:
        found = step or find_step(instants)
        if found is None and rules.missing != "keep":
            raise _no_step(instants, numbers, place)
        step = found
        if step is not None:
            rows, stamps, starts, more = _holes(stamps, numbers, step, rules, place, told)
            facts |= more
    return Axis(rows, stamps, groups, starts, step, facts, tuple(told))


def _order(
    back: npt.NDArray[np.bool_],
    instants: Micros,
    numbers: npt.NDArray[np.int64],
    rules: Rows,
    place: Place,
    told: list[Diagnostic],
) -> tuple[str, npt.NDArray[np.int64]]:
    falling = bool((np.diff(instants) <= 0).all())
    line, where = place.at(int(numbers[int(np.argmax(back)) + 1]))
    message = (
        "rows run backwards in time, the newest first"
        if falling
        else (
            f"rows are not in the order of time: {_times(int(back.sum()))} the next row is of an earlier time, "
            f"first at {where}"
        )
    )
    if rules.order == "refuse":
        help = "sort the file, or set `data.rows.order` to sort"
        raise data_error("D240", message, file=place.file, line=line, path="data.rows.order", help=help)
    kept = rules.order == "keep"
    done = "they are taken as they stand" if kept else "they were sorted"
    told.append(_warning("D240", f"{message}; {done}", place, line, "data.rows.order"))
    # Newest first is turned, so that rows of one stamp turn, too.
    order = np.arange(len(instants))
    if not kept:
        order = order[::-1] if falling else np.argsort(instants, kind="stable")
    return "falling" if falling else "mixed", order


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _repeated(
    same: npt.NDArray[np.bool_],
    stamps: Stamps,
    numbers: npt.NDArray[np.int64],
    rules: Rows,
    place: Place,
    told: list[Diagnostic],
) -> tuple[npt.NDArray[np.int64], Stamps, npt.NDArray[np.int64] | None]:
    first = int(np.argmax(same))
    line, where = place.at(int(numbers[first + 1]))
    shown = _shown(stamps, first)
    message = f"{int(same.sum()):,} stamps stand more than once; the first is {shown}, again at {where}"
    if rules.repeated == "refuse":
        help = place.advice or (
            "keep one row a stamp, set `data.rows.repeated` to first, last or mean, or name the column that tells "
            "series apart in `data.id`"
        )
        notes = (
            ()
            if place.advice or same.sum() > 1 + len(same) // 1000
            else ("local clocks show one hour twice where summer time ends",)
        )
        raise data_error("D241", message, file=place.file, line=line, path="data.rows.repeated", help=help, notes=notes)
    told.append(_warning("D241", f"{message}; {rules.repeated} of each is taken", place, line, "data.rows.repeated"))
    begins = np.concatenate(([True], ~same))
    if rules.repeated == "last":
        chosen = np.flatnonzero(np.concatenate((~same, [True])))
        return numbers[chosen], stamps.at(chosen), None
    chosen = np.flatnonzero(begins)
    if rules.repeated == "first":
        return numbers[chosen], stamps.at(chosen), None
    groups = np.stack((numbers, numbers[chosen][np.cumsum(begins) - 1]))
    return numbers[chosen], stamps.at(chosen), groups


def _shown(stamps: Stamps, row: int) -> str:
    if not stamps.dated:
        return f"{stamps.local[row] / 1e6:g}"
    return str(np.datetime64(int(stamps.local[row]), "us").astype("M8[s]")).replace("T", " ")


def _holes(
    stamps: Stamps, numbers: npt.NDArray[np.int64], step: Step, rules: Rows, place: Place, told: list[Diagnostic]
) -> tuple[npt.NDArray[np.int64], Stamps, tuple[int, ...], dict[str, Any]]:
    instants = stamps.instants
    # Days, months and years are of the clock that people read; hours and less are of one that is never put back.
    by = stamps.local if step.kind != "time" or step.count % 86_400_000_000 == 0 else instants
    places, off = step.places(by)
    wrong = off > SLACK
    if rules.missing == "keep":
        holes = int((np.diff(places) > 1).sum())
        return numbers, stamps, (0,), {"step": str(step), "holes": holes}
    gaps = np.diff(places)
    if wrong.any() or (gaps < 1).any():
        row = int(np.argmax(wrong)) if wrong.any() else int(np.argmax(gaps < 1)) + 1
        line, where = place.at(int(numbers[row]))
        count = int(wrong.sum()) or int((gaps < 1).sum())
        message = (
            f"{count:,} rows are not where a step of {step} expects them; the first is {_shown(stamps, row)}, {where}, "
            f"after {_shown(stamps, max(row - 1, 0))}"
        )
        help = f"give the step in `data.step`, {_ONTO_ONE}"
        raise data_error("D249", message, file=place.file, line=line, path="data.step", help=help)
    facts = {"step": str(step), "holes": int((gaps > 1).sum()), "inserted": 0}
    total = int(places[-1]) + 1
    absent = total - len(places)
    if not absent:
        return numbers, stamps, (0,), facts
    at = int(np.argmax(gaps > 1))
    line, where = place.at(int(numbers[at + 1]))
    inside = f" of series {place.series}" if place.series else ""
    message = (
        f"{absent:,} of {total:,} rows{inside} are not there, in {_holes_words(facts['holes'])} (step {step}); the "
        f"{'first' if facts['holes'] > 1 else 'hole'} is between {_shown(stamps, at)} and {_shown(stamps, at + 1)}"
    )
    if rules.missing == "refuse" or (rules.missing == "insert" and absent > MOST_INSERTED * len(places) + 1000):
        help = "complete the file; or `data.rows.missing`: cut (no window reaches over a hole), insert or keep"
        if rules.missing == "insert":
            help = "that is too many to insert: give another `data.step`, or set `data.rows.missing` to cut or keep"
        raise data_error("D242", message, file=place.file, line=line, path="data.rows.missing", help=help)
    if rules.missing == "cut":
        told.append(_warning("D242", f"{message}; no window reaches over one", place, line, "data.rows.missing"))
        return numbers, stamps, (0, *(np.flatnonzero(gaps > 1) + 1).tolist()), facts
    told.append(_warning("D242", f"{message}; they were inserted as missing values", place, line, "data.rows.missing"))
    rows = np.full(total, -1, np.int64)
    rows[places] = numbers
    return rows, _filled_in(stamps, places, total, step, by), (0,), facts | {"inserted": absent}


def _holes_words(count: int) -> str:
    return "1 hole" if count == 1 else f"{count:,} holes"


def _filled_in(stamps: Stamps, places: Micros, total: int, step: Step, by: Micros) -> Stamps:
    """Stamps of all places: those that are there as they are, the others counted on from the row before the hole."""
    before = np.repeat(np.arange(len(places)), np.diff(np.append(places, total)))
    further = np.arange(total) - places[before]
    offset = None if stamps.offset is None else stamps.offset[before]
    if step.kind == "time":
        local = by[before] + further * step.count
        if offset is not None and by is not stamps.local:
            local = local + offset
    else:
        local = step.between(int(by[0]), np.arange(total))
        local[places] = stamps.local
    return Stamps(local, offset, stamps.clock, stamps.read_as, stamps.dated)


def _no_step(instants: Micros, numbers: npt.NDArray[np.int64], place: Place) -> Exception:
    gaps = np.diff(instants)
    low, middle, high = (Step("time", max(1, int(each))) for each in (gaps.min(), np.median(gaps), gaps.max()))
    message = f"rows follow each other by no one step: from {low} to {high}, in the middle {middle}"
    help = f"give it in `data.step`, {_ONTO_ONE}"
    return data_error("D249", message, file=place.file, path="data.step", help=help)


def _warning(code: str, message: str, place: Place, line: int, path: str) -> Diagnostic:
    return Diagnostic(code, message, severity="warning", path=path, file=place.file, line=line)
