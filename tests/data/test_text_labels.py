"""Labels as they stand in tables: what is no label, what is one label twice, what is none of classes."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.shapes import ShapeError
from snnctl.data.labels import look_alikes, number_of
from snnctl.data.texts.component import Text
from snnctl.data.texts.dataset import TextData
from snnctl.data.texts.labels import LabelRules, Sorted, sort_labels
from snnctl.data.texts.parts import WHOLE, Texts
from snnctl.data.texts.tokenizers import Word

pytest.importorskip("tokenizers")

GOOD = ("good film", "great acting", "a wonderful story", "warm and nice", "great fun")
BAD = ("bad film", "poor acting", "a boring story", "dull and cold", "no fun")


def reviews(count: int = 400) -> list[tuple[str, int]]:
    random.seed(0)
    made = []
    for i in range(count):
        label = int(random.random() < 0.5)
        made.append((f"{random.choice(GOOD if label else BAD)} {random.choice('abcdefgh')}{i}", label))
    return made


def csv_table(path: Path, label: Callable[[int, int], object], delimiter: str = ",") -> Path:
    with path.open("w", newline="") as file:
        out = csv.writer(file, delimiter=delimiter)
        out.writerow(["text", "label"])
        out.writerows([text, label(i, y)] for i, (text, y) in enumerate(reviews()))
    return path


def json_table(path: Path, label: Callable[[int, int], object]) -> Path:
    rows = [{"text": text, "label": label(i, y)} for i, (text, y) in enumerate(reviews())]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def parquet_table(path: Path, labels: Sequence[Any]) -> Path:
    import pandas as pd

    pd.DataFrame({"text": [text for text, _ in reviews(len(labels))], "label": labels}).to_parquet(path)
    return path


def load(source: Path, **knobs: Any) -> TextData:
    return Text(source=str(source), **{"tokenizer": Word(min_count=1), **knobs}).load()


def items(data: TextData) -> int:
    return sum(len(part) for part in data.splits.values())


def told(data: TextData) -> list[str]:
    return [warning.code for warning in data.warnings]


def refused(make: Callable[[], object]) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        make()
    assert caught.value.exit_code == 3
    return caught.value.diagnostics[0]


# Empty labels.


def every_20th(mark: object) -> Callable[[int, int], object]:
    return lambda i, y: mark if i % 20 == 0 else y


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: csv_table(folder / "labels_empty.csv", every_20th("")),
        lambda folder: csv_table(folder / "blanks.tsv", every_20th("  "), "\t"),
        lambda folder: csv_table(folder / "semicolons.csv", every_20th("NaN"), ";"),
        lambda folder: json_table(folder / "null.jsonl", every_20th(None)),
        lambda folder: json_table(folder / "nan.jsonl", every_20th(float("nan"))),
        lambda folder: parquet_table(folder / "null.parquet", [None if i % 20 == 0 else i % 2 for i in range(400)]),
    ],
)
def test_an_empty_label_is_no_class(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    data = load(path)
    assert data.labels in (("0", "1"), ("0.0", "1.0"))  # pandas makes fractions of numbers beside holes
    assert items(data) == 380
    assert [(warning.code, warning.severity) for warning in data.warnings] == [("D270", "warning")]
    assert "left out: 20 of 400" in data.warnings[0].message
    assert Text(source=str(path), tokenizer=Word(min_count=1)).probe().warnings == data.warnings
    facts = data.describe()
    assert (facts["rows"], facts["without_label"]) == (400, {"all": 20})
    problem = refused(lambda: load(path, unlabelled="refuse"))
    assert (problem.code, problem.path) == ("D270", "data.unlabelled")
    assert "20 of 400 texts have no label, the first is text 1" in problem.message


def test_a_row_without_the_name_of_the_label(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": "no label"}, *({"text": text, "label": y} for text, y in reviews(60))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = load(path)
    assert (items(data), told(data)) == (60, ["D270"])


def test_nothing_is_labelled(tmp_path: Path) -> None:
    assert refused(lambda: load(csv_table(tmp_path / "a.csv", lambda i, y: ""))).code == "D270"


def test_a_test_split_without_labels_is_as_none(tmp_path: Path) -> None:
    rows = reviews(60)
    for name, part, mark in (("train", rows[:40], None), ("dev", rows[40:50], None), ("test", rows[50:], "-1")):
        (tmp_path / f"{name}.tsv").write_text("\n".join(f"{text}\t{mark or y}" for text, y in part))
    problem = refused(lambda: load(tmp_path))
    assert (problem.code, "unlabelled_marks" in problem.help) == ("D212", True)
    data = load(tmp_path, unlabelled_marks=["-1"])
    assert {name: len(part) for name, part in data.splits.items()} == {"train": 36, "val": 10, "test": 4}
    assert "nothing is left of test" in data.warnings[0].message


def test_the_unlabelled_folder_of_imdb(tmp_path: Path) -> None:
    for i, (text, y) in enumerate(reviews(60)):
        folder = tmp_path / "train" / ("unsup" if i % 3 == 0 else ("neg", "pos")[y])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i}.txt").write_text(text)
    data = load(tmp_path)
    assert (data.labels, items(data), told(data)) == (("neg", "pos"), 40, ["D270"])


# Marks of texts without a label.


@pytest.mark.parametrize(
    ("make", "classes"),
    [
        (lambda folder: csv_table(folder / "labels_minus_one.csv", lambda i, y: -1 if i % 10 == 0 else y), ("0", "1")),
        (
            lambda folder: csv_table(folder / "a.tsv", lambda i, y: " -1" if i % 10 == 0 else i % 3, "\t"),
            ("0", "1", "2"),
        ),
        (lambda folder: json_table(folder / "a.jsonl", lambda i, y: -1 if i % 10 == 0 else i % 3), ("0", "1", "2")),
        (
            lambda folder: parquet_table(
                folder / "a.parquet", [-1.0 if i % 10 == 0 else float(i % 2) for i in range(400)]
            ),
            ("0.0", "1.0"),
        ),
        (lambda folder: csv_table(folder / "a.csv", lambda i, y: "None" if i % 10 == 0 else "np"[y]), ("n", "p")),
    ],
)
def test_a_mark_is_said_and_left_out_if_told_to(
    make: Callable[[Path], Path], classes: tuple[str, ...], tmp_path: Path
) -> None:
    path = make(tmp_path)
    doubted = load(path)
    assert told(doubted) == ["D271"]
    (mark,) = set(doubted.labels) - set(classes)
    assert f"`{mark}` (40 texts)" in doubted.warnings[0].message
    assert f'`data.unlabelled_marks: ["{mark}"]`' in doubted.warnings[0].help
    clean = load(path, unlabelled_marks=[mark.removesuffix(".0")])
    if mark == "-1":
        assert load(path, unlabelled_marks=[-1]).fingerprint == clean.fingerprint
    assert (clean.labels, items(clean), told(clean)) == (classes, 360, ["D270"])
    meant = load(path, labels={mark: "none", **{label: f"is {label}" for label in classes}})
    assert (items(meant), told(meant)) == (400, [])


def test_minus_one_beside_one_is_a_class(tmp_path: Path) -> None:
    assert told(load(csv_table(tmp_path / "a.csv", lambda i, y: 2 * y - 1))) == []


def test_a_mark_is_no_class() -> None:
    with pytest.raises(ShapeError) as caught:
        Text(source="mr", labels={"-1": "a", "1": "b"}, unlabelled_marks=["-1"])
    assert caught.value.knob == "unlabelled_marks"


# One label in several spellings.


def test_equal_numbers_are_one_class(tmp_path: Path) -> None:
    data = load(csv_table(tmp_path / "a.csv", lambda i, y: f"{y}.0" if i % 4 == 0 else y))
    assert (data.labels, items(data), told(data)) == (("0", "1"), 400, ["D272"])
    assert data.describe()["labels_as_written"] == {"0": ["0", "0.0"], "1": ["1", "1.0"]}
    for name, number in (("train", "1"), ("dev", "1.0"), ("test", "1.00")):
        rows = [f"{text}\t{number if y else number.replace('1', '0')}" for text, y in reviews(40)]
        (tmp_path / f"{name}.tsv").write_text("\n".join(rows))
    (tmp_path / "a.csv").unlink()
    assert load(tmp_path).labels == ("0", "1")


def test_the_recipe_names_a_number_as_it_likes(tmp_path: Path) -> None:
    path = parquet_table(tmp_path / "a.parquet", [float(i % 2) for i in range(100)])
    assert load(path, labels={"0.0": "bad", "1.0": "good"}).labels == ("bad", "good")
    assert load(path, labels={"0": "bad", "1": "good"}).labels == ("bad", "good")
    assert load(path).labels == ("0.0", "1.0")


@pytest.mark.parametrize("other", ["Positive", "ＰＯＳＩＴＩＶＥ", "POSITIVE ", '"positive"'])
def test_labels_that_look_alike(other: str, tmp_path: Path) -> None:
    path = csv_table(tmp_path / "a.csv", lambda i, y: (other if i % 3 == 0 else "positive") if y else "negative")
    data = load(path)
    assert (data.classes, told(data)) == (3, ["D273"])
    assert f"`{other.strip()}`" in data.warnings[0].message
    one = load(path, label_case="ignore")
    assert (one.labels, items(one), told(one)) == (("negative", "positive"), 400, [])


def test_what_was_odd_stands_beside_what_went_wrong(tmp_path: Path) -> None:
    path = csv_table(tmp_path / "a.csv", lambda i, y: "Positive" if i == 0 else ("negative", "positive")[y])
    problem = refused(lambda: load(path))
    assert problem.code == "D214"
    assert problem.notes[0].startswith("`Positive` (1) and `positive` (")
    assert "`data.label_case: ignore`" in problem.notes[0]


def test_a_label_of_test_in_another_case_says_what_to_do(tmp_path: Path) -> None:
    for name, words in (("train", ("neg", "pos")), ("test", ("Neg", "Pos"))):
        (tmp_path / f"{name}.tsv").write_text("\n".join(f"{text}\t{words[y]}" for text, y in reviews(40)))
    problem = refused(lambda: load(tmp_path))
    assert (problem.code, "label_case: ignore" in problem.help) == ("D212", True)
    assert load(tmp_path, label_case="ignore").labels == ("neg", "pos")


def test_codes_with_zeros_in_front_are_no_numbers() -> None:
    assert (number_of("007"), number_of("7.0"), number_of("-0.5e1")) == (None, Decimal(7), Decimal(-5))
    assert look_alikes(["007", "7", "x"]) == [("007", "7")]
    for word in ("", ".", "-", "e5", "1e", "nan", "inf", "1_000", "²", "1e9999999"):
        assert number_of(word) is None, word


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_are_read_exactly(value: float) -> None:
    found = number_of(repr(value))
    assert found is not None
    assert found == Decimal(repr(value))


LABELS = st.sampled_from(["0", "1", "1.0", "1.", "+1", "", "nan", "-1", "a", "A", " a", "A ", "None", "10"])


@given(
    labels=st.lists(LABELS, min_size=1, max_size=40),
    marks=st.sets(st.sampled_from(["-1", "None", "0"])),
    case=st.sampled_from(["keep", "ignore"]),
)
def test_no_text_is_lost_or_relabelled(labels: list[str], marks: set[str], case: Any) -> None:
    texts = tuple(f"t{i}" for i in range(len(labels)))
    rules = LabelRules(marks=tuple(sorted(marks)), case=case)
    none = {"", "nan", *marks}
    wanted = [(text, label) for text, label in zip(texts, labels, strict=True) if label not in none]
    if not wanted:
        assert refused(lambda: sort_labels({WHOLE: Texts(texts, tuple(labels))}, rules, "here")).code == "D270"
        return
    found: Sorted = sort_labels({WHOLE: Texts(texts, tuple(labels))}, rules, "here")
    part = found.parts[WHOLE]
    assert part.texts == tuple(text for text, _ in wanted)
    assert found.left_out.get(WHOLE, 0) == len(labels) - len(wanted)
    assert [found.class_of(label) for _, label in wanted] == list(part.labels)

    def same(one: str, other: str) -> bool:
        if number_of(one) is not None or number_of(other) is not None:
            return number_of(one) == number_of(other)
        if case == "ignore":
            return one.strip().casefold() == other.strip().casefold()
        return one == other

    for (_, one), first in zip(wanted, part.labels, strict=True):
        for (_, other), second in zip(wanted, part.labels, strict=True):
            assert (first == second) == same(one, other)


# What is no column of classes.


def test_measurements_are_refused(tmp_path: Path) -> None:
    random.seed(1)
    path = csv_table(tmp_path / "a.csv", lambda i, y: f"{random.random():.2f}")
    problem = refused(lambda: load(path))
    assert (problem.code, problem.path) == ("D275", "data.label_column")
    assert "measurements, not classes" in problem.message
    path = parquet_table(tmp_path / "a.parquet", [i / 7 for i in range(50)])
    assert refused(lambda: load(path)).code == "D275"
    few = csv_table(tmp_path / "b.csv", lambda i, y: ("0.1", "0.9")[y])
    assert refused(lambda: load(few)).code == "D275"
    assert load(few, labels={"0.1": "low", "0.9": "high"}).labels == ("low", "high")


def test_half_stars_are_said(tmp_path: Path) -> None:
    data = load(csv_table(tmp_path / "a.csv", lambda i, y: i % 10 / 2))
    assert (data.classes, told(data)) == (10, ["D275"])


def test_ids_are_refused(tmp_path: Path) -> None:
    problem = refused(lambda: load(csv_table(tmp_path / "a.csv", lambda i, y: i // 1.7)))
    assert problem.code == "D274"
    assert "different labels" in problem.message
    many = load(csv_table(tmp_path / "b.csv", lambda i, y: f"writer {i // 4}"))
    assert (many.classes, told(many)) == (100, ["D274"])


def test_huge_numbers_are_names(tmp_path: Path) -> None:
    data = load(json_table(tmp_path / "a.jsonl", lambda i, y: 10**12 + y))
    assert (data.labels, told(data)) == (("1000000000000", "1000000000001"), [])
    apart = load(json_table(tmp_path / "b.jsonl", lambda i, y: 10**17 + y))  # one float
    assert apart.classes == 2
    for value in (float("inf"), 10**400):
        path = json_table(tmp_path / "c.jsonl", lambda i, y, value=value: value if i == 7 else y)  # type: ignore[misc]
        assert refused(lambda path=path: load(path)).code == "D275"  # type: ignore[misc]


@pytest.mark.parametrize("value", [["a", "b"], {"a": 1}])
def test_several_labels_for_a_text_are_refused(value: object, tmp_path: Path) -> None:
    path = json_table(tmp_path / "a.jsonl", lambda i, y: value if i == 3 else y)
    problem = refused(lambda: load(path))
    assert (problem.code, "row 4" in problem.message) == ("D275", True)


def test_one_class_alone(tmp_path: Path) -> None:
    path = csv_table(tmp_path / "a.csv", lambda i, y: 1)
    assert refused(lambda: load(path)).code == "D213"
    assert refused(lambda: load(path, labels={"0": "bad", "1": "good"})).code == "D213"


def test_a_class_that_only_the_recipe_knows(tmp_path: Path) -> None:
    data = load(csv_table(tmp_path / "a.csv", lambda i, y: y), labels={"0": "bad", "1": "good", "2": "fine"})
    assert (data.classes, told(data)) == (3, ["D278"])
    assert "`2`" in data.warnings[0].message
