"""Tables as people bring them: time, roles, panels, covariates, rows out of order, and what is odd about values."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import series_files as files
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.shapes import later_by
from snnctl.data.series.component import TimeSeries
from snnctl.data.series.dataset import ForecastData
from snnctl.data.series.scaling import StandardScaling
from snnctl.data.series.sources import read_file
from snnctl.data.series.windows import SplitSpec

HOUR = dt.timedelta(hours=1)


def component(path: Path, **knobs: Any) -> TimeSeries:
    return TimeSeries(source=str(path), **({"window": 24, "horizon": 6} | knobs))


def loaded(path: Path, **knobs: Any) -> ForecastData:
    return component(path, **knobs).load()


def problem(path: Path, **knobs: Any) -> Diagnostic:
    """What is refused, alike by `validate` and by `train`."""
    with pytest.raises(DiagnosticError) as early:
        component(path, **knobs).probe()
    with pytest.raises(DiagnosticError) as late:
        component(path, **knobs).load()
    assert early.value.diagnostics == late.value.diagnostics
    return late.value.diagnostics[0]


def told(path: Path, **knobs: Any) -> list[str]:
    """Codes of the warnings, alike before reading and after."""
    before, after = component(path, **knobs).probe(), loaded(path, **knobs)
    assert before.warnings == after.warnings
    assert all(warning.severity == "warning" for warning in after.warnings)
    return [warning.code for warning in after.warnings]


# Time


@pytest.mark.parametrize(
    ("name", "write", "read_as", "clock"),
    [
        ("date", lambda t: t.strftime(files.STAMP), "year first", "without a time zone"),
        ("when_it_was", lambda t: t.isoformat(), "year first", "without a time zone"),
        ("utc", lambda t: t.isoformat() + "Z", "year first", "UTC"),
        ("x", lambda t: t.isoformat() + "+02:00", "year first", "UTC+02:00"),
        ("x", lambda t: t.strftime("%Y-%m-%d %H:%M") + " -0530", "year first", "UTC-05:30"),
        ("Datum", lambda t: t.strftime("%d.%m.%Y %H:%M"), "day first", "without a time zone"),
        ("when", lambda t: f"{t.day}/{t.month}/{t.year} {t:%H:%M:%S}", "day first", "without a time zone"),
        ("when", lambda t: f"{t.month}/{t.day}/{t.year} {t:%I:%M %p}", "month first", "without a time zone"),
        ("when", lambda t: t.strftime("%d-%b-%Y %H:%M"), "month by name", "without a time zone"),
        ("when", lambda t: t.strftime('"%b %d, %Y %H:%M"'), "month by name", "without a time zone"),
        ("date", lambda t: t.strftime("%Y%m%d %H:%M"), "year first", "without a time zone"),
        ("date", lambda t: t.strftime("%Y%m%d%H"), "YmdH", "without a time zone"),
        (
            "date",
            lambda t: f"{43831 + (t - files.START) / dt.timedelta(days=1):.9f}",
            "days of a spreadsheet",
            "without",
        ),
        ("stamp", lambda t: t.strftime("%Y%m%d%H%M%S"), "YmdHMS", "without"),
        ("pubdate", lambda t: t.strftime('"%a, %d %b %Y %H:%M:%S GMT"'), "month by name", "UTC"),
        ("stamp", lambda t: t.strftime("%a %b %d %H:%M:%S %Y"), "month by name", "without"),
        ("time", lambda t: t.isoformat() + "+01:00[Europe/Berlin]", "year first", "UTC+01:00"),
        ("time", lambda t: t.strftime("%Y-%m-%d %H:%M CET"), "year first", "UTC+01:00"),
        ("MTU (CET)", lambda t: f"{t:%d.%m.%Y %H:%M} - {t + HOUR:%d.%m.%Y %H:%M}", "day first", "without"),
        ("日期", lambda t: f"{t.year}年{t.month}月{t.day}日 {t:%H:%M}", "year first", "without"),
        ("unix", lambda t: int((t - dt.datetime(1970, 1, 1)).total_seconds()), "seconds since 1970", "UTC"),
        ("q", lambda t: int((t - dt.datetime(1970, 1, 1)).total_seconds()), "seconds since 1970", "UTC"),
        ("t", lambda t: int((t - dt.datetime(1970, 1, 1)).total_seconds()) * 1000, "milliseconds since 1970", "UTC"),
        ("t", lambda t: int((t - dt.datetime(1970, 1, 1)).total_seconds()) * 10**6, "microseconds since 1970", "UTC"),
        ("t", lambda t: int((t - dt.datetime(1970, 1, 1)).total_seconds()) * 10**9, "nanoseconds since 1970", "UTC"),
        ("t", lambda t: f"{(t - dt.datetime(1970, 1, 1)).total_seconds():.1f}", "seconds since 1970", "UTC"),
    ],
)
def test_stamps_are_found(tmp_path: Path, name: str, write: Any, read_as: str, clock: str) -> None:
    path = files.dated(tmp_path / "a.csv", write, name)
    data = loaded(path)
    assert data.columns == ("load",)
    assert told(path) == []
    time = data.facts()["time"]
    assert (time["columns"], time["read_as"], time["step"]) == ([name], read_as, "1 hour")
    assert clock in time["clock"]
    assert data.series.times is not None
    wanted = np.array([t.replace(microsecond=0) for t in files.stamps()], "M8[ms]")
    np.testing.assert_array_equal(data.series.times, wanted)
    np.testing.assert_array_equal(data.series.values[:, 0], files.load())


def test_a_date_and_its_time_in_two_columns(tmp_path: Path) -> None:
    times = files.stamps(400, dt.timedelta(minutes=1), dt.datetime(2019, 12, 16, 17, 24))
    rows = [
        (f"{t.day}/{t.month}/{t.year}", t.strftime("%H:%M:%S"), "?" if 20 <= i < 30 else i % 7, 234)
        for i, t in enumerate(times)
    ]
    data = loaded(files.table(tmp_path / "power.txt", ["Date", "Time", "active", "voltage"], rows, ";"))
    assert data.columns == ("active", "voltage")
    assert data.facts()["time"]["columns"] == ["Date", "Time"]
    assert data.facts()["time"]["step"] == "1 minute"
    assert data.missing_values == 10
    assert data.series.times is not None
    assert str(data.series.times[0]) == "2019-12-16T17:24:00.000"


@pytest.mark.parametrize(
    ("first", "name", "write"),
    [(0, "Hour", str), (1, "Hour", str), (1, "Hour Ending", str), (1, "HE", "HE{:02d}".format)],
)
def test_a_date_and_a_number_of_the_hour(tmp_path: Path, first: int, name: str, write: Any) -> None:
    """Hours as 0 to 23, and as 1 to 24."""
    times = zip(files.stamps(), files.load(), strict=True)
    rows = [(t.strftime("%Y-%m-%d"), write(t.hour + first), v) for t, v in times]
    data = loaded(files.table(tmp_path / "a.csv", ["Date", name, "load"], rows))
    assert data.columns == ("load",)
    assert data.series.times is not None
    assert data.series.times[0] == np.datetime64(files.START + first * HOUR)
    assert data.facts()["time"]["step"] == "1 hour"


def test_hour_and_minute_beside_a_date(tmp_path: Path) -> None:
    times = files.stamps(400, dt.timedelta(minutes=15))
    rows = [(t.strftime("%d.%m.%Y"), t.hour, t.minute, v) for t, v in zip(times, files.load(400), strict=True)]
    data = loaded(files.table(tmp_path / "a.csv", ["Datum", "Hour", "Minute", "v"], rows))
    assert data.columns == ("v",)
    assert data.facts()["time"]["columns"] == ["Datum", "Hour", "Minute"]
    assert data.facts()["time"]["step"] == "15 minutes"


@pytest.mark.parametrize(
    ("head", "write", "freq"),
    [
        (["year", "quarter"], lambda t: (t.year, t.quarter), "QS"),
        (["Year", "Week"], lambda t: t.isocalendar()[:2], "W-MON"),
        (["Year", "Month"], lambda t: (t.year, f"{t:%b}"), "MS"),
        (["yearweek"], lambda t: (f"{t:%G%V}",), "W-MON"),
        (["date"], lambda t: (f"{t:%Y%j}",), "D"),
    ],
)
def test_other_parts_of_a_calendar(tmp_path: Path, head: list[str], write: Any, freq: str) -> None:
    index = pd.date_range("1990-01-01", periods=120, freq=freq)
    rows = [(*write(t), v) for t, v in zip(index, files.load(120), strict=True)]
    data = loaded(files.table(tmp_path / "a.csv", [*head, "x"], rows), window=8, horizon=2)
    assert data.columns == ("x",)
    np.testing.assert_array_equal(data.series.times, index.to_numpy().astype("M8[ms]"))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("Datum", lambda i: f"{i + 1}. März 2021"),
        ("time", lambda i: f"{i % 24:02d}:00"),
        ("date", lambda i: f"2021-02-{i + 1}"),
    ],
)
def test_what_is_called_a_time_and_is_none_is_refused(tmp_path: Path, name: str, write: Any) -> None:
    path = files.table(tmp_path / "a.csv", [name, "x"], [(write(i), i % 7) for i in range(60)])
    assert problem(path).code == "D249"
    assert loaded(path, time="none").columns == ("x",)


def test_times_in_parts_of_a_year_are_no_target(tmp_path: Path) -> None:
    path = files.table(tmp_path / "a.csv", ["decimal", "co2"], [(f"{1990 + i / 12:.4f}", i % 11) for i in range(120)])
    assert loaded(path).columns == ("co2",)
    assert told(path) == ["D244"]


def test_year_month_day_hour_are_one_stamp(tmp_path: Path) -> None:
    rows = [
        (i + 1, t.year, t.month, t.day, t.hour, v)
        for i, (t, v) in enumerate(zip(files.stamps(), files.load(), strict=True))
    ]
    path = files.table(tmp_path / "a.csv", ["No", "year", "month", "day", "hour", "pm"], rows)
    data = loaded(path)
    assert data.columns == ("pm",)
    assert data.facts()["time"]["columns"] == ["year", "month", "day", "hour"]
    assert data.facts()["roles"]["left_out"] == {"No": "counts rows"}
    assert told(path) == ["D244"]


def test_parts_of_the_calendar_beside_a_stamp_are_no_targets(tmp_path: Path) -> None:
    rows = [
        (t.isoformat(), t.month, t.hour, t.weekday(), v)
        for t, v in zip(files.stamps(2000), files.load(2000), strict=True)
    ]
    data = loaded(files.table(tmp_path / "a.csv", ["ds", "month", "hour", "weekday", "y"], rows))
    assert data.columns == ("y",)
    assert data.facts()["roles"]["left_out"]["month"] == "the month of the stamp"


@pytest.mark.parametrize(
    ("write", "freq", "step"),
    [
        (lambda t: f"{t.year}Q{t.quarter}", "QS", "1 quarter"),
        (lambda t: f"Q{t.quarter} {t.year}", "QS", "1 quarter"),
        (lambda t: f"{t.year}M{t.month:02d}", "MS", "1 month"),
        (lambda t: f"{t:%G-W%V}", "W-MON", "1 week"),
        (lambda t: f"{t:%b %Y}", "MS", "1 month"),
        (lambda t: f"{t:%Y%m}", "MS", "1 month"),
    ],
)
def test_periods_of_offices(tmp_path: Path, write: Any, freq: str, step: str) -> None:
    index = pd.date_range("1990-01-01", periods=120, freq=freq)
    rows = [(write(t), v) for t, v in zip(index, files.load(120), strict=True)]
    data = loaded(files.table(tmp_path / "a.csv", ["period", "x"], rows), window=8, horizon=2)
    np.testing.assert_array_equal(data.series.times, index.to_numpy().astype("M8[ms]"))
    assert data.facts()["time"]["step"] == step


def test_years_of_two_digits_are_asked_about(tmp_path: Path) -> None:
    path = files.dated(tmp_path / "a.csv", lambda t: t.strftime("%d/%m/%y %H:%M"))
    assert problem(path).code == "D245"
    data = loaded(path, format="day_first")
    assert data.series.times is not None
    assert data.series.times[0] == np.datetime64("2020-01-01")


def test_what_is_ambiguous_is_asked_about_and_format_settles_it(tmp_path: Path) -> None:
    days = [f"{i % 12 + 1:02d}/{i % 12 + 1:02d}/{2000 + i // 12}" for i in range(240)]  # both readings agree
    path = files.table(tmp_path / "same.csv", ["date", "x"], zip(days, np.arange(240.0) ** 2, strict=True))
    assert loaded(path, step="1 month", rows={"missing": "keep"}).series.times is not None
    months = [f"01/{i % 12 + 1:02d}/{2000 + i // 12}" for i in range(240)]
    path = files.table(tmp_path / "a.csv", ["date", "x"], zip(months, np.arange(240.0) ** 2, strict=True))
    found = problem(path)
    assert (found.code, found.path) == ("D245", "data.format")
    for format in ("day_first", "%d/%m/%Y"):
        data = loaded(path, format=format)
        assert data.facts()["time"]["step"] == "1 month"
        assert data.series.times is not None
        assert str(data.series.times[13])[:10] == "2001-02-01"


def test_a_cell_that_is_no_stamp_is_named_with_its_line(tmp_path: Path) -> None:
    cells = [t.strftime(files.STAMP) for t in files.stamps()]
    cells[300] = "2020-02-31 00:00:00"
    path = files.table(tmp_path / "a.csv", ["date", "load"], zip(cells, files.load(), strict=True))
    found = problem(path)
    assert (found.code, found.line) == ("D249", 302)
    assert "2020-02-31" in found.message
    cells[300] = ""
    assert (
        problem(files.table(tmp_path / "b.csv", ["date", "load"], zip(cells, files.load(), strict=True))).code == "D249"
    )
    assert loaded(path, time="none").series.times is None


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_offsets_are_the_clock_of_the_file_whatever_its_format(tmp_path: Path, zone: str) -> None:
    index = pd.date_range("2020-10-20", periods=600, freq="h", tz="UTC").tz_convert(
        zone
    )  # a clock is put back on the 25th
    frame = pd.DataFrame({"when": index, "load": files.load()})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    one, other = loaded(tmp_path / "a.csv", calendar=True), loaded(tmp_path / "a.parquet", calendar=True)
    assert told(tmp_path / "a.csv") == told(tmp_path / "a.parquet") == []
    np.testing.assert_array_equal(one.series.times, index.tz_localize(None).to_numpy().astype("M8[ms]"))
    np.testing.assert_array_equal(one.series.times, other.series.times)
    assert torch.equal(one.tensors.calendar, other.tensors.calendar)  # type: ignore[arg-type]
    assert one.fingerprint == other.fingerprint
    assert one.facts()["time"]["step"] == other.facts()["time"]["step"] == "1 hour"
    if zone == "UTC":
        assert one.facts()["time"]["clock"] == other.facts()["time"]["clock"] == "UTC"
    else:
        assert "UTC+01:00 to UTC+02:00" in one.facts()["time"]["clock"]
        assert "Europe/Berlin" in other.facts()["time"]["clock"]


def test_time_without_dates(tmp_path: Path) -> None:
    path = files.table(tmp_path / "a.csv", ["time", "x"], [(f"{i * 0.02:.2f}", i % 13) for i in range(300)])
    data = loaded(path)
    assert (data.columns, data.series.times) == (("x",), None)
    assert data.facts()["time"]["read_as"] == "time that has passed"
    assert problem(path, calendar=True).code == "D208"


@pytest.mark.parametrize(
    ("freq", "step"),
    [
        ("MS", "1 month"),
        ("ME", "1 month"),
        ("QS", "1 quarter"),
        ("YS", "1 year"),
        ("W", "1 week"),
        ("B", "1 business day"),
        ("15min", "15 minutes"),
        ("D", "1 day"),
    ],
)
def test_steps_of_every_kind_are_found_and_holes_in_them(tmp_path: Path, freq: str, step: str) -> None:
    index = pd.date_range("2000-01-31" if freq == "ME" else "2000-01-03", periods=200, freq=freq)
    values = np.random.default_rng(0).normal(size=200)
    frame = pd.DataFrame({"date": index, "x": values})
    frame.to_csv(tmp_path / "a.csv", index=False)
    data = loaded(tmp_path / "a.csv")
    assert (data.facts()["time"]["step"], data.rows, told(tmp_path / "a.csv")) == (step, 200, [])
    frame.drop(index=[50, 51, 52, 120]).to_csv(tmp_path / "b.csv", index=False)
    data = loaded(tmp_path / "b.csv")
    assert told(tmp_path / "b.csv") == ["D242"]
    assert (data.rows, data.missing_values, data.facts()["time"]["inserted_rows"]) == (200, 4, 4)
    np.testing.assert_array_equal(data.series.times, index.to_numpy().astype("M8[ms]"))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(data.series.values[:, 0])), [50, 51, 52, 120])


def test_last_working_days_are_a_month_apart(tmp_path: Path) -> None:
    index = pd.date_range("2000-01-03", periods=100, freq="BME")
    frame = pd.DataFrame({"date": index, "x": np.arange(100) % 7})
    frame.drop(index=[40]).to_csv(tmp_path / "a.csv", index=False)
    data = loaded(tmp_path / "a.csv")
    assert (data.facts()["time"]["step"], data.rows, data.missing_values) == ("1 month", 100, 1)


# Rows


def test_rows_out_of_order_are_sorted_and_that_is_said(tmp_path: Path) -> None:
    whole = list(zip([t.strftime(files.STAMP) for t in files.stamps()], files.load(), strict=True))
    right = loaded(files.table(tmp_path / "a.csv", ["date", "load"], whole))
    for name, rows, words in (
        ("newest_first", whole[::-1], "newest first"),
        ("pasted", whole[300:] + whole[:300], "once the next row is of an earlier time, first at row 301"),
        ("shuffled", [whole[i] for i in np.random.default_rng(0).permutation(600)], "earlier time"),
    ):
        path = files.table(tmp_path / f"{name}.csv", ["date", "load"], rows)
        data = loaded(path)
        assert told(path) == ["D240"]
        assert words in data.warnings[0].message
        assert data.fingerprint == right.fingerprint
        np.testing.assert_array_equal(data.series.times, right.series.times)
        assert problem(path, rows={"order": "refuse"}).code == "D240"
        assert loaded(path, rows={"order": "keep", "missing": "keep"}).fingerprint != right.fingerprint


def test_repeated_stamps(tmp_path: Path) -> None:
    times, values = [t.strftime(files.STAMP) for t in files.stamps()], files.load()
    rows = list(zip(times, values, strict=True))
    path = files.table(tmp_path / "a.csv", ["date", "load"], [*rows[:100], (times[99], 3.0), *rows[100:]])
    found = problem(path)
    assert (found.code, found.path, found.line) == ("D241", "data.rows.repeated", 102)
    for how, wanted in (("first", values[99]), ("last", 3.0), ("mean", (values[99] + 3.0) / 2)):
        data = loaded(path, rows={"repeated": how})
        assert data.rows == 600
        assert data.series.values[99, 0] == pytest.approx(wanted)
        assert [w.code for w in data.warnings] == ["D241"]


def test_no_window_takes_both_sides_of_a_hole_for_neighbours(tmp_path: Path) -> None:
    rows = list(zip([t.strftime(files.STAMP) for t in files.stamps()], np.arange(600.0) ** 2, strict=True))
    path = files.table(tmp_path / "a.csv", ["date", "load"], rows[:200] + rows[250:])
    data = loaded(path, scaler="none")
    assert (data.rows, data.missing_values) == (600, 50)
    assert "50 of 600 rows are not there, in 1 hole (step 1 hour)" in data.warnings[0].message
    cut = loaded(path, scaler="none", rows={"missing": "cut"})
    assert (cut.rows, cut.missing_values) == (550, 0)
    for name in ("train", "val", "test"):
        split = cut.split(name)  # type: ignore[arg-type]
        batch = split.batch(torch.arange(len(split)))
        roots = torch.cat((batch.inputs, batch.targets), dim=1)[..., 0].sqrt().round()
        assert (roots.diff(dim=1) == 1).all()
    kept = loaded(path, rows={"missing": "keep"})
    assert (kept.rows, [w.code for w in kept.warnings]) == (550, [])
    assert problem(path, rows={"missing": "refuse"}).code == "D242"


def test_rows_without_a_step(tmp_path: Path) -> None:
    seconds = np.cumsum(np.random.default_rng(0).integers(1, 1000, 300))
    times = [(files.START + dt.timedelta(seconds=int(s))).isoformat() for s in seconds]
    path = files.table(tmp_path / "a.csv", ["time", "x"], [(t, i % 9) for i, t in enumerate(times)])
    assert problem(path).code == "D249"
    assert loaded(path, rows={"missing": "keep"}).rows == 300
    assert problem(path, step="1h").code == "D249"


def test_clocks_of_sensors_may_be_a_little_off(tmp_path: Path) -> None:
    jitter = np.random.default_rng(0).integers(-5, 6, 300)
    times = [(files.START + dt.timedelta(seconds=60 * i + int(j))).isoformat() for i, j in enumerate(jitter)]
    path = files.table(
        tmp_path / "a.csv", ["time", "x"], [(t, i % 9) for i, t in enumerate(times) if i not in (40, 41)]
    )
    data = loaded(path, step="1min")
    assert (data.rows, data.missing_values) == (300, 2)


# Panels


def panel(path: Path, days: int = 200, ids: tuple[Any, ...] = (1, 2, 3), **more: Any) -> Path:
    rows = [
        (t.strftime("%Y-%m-%d"), s, 100 * k + i % 7)
        for k, s in enumerate(ids, start=1)
        for i, t in enumerate(files.stamps(days, dt.timedelta(days=1)))
    ]
    return files.table(path, ["date", "store", "sales"], rows, **more)


@pytest.mark.parametrize("ids", [(1, 2, 3), ("north", "south", "west")])
def test_a_panel_is_refused_with_the_column_that_tells_series_apart(tmp_path: Path, ids: tuple[Any, ...]) -> None:
    found = problem(panel(tmp_path / "a.csv", ids=ids))
    assert (found.code, found.line) == ("D241", 202)
    assert found.help == "`store` tells series apart: set `data.id: store`"


def test_series_that_follow_each_other_in_time_are_suspected(tmp_path: Path) -> None:
    rows = [(t.isoformat(), "x" if i < 80 else "y", i % 7) for i, t in enumerate(files.stamps(200))]
    path = files.table(tmp_path / "a.csv", ["time", "id", "v"], rows)
    assert told(path) == ["D244", "D247"]
    assert "`id` is `x`, and from row 81 of the data on `y`" in loaded(path).warnings[1].message
    assert len(loaded(path, id="id").plan.parts) == 2


def test_windows_never_cross_series(tmp_path: Path) -> None:
    data = loaded(panel(tmp_path / "a.csv"), id="store", scaler="none")
    assert data.columns == ("sales",)
    assert data.facts()["series"]["count"] == 3
    for name in ("train", "val", "test"):
        split = data.split(name)  # type: ignore[arg-type]
        batch = split.batch(torch.arange(len(split)))
        both = torch.cat((batch.inputs, batch.targets), dim=1)
        assert len(torch.unique(both // 100)) == 3
        assert ((both // 100) == (both[:, :1] // 100)).all()
    # 200 rows each: 140 train, 20 val, 40 test; a window needs 24 + 6 rows
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [3 * 111, 3 * 15, 3 * 35]  # type: ignore[arg-type]


def test_a_panel_is_its_series_one_by_one(tmp_path: Path) -> None:
    whole = loaded(panel(tmp_path / "a.csv"), id="store")
    for k, store in enumerate((1, 2, 3)):
        alone = loaded(_only(tmp_path, store))
        for name in ("train", "val", "test"):
            split = alone.split(name)  # type: ignore[arg-type]
            count = len(split)
            one = split.batch(torch.arange(count))
            part = whole.split(name).batch(torch.arange(k * count, (k + 1) * count))  # type: ignore[arg-type]
            assert torch.equal(one.inputs, part.inputs)
            assert torch.equal(one.targets, part.targets)


def _only(folder: Path, store: int) -> Path:
    frame = pd.read_csv(folder / "a.csv")
    frame[frame.store == store].drop(columns="store").to_csv(folder / f"{store}.csv", index=False)
    return folder / f"{store}.csv"


def test_scalers_of_a_panel(tmp_path: Path) -> None:
    path = panel(tmp_path / "a.csv")
    apart, shared = loaded(path, id="store"), loaded(path, id="store", scaler_by="all", scaler=StandardScaling())
    assert apart.scaler.shift.shape == (3, 1)
    assert shared.scaler.shift.shape == (1,)
    frame = pd.read_csv(path)
    for data in (apart, shared):
        split = data.split("test")
        indices = torch.tensor([0, 34, 35, 104])
        units = data.scaler_of("test", indices).inverse(split.batch(indices).targets)
        starts = split.starts[indices].numpy() + 24
        wanted = np.stack([frame.sales.to_numpy()[s : s + 6] for s in starts])
        np.testing.assert_allclose(units[..., 0], wanted, rtol=1e-5)
        scale = split.batch(indices).scale
        assert (scale is None) == (data is shared)
        if scale is not None:
            assert scale[:, 0].tolist() == apart.scaler.scale[[0, 0, 1, 2], 0].tolist()


def test_series_that_are_too_short_are_left_out_and_named(tmp_path: Path) -> None:
    rows = pd.read_csv(panel(tmp_path / "a.csv"))
    rows = rows[(rows.store != 2) | (rows.date < "2020-01-20")]
    rows.sample(frac=1.0, random_state=0).to_csv(tmp_path / "b.csv", index=False)
    data = loaded(tmp_path / "b.csv", id="store")
    assert [part.rows for part in data.plan.parts] == [200, 200]
    assert {w.code for w in data.warnings} == {"D240", "D238"}
    assert "`2`" in next(w.message for w in data.warnings if w.code == "D238")
    rows[rows.date < "2020-01-20"].to_csv(tmp_path / "c.csv", index=False)
    assert problem(tmp_path / "c.csv", id="store").code == "R310"


def test_identities_are_text(tmp_path: Path) -> None:
    data = loaded(panel(tmp_path / "a.csv", ids=("01", "1", "001")), id="store")
    assert [part.name for part in data.plan.parts] == ["01", "1", "001"]


def test_series_of_different_steps_are_said(tmp_path: Path) -> None:
    rows = [(t.isoformat(), "x", i % 7) for i, t in enumerate(files.stamps(100))]
    rows += [(t.isoformat(), "y", i % 7) for i, t in enumerate(files.stamps(100, dt.timedelta(minutes=15)))]
    assert told(files.table(tmp_path / "a.csv", ["time", "id", "v"], rows), id="id") == ["D248"]


def test_two_columns_may_tell_series_apart(tmp_path: Path) -> None:
    rows = [
        (t.strftime("%Y-%m-%d"), shop, item, i % 5)
        for shop in "ab"
        for item in "xy"
        for i, t in enumerate(files.stamps(200, dt.timedelta(days=1)))
    ]
    path = files.table(tmp_path / "a.csv", ["ds", "shop", "item", "y"], rows)
    assert problem(path).help.endswith("set `data.id: [shop, item]`")
    data = loaded(path, id=["shop", "item"])
    assert [part.name for part in data.plan.parts] == ["a/x", "a/y", "b/x", "b/y"]


# Roles


def test_covariates_reach_the_network_and_are_never_scored(tmp_path: Path) -> None:
    n = 300
    rows = [(t.isoformat(), i, 1000 + i, 2000 + i) for i, t in enumerate(files.stamps(n))]
    path = files.table(tmp_path / "a.csv", ["date", "load", "wind", "temp"], rows)
    data = loaded(path, targets=["load"], past=["wind"], known=["temp"], scaler="none", window=8, horizon=3)
    assert (data.columns, data.past, data.known) == (("load",), ("wind",), ("temp",))
    assert (
        data.input_signal.features
        == component(path, targets=["load"], past=["wind"], known=["temp"], window=8, horizon=3)
        .probe()
        .input_signal.features
        == 4
    )
    batch = data.split("train").batch(torch.tensor([10]))
    assert batch.inputs[0].tolist() == [[10 + i, 1010 + i, 2010 + i, 2013 + i] for i in range(8)]
    assert batch.targets[0].tolist() == [[18.0], [19.0], [20.0]]  # rows 18 to 20: temp of row 20 is 2020, seen above
    assert data.facts()["roles"] == {"targets": ["load"], "past": ["wind"], "known": ["temp"]}


def test_what_is_known_beyond_the_last_target_is_nothing_to_score(tmp_path: Path) -> None:
    rows = [(t.isoformat(), i % 9 if i < 200 else "", i) for i, t in enumerate(files.stamps(248))]
    path = files.table(tmp_path / "a.csv", ["date", "load", "price"], rows)
    data = loaded(path, targets=["load"], known=["price"])
    assert (data.rows, data.missing_values) == (200, 0)


@given(window=st.integers(1, 30), horizon=st.integers(1, 100))
def test_all_of_the_horizon_is_seen_of_what_is_known(window: int, horizon: int) -> None:
    shown = {row + later for later in later_by(window, horizon) for row in range(window)}
    assert set(range(window, window + horizon)) <= shown
    assert max(shown) == window + horizon - 1  # and nothing beyond it


@settings(max_examples=25, deadline=None)
@given(window=st.integers(1, 12), horizon=st.integers(1, 40), item=st.integers(0, 10))
def test_what_is_known_ahead_can_be_read_off_the_inputs(
    tmp_path_factory: pytest.TempPathFactory, window: int, horizon: int, item: int
) -> None:
    rows = [(t.isoformat(), i % 3, i, -i) for i, t in enumerate(files.stamps(300))]
    path = files.table(tmp_path_factory.mktemp("known") / "a.csv", ["date", "y", "a", "b"], rows)
    knobs: dict[str, Any] = {"targets": ["y"], "known": ["a", "b"], "window": window, "horizon": horizon}
    data = loaded(path, **knobs, scaler="none", calendar=True, split=SplitSpec(200, 50, 50))
    ahead_of = data.known_ahead(data.split("train").batch(torch.tensor([item])).inputs)
    wanted = [[item + window + h, -item - window - h] for h in range(horizon)]
    assert ahead_of[0].tolist() == wanted


@settings(max_examples=25, deadline=None)
@given(at=st.integers(60, 99), window=st.integers(1, 12), horizon=st.integers(1, 20))
def test_past_covariates_are_not_seen_ahead_of_time(
    tmp_path_factory: pytest.TempPathFactory, at: int, window: int, horizon: int
) -> None:
    folder = tmp_path_factory.mktemp("past")
    rows = [(t.isoformat(), i, (i * 7) % 11) for i, t in enumerate(files.stamps(140))]
    changed = [(*row[:2], 99) if i >= at else row for i, row in enumerate(rows)]
    knobs: dict[str, Any] = {"targets": ["y"], "past": ["p"], "window": window, "horizon": horizon, "scaler": "none"}
    knobs["split"] = SplitSpec(80, 30, 30)
    one = loaded(files.table(folder / "a.csv", ["date", "y", "p"], rows), **knobs).split("val")
    other = loaded(files.table(folder / "b.csv", ["date", "y", "p"], changed), **knobs).split("val")
    before = (
        torch.flatnonzero(one.starts + window <= at)
        if hasattr(torch, "flatnonzero")
        else (one.starts + window <= at).nonzero().flatten()
    )
    assert torch.equal(one.batch(before).inputs, other.batch(before).inputs)


def test_columns_that_are_no_measurements_are_named_and_left_out(tmp_path: Path) -> None:
    rows = [(i + 1, t.isoformat(), "ok", v) for i, (t, v) in enumerate(zip(files.stamps(), files.load(), strict=True))]
    path = files.table(tmp_path / "a.csv", ["id", "date", "state", "load"], rows)
    data = loaded(path)
    assert data.columns == ("load",)
    assert data.facts()["roles"]["left_out"] == {"id": "counts rows", "state": "text"}
    assert told(path) == ["D244"]
    assert loaded(path, targets=["load", "id"]).columns == ("load", "id")
    assert told(path, targets=["load"]) == []
    for knobs, code in (
        ({"targets": ["state"]}, "D202"),
        ({"past": ["lod"]}, "D204"),
        ({"id": "no"}, "D204"),
        ({"time": "lod"}, "D204"),
    ):
        assert problem(path, **knobs).code == code


@pytest.mark.parametrize("name", ["id", "n", "whatever", "Unnamed: 0"])
def test_counters_are_found_whatever_their_name(tmp_path: Path, name: str) -> None:
    rows = [(i, v) for i, v in enumerate(files.load())]
    assert loaded(files.table(tmp_path / "a.csv", [name, "load"], rows)).columns == ("load",)


def test_a_ramp_that_is_all_there_is_is_forecast(tmp_path: Path) -> None:
    assert loaded(files.table(tmp_path / "a.csv", ["x"], [(i,) for i in range(100)])).columns == ("x",)


@pytest.mark.parametrize(
    ("knobs", "knob"),
    [
        ({"columns": ["a"], "targets": ["a"]}, "columns"),
        ({"targets": ["a", "a"]}, "targets"),
        ({"targets": ["a"], "known": ["a"]}, "known"),
        ({"id": "a", "past": ["a"]}, "id"),
        ({"step": "1 lightyear"}, "step"),
        ({"format": "european"}, "format"),
    ],
)
def test_roles_that_contradict_each_other(knobs: dict[str, Any], knob: str) -> None:
    from snnctl.core.signature import defaults

    whole = defaults(TimeSeries) | {"source": "a.csv", "window": 4, "horizon": 2} | knobs
    assert [where for where, _ in TimeSeries.rules(whole)] == [knob]


# Text forms


def test_the_original_electricity_file(tmp_path: Path) -> None:
    times = files.stamps(300, dt.timedelta(minutes=15), dt.datetime(2011, 1, 1, 0, 15))
    head = '"";"MT_001";"MT_002";"MT_003"'
    rows = [f'"{t:{files.STAMP}}";0;{i % 5},7703349282297;{i}' for i, t in enumerate(times)]
    path = tmp_path / "LD2011_2014.txt"
    path.write_text("\n".join([head, *rows]) + "\n")
    series = read_file(path)
    assert series.columns == ("MT_001", "MT_002", "MT_003")[:2] + ("MT_003",) * (series.columns[-1] == "MT_003")
    assert series.values[3, 1] == 3.7703349282297
    assert series.times is not None
    assert str(series.times[0]) == "2011-01-01T00:15:00.000"
    assert "decimal commas" in series.facts["how_it_is_read"]


@pytest.mark.parametrize(
    ("cells", "values", "sep"),
    [
        (["1.234,5", "12,25", "7"], [1234.5, 12.25, 7.0], ";"),
        (['"1,234.5"', '"12,345,678"', "7"], [1234.5, 12345678.0, 7.0], ","),
        (["1 234,5", "12,25", "7"], [1234.5, 12.25, 7.0], ";"),
        (["1'234.5", "12.25", "7"], [1234.5, 12.25, 7.0], ";"),
        (["0,125", "1,5e3", "-7,0"], [0.125, 1500.0, -7.0], ";"),
        (['"0,5"', '"1,25"', "7"], [0.5, 1.25, 7.0], ","),
        (["1.5", "?", "-"], [1.5, np.nan, np.nan], ";"),
        (["\u22121.5", "2.5", "3"], [-1.5, 2.5, 3.0], ";"),
    ],
)
def test_numbers_as_people_write_them(tmp_path: Path, cells: list[str], values: list[float], sep: str) -> None:
    path = files.table(tmp_path / "a.csv", ["x", "y"], [(cell, f"{i}") for i, cell in enumerate(cells)], sep)
    np.testing.assert_array_equal(read_file(path).values[:, 0], values)


@pytest.mark.parametrize("cell", ["10.23 kWh", "$1009.65", "10.28%"])
def test_numbers_with_their_units_are_shown(tmp_path: Path, cell: str) -> None:
    path = files.table(tmp_path / "a.csv", ["date", "x"], [(t.isoformat(), cell) for t in files.stamps(60)])
    found = problem(path)
    assert found.code == "D203"
    assert any(cell in note for note in found.notes)
    assert "belong into the header" in found.help


def test_a_decimal_comma_far_down(tmp_path: Path) -> None:
    cells = [str(i % 7) for i in range(300)] + ["3,25"]
    path = files.table(tmp_path / "a.csv", ["x", "y"], [(cell, "1") for cell in cells], ";")
    assert read_file(path).values[300, 0] == 3.25


def test_a_row_of_units_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "date,T,P\n-,degC,hPa\n2020-01-01,1.5,900\n2020-01-02,2.5,oops\n2020-01-03,3.5,901\n"
    )
    found = problem(tmp_path / "a.csv")
    assert (found.code, found.line) == ("D202", 4)
    (tmp_path / "b.csv").write_text("date,T,P\n-,degC,hPa\n2020-01-01,1.5,900\n2020-01-02,2.5,901\n")
    series = read_file(tmp_path / "b.csv")
    assert series.values.tolist() == [[1.5, 900.0], [2.5, 901.0]]
    assert "a row of units was passed over" in series.facts["how_it_is_read"]


def test_points_that_may_stand_between_thousands_are_said(tmp_path: Path) -> None:
    rows = [(t.strftime("%d.%m.%Y"), f"{10 + i % 5}.{100 + i}") for i, t in enumerate(files.stamps(100, 24 * HOUR))]
    path = files.table(tmp_path / "a.csv", ["Datum", "Wert"], rows, ";")
    assert told(path) == ["D236"]
    assert loaded(path, decimal=",").series.values[0, 0] == 10100.0
    assert told(path, decimal=".") == []


def test_comments_and_a_header_in_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("# from a logger\n#x,y\n1,2\n# paused\n3,4\n")
    series = read_file(tmp_path / "a.csv")
    assert (series.columns, series.values.tolist()) == (("x", "y"), [[1.0, 2.0], [3.0, 4.0]])
    np.savetxt(tmp_path / "b.txt", [[1.0, 2.5], [3.0, 4.5]], header="time load", comments="# ")
    assert read_file(tmp_path / "b.txt").values.shape[0] == 2


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    rows = [(t.strftime("%Y-%m-%d"), i % 9) for i, t in enumerate(files.stamps(100, dt.timedelta(days=1)))]
    path = files.table(tmp_path / "a.csv", ["Tag", "Höhe"], rows, ";", encoding)
    if encoding in ("latin-1", "cp1252"):
        found = problem(path)
        assert (found.code, "data.encoding" in found.help) == ("D103", True)
        assert loaded(path, encoding=encoding).columns == ("Höhe",)
    else:
        assert loaded(path).columns == ("Höhe",)
    assert problem(path, encoding="klingon").code == "D103"


@pytest.mark.parametrize("mark", ["-999", "9999.9", "-200"])
def test_marks_of_missing_values(tmp_path: Path, mark: str) -> None:
    values = [f"{v}" for v in files.load()]
    values[5] = values[50] = values[500] = mark
    path = files.table(
        tmp_path / "a.csv", ["date", "load"], zip([t.isoformat() for t in files.stamps()], values, strict=True)
    )
    data = loaded(path)
    assert told(path) == ["D237"]
    assert data.warnings[0].help == f"then set `data.missing_marks: [{mark}]`"
    assert loaded(path, missing_marks=[float(mark)]).missing_values == 3
    assert told(path, missing_marks=[mark]) == []
    np.save(tmp_path / "a.npy", np.array([float(v) for v in values]))
    assert loaded(tmp_path / "a.npy", missing_marks=[float(mark)]).missing_values == 3


# Values


def test_a_column_that_does_not_move_in_train_is_named(tmp_path: Path) -> None:
    rows = [
        (t.isoformat(), v, 0 if i < 500 else 800 + i % 50)
        for i, (t, v) in enumerate(zip(files.stamps(), files.load(), strict=True))
    ]
    path = files.table(tmp_path / "a.csv", ["date", "load", "sensor"], rows)
    assert told(path) == ["D243"]
    message = loaded(path).warnings[0].message
    assert "`sensor` is 0 in all 420 rows of train, and later 0 to 849" in message
    nearly = [(*row[:2], 1 if i == 7 else 0) for i, row in enumerate(rows)]
    assert told(files.table(tmp_path / "b.csv", ["date", "load", "sensor"], nearly)) == ["D243"]


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_split_without_an_observed_value_is_refused(tmp_path: Path, part: str) -> None:
    values: list[Any] = list(files.load())
    first, last = {"val": (420, 480), "test": (480, 600)}[part]
    values[first:last] = [""] * (last - first)
    path = files.table(
        tmp_path / "a.csv", ["date", "load"], zip([t.isoformat() for t in files.stamps()], values, strict=True)
    )
    found = problem(path)
    assert (found.code, found.path) == ("D239", "data.split")
    assert f"the {part} split" in found.message


def test_named_series_are_taken_as_their_makers_published_them() -> None:
    data = TimeSeries(source="co2", window=104, horizon=26).load()
    assert (data.rows, data.warnings) == (2284, ())
    assert data.facts()["time"]["step"] == "1 week"
