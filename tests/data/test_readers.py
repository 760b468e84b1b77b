"""Every format, written small and read back; and every way a file can be wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.series.arranging import Arrangement
from snnctl.data.series.roles import Wanted
from snnctl.data.series.series import ReadOptions
from snnctl.data.series.sources import READERS, read_file

PLAIN = ReadOptions()


def write(path: Path, text: str | bytes) -> Path:
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def targets(*names: str) -> Arrangement:
    return Arrangement(Wanted(targets=names))


def problem(path: Path, options: ReadOptions = PLAIN, how: Arrangement = Arrangement()) -> Diagnostic:  # noqa: B008
    with pytest.raises(DiagnosticError) as caught:
        read_file(path, options, how)
    return caught.value.diagnostics[0]


@pytest.mark.parametrize(
    ("name", "text", "columns", "dated"),
    [
        ("a.csv", "date,x,y\n2016-07-01 00:00:00,1.5,2\n2016-07-01 01:00:00,,4\n", ("x", "y"), True),
        ("bom.csv", b"\xef\xbb\xbfx,y\n1.5,2\n,4\n", ("x", "y"), False),
        ("crlf.csv", "x,y\r\n1.5,2\r\n\r\nNaN,4\r\n", ("x", "y"), False),
        ("a.tsv", "x\ty\n1.5\t2\nNA\t4\n", ("x", "y"), False),
        ("a.txt", "x;y\n1.5;2\n;4\n", ("x", "y"), False),
        ("blank.txt", "  1.5   2\n  nan   4\n", ("c0", "c1"), False),
        ("lstnet.txt", "1.5,2\n,4\n", ("c0", "c1"), False),
        ("lstnet.txt.gz", "1.5,2\n,4\n", ("c0", "c1"), False),
        ("a.csv.gz", "x,y\n1.5,2\n,4\n", ("x", "y"), False),
        ("index.csv", ",x,y\n0,1.5,2\n1,,4\n", ("x", "y"), False),
        ("trailing.csv", "x,y,\n1.5,2,\n,4,\n", ("x", "y"), False),
        ("quoted.csv", '"x","y, z"\n1.5,"2"\n,4\n', ("x", "y, z"), False),
        ("dates_last.csv", "x,y,when\n1.5,2,2016/7/1\n,4,2016/7/2\n", ("x", "y"), True),
        ("headless_dates.csv", "2016-07-01,1.5,2\n2016-07-02,,4\n", ("c1", "c2"), True),
        ("twice.csv", "x,x\n1.5,2\n,4\n", ("x", "x.1"), False),
    ],
)
def test_text_tables(tmp_path: Path, name: str, text: str | bytes, columns: tuple[str, ...], dated: bool) -> None:
    path = write(tmp_path / name, text)
    series = read_file(path, PLAIN)
    np.testing.assert_array_equal(series.values, [[1.5, 2.0], [np.nan, 4.0]])
    assert series.columns == columns
    assert (series.times is not None) == dated


def test_one_column(tmp_path: Path) -> None:
    series = read_file(write(tmp_path / "a.csv", "x\n1\n2\n3\n"), PLAIN)
    assert series.values.tolist() == [[1.0], [2.0], [3.0]]


def test_dates_are_read_to_the_second(tmp_path: Path) -> None:
    text = "date,x\n2016-07-01 05:06:07,1\n2016-7-2,2\n"
    times = read_file(write(tmp_path / "a.csv", text), PLAIN).times
    assert times is not None
    assert times.astype(str).tolist() == ["2016-07-01T05:06:07.000", "2016-07-02T00:00:00.000"]


def test_ambiguous_dates_are_not_guessed(tmp_path: Path) -> None:
    found = problem(write(tmp_path / "a.csv", "date,x\n01/02/2016,1\n02/02/2016,2\n"))
    assert (found.code, found.path) == ("D245", "data.format")
    assert "`01/02/2016` is 2016-02-01 (day first) or 2016-01-02 (month first)" in found.message


def test_numeric_header_is_seen_and_can_be_overruled(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "773869,767541\n64.375,67.625\n62.666,68.5\n")
    assert read_file(path, PLAIN).columns == ("773869", "767541")
    assert len(read_file(path, ReadOptions(header=False)).values) == 3
    counts = write(tmp_path / "b.csv", "14,69\n18,92\n21,96\n")  # electricity-like: no header
    assert len(read_file(counts, PLAIN).values) == 3
    assert read_file(counts, ReadOptions(header=True)).columns == ("14", "69")
    numbered = write(tmp_path / "c.csv", "0,1,2\n5,6,7\n")
    assert len(read_file(numbered, PLAIN).values) == 1


def test_columns_are_chosen_in_order(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x,name,y\n1,a,2\n3,b,4\n")
    series = read_file(path, PLAIN, targets("y", "x"))
    assert series.columns == ("y", "x")
    assert series.values.tolist() == [[2.0, 1.0], [4.0, 3.0]]
    found = problem(path, PLAIN, targets("z"))
    assert (found.code, found.path) == ("D204", "data.targets")
    assert "x, name, y" in found.help


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        (b"", "D102", 0, "empty"),
        (b"\n \n", "D102", 0, "empty"),
        (b"x,y\n", "D203", 0, "no numeric column"),
        (b"x,y\n1,2\n3\n", "D201", 3, "line 3 has 1 fields, the first line has 2"),
        (b"x,y\n1,2\n3,4,5\n", "D201", 3, "line 3 has 3 fields"),
        (b"x,y\n1,2\n\n3,four\n", "D202", 4, "column `y` is not numeric: `four`"),
        (b"x,y\n1\0,2\n", "D103", 2, "binary"),
        (b"x,\xff\n1,2\n", "D103", 1, "0xff is not UTF-8"),
        (b"<html>\n<p>Not found</p>\n", "D203", 0, "no numeric column"),
    ],
)
def test_what_is_wrong_with_a_text_file(tmp_path: Path, text: bytes, code: str, line: int, words: str) -> None:
    path = write(tmp_path / "a.csv", text)
    found = problem(path)
    assert (found.code, found.line) == (code, line)
    assert words in found.message
    assert found.file == str(path)
    assert found.path == "data.source"


def test_a_bad_cell_far_down_is_named_with_its_line(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i}\n" for i in range(200))
    found = problem(write(tmp_path / "a.csv", f"x,y\n\n{rows}5,oops\n"))
    # header, blank line, 200 rows, then the bad one: line 203
    assert (found.code, found.line) == ("D202", 203)
    assert "`oops`" in found.message


def test_a_comma_that_may_be_either_is_asked_about(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x;y\n1,500;2\n")
    found = problem(path)
    assert (found.code, found.path) == ("D236", "data.decimal")
    assert "`1,500` is 1.500 with a decimal comma, 1500 without" in found.message
    assert read_file(path, ReadOptions(decimal=",")).values.tolist() == [[1.5, 2.0]]
    assert read_file(path, ReadOptions(decimal=".")).values.tolist() == [[1500.0, 2.0]]


def test_true_and_false_are_left_out_and_read_where_they_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x,y\n1,True\n2,False\n4,\n")
    series = read_file(path)
    assert (series.columns, series.left_out) == (("x",), {"y": "true or false"})
    assert [warning.code for warning in series.warnings] == ["D244"]
    named = read_file(path, PLAIN, Arrangement(Wanted(targets=("x",), past=("y",))))
    np.testing.assert_array_equal(named.past, [[1.0], [0.0], [np.nan]])


def test_broken_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(b"1,2\n" * 1000)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    assert problem(path).code == "D104"
    path.write_bytes(b"not gzip")
    assert problem(path).code == "D104"


def test_missing_folder_and_unknown_format(tmp_path: Path) -> None:
    assert problem(tmp_path / "a.csv").code == "D101"
    assert problem(tmp_path).code == "D104"
    found = problem(write(tmp_path / "a.xlsx", b"PK"))
    assert found.code == "D105"
    assert ".parquet" in found.help


VALUES = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]])


def test_npy_and_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    np.savez(tmp_path / "one.npz", data=VALUES.astype(np.float32))
    np.savez_compressed(tmp_path / "two.npz", data=VALUES, other=VALUES[:, 0])
    for path, options in (
        (tmp_path / "a.npy", PLAIN),
        (tmp_path / "one.npz", PLAIN),
        (tmp_path / "two.npz", ReadOptions(key="data")),
    ):
        np.testing.assert_array_equal(read_file(path, options).values, VALUES)
        assert read_file(path, options).columns == ("c0", "c1")
    assert read_file(tmp_path / "two.npz", ReadOptions(key="other")).values.shape == (3, 1)
    found = problem(tmp_path / "two.npz")
    assert (found.code, found.help) == ("D106", "keys: data, other")
    assert problem(tmp_path / "two.npz", ReadOptions(key="dat")).code == "D106"


def test_arrays_that_are_no_series(tmp_path: Path) -> None:
    np.save(tmp_path / "cube.npy", np.zeros((3, 4, 5)))
    np.save(tmp_path / "text.npy", np.array(["a", "b"]))
    np.save(tmp_path / "empty.npy", np.zeros((0, 3)))
    np.save(tmp_path / "object.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    codes = [problem(tmp_path / f"{n}.npy").code for n in ("cube", "text", "empty", "object")]
    assert codes == ["D209", "D202", "D102", "D202"]  # the pickled one is refused, not loaded


def test_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1, 2], "y": [0.5, np.nan]})
    frame.insert(0, "date", pd.to_datetime(["2016-07-01", "2016-07-02"]))
    frame.to_parquet(tmp_path / "a.parquet")
    series = read_file(tmp_path / "a.parquet", PLAIN)
    np.testing.assert_array_equal(series.values, [[1.0, 0.5], [2.0, np.nan]])
    assert series.columns == ("x", "y")
    assert series.times is not None
    assert str(series.times[1]) == "2016-07-02T00:00:00.000"

    pd.DataFrame({"x": [1.0], "name": ["a"]}).to_parquet(tmp_path / "b.parquet")
    assert read_file(tmp_path / "b.parquet").left_out == {"name": "text"}
    found = problem(tmp_path / "b.parquet", PLAIN, targets("name"))
    assert found.code == "D202"
    assert "`name`" in found.message
    assert read_file(tmp_path / "b.parquet", PLAIN, targets("x")).values.tolist() == [[1.0]]
    pd.DataFrame({"name": ["a"]}).to_parquet(tmp_path / "c.parquet")
    assert problem(tmp_path / "c.parquet").code == "D203"


def write_pandas_fixed(path: Path, key: str, unit: str = "datetime64") -> None:
    """The layout of `DataFrame.to_hdf(format="fixed")`, as in metr-la.h5."""
    with h5py.File(path, "w") as file:
        group = file.create_group(key)
        group["axis0"] = np.array([b"773869", b"767541"])
        times = np.array(["2012-03-01T00:00", "2012-03-01T00:05", "2012-03-01T00:10"], dtype="datetime64[ns]")
        group["axis1"] = times.astype(np.int64) if unit == "datetime64" else times.astype("M8[us]").astype(np.int64)
        group["axis1"].attrs["kind"] = np.bytes_(unit)
        group["block0_items"] = np.array([b"773869", b"767541"])
        group["block0_values"] = VALUES


@pytest.mark.parametrize("unit", ["datetime64", "datetime64[us]"])
def test_hdf5_as_pandas_writes_it(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "metr-la.h5"
    write_pandas_fixed(path, "df", unit)
    for options in (PLAIN, ReadOptions(key="df"), ReadOptions(key="/df")):
        series = read_file(path, options)
        np.testing.assert_array_equal(series.values, VALUES)
        assert series.columns == ("773869", "767541")
        assert series.times is not None
        assert str(series.times[2]) == "2012-03-01T00:10:00.000"
    assert read_file(path, PLAIN, targets("767541")).values[2].tolist() == [6.0]
    found = problem(path, ReadOptions(key="speed"))
    assert (found.code, found.path) == ("D106", "data.key")
    assert "df" in found.help


def test_hdf5_blocks_of_several_types_keep_the_column_order(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("df")
        group["axis0"] = np.array([b"a", b"b", b"c"])
        group["axis1"] = np.arange(2)
        group["axis1"].attrs["kind"] = np.bytes_("integer")
        group["block0_items"], group["block0_values"] = np.array([b"a", b"c"]), np.array([[1.0, 3.0], [4.0, 6.0]])
        group["block1_items"], group["block1_values"] = np.array([b"b"]), np.array([[2], [5]])
    series = read_file(tmp_path / "a.h5", PLAIN)
    assert series.values.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert series.times is None


def test_hdf5_plain(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["group/data"] = VALUES
    np.testing.assert_array_equal(read_file(path, PLAIN).values, VALUES)
    with h5py.File(path, "a") as file:
        file["other"] = np.arange(4)
        file["dangling"] = h5py.SoftLink("/nowhere")
        file["ring/back"] = h5py.SoftLink("/ring")
        file.create_group("queryable").create_dataset("table", data=np.arange(3))
    found = problem(path)
    assert found.code == "D106"
    assert "group/data" in found.help
    assert "other" in found.help
    assert read_file(path, ReadOptions(key="other")).values.shape == (4, 1)
    assert problem(path, ReadOptions(key="queryable")).code == "D105"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    junk=st.one_of(
        st.binary(max_size=300),
        st.text(alphabet="0123456789.,;\t \n\r\"'-einfax#\u00e9", max_size=200).map(str.encode),
        st.binary(max_size=40).map(lambda b: b"\x93NUMPY\x01\x00" + b),
        st.binary(max_size=40).map(lambda b: b"\x89HDF\r\n\x1a\n" + b),
        st.binary(max_size=40).map(lambda b: b"PAR1" + b + b"PAR1"),
        st.binary(max_size=40).map(lambda b: b"PK\x03\x04" + b),
    ),
    suffix=st.sampled_from(sorted(READERS)),
)
def test_junk_is_a_diagnostic_or_a_series(tmp_path: Path, junk: bytes, suffix: str) -> None:
    path = tmp_path / f"junk{suffix}"
    path.write_bytes(gzip.compress(junk) if suffix.endswith(".gz") else junk)
    try:
        series = read_file(path, PLAIN)
    except DiagnosticError:
        return
    assert series.values.shape[1] == len(series.columns) > 0
