"""Text tables of many columns, of long lines, and packed ones that grow: read, or refused before memory is full."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data import bounds
from snnctl.data.series.readers import lines
from snnctl.data.series.readers.layout import recognise, split_line
from snnctl.data.series.readers.numerals import Marks
from snnctl.data.series.sources import read_file
from snnctl.data.series.table import Table


def problem(path: Path) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        read_file(path)
    return caught.value.diagnostics[0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_line_that_is_longer_than_a_field_of_csv_may_be(tmp_path: Path, delimiter: str) -> None:
    """Split by what does not part its columns it is one field, which `csv` refuses from 131,072 letters on."""
    names = [f"{'n' * 300}{number}" for number in range(500)]
    values = np.round(np.random.default_rng(0).normal(size=(4, 500)), 3)
    rows = [names, *values.astype(str).tolist()]
    path = tmp_path / "wide.csv"
    path.write_text("\n".join(delimiter.join(row) for row in rows))
    found = read_file(path)
    assert found.columns == tuple(names)
    np.testing.assert_array_equal(found.values, values)


def test_long_fields_in_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,2\n3,"' + "x" * 200_000 + '"\n')
    assert problem(path).code == "D104"


@given(st.text("ab ,;1.-", max_size=12), st.sampled_from([",", ";", "|", "\t"]))
def test_lines_without_quotes_are_split_as_csv_splits_them(line: str, delimiter: str) -> None:
    import csv

    assert split_line(line, delimiter) == next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [""])


def test_columns_are_looked_up_and_not_searched_for() -> None:
    names = tuple(f"c{number}" for number in range(30_000))
    table = Table(names, names, np.arange(60_000.0).reshape(2, -1))
    turned = tuple(reversed(names))
    np.testing.assert_array_equal(table.matrix(turned), table.numbers[:, ::-1])
    assert [table.column(name)[0] for name in turned[:3]] == [29_999, 29_998, 29_997]
    with pytest.raises(KeyError):
        table.column("none")


def test_a_packed_line_is_not_unpacked_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_MOST_LINE", 1 << 16)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n" + b"9" * (1 << 25), 1))
    tracemalloc.start()
    found = problem(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.code, found.line, "65,536 bytes" in found.message) == ("D104", 3, True)
    assert most < 1 << 21
    path.write_bytes(gzip.compress(b"a,b\n1,2\n3,4\n"))
    assert read_file(path).values.tolist() == [[1, 2], [3, 4]]


def test_packed_utf_16_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "wide.csv.gz"
    path.write_bytes(gzip.compress("a,b\n1,2\n3,4\n".encode("utf-16")))
    assert read_file(path).values.tolist() == [[1, 2], [3, 4]]
    monkeypatch.setattr(lines, "_MOST_WIDE", 20)
    assert problem(path).code == "D104"


def test_more_numbers_than_memory_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 1000))
    monkeypatch.setattr(bounds, "_memory", lambda: 15_999)
    assert (problem(path).code, "memory" in problem(path).message) == ("D104", True)
    monkeypatch.setattr(bounds, "_memory", lambda: 16_000)
    assert read_file(path).values.shape == (1000, 2)


def test_the_delimiter_of_long_lines() -> None:
    line = ";".join(["1,5"] * 35_000)
    assert recognise([line, line], None, Marks(None)).delimiter == ";"
