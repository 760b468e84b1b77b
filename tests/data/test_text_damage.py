"""Files of texts that are packed, damaged, hostile or written otherwise than they say: read right, or exit 3."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.texts.component import Text
from snnctl.data.texts.dataset import TextData
from snnctl.data.texts.parts import WHOLE, Texts
from snnctl.data.texts.readers import plain
from snnctl.data.texts.readers.files import TextOptions, read_place, read_table
from snnctl.data.texts.tokenizers import Word

PLAIN = TextOptions()
ROWS = [(f"{'good' if i % 2 else 'bad'} film number {i}", str(i % 2)) for i in range(60)]
CSV = "text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS)
LINES = "".join(json.dumps({"text": text, "label": int(label)}) + "\n" for text, label in ROWS)
WANTED = Texts(tuple(text for text, _ in ROWS), tuple(label for _, label in ROWS))
PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def put(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(make: Callable[[], object]) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        make()
    assert caught.value.exit_code == 3
    return caught.value.diagnostics[0]


def load(source: Path, **knobs: object) -> TextData:
    pytest.importorskip("tokenizers")
    return Text(source=str(source), tokenizer=Word(min_count=1), **knobs).load()  # type: ignore[arg-type]


# Encodings.


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("named", ["utf-8", "latin-1"])
def test_a_mark_says_the_encoding(encoding: str, named: str, tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", CSV.replace("good", "gut für uns").encode(encoding))
    assert read_table(path, TextOptions(encoding=named)).texts[1] == "gut für uns film number 1"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le", "gb18030", "cp1252"])
def test_an_encoding_that_is_named(encoding: str, tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", CSV.replace("good", "gut für uns").encode(encoding))
    assert read_table(path, TextOptions(encoding=encoding)).texts[1] == "gut für uns film number 1"
    problem = refused(lambda: read_table(path, PLAIN))
    assert (problem.code, problem.path, "`data.encoding`" in problem.help) == ("D103", "data.encoding", True)


@pytest.mark.parametrize("encoding", ["hex", "rot13", "undefined", "a\0b", "x" * 1000])
def test_what_is_no_encoding(encoding: str, tmp_path: Path) -> None:
    assert refused(lambda: read_table(put(tmp_path / "a.csv", CSV), TextOptions(encoding=encoding))).code == "D103"


def test_characters_without_meaning(tmp_path: Path) -> None:
    problem = refused(lambda: read_table(put(tmp_path / "a.csv", CSV + "x\0y,1\n"), PLAIN))
    assert (problem.code, problem.line, problem.help) == ("D103", 62, "")


def test_utf_8_that_is_read_as_latin_1_is_told(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", CSV.replace("good", "gut für uns"))
    data = load(path, encoding="latin-1")
    assert [(warning.code, warning.path) for warning in data.warnings] == [("D279", "data.encoding")]
    path.write_bytes(CSV.replace("good", "gut für uns").encode("latin-1"))
    assert load(path, encoding="latin-1").warnings == ()


def test_half_a_character_is_replaced_and_counted(tmp_path: Path) -> None:
    data = load(put(tmp_path / "a.jsonl", LINES.replace("number 7", "\\ud83d")))
    assert [warning.code for warning in data.warnings] == ["D279"]
    assert data.warnings[0].message.startswith("1 texts hold half a character")
    assert "good film \ufffd" in {text for part in data.splits.values() for text in part.texts}


# Packed files.


@pytest.mark.parametrize("suffix", PACKERS)
def test_packed_tables(suffix: str, tmp_path: Path) -> None:
    for name, content in (("a.csv", CSV), ("b.jsonl", LINES)):
        path = put(tmp_path / f"{name}{suffix}", PACKERS[suffix](content.encode()))
        assert read_place(path, PLAIN)[WHOLE] == WANTED
        path.unlink()
    for name in ("train", "test"):
        put(tmp_path / f"{name}.csv{suffix}", PACKERS[suffix](CSV.encode()))
    assert {name: len(part) for name, part in read_place(tmp_path, PLAIN).items()} == {"test": 60, "train": 60}


@pytest.mark.parametrize("suffix", PACKERS)
def test_damaged_packed_tables(suffix: str, tmp_path: Path) -> None:
    packed = PACKERS[suffix](CSV.encode())
    middle = len(packed) // 2
    damaged = (packed[:middle], packed[:middle] + b"\0" * 9 + packed[middle + 9 :], packed[:12], CSV.encode())
    for content in damaged:
        problem = refused(lambda content=content: read_table(put(tmp_path / f"a.csv{suffix}", content), PLAIN))  # type: ignore[misc]
        assert problem.code == "D104"


def test_what_unpacks_without_end_is_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "_SURELY_FINE", 1 << 20)
    path = put(tmp_path / "a.csv.gz", gzip.compress(b"a" * (32 << 20)))
    tracemalloc.start()
    try:
        problem = refused(lambda: read_table(path, PLAIN))
        assert tracemalloc.get_traced_memory()[1] < 12 << 20  # 200 times 33 KiB, in pieces
    finally:
        tracemalloc.stop()
    assert problem.code == "D104"
    assert "unpacks to over 200 times its size" in problem.message


def archive(kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w") as file:
            file.writestr("../a.csv", CSV)
    else:
        with tarfile.open(fileobj=stream, mode="w") as file:
            link = tarfile.TarInfo("a.csv")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            file.addfile(link)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.zip", archive("zip"), "zip archive"),
        ("a.csv", archive("zip"), "zip archive"),
        ("a.tar", archive("tar"), "tar archive"),
        ("a.tar.gz", gzip.compress(archive("tar")), "tar archive"),
        ("a.csv", gzip.compress(CSV.encode()), "packed by gzip"),
        ("a.csv.gz", gzip.compress(gzip.compress(CSV.encode())), "packed by gzip"),
        ("a.txt", b"%PDF-1.7 ...", "PDF"),
    ],
    ids=["zip", "zip as csv", "tar", "packed tar", "packed csv", "packed twice", "pdf"],  # bytes of gzip hold the time
)
def test_archives_are_named(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    problem = refused(lambda: read_table(put(tmp_path / name, content), PLAIN))
    assert (problem.code, words in problem.message, bool(problem.help)) == ("D105", True, True)


# Tables.


def test_json_that_no_parser_likes(tmp_path: Path) -> None:
    for content, reason in (
        ("[" * 100_000, "nested too deeply"),
        ('[{"text":' * 50_000, "nested too deeply"),
        ('{"text": "a", "label": ' + "9" * 5000 + "}", "thousands of digits"),
        ('{"text": "a", "lab', "Unterminated string"),
    ):
        problem = refused(lambda content=content: read_table(put(tmp_path / "a.jsonl", LINES + "\n" + content), PLAIN))  # type: ignore[misc]
        assert (problem.code, problem.line, reason in problem.message) == ("D104", 62, True)
        assert refused(lambda content=content: read_table(put(tmp_path / "a.json", content), PLAIN)).code == "D104"  # type: ignore[misc]
    assert read_table(put(tmp_path / "a.json", LINES), PLAIN) == WANTED  # JSON lines by another name


def test_a_text_that_is_no_text(tmp_path: Path) -> None:
    problem = refused(lambda: read_table(put(tmp_path / "a.jsonl", LINES.replace('"bad film number 4"', "[1]")), PLAIN))
    assert (problem.code, "row 5 is a list" in problem.message) == ("D210", True)


@pytest.mark.parametrize("row", ['"open,1\nmore,0\n', 'x,"1\nmore,0\n', 'x,"'])
def test_a_quote_that_is_never_closed(row: str, tmp_path: Path) -> None:
    problem = refused(lambda: read_table(put(tmp_path / "a.csv", CSV + row), PLAIN))
    assert (problem.code, problem.line, "row 62" in problem.message) == ("D104", 62, True)


def test_long_texts_are_no_trouble(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    part = read_table(put(tmp_path / "a.csv", f'text,label\n"{"word " * 40_000}",1\nx,0\n'), PLAIN)
    assert (len(part.texts[0]), part.labels) == (200_000, ("1", "0"))
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_marks_between_columns(mark: str, tmp_path: Path) -> None:
    assert read_table(put(tmp_path / "a.csv", CSV.replace(",", mark)), PLAIN) == WANTED
    assert read_table(put(tmp_path / "a.csv", CSV.replace(",", mark).partition("\n")[2]), PLAIN) == WANTED


def test_lines_with_a_tab_before_the_label(tmp_path: Path) -> None:
    """As the labelled sentences of UCI: the first words are no labels."""
    part = read_table(put(tmp_path / "amazon.txt", "".join(f"{text}. \t{label}\n" for text, label in ROWS)), PLAIN)
    assert (part.texts[1], part.labels) == ("good film number 1. ", WANTED.labels)
    part = read_table(put(tmp_path / "b.txt", "".join(f"{label}\t{text}\n" for text, label in ROWS)), PLAIN)
    assert part == WANTED


def test_prose_has_no_labels(tmp_path: Path) -> None:
    words = ["the", "a", "it", "we", "there", "once", "still", "many", "few", "some"]
    lines = [f"{words[i % 10] if i % 3 else f'Word{i}'} film and so on" for i in range(60)]
    assert refused(lambda: read_table(put(tmp_path / "a.txt", "\n".join(lines)), PLAIN)).code == "D105"


@pytest.mark.parametrize(("first", "labels"), [("headline,stars", "01"), ("headline,mood", ("sad", "merry"))])
def test_unusual_names_are_no_text(first: str, labels: str, tmp_path: Path) -> None:
    rows = "".join(f"{text},{labels[int(label)]}\n" for text, label in ROWS)
    path = put(tmp_path / "a.csv", f"{first}\n{rows}")
    problem = refused(lambda: read_table(path, PLAIN))
    assert (problem.code, problem.path) == ("D211", "data.header")
    assert len(read_table(path, TextOptions(header=False))) == 61
    assert read_table(path, TextOptions(*first.split(","))).texts == WANTED.texts


def test_names_that_were_not_taken_for_names_are_shown(tmp_path: Path) -> None:
    path = put(tmp_path / "spam.csv", "v1,v2,,\n" + "".join(f"{label},{text},,\n" for text, label in ROWS))
    problem = refused(lambda: read_table(path, PLAIN))
    assert (problem.code, "`v1`, `v2`" in problem.help) == ("D210", True)
    assert read_table(path, TextOptions("v2", "v1")) == WANTED


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "text,label,label\n" + "".join(f"{text},{label},x\n" for text, label in ROWS))
    assert refused(lambda: read_table(path, PLAIN)).code == "D211"


# Parquet.


def parquet(path: Path, texts: object, labels: object) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": texts, "label": labels}), path)
    return path


def test_bytes_of_parquet_are_text(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", [text.encode() for text, _ in ROWS], [label.encode() for _, label in ROWS])
    assert read_table(path, PLAIN) == WANTED
    path = parquet(tmp_path / "a.parquet", [b"caf\xe9", b"b"], [0, 1])
    assert refused(lambda: read_table(path, PLAIN)).code == "D103"
    assert read_table(path, TextOptions(encoding="latin-1")).texts == ("café", "b")


def test_a_dictionary_of_parquet(tmp_path: Path) -> None:
    import pyarrow as pa

    texts = pa.array(WANTED.texts).dictionary_encode()
    assert read_table(parquet(tmp_path / "a.parquet", texts, list(WANTED.labels)), PLAIN) == WANTED
    endless = pa.DictionaryArray.from_arrays(pa.array([0] * 4000), pa.array(["a" * 1_000_000]))
    problem = refused(lambda: read_table(parquet(tmp_path / "b.parquet", endless, [0, 1] * 2000), PLAIN))
    assert (problem.code, "unpacks to over" in problem.message) == ("D104", True)


def test_damaged_parquet(tmp_path: Path) -> None:
    sound = parquet(tmp_path / "a.parquet", list(WANTED.texts), list(WANTED.labels)).read_bytes()
    for content in (
        sound[:-8] + b"\xff\xff\xff\x7fPAR1",
        sound[: len(sound) // 2] + sound[-8:],
        sound[:40] + b"\xff" * 200 + sound[240:],
        b"PAR1",
        CSV.encode(),
    ):
        assert refused(lambda content=content: read_table(put(tmp_path / "a.parquet", content), PLAIN)).code == "D104"  # type: ignore[misc]


def test_no_label_in_a_set_with_named_classes(tmp_path: Path) -> None:
    """`datasets` writes -1 where a split has no labels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    facts = {"info": {"features": {"label": {"names": ["bad", "good"]}}}}
    table = pa.table({"text": ["a", "b", "c"], "label": [0, 1, -1]})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(facts)}), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet", PLAIN).labels == ("bad", "good", "")


# Folders.


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    put(tmp_path / "a.csv", CSV)
    (tmp_path / "gone").symlink_to(tmp_path / "absent")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "around").symlink_to(tmp_path)
    assert sum(len(part) for part in load(tmp_path).splits.values()) == 60
    assert refused(lambda: load(tmp_path / "loop")).code == "D101"
