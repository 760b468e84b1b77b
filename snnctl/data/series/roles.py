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
from snnctl.data.series.stamps import EPOCHS, NotStampsError, Stamps
from snnctl.data.series.table import Table

TIME_NAMES = frozenset(
    [
        "date",
        "datetime",
        "date_time",
        "time",
        "timestamp",
        "stamp",
        "ts",
        "ds",
        "utc",
        "utc_timestamp",
        "utc_time",
        "time_utc",
        "unix",
        "unixtime",
        "unix_time",
        "epoch",
        "epoch_time",
        "datum",
        "zeit",
        "zeitstempel",
        "zeitpunkt",
        "fecha",
        "fecha_hora",
        "fechahora",
        "data_hora",
        "data_ora",
        "horodatage",
        "period",
        "when",
        "year",
        "measured_at",
        "created_at",
        "recorded_at",
        "datetime_utc",
        "local_time",
        "localtime",
        "timestamp_utc",
        "timestamp_local",
        "date_utc",
        "dt",
        "t",
        "datetime_local",
        "observation_date",
        "obs_date",
        "month",
        "day",
    ]
)
CLOCK_NAMES = frozenset(
    ["time", "hour", "hours", "hr", "clock", "zeit", "uhrzeit", "hora", "heure", "heures", "ora", "tod", "time_of_day"]
)
PART_NAMES = {
    "year": ("year", "yr", "yyyy"),
    "month": ("month", "mo", "mon", "mnth"),
    "day": ("day", "dy", "dom", "day_of_month"),
    "hour": ("hour", "hr", "hours"),
    "minute": ("minute", "min", "minutes"),
    "second": ("second", "sec", "seconds"),
}
COUNTER_NAMES = frozenset(
    [
        "id",
        "no",
        "nr",
        "num",
        "number",
        "index",
        "idx",
        "row",
        "rows",
        "rownum",
        "row_num",
        "row_number",
        "row_id",
        "rowid",
        "record",
        "record_id",
        "obs",
        "seq",
        "n",
        "#",
        "count_id",
        "instant",
        "sample",
        "sample_id",
        "entry",
    ]
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
        trusted: whether all numbers are what is measured: a published set holds no column that counts rows.
    """

    time: tuple[str, ...] | None = ()
    format: str | None = None
    id: tuple[str, ...] = ()
    targets: tuple[str, ...] | None = None
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
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
        DiagnosticError: D202 a column that is named is not numeric, D203 none is, D204 there is no such column, D245 stamps
            that can be read in several ways, D249 stamps that cannot be read.
    """
    for path, names in (
        ("data.time", wanted.time or ()),
        ("data.id", wanted.id),
        ("data.targets", wanted.targets or ()),
        ("data.past", wanted.past),
        ("data.known", wanted.known),
    ):
        for name in names:
            if name not in table.names:
                shown = [*table.names[:20], *["..."] * (len(table.names) > 20)]
                raise data_error("D204", f"no column `{name}`", file=table.origin, path=path, help=choices(name, shown))
    named = {*wanted.id, *(wanted.targets or ()), *wanted.past, *wanted.known}
    time, stamps = _time(table, wanted, named)
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
    left_out |= {name: "text" for name in table.names if name in table.texts and name not in named and name not in time}
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
        if wanted.targets is None and (name in aside or left_out[name] in ("text", "true or false"))
    )
    return Roles(time, stamps, wanted.id, targets, wanted.past, wanted.known, left_out, found)


def _refuse_no_number(table: Table) -> None:
    help = "expected rows of numbers, one row per time step"
    texts = ", ".join(f"`{name}`" for name in list(table.texts)[:5])
    notes = (f"columns of text: {texts}",) if texts else ()
    raise data_error("D203", file=table.origin, notes=notes, help=help)


def _check_numeric(table: Table, names: Sequence[str], path: str) -> None:
    for name in names:
        if name not in table.numeric:
            cells = table.texts.get(name)
            row = 0 if cells is None else int(np.argmax(cells != ""))
            shown = "dates" if cells is None else f"`{cells[row][:30]}`"
            line = 0 if table.lines is None else table.lines(row)
            message = f"column `{name}` is not numeric: {shown}"
            raise data_error("D202", message, file=table.origin, line=line, path=path, help="name columns of numbers")


def _time(table: Table, wanted: Wanted, named: set[str]) -> tuple[tuple[str, ...], Stamps | None]:
    if wanted.time is None:
        return (), None
    if wanted.time:
        try:
            return wanted.time, _read(table, wanted.time, wanted.format)
        except NotStampsError as error:
            raise _unreadable(table, wanted.time, error) from error
    if wanted.format is not None:
        for name in table.names:
            if name in named:
                continue
            try:
                return (name,), _read(table, (name,), wanted.format)
            except NotStampsError:
                continue
        message = f"no column has stamps by `{wanted.format}`"
        raise data_error("D249", message, file=table.origin, path="data.format", help="name the column in `data.time`")
    for columns in _candidates(table, named):
        try:
            return columns, _read(table, columns, None)
        except NotStampsError as error:
            if error.ambiguous or _meant(table, columns):
                raise _unreadable(table, columns, error) from error
    return (), None


