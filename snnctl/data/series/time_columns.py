"""Which column of a table is the time: found where it is clear, or as a recipe names it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from snnctl.data.problems import data_error
from snnctl.data.series import stamps as reading
from snnctl.data.series.series import Floats
from snnctl.data.series.stamp_texts import is_stamp, of_clocks, of_texts
from snnctl.data.series.stamps import EPOCHS, SERIAL, NotStampsError, Stamps
from snnctl.data.series.table import Table


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


TIME_NAMES = words(
    "date datetime date_time time timestamp stamp ts ds utc utc_timestamp utc_time time_utc unix unixtime unix_time "
    "epoch epoch_time datum zeit zeitstempel zeitpunkt fecha fecha_hora fechahora data_hora data_ora horodatage period "
    "when year month day measured_at created_at recorded_at datetime_utc date_utc timestamp_utc timestamp_local "
    "datetime_local local_time localtime observation_date obs_date dt t"
)
CLOCK_NAMES = words("time hour hours hr clock zeit uhrzeit hora heure heures ora tod time_of_day")
PART_NAMES = {
    "year": ("year", "yr", "yyyy"),
    "month": ("month", "mo", "mon", "mnth"),
    "day": ("day", "dy", "dom", "day_of_month"),
    "hour": ("hour", "hr", "hours"),
    "minute": ("minute", "min", "minutes"),
    "second": ("second", "sec", "seconds"),
}


def find_time(
    table: Table, time: tuple[str, ...], format: str | None, named: set[str]
) -> tuple[tuple[str, ...], Stamps | None]:
    """The columns of the stamp, and the stamps; none where no column is one.

    Args:
        time: columns that the recipe names; empty = they are looked for.
        format: of the stamps, see `of_texts` and `of_numbers`; None = it is found.
        named: columns that the recipe names for something else.

    Raises:
        DiagnosticError: D245 stamps that can be read in several ways, D249 stamps that cannot be read.
    """
    if time:
        try:
            return time, _read(table, time, format)
        except NotStampsError as error:
            raise _unreadable(table, time, error) from error
    if format is not None:
        for name in table.names:
            if name in named:
                continue
            try:
                return (name,), _read(table, (name,), format)
            except NotStampsError:
                continue
        message = f"no column has stamps by `{format}`"
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
    low = {name: plain_name(name) for name in free}
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
    numbers = [name for name in free if name in table.places and name not in table.flags]
    for name in numbers:
        if low[name] in TIME_NAMES and _numbers_of_time(table.column(name), low[name]):
            clock = _beside(table, name, [each for each in free if each != name])
            yield (name, clock) if clock else (name,)
    for name in numbers:
        if low[name] not in TIME_NAMES and _is_epoch(table.column(name)):
            yield (name,)


def _parts(free: list[str], low: dict[str, str], table: Table) -> tuple[str, ...]:
    """Columns year, month, ... in that order, if they are there, and are numbers as a calendar has them."""
    found: dict[str, str] = {}
    for part, names in PART_NAMES.items():
        column = next((name for name in free if low[name] in names and name in table.places), None)
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
        if plain_name(name) in CLOCK_NAMES and name != day:
            if name in table.texts and ":" in next((cell for cell in table.texts[name] if cell), ""):
                return name
            if name in table.places:
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
    if name in table.places:
        seen = table.column(name)
        return bool(len(seen) and np.nanmax(seen) < 1e8)  # 20200131
    local = table.stamps[name].local[:50]
    return bool((local % reading.DAY == 0).all())


def _looks_dated(table: Table, name: str) -> bool:
    """Whether nearly all of the first cells are stamps by some reading, each for itself."""
    cells = [cell for cell in table.texts[name][:200] if cell][:50]
    return bool(cells) and sum(is_stamp(cell) for cell in cells) >= 0.8 * len(cells)


def _numbers_of_time(values: Floats, name: str) -> bool:
    """Whether a numeric column that is called like a time is one: not so `day` 1 to 31, or `t`, a temperature."""
    seen = values[~np.isnan(values)]
    if not len(seen):
        return False
    try:
        reading.of_numbers(values)
    except NotStampsError:
        elapsed = name in ("time", "t", "ts", "timestamp", "elapsed", "elapsed_time")
        return _is_serial(values, name) or (elapsed and bool((np.diff(seen) > 0).all()))
    return name != "t" or bool((np.diff(seen) > 0).all())


def _is_serial(values: Floats, name: str) -> bool:
    """Whether numbers of a column that is called a date are the days that spreadsheets count: 1954 to 2119."""
    dated = any(word in plain_name(name) for word in ("date", "datum", "fecha", "data"))
    return dated and bool(np.nanmin(values) > 2e4 and np.nanmax(values) < 8e4)


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
    return plain_name(columns[0]) in TIME_NAMES or columns[0] in table.texts


def _read(table: Table, columns: tuple[str, ...], format: str | None) -> Stamps:
    """The stamps that columns hold together."""
    first = columns[0]
    if len(columns) == 1:
        return _single(table, first, format)
    if all(name in table.places for name in columns) and not _whole_days(table.column(first)):
        return reading.of_parts(dict(zip(PART_NAMES, (table.column(name) for name in columns), strict=False)))
    if len(columns) > 2:
        raise NotStampsError("these columns are neither year, month, ... nor a date with its time")
    if format is not None and "%" in format and columns[1] in table.texts:
        both = [
            f"{day} {clock}".strip() for day, clock in zip(_cells(table, first), table.texts[columns[1]], strict=True)
        ]
        return of_texts(both, format)
    days = _single(table, first, format if format in reading.ORDERS else None)
    if columns[1] in table.texts:
        return reading.joined(days, of_clocks(table.texts[columns[1]]))
    hours = table.column(columns[1])
    gone = np.isnan(hours)
    micros = np.round(np.where(gone, 0, hours) * reading.HOUR).astype(np.int64)
    return reading.joined(days, np.where(gone, reading.NONE, micros))


def _whole_days(values: Floats) -> bool:
    seen = values[~np.isnan(values)]
    return bool(len(seen) and seen.min() >= 1e7)


def _cells(table: Table, name: str) -> Iterable[str]:
    if name in table.texts:
        return table.texts[name]
    return [f"{value:.0f}" for value in table.column(name)]


def _single(table: Table, name: str, format: str | None) -> Stamps:
    if name in table.stamps:
        return table.stamps[name]
    if name in table.texts:
        if format in (*EPOCHS, SERIAL):
            raise NotStampsError(f"`{format}` reads numbers, and these are text")
        return of_texts(table.texts[name], format)
    values = table.column(name)
    if format is not None and "%" in format:
        return of_texts([f"{value:.0f}" if value == np.floor(value) else repr(value) for value in values], format)
    try:
        return reading.of_numbers(values, format)
    except NotStampsError:
        if format is not None or not len(values) or np.isnan(values).any():
            raise
        return reading.of_numbers(values, SERIAL) if _is_serial(values, name) else reading.elapsed(values)


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
    help = (
        "give their pattern in `data.format` (%d.%m.%Y %H:%M; s, ms, us or ns since 1970), or mend the cell; "
        "`data.time: none` takes rows as they come"
    )
    return data_error(
        "D249",
        f"the stamps of {names} cannot be read: {error}",
        file=table.origin,
        line=line,
        path="data.time",
        help=help,
    )


def plain_name(name: str) -> str:
    """A column's name without case, marks and units: `Wind.Speed (m/s)` is wind_speed."""
    return "_".join(name.lower().replace("-", " ").replace(".", " ").split("[")[0].split("(")[0].split())
