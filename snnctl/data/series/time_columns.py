"""Which column of a table is the time: found where it is clear, or as a recipe names it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from snnctl.data.problems import data_error
from snnctl.data.series import stamps as reading
from snnctl.data.series.series import Floats
from snnctl.data.series.stamp_texts import is_stamp, of_clocks, of_passed, of_texts
from snnctl.data.series.stamps import EPOCHS, SERIAL, NotStampsError, Stamps
from snnctl.data.series.table import Table


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


TIME_NAMES = words(
    "date datetime date_time time timestamp stamp ts ds utc utc_timestamp utc_time time_utc unix unixtime unix_time "
    "epoch epoch_time datum zeit zeitstempel zeitpunkt fecha fecha_hora fechahora data_hora data_ora horodatage period "
    "when year month day yearweek year_week isoweek yearmonth measured_at created_at recorded_at datetime_utc date_utc "
    "timestamp_utc timestamp_local datetime_local local_time localtime observation_date obs_date dt t "
    "日期 时间 日時 日付"
)
# Columns of these names are the time, or somebody has to say that they are not.
CERTAIN_NAMES = TIME_NAMES - words("period when year month day dt t 日期 时间 日時 日付")
PART_NAMES = {
    "year": words("year yr yyyy jahr ano anno annee"),
    "quarter": words("quarter qtr q quartal"),
    "month": words("month mo mon mnth monat mes mese mois"),
    "yearday": words("yearday doy yday day_of_year julian_day"),
    "week": words("week wk kw iso_week isoweek week_of_year woche semana"),
    "day": words("day dy dom day_of_month tag dia"),
    "hour": words("hour hours hr hh he hour_ending hour_beginning hour_of_day hr_end stunde hora ora heure"),
    "minute": words("minute minutes min mi"),
    "second": words("second seconds sec"),
}
CLOCK_NAMES = words("time clock zeit uhrzeit hora heure heures ora tod time_of_day local_time") | PART_NAMES["hour"]
_SHORT_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = {name: i + 1 for i, name in enumerate(_SHORT_MONTHS.split())}


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
    typed = [name for name in free if name in table.stamps]
    dated = [name for name in free if name in table.texts and looks_dated(table, name)]
    numbers = [name for name in free if name in table.places and name not in table.flags]
    called = [name for name in numbers if low[name] in TIME_NAMES and _numbers_of_time(table.column(name), low[name])]
    for name in typed:
        yield (name, *_beside(table, name, free))
    parts = _parts(free, low, table)
    if parts:
        yield parts
    for name in (*sorted(dated, key=lambda name: low[name] not in TIME_NAMES), *called):
        yield (name, *_beside(table, name, free))
    for name in numbers:
        if low[name] not in TIME_NAMES and _is_epoch(table.column(name)):
            yield (name,)
    for name in free:
        if low[name] in CERTAIN_NAMES and (name in table.texts or (name in numbers and _rises(table.column(name)))):
            yield (name,)


def _rises(values: Floats) -> bool:
    return len(values) > 2 and not np.isnan(values).any() and bool((np.diff(values) > 0).all())


def plain_name(name: str) -> str:
    """A column's name without case, marks and units: `Wind.Speed (m/s)` is wind_speed."""
    return "_".join(name.lower().replace("-", " ").replace(".", " ").split("[")[0].split("(")[0].split())


def part_of_time(name: str) -> str:
    """Which part of a stamp a column is called after: "year" to "second", "clock"; "" if none."""
    low = plain_name(name)
    return next((part for part, names in PART_NAMES.items() if low in names), "clock" if low in CLOCK_NAMES else "")


def _part(table: Table, name: str) -> Floats | None:
    """The numbers of a part of a stamp: 3, HE03, Q3, W03, or March; None where they are none."""
    if name in table.places:
        return table.column(name)
    found = []
    for cell in table.texts.get(name, ()):
        digits = cell.lstrip("HEhequQWwKM ").rstrip("hH.")
        month = _MONTHS.get(cell[:3].lower()) if part_of_time(name) == "month" else None
        if month is None and not digits.isdecimal():
            return None
        found.append(float(month or digits))
    return np.array(found) if found else None


