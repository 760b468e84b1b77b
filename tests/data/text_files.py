"""Tiny texts in the layouts in which the published sets are passed on; the sentences are made up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

GOOD = ("a warm and funny film", "what a fine cast", "it is a joy to watch", "clever , brisk and moving", "i loved it")
BAD = ("a dull and lifeless film", "what a waste of time", "it is a chore to watch", "clumsy , slow and cold", "i left")
Rows = Sequence[tuple[str, int]]


def rows(count: int, start: int = 0) -> list[tuple[str, int]]:
    """`count` different sentences with classes 0 and 1 in turn."""
    made = []
    for i in range(start, start + count):
        label = i % 2
        made.append((f"{(BAD, GOOD)[label][i // 2 % 5]} number{i}", label))
    return made


def mr(folder: Path, per_class: int = 30) -> Path:
    """rt-polarity.pos and .neg: a sentence a line, Latin-1, an end of line of Latin-1 inside a sentence."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, words in (("pos", GOOD), ("neg", BAD)):
        lines = [f"{words[i % 5]} number{i} caf\xe9 x\x85y " for i in range(per_class)]
        (folder / f"rt-polarity.{name}").write_bytes("\n".join(lines).encode("latin-1") + b"\n")
    (folder / "SOURCE.md").write_text("# where it is from\n")
    return folder


def sst2(folder: Path, sizes: tuple[int, int, int] = (20, 8, 10)) -> Path:
    """train, dev and test.tsv: sentence TAB label, no header, quotes that are text, no end of the last line."""
    folder.mkdir(parents=True, exist_ok=True)
    start = 0
    for name, count in zip(("train", "dev", "test"), sizes, strict=True):
        lines = [f'{text} "\t{label}' for text, label in rows(count, start)]
        (folder / f"{name}.tsv").write_bytes("\n".join(lines).encode())
        start += count
    return folder


def chnsenti(folder: Path, count: int = 40) -> Path:
    """label,review with a byte-order mark, quotes and line breaks inside fields, and an empty review."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ChnSentiCorp_htl_all.csv"
    lines = ["label,review"]
    for i in range(count):
        lines.append(f'{i % 2},"房间{"很好" if i % 2 else "太差"},""{i}"" 号\n下次"')
    lines.append("1,")
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode() + b"\n")
    return path


def sst5(folder: Path) -> Path:
    """stsa.fine.train, .dev and .test: label, blank, sentence."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in (("train", 25), ("dev", 10), ("test", 10)):
        lines = [f"{i % 5} a sentence called {name}{i} ." for i in range(count)]
        (folder / f"stsa.fine.{name}").write_text("\n".join(lines) + "\n")
    return folder


def imdb(folder: Path) -> Path:
    """train and test, a folder per class, a file per text."""
    for split, count in (("train", 12), ("test", 4)):
        for name, words in (("pos", GOOD), ("neg", BAD)):
            inner = folder / split / name
            inner.mkdir(parents=True)
            for i in range(count):
                (inner / f"{i}_7.txt").write_text(f"{words[i % 5]} {split}{i}\nand a second line")
    return folder


def json_lines(path: Path, content: Rows) -> Path:
    """text, label and label_text, as SetFit keeps them."""
    names = ("negative", "positive")
    lines = [json.dumps({"text": text, "label": label, "label_text": names[label]}) for text, label in content]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
