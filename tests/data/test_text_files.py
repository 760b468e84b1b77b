"""Texts as they lie about: every layout and format, by path; what cannot be read says why and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import text_files as files

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.texts.parts import WHOLE, Parts
from snnctl.data.texts.readers.files import TextOptions, read_place, read_table

PLAIN = TextOptions()


def sizes(parts: Parts) -> dict[str, int]:
    return {name: len(part) for name, part in parts.items()}


def test_sentences_per_class_in_latin_1(tmp_path: Path) -> None:
    parts = read_place(files.mr(tmp_path), TextOptions(encoding="latin-1"))
    assert sizes(parts) == {WHOLE: 60}  # U+0085 ends no line
    whole = parts[WHOLE]
    assert (whole.labels[0], whole.labels[-1]) == ("neg", "pos")
    assert whole.texts[0] == "a dull and lifeless film number0 café x\x85y "


def test_tsv_for_each_split(tmp_path: Path) -> None:
    parts = read_place(files.sst2(tmp_path), PLAIN)
    assert sizes(parts) == {"val": 8, "test": 10, "train": 20}
    assert parts["test"].texts[-1].endswith('number37 "')  # the last line without an end, the quote as it is
    assert parts["train"].labels[:3] == ("0", "1", "0")


def test_csv_with_mark_quotes_and_an_empty_text(tmp_path: Path) -> None:
    path = files.chnsenti(tmp_path)
    whole = read_place(path, PLAIN)[WHOLE]
    assert len(whole) == 41
    assert whole.texts[1] == '房间很好,"1" 号\n下次'
    assert (whole.texts[-1], whole.labels[-1]) == ("", "1")
    assert read_place(tmp_path, PLAIN)[WHOLE] == whole  # the only table of its folder


def test_labels_before_sentences(tmp_path: Path) -> None:
    parts = read_place(files.sst5(tmp_path), PLAIN)
    assert sizes(parts) == {"val": 10, "test": 10, "train": 25}
    assert (parts["val"].texts[3], parts["val"].labels[3]) == ("a sentence called dev3 .", "3")


def test_a_folder_per_class_and_a_file_per_text(tmp_path: Path) -> None:
    parts = read_place(files.imdb(tmp_path), PLAIN)
    assert sizes(parts) == {"train": 24, "test": 8}
    assert parts["test"].texts[0] == "a dull and lifeless film test0\nand a second line"


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv", ".parquet"])
def test_the_same_rows_in_every_format(tmp_path: Path, suffix: str) -> None:
    """Written by pandas and pyarrow, as people write them."""
    import pandas as pd

    rows = [("a, b", 1), ('say "no"', 0), ("", 1)]
    frame = pd.DataFrame({"id": [7, 8, 9], "text": [t for t, _ in rows], "label": [y for _, y in rows]})
    path = tmp_path / f"rows{suffix}"
    if suffix in (".jsonl", ".json"):
        frame.to_json(path, orient="records", lines=suffix == ".jsonl")
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="," if suffix == ".csv" else "\t", quoting=0 if suffix == ".csv" else 3)
    part = read_table(path, PLAIN)
    assert (part.texts, part.labels) == (("a, b", 'say "no"', ""), ("1", "0", "1"))


def test_named_classes_of_parquet(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["zero", "alpha"])}
    )
    table = datasets.Dataset.from_dict({"text": ["x", "y"], "label": [1, 0]}, features=features)
    table.to_parquet(str(tmp_path / "a.parquet"))
    part = read_table(tmp_path / "a.parquet", PLAIN)
    assert (part.labels, part.order) == (("alpha", "zero"), ("zero", "alpha"))


def test_columns_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("headline,body,stars\nh1,b1,5\nh2,b2,1\n")
    part = read_table(path, TextOptions(text="body", label="stars"))
    assert (part.texts, part.labels) == (("b1", "b2"), ("5", "1"))
    path.write_text("h1,b1,5\nh2,b2,1\n")
    part = read_table(path, TextOptions(text="c0", label="c2", header=False))
    assert (part.texts, part.labels) == (("h1", "h2"), ("5", "1"))


def test_two_columns_without_names_in_either_order(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("0,one\n1,two\n0,three\n")
    assert read_table(path, PLAIN).labels == ("0", "1", "0")
    path.write_text("one,0\ntwo,1\nthree,0\n")
    assert read_table(path, PLAIN).labels == ("0", "1", "0")


def written(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    return make


def two_files(folder: Path) -> Path:
    (folder / "a.csv").write_text("text,label\nx,1\n")
    (folder / "b.csv").write_text("text,label\nx,1\n")
    return folder


@pytest.mark.parametrize(
    ("make", "options", "code", "words"),
    [
        (lambda folder: folder / "absent", PLAIN, "D101", "no file or folder"),
        (written("a.csv", b""), PLAIN, "D102", "empty"),
        (written("a.csv", b"text,label\n"), PLAIN, "D102", "no text"),
        (written("a.jsonl", b"\n"), PLAIN, "D102", "empty"),
        (written("a.tsv", b"caf\xe9\t1\n"), PLAIN, "D103", "not utf-8"),
        (written("a.tsv", b"x\t1\n"), TextOptions(encoding="klingon"), "D103", "unknown encoding"),
        (written("a.jsonl", b"{nope}\n"), PLAIN, "D104", "JSON"),
        (written("a.json", b'{"text": 1}'), PLAIN, "D104", "list of objects"),
        (written("a.parquet", b"PAR1"), PLAIN, "D104", "cannot be read"),
        (written("a.csv", b"text,label\nx,1\ny,1,2\n"), PLAIN, "D201", "row 3 has 3 fields"),
        (written("a.csv", b"headline,label\nx,1\n"), PLAIN, "D210", "texts is not clear"),
        (written("a.csv", b"text,stars\nx,1\n"), PLAIN, "D211", "labels is not clear"),
        (written("a.csv", b"text,label\nx,1\n"), TextOptions(text="txet"), "D210", "no column `txet`"),
        (written("a.txt", b"one line\ntwo lines\nthree lines\n"), PLAIN, "D105", "begin with a label"),
        (two_files, PLAIN, "D105", "not clear"),
    ],
)
def test_what_cannot_be_read(
    make: Callable[[Path], Path], options: TextOptions, code: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(DiagnosticError) as caught:
        read_place(make(tmp_path), options)
    problem: Diagnostic = caught.value.diagnostics[0]
    assert problem.code == code
    assert words in problem.message
    assert caught.value.exit_code == 3


def test_help_names_the_near_column_and_the_encoding(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        read_table(written("a.csv", b"text,label\nx,1\n")(tmp_path), TextOptions(text="txet"))
    assert "did you mean `text`?" in caught.value.diagnostics[0].help
    with pytest.raises(DiagnosticError) as caught:
        read_place(files.mr(tmp_path / "mr"), PLAIN)
    problem = caught.value.diagnostics[0]
    assert (problem.line, "latin-1" in problem.help) == (1, True)