def _candidates(table: Table, named: set[str]) -> Iterator[tuple[str, ...]]:
    """Columns that may be the time, the clearest first."""
    free = [name for name in table.names if name not in named]
    low = {name: _plain(name) for name in free}
    for name in free:
        if name in table.stamps:
            clock = _beside(table, name, free)
            yield (name, clock) if clock else (name,)
    parts = _parts(free, low, table)
    if parts:
        yield parts
    dated = [name for name in free if name in table.texts and _looks_dated(table, name)]
    for name in sorted(dated, key=lambda name: low[name] not in TIME_NAMES):
        clock = _beside(table, name, [each for each in free if each != name])
        yield (name, clock) if clock else (name,)
    numbers = [name for name in free if name in table.numeric and name not in table.flags]
    for name in numbers:
        if low[name] in TIME_NAMES and _numbers_of_time(table.column(name), low[name]):
            clock = _beside(table, name, [each for each in free if each != name])
            yield (name, clock) if clock else (name,)
    for name in numbers:
        if low[name] not in TIME_NAMES and _is_epoch(table.column(name)):
            yield (name,)


def _plain(name: str) -> str:
    return "_".join(name.lower().replace("-", " ").replace(".", " ").split("[")[0].split("(")[0].split())


def _parts(free: list[str], low: dict[str, str], table: Table) -> tuple[str, ...]:
    """Columns year, month, ... in that order, if they are there, and are numbers as a calendar has them."""
    found: dict[str, str] = {}
    for part, names in PART_NAMES.items():
        column = next((name for name in free if low[name] in names and name in table.numeric), None)
        if column is None:
            break
        found[part] = column
    if len(found) < 2:
        return ()
    # `min` and `sec` may be measurements: all have to be what a calendar holds.
    for part, column in list(found.items())[4:]:
        values = table.column(column)
        if np.nanmax(values) > 60 or np.nanmin(values) < 0:
            del found[part]
    try:
        reading.of_parts({part: table.column(column) for part, column in found.items()})
    except NotStampsError:
        return ()
    return tuple(found.values())


def _beside(table: Table, day: str, free: list[str]) -> str | None:
    """The column of times of day that goes with a column of days."""
    if not _days_alone(table, day):
        return None
    for name in free:
        if _plain(name) in CLOCK_NAMES and name != day:
            if name in table.texts and ":" in next((cell for cell in table.texts[name] if cell), ""):
                return name
            if name in table.numeric:
                hours = table.column(name)
                seen = hours[~np.isnan(hours)]
                if (
                    len(seen)
                    and seen.min() >= 0
                    and seen.max() <= 24
                    and (seen == np.floor(seen)).all()
                    and seen.max() > seen.min()
                ):
                    return name
    return None


def _days_alone(table: Table, name: str) -> bool:
    if name in table.texts:
        return all(":" not in cell for cell in table.texts[name][:50])
    if name in table.numeric:
        seen = table.column(name)
        return bool(len(seen) and np.nanmax(seen) < 1e8)  # 20200131
    local = table.stamps[name].local[:50]
    return bool((local % reading.DAY == 0).all())


def _looks_dated(table: Table, name: str) -> bool:
    """Whether nearly all of the first cells are stamps by some reading, each for itself."""
    cells = [cell for cell in table.texts[name][:200] if cell][:50]
    return bool(cells) and sum(reading.is_stamp(cell) for cell in cells) >= 0.8 * len(cells)


def _numbers_of_time(values: Floats, name: str) -> bool:
    """Whether a numeric column that is called like a time is one: not so `day` 1 to 31, or `t`, a temperature."""
    seen = values[~np.isnan(values)]
    if not len(seen):
        return False
    try:
        reading.of_numbers(values)
    except NotStampsError:
        return name in ("time", "t", "ts", "timestamp", "elapsed", "elapsed_time") and bool((np.diff(seen) > 0).all())
    return name != "t" or bool((np.diff(seen) > 0).all())


def _is_epoch(values: Floats) -> bool:
    """Whether numbers without such a name are certainly a time since 1970: whole, rising, and regular."""
    if np.isnan(values).any() or len(values) < 3 or (values != np.floor(values)).any():
        return False
    try:
        stamps = reading.of_numbers(values)
    except NotStampsError:
        return False
    if not stamps.read_as.endswith("since 1970"):
        return False
    gaps = np.abs(np.diff(stamps.local))
    found, counts = np.unique(gaps, return_counts=True)
    return bool(gaps.min() > 0 and counts.max() >= 0.9 * len(gaps) and found[np.argmax(counts)] > 1000)


def _meant(table: Table, columns: tuple[str, ...]) -> bool:
    """Whether it is clear that these columns were to be the time, although they cannot be read."""
    return _plain(columns[0]) in TIME_NAMES or columns[0] in table.texts


