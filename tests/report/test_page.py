"""A page says what it was given, escaped, and needs nothing beside itself; saving is whole or refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from snnctl.core.diagnostic import DiagnosticError
from snnctl.report.drawing import plots
from snnctl.report.page import Animation, Page, Section, Table, html
from snnctl.report.saving import Report, prepare, provenance, write
from snnctl.report.style import Drawn, Picture, picture
from snnctl.report.tables import csv_text, matrix


@picture("line", "A <line>")
def line() -> Drawn:
    figure, axes = plots(3, 2, "a line")
    axes.plot([1, 2, 3])
    return figure, 'of "three" points'


def a_page(*pictures: Picture) -> Page:
    table = Table(["name", "count", "share"], [["a & b", 12345, 0.123456], ["c", None, float("nan")]], "Counts")
    section = Section("First <part>", pictures, ["x < y"], [table])
    return Page("Title & more", "lead <b>", [section], provenance("snnctl a 'b<c'", {}))


def a_report(shown: Page, tables: dict[str, str], document: dict[str, Any], **names: str) -> Report:
    return Report(document, lambda: tables, lambda: shown, **{"document_name": "d.json", **names})


def test_html() -> None:
    one = line()
    text = html(a_page(one), {"line": b"\x89PNG"}, ["a b.csv"])
    assert "<td>a &amp; b</td><td>12,345</td><td>0.1235</td>" in text
    assert "<td>c</td><td>–</td><td>–</td>" in text
    assert "<h3>Counts</h3>" in text
    assert "x &lt; y" in text
    assert "snnctl a &#x27;b&lt;c&#x27;" in text
    assert "<h3>Knobs</h3>" not in text
    assert 'alt="of &quot;three&quot; points"' in text
    assert 'width="288"' in text  # 3 inches of 96
    assert re.findall(r'href="#s(\d)"', text) == re.findall(r'<h2 id="s(\d)"', text) == ["0", "1", "2"]
    assert not re.search(r"https?://|<script|<link|@import|url\(", text)


def test_saved_files_are_those_that_are_named(tmp_path: Path) -> None:
    done: list[float] = []
    tables = {"t.csv": csv_text(("a", "b"), [[1, 0.5], ["x,y", None]])}
    out = tmp_path / "deep" / "out"
    found = write(a_report(a_page(line()), tables, {"n": 1}), out, "snnctl a", lambda _, share: done.append(share))
    names = ["report.html", "d.json", "t.csv", "line.png", "line.svg"]
    assert found["files"] == [str(out / name) for name in names]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    assert json.loads((out / "d.json").read_text()) == found
    assert (out / "t.csv").read_text() == 'a,b\n1,0.5\n"x,y",\n'
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiagnosticError) as caught:
        prepare(tmp_path / "file" / "out")
    assert caught.value.diagnostics[0].code == "U453"


def test_matrix() -> None:
    import numpy as np

    assert matrix(np.array([[1.0, 0.25], [2.0, 3.0]]), "p", "k") == "p,k0,k1\n0,1,0.25\n1,2,3\n"


def test_what_an_earlier_report_has_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    write(a_report(a_page(line()), {"old.csv": "a"}, {}), tmp_path, "")
    (tmp_path / "mine.txt").write_text("kept")
    other = a_report(a_page(), {"other.csv": "a"}, {}, page_name="other.html", document_name="other.json")
    write(other, tmp_path, "")
    write(a_report(a_page(), {"new.csv": "b"}, {}), tmp_path, "")
    names = {"report.html", "d.json", "new.csv", "other.html", "other.json", "other.csv", "mine.txt"}
    assert {path.name for path in tmp_path.iterdir()} == names
    (tmp_path / "d.json").write_text("no document")
    write(a_report(a_page(), {}, {}), tmp_path, "")
    assert (tmp_path / "new.csv").is_file()  # nobody says any more that it is ours


def test_a_report_is_made_when_there_is_a_folder_for_it(tmp_path: Path) -> None:
    said: list[str] = []
    made = Report(
        document={"n": 1},
        tables=lambda: {"t.csv": csv_text(("a",), [[len(said)]])},
        page=lambda: a_page(line()),
        document_name="d.json",
        page_name="p.html",
        knobs={"lif": {"tau": 2.0}},
        begun=0.5,
        told=("tables", "figures"),
    )
    found = write(made, tmp_path / "out", "snnctl a", lambda text, done: said.append(f"{text} {done:.2f}"))
    assert said == ["tables 0.50", "figures 0.50", "figure line 0.50", "done 1.00"]
    assert (tmp_path / "out" / "t.csv").read_text() == "a\n1\n"  # after its beginning was told
    assert list(found) == ["n", "provenance", "out", "page", "files"]
    assert found["provenance"]["command"] == "snnctl a"
    assert "<h3>Knobs</h3><pre>lif: {&quot;tau&quot;: 2.0}</pre>" in (tmp_path / "out" / "p.html").read_text()
    (tmp_path / "file").write_text("")
    with pytest.raises(DiagnosticError):
        write(made, tmp_path / "file" / "out", "snnctl a")
    assert len(said) == 4


def test_words_are_escaped_wherever_they_stand() -> None:
    mark = "<i>&\"'"
    table = Table([mark, mark], [[mark, mark]], mark)
    moving = Animation(mark, mark, mark, b"GIF", 33)
    section = Section(mark, (), [mark], [table], [moving])
    facts = {**provenance(mark, {mark: {mark: mark}}), "system": mark}
    text = html(Page(mark, mark, [section], facts, [mark], [table]), {}, [mark])
    assert "<i>" not in text
    assert len(re.findall(re.escape("&lt;i&gt;&amp;&quot;&#x27;"), text)) == 26
    assert "data:image/gif;base64,R0lG" in text
