"""From a table to series: roles, rows in order, one series of a panel behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from snnctl.core.diagnostic import Diagnostic
from snnctl.data.problems import data_error
from snnctl.data.series.axis import DEFAULT_ROWS, Axis, Place, Rows, arrange
from snnctl.data.series.roles import Roles, Wanted, assign, codes_of, in_blocks, telling_apart
from snnctl.data.series.series import Floats, Part, Series
from snnctl.data.series.stamps import Stamps
from snnctl.data.series.steps import Step
from snnctl.data.series.table import Table

# So many series of a panel are warned of one by one; of more, the first and how many.
_TOLD = 3


@dataclass(frozen=True)
class Arrangement:
    """How a table becomes series.

    Args:
        wanted: roles of columns.
        rows: what is done about rows that do not follow each other.
        step: from one row to the next; None = it is found.
    """

    wanted: Wanted = field(default_factory=Wanted)
    rows: Rows = DEFAULT_ROWS
    step: Step | None = None


def series_of(table: Table, how: Arrangement) -> Series:
    """The series of a table.

    Raises:
        DiagnosticError: as `assign` and `arrange`; D102, there is no row.
    """
    if not table.rows:
        raise data_error("D102", "there are no rows", file=table.origin)
    roles = assign(table, how.wanted)
    told = [*table.warnings, *_aside(table, roles)]
    name, row = in_blocks(table, roles) if not roles.id else ("", 0)
    if name:
        cells = table.texts[name]
        message = (
            f"`{name}` is `{cells[0]}`, and from row {row + 1} of the data on `{cells[row]}`: windows reach over that"
        )
        help = f"where it tells series apart, set `data.id: {name}`"
        told.append(Diagnostic("D247", message, severity="warning", path="data.id", file=table.origin, help=help))
    groups = _groups(table, roles)
    axes: list[Axis] = []
    advice = ""
    if not roles.id and roles.stamps is not None and how.rows.repeated == "refuse" and _repeat(roles.stamps):
        advice = _advice(table, roles)
    for name, numbers in groups:
        if roles.stamps is None:
            axes.append(Axis(numbers, _NO_STAMPS, None, (0,), None, {}))
            continue
        place = Place(table.origin, table.lines, name, advice)
        axes.append(arrange(roles.stamps.at(numbers), numbers, how.rows, how.step, place))
    told += _gathered([axis.warnings for axis in axes])
    named = dict.fromkeys(str(axis.step) for axis in axes if axis.step is not None)
    if len(named) > 1:
        message = (
            f"series have different steps ({', '.join(list(named)[:4])}): a window lasts longer in some than in others"
        )
        help = "bring them onto one step, or train them apart"
        told.append(Diagnostic("D248", message, severity="warning", path="data.step", file=table.origin, help=help))
    parts, first = [], 0
    for (name, _), axis in zip(groups, axes, strict=True):
        starts = tuple(first + start for start in axis.starts)
        parts.append(Part(name, first, first + len(axis.rows), starts))
        first += len(axis.rows)
    rows = np.concatenate([axis.rows for axis in axes])
    columns = (roles.targets, roles.past, roles.known)
    values, past, known = (_values(table, names, rows, axes) if names else None for names in columns)
    assert values is not None  # there is a target, or `assign` refuses
    several = len(parts) > 1 or bool(roles.id)
    times, steps = None, {axis.step for axis in axes}
    if roles.stamps is not None and roles.stamps.dated:
        times = np.concatenate([axis.stamps.local for axis in axes]).astype("M8[us]").astype("M8[ms]")
    return Series(
        values,
        roles.targets,
        times,
        table.origin,
        past,
        known,
        roles.past,
        roles.known,
        tuple(parts) if several or len(parts[0].starts) > 1 else (),
        table.format,
        roles.time,
        roles.left_out,
        _facts(table, roles, axes, parts if several else []),
        tuple(told),
        steps.pop() if len(steps) == 1 else None,
        "" if roles.stamps is None else roles.stamps.read_as,
    )


_NO_STAMPS = Stamps(np.zeros(0, np.int64), dated=False)


def _repeat(stamps: Stamps) -> bool:
    return bool((np.diff(np.sort(stamps.local)) == 0).any())


def _advice(table: Table, roles: Roles) -> str:
    names = telling_apart(table, roles)
    if not names:
        return ""
    shown = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
    return f"`{' and '.join(names)}` tells series apart: set `data.id: {shown}`"


def _groups(table: Table, roles: Roles) -> list[tuple[str, npt.NDArray[np.int64]]]:
    if not roles.id:
        return [("", np.arange(table.rows))]
    codes, names = codes_of(table, roles.id)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))
    return list(zip(names, np.split(order, ends[:-1]), strict=True))


def _values(table: Table, names: Sequence[str], rows: npt.NDArray[np.int64], axes: Sequence[Axis]) -> Floats:
    """[N, len(names)] of the arranged rows; NaN where one was inserted."""
    whole = table.matrix(names)
    meant = [axis.groups for axis in axes if axis.groups is not None]
    if meant:
        whole = whole.copy()
        for group in meant:
            _average(whole, group)
    if len(rows) == len(whole) and (rows == np.arange(len(rows))).all():
        return whole
    gathered = whole[rows]
    gathered[rows < 0] = np.nan
    return gathered


def _average(values: Floats, group: npt.NDArray[np.int64]) -> None:
    """Put the mean of the observed values of rows that go together into the row that stays."""
    rows, kept = group
    places, index = np.unique(kept, return_inverse=True)
    seen = ~np.isnan(values[rows])
    sums, counts = np.zeros((len(places), values.shape[1])), np.zeros((len(places), values.shape[1]))
    np.add.at(sums, index, np.where(seen, values[rows], 0.0))
    np.add.at(counts, index, seen)
    with np.errstate(invalid="ignore"):
        values[places] = np.where(counts > 0, sums / counts, np.nan)


def _aside(table: Table, roles: Roles) -> list[Diagnostic]:
    """D244: columns that nobody named are left out."""
    if not roles.found:
        return []
    shown = [f"`{name}` ({roles.left_out[name]})" for name in roles.found[:6]]
    more = f" and {len(roles.found) - 6} more" if len(roles.found) > 6 else ""
    message = f"left out: {', '.join(shown)}{more}"
    help = "to forecast one of them, name all columns to forecast in `data.targets`"
    return [Diagnostic("D244", message, severity="warning", path="data.targets", file=table.origin, help=help)]


def _gathered(found: Sequence[tuple[Diagnostic, ...]]) -> list[Diagnostic]:
    """Warnings of all series of a panel: the first of each kind, and of how many series it is."""
    by_code: dict[str, list[Diagnostic]] = {}
    for each in found:
        for warning in each:
            by_code.setdefault(warning.code, []).append(warning)
    told = []
    for warnings in by_code.values():
        told += warnings[:_TOLD]
        if len(warnings) > _TOLD:
            further = len(warnings) - _TOLD
            told[-1] = replace(told[-1], notes=(*told[-1].notes, f"likewise in {further} more series"))
    return told


def _facts(table: Table, roles: Roles, axes: Sequence[Axis], parts: Sequence[Part]) -> dict[str, Any]:
    """How time, rows and columns were understood."""
    facts: dict[str, Any] = {"format": table.format}
    if table.notes:
        facts["how_it_is_read"] = list(table.notes)
    if roles.stamps is not None:
        steps = dict.fromkeys(str(axis.step) for axis in axes if axis.step is not None)
        summed = {
            name: sum(int(axis.facts.get(name, 0)) for axis in axes) for name in ("repeated", "holes", "inserted")
        }
        orders = {str(axis.facts.get("order", "rising")) for axis in axes}
        facts["time"] = {
            "columns": list(roles.time),
            "read_as": roles.stamps.read_as,
            "clock": roles.stamps.clock,
            "step": next(iter(steps)) if len(steps) == 1 else list(steps) or None,
            "order_in_file": next(iter(orders)) if len(orders) == 1 else "mixed",
            "repeated_stamps": summed["repeated"],
            "holes": summed["holes"],
            "inserted_rows": summed["inserted"],
        }
    facts["roles"] = {
        "targets": list(roles.targets),
        **{
            name: list(names)
            for name, names in (("past", roles.past), ("known", roles.known), ("id", roles.id))
            if names
        },
        **({"left_out": dict(roles.left_out)} if roles.left_out else {}),
    }
    if parts:
        lengths = [part.rows for part in parts]
        facts["series"] = {
            "count": len(parts),
            "rows": {"fewest": min(lengths), "median": int(np.median(lengths)), "most": max(lengths)},
            "first": [part.name for part in parts[:5]],
        }
    return facts