def _read(table: Table, columns: tuple[str, ...], format: str | None) -> Stamps:
    """The stamps that columns hold together."""
    first = columns[0]
    if len(columns) == 1:
        return _single(table, first, format)
    if all(name in table.numeric for name in columns) and not _whole_days(table.column(first)):
        return reading.of_parts(dict(zip(PART_NAMES, (table.column(name) for name in columns), strict=False)))
    if len(columns) > 2:
        raise NotStampsError("these columns are neither year, month, ... nor a date with its time")
    if format is not None and "%" in format and columns[1] in table.texts:
        both = [
            f"{day} {clock}".strip() for day, clock in zip(_cells(table, first), table.texts[columns[1]], strict=True)
        ]
        return reading.of_texts(both, format)
    days = _single(table, first, format if format in reading.ORDERS else None)
    if columns[1] in table.texts:
        return reading.joined(days, reading.of_clocks(table.texts[columns[1]]))
    hours = table.column(columns[1])
    gone = np.isnan(hours)
    micros = np.round(np.where(gone, 0, hours) * reading.HOUR).astype(np.int64)
    return reading.joined(days, np.where(gone, reading.NONE, micros))


def _whole_days(values: Floats) -> bool:
    seen = values[~np.isnan(values)]
    return bool(len(seen) and seen.min() >= 1e7)


def _cells(table: Table, name: str) -> Sequence[str]:
    if name in table.texts:
        return table.texts[name]
    return [f"{value:.0f}" for value in table.column(name)]


def _single(table: Table, name: str, format: str | None) -> Stamps:
    if name in table.stamps:
        return table.stamps[name]
    if name in table.texts:
        if format in EPOCHS:
            raise NotStampsError(f"`{format}` reads numbers, and these are text")
        return reading.of_texts(table.texts[name], format)
    values = table.column(name)
    if format is not None and "%" in format:
        return reading.of_texts(
            [f"{value:.0f}" if value == np.floor(value) else repr(value) for value in values], format
        )
    try:
        return reading.of_numbers(values, format)
    except NotStampsError:
        if format is None and len(values) and not np.isnan(values).any():
            return reading.elapsed(values)
        raise


def _unreadable(table: Table, columns: tuple[str, ...], error: NotStampsError) -> Exception:
    names = ", ".join(f"`{name}`" for name in columns)
    line = table.lines(error.row) if table.lines is not None and error.row >= 0 else 0
    if error.ambiguous:
        help = "set `data.format` to day_first, month_first, or a pattern such as %d/%m/%Y %H:%M"
        return data_error(
            "D245",
            f"the stamps of {names} can be read in two ways: {error}",
            file=table.origin,
            path="data.format",
            help=help,
        )
    help = "give their pattern in `data.format` (%d.%m.%Y %H:%M; s, ms, us or ns since 1970), or mend the cell; `data.time: none` takes rows as they come"
    return data_error(
        "D249",
        f"the stamps of {names} cannot be read: {error}",
        file=table.origin,
        line=line,
        path="data.time",
        help=help,
    )


def _no_measurements(table: Table, free: list[str], stamps: Stamps | None) -> Iterator[tuple[str, str]]:
    """(name, why) of numeric columns that count rows, or repeat what the stamps say."""
    calendar = {} if stamps is None or not stamps.dated else reading.calendar_of(stamps)
    for name in free:
        values = table.column(name)
        low = _plain(name)
        part = next((part for part, names in PART_NAMES.items() if low in names), "weekday" if "weekday" in low else "")
        if part in calendar and not np.isnan(values).any() and (values == calendar[part]()).all():
            yield name, f"the {part} of the stamp"
        elif _counts(values, low, name in table.unnamed):
            yield name, "counts rows"


def _counts(values: Floats, low: str, unnamed: bool) -> bool:
    if len(values) < 2 or np.isnan(values).any() or (values != np.floor(values)).any():
        return False
    steps = np.diff(values)
    if (np.abs(steps) == 1).all() and (steps == steps[0]).all():
        return unnamed or len(values) >= _COUNTED or low in COUNTER_NAMES
    named = low in COUNTER_NAMES or low.endswith("_id") or low.startswith("unnamed:")
    return named and ((steps > 0).all() or (steps < 0).all())


def telling_apart(table: Table, roles: Roles) -> tuple[str, ...]:
    """The column, or the two, that tell series apart where stamps repeat: stamps are distinct within each; or nothing."""
    if roles.stamps is None:
        return ()
    local = roles.stamps.local
    names = [
        name
        for name in table.names
        if name not in roles.time and (name in table.texts or (name in table.numeric and _few(table.column(name))))
    ]
    names.sort(key=lambda name: _plain(name) not in ID_NAMES)
    keys = {name: codes_of(table, (name,))[0] for name in names[:20]}
    for size in (1, 2):
        for chosen in combinations(keys, size):
            both = np.stack([keys[name] for name in chosen] + [local])
            if len(np.unique(both, axis=1).T) == len(local):
                return chosen
    return ()


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
