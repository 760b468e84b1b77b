"""What each column of a table is: time, identity, target, covariate, or nothing that is used; and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from snnctl.core.diagnostic import choices
from snnctl.data.problems import data_error
from snnctl.data.series import stamps as reading
from snnctl.data.series.series import Floats
from snnctl.data.series.stamps import Stamps
from snnctl.data.series.table import Table
from snnctl.data.series.time_columns import find_time, looks_dated, part_of_time, plain_name, words

COUNTER_NAMES = words(
    "id no nr num number index idx row rows rownum row_num row_number row_id rowid record record_id obs seq n # "
    "count_id instant sample sample_id entry"
)
ID_NAMES = ("unique_id", "series_id", "series", "item_id", "id", "name", "station", "store", "sensor", "site", "group")

# So many rows in a row have to count before a column with any name is taken for a counter.
_COUNTED = 20


@dataclass(frozen=True)
class Wanted:
    """What a recipe says of columns.

    Args:
        time: the column or columns of the stamp; empty = they are looked for; None = there is none.
        format: of the stamps, see `stamps.of_texts` and `of_numbers`; None = it is found.
        id: the column or columns that tell series apart.
        targets: to be forecast; None = every numeric column that is nothing else.
        past: covariates that are known up to now.
        known: covariates that are known ahead.
        targets_key: the recipe's key that names the targets.
        trusted: whether all numbers are what is measured: a published set holds no column that counts rows.
    """

    time: tuple[str, ...] | None = ()
    format: str | None = None
    id: tuple[str, ...] = ()
    targets: tuple[str, ...] | None = None
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    targets_key: str = "data.targets"
    trusted: bool = False


@dataclass(frozen=True)
class Roles:
    """What columns are.

    Args:
        time: columns that the stamps were read from; empty where there are none.
        stamps: of all rows, in the order of the file; None where there are none.
        id: columns that tell series apart.
        targets, past, known: names.
        left_out: name -> why, of the columns that are not used.
        found: which of them nobody named, and which a reader may miss: they are warned of.
    """

    time: tuple[str, ...]
    stamps: Stamps | None
    id: tuple[str, ...]
    targets: tuple[str, ...]
    past: tuple[str, ...]
    known: tuple[str, ...]
    left_out: dict[str, str]
    found: tuple[str, ...]


def assign(table: Table, wanted: Wanted) -> Roles:
    """Give every column its role.

    Raises:
        DiagnosticError: D202 a column that is named is not numeric, D203 none is, D204 there is no such column; as
            `find_time`.
    """
    for path, names in (
        ("data.time", wanted.time or ()),
        ("data.id", wanted.id),
        (wanted.targets_key, wanted.targets or ()),
        ("data.past", wanted.past),
        ("data.known", wanted.known),
    ):
        for name in names:
            if name not in table.names:
                shown = [*table.names[:20], *["..."] * (len(table.names) > 20)]
                raise data_error("D204", f"no column `{name}`", file=table.origin, path=path, help=choices(name, shown))
    named = {*wanted.id, *(wanted.targets or ()), *wanted.past, *wanted.known}
    time, stamps = find_time(table, wanted.time, wanted.format, named) if wanted.time is not None else ((), None)
    left_out: dict[str, str] = {}
    for name in time:
        if name in named:
            raise data_error(
                "D204",
                f"column `{name}` is the time, and named for something else",
                file=table.origin,
                path="data.time",
            )
    free = [name for name in table.numeric if name not in named and name not in time and name not in table.flags]
    left_out |= {
        name: "other dates" if looks_dated(table, name) else "text"
        for name in table.names
        if name in table.texts and name not in named and name not in time
    }
    left_out |= dict.fromkeys(sorted(table.flags - named - set(time)), "true or false")
    left_out |= {name: "dates" for name in table.stamps if name not in time}
    aside: dict[str, str] = {}
    if not wanted.trusted and table.format not in (
        "npy",
        "npz",
    ):  # arrays have no names that could tell a counter from a ramp
        aside = dict(_no_measurements(table, free, stamps))
    if wanted.targets is None:
        targets = tuple(name for name in free if name not in aside)
        if not targets and aside:  # a file of nothing but a ramp is what was brought
            targets, aside = tuple(aside), {}
        left_out |= aside
    else:
        targets = wanted.targets
        left_out |= {name: aside.get(name, "not named") for name in free}
    if not targets:
        _refuse_no_number(table)
    for path, names in (("data.targets", targets), ("data.past", wanted.past), ("data.known", wanted.known)):
        _check_numeric(table, names, path)
    found = tuple(
        name
        for name in left_out
        if wanted.targets is None and (name in aside or left_out[name] in ("text", "other dates", "true or false"))
    )
    return Roles(time, stamps, wanted.id, targets, wanted.past, wanted.known, left_out, found)


def _refuse_no_number(table: Table) -> None:
    help = "expected rows of numbers, one row per time step"
    texts = ", ".join(f"`{name}`" for name in list(table.texts)[:5])
    notes = (f"columns of text: {texts}",) if texts else ()
    raise data_error("D203", file=table.origin, notes=notes, help=help)


def _check_numeric(table: Table, names: Sequence[str], path: str) -> None:
    for name in names:
        if name not in table.places:
            cells = table.texts.get(name)
            row = 0 if cells is None else int(np.argmax(cells != ""))
            shown = "dates" if cells is None else f"`{cells[row][:30]}`"
            line = 0 if table.lines is None else table.lines(row)
            message = f"column `{name}` is not numeric: {shown}"
            raise data_error("D202", message, file=table.origin, line=line, path=path, help="name columns of numbers")


def _no_measurements(table: Table, free: list[str], stamps: Stamps | None) -> Iterator[tuple[str, str]]:
    """(name, why) of numeric columns that count rows, or repeat what the stamps say."""
    calendar = {} if stamps is None or not stamps.dated else reading.calendar_of(stamps)
    for name in free:
        values = table.column(name)
        low = plain_name(name)
        part = part_of_time(name) or ("weekday" if "weekday" in low else "")
        if part in calendar and not np.isnan(values).any() and (values == calendar[part]()).all():
            yield name, f"the {part} of the stamp"
        elif _counts(values, low, name in table.unnamed):
            yield (
                name,
                "counts rows" if (values == np.floor(values)).all() else "rises by the same step from row to row",
            )


def _counts(values: Floats, low: str, unnamed: bool) -> bool:
    if len(values) < 2 or np.isnan(values).any():
        return False
    steps = np.diff(values)
    if (values != np.floor(values)).any():
        # A time in parts of a year or in days: it rises by one and the same step, but for rounding.
        step = float(np.median(steps))
        return len(values) >= _COUNTED and step != 0 and bool((np.abs(steps - step) <= 2e-3 * abs(step)).all())
    if (np.abs(steps) == 1).all() and (steps == steps[0]).all():
        return unnamed or len(values) >= _COUNTED or low in COUNTER_NAMES
    named = low in COUNTER_NAMES or low.endswith("_id") or low.startswith("unnamed:")
    return named and bool((steps > 0).all() or (steps < 0).all())


def telling_apart(table: Table, roles: Roles) -> tuple[str, ...]:
    """The column, or the two, within whose values stamps do not repeat; nothing where there are none."""
    if roles.stamps is None:
        return ()
    local = roles.stamps.local
    names = [
        name
        for name in table.names
        if name not in roles.time
        and not part_of_time(name)
        and (name in table.texts or (name in table.places and _few(table.column(name))))
    ]
    names.sort(key=lambda name: plain_name(name) not in ID_NAMES)
    keys = {name: codes_of(table, (name,))[0] for name in names[:20]}
    for size in (1, 2):
        for chosen in combinations(keys, size):
            both = np.stack([keys[name] for name in chosen] + [local])
            if len(np.unique(both, axis=1).T) == len(local):
                return chosen
    return ()


def in_blocks(table: Table, roles: Roles) -> tuple[str, int]:
    """A column that is called an identity and has one value for many rows, then another: (name, first row of it)."""
    for name in (name for name in table.names if plain_name(name) in ID_NAMES and name in roles.left_out):
        if name in table.texts:
            cells = table.texts[name]
            turns = np.flatnonzero(cells[1:] != cells[:-1]) + 1
            if len(turns) and len(turns) + 1 == len(set(cells)) <= len(cells) // 10:
                return name, int(turns[0])
    return "", 0


def _few(values: Floats) -> bool:
    seen = values[: min(len(values), 100_000)]
    return (
        not np.isnan(seen).any() and (seen == np.floor(seen)).all() and len(np.unique(seen)) <= max(1, len(seen) // 2)
    )


def codes_of(table: Table, columns: Sequence[str]) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Which series each row belongs to, and their names, in the order of their first rows.

    Raises:
        DiagnosticError: D249, a row has no name.
    """
    keys = []
    for name in columns:
        cells = table.texts.get(name)
        if cells is None:
            values = table.column(name)
            if np.isnan(values).any():
                raise _nameless(table, name, int(np.argmax(np.isnan(values))))
            cells = np.array([f"{value:.15g}" for value in np.unique(values)], object)[
                np.unique(values, return_inverse=True)[1]
            ]
        elif (cells == "").any():
            raise _nameless(table, name, int(np.argmax(cells == "")))
        keys.append(cells)
    places: dict[object, int] = {}
    rows = keys[0] if len(keys) == 1 else list(zip(*keys, strict=True))
    codes = np.fromiter((places.setdefault(key, len(places)) for key in rows), np.int64, count=table.rows)
    return codes, [key if isinstance(key, str) else "/".join(key) for key in places]  # type: ignore[arg-type]


def _nameless(table: Table, name: str, row: int) -> Exception:
    line = 0 if table.lines is None else table.lines(row)
    message = f"row {row + 1} of the data names no series: `{name}` is empty"
    return data_error(
        "D249", message, file=table.origin, line=line, path="data.id", help="complete it, or remove the row"
    )