def _parts(free: list[str], low: dict[str, str], table: Table) -> tuple[str, ...]:
    """Columns year and quarter, week, or month, day, hour, ... in that order, as a calendar has them."""
    at = {part: next((name for name in free if low[name] in names), None) for part, names in PART_NAMES.items()}
    ways = (("month", "day", "hour", "minute", "second"), ("yearday",), ("week",), ("quarter",))
    found: dict[str, str] = {}
    for part in ("year", *next((way for way in ways if at[way[0]]), ())):
        column = at[part]
        values = None if column is None else _part(table, column)
        if column is None or values is None:
            break
        # `min` and `sec` may be measurements.
        if part in ("minute", "second") and not (np.nanmin(values) >= 0 and np.nanmax(values) <= 60):
            break
        found[part] = column
    if len(found) < 2:
        return ()
    try:
        _of_parts(table, tuple(found.values()))
    except NotStampsError:
        return ()
    return tuple(found.values())


def _of_parts(table: Table, columns: Sequence[str]) -> Stamps:
    parts = {part_of_time(name): _part(table, name) for name in columns}
    if any(values is None for values in parts.values()) or next(iter(parts)) != "year":
        raise NotStampsError("these columns are neither year, month, ... nor a date with its time")
    return reading.of_parts({part: values for part, values in parts.items() if values is not None})


def _beside(table: Table, day: str, free: list[str]) -> tuple[str, ...]:
    """The columns of times of day that go with a column of days: one of clocks, or hour, minute, second."""
    if not _days_alone(table, day):
        return ()
    others = [name for name in free if name != day]
    for name in others:
        cells = table.texts.get(name, ()) if plain_name(name) in CLOCK_NAMES else ()
        if ":" in next((cell for cell in cells if cell), ""):
            return (name,)
    found: list[str] = []
    for part, most in (("hour", 24), ("minute", 59), ("second", 60)):
        column = next((name for name in others if part_of_time(name) == part), None)
        values = None if column is None else _part(table, column)
        if column is None or values is None or not _counts_to(values, most):
            break
        found.append(column)
    return tuple(found)


def _counts_to(values: Floats, most: int) -> bool:
    seen = values[~np.isnan(values)]
    if not len(seen) or seen.min() < 0 or seen.max() > most or (seen != np.floor(seen)).any():
        return False
    return bool(seen.max() > seen.min())


def _days_alone(table: Table, name: str) -> bool:
    if name in table.texts:
        return all(":" not in cell for cell in table.texts[name][:50])
    if name in table.places:
        seen = table.column(name)
        return bool(len(seen) and np.nanmax(seen) < 1e8)  # 20200131
    local = table.stamps[name].local[:50]
    return bool((local % reading.DAY == 0).all())


def looks_dated(table: Table, name: str) -> bool:
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
    first, *rest = columns
    if not rest:
        return _single(table, first, format)
    if part_of_time(first) == "year" and not _days_written(table, first):
        return _of_parts(table, columns)
    clock = rest[0]
    if format is not None and "%" in format and clock in table.texts:
        both = [f"{day} {time}".strip() for day, time in zip(_cells(table, first), table.texts[clock], strict=True)]
        return of_texts(both, format)
    days = _single(table, first, format if format in reading.ORDERS else None)
    if len(rest) == 1 and clock in table.texts and any(":" in cell for cell in table.texts[clock]):
        return reading.joined(days, of_clocks(table.texts[clock]))
    micros = np.zeros(table.rows, np.int64)
    for name, size in zip(rest, (reading.HOUR, reading.HOUR // 60, reading.SECOND), strict=False):
        values = _part(table, name)
        if values is None:
            raise NotStampsError(f"`{name}` is no time of day")
        gone = np.isnan(values)
        whole = np.round(np.where(gone, 0, values) * size).astype(np.int64)
        micros = np.where(gone | (micros == reading.NONE), reading.NONE, micros + whole)
    return reading.joined(days, micros)


def _days_written(table: Table, name: str) -> bool:
    """Whether a column that is called a year holds whole dates, as 20200131."""
    values = table.column(name) if name in table.places else np.full(1, np.inf)
    return bool(np.nanmin(values) >= 1e7)


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
        try:
            return of_texts(table.texts[name], format)
        except NotStampsError as error:
            passed = ":" in table.texts[name][0] and not looks_dated(table, name)
            if format is not None or error.ambiguous or not passed:
                raise
        return of_passed(table.texts[name])
    values = table.column(name)
    if format is not None and "%" in format:
        return of_texts([f"{value:.0f}" if value == np.floor(value) else repr(value) for value in values], format)
    if "week" in plain_name(name) and format is None and np.nanmin(values) > 1e5 and np.nanmax(values) < 1e6:
        return reading.of_parts({"year": values // 100, "week": values % 100})
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
    if error.row > 0:
        help = "mend or remove that row, or give the pattern of all stamps in `data.format`"
        message = f"the stamps of {names} cannot be read: {error}"
        raise data_error("D249", message, file=table.origin, line=line, path="data.time", help=help)
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
