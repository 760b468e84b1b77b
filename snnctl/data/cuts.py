"""The three splits of all data, and seeded, stratified cuts where the makers of a set have not made them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Lt

from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.seeds import stream_seed
from snnctl.core.signature import KnobGroup
from snnctl.data.cache import sha256_of
from snnctl.data.problems import data_error

SPLIT_NAMES: tuple[SplitName, ...] = ("train", "val", "test")
_SPELLINGS: dict[SplitName, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("dev", "val", "valid", "validation"),
    "test": ("test", "testing"),
}
SPLIT_WORDS = {word: name for name, words in _SPELLINGS.items() for word in words}
Indices = npt.NDArray[np.int64]
Rows = TypeVar("Rows")
Splits = Mapping[str, tuple[str, Indices]]  # split -> (part of the source, which of its items)
STREAMS = {"test": 0, "val": 1}  # of the seed, for draws
Share = Annotated[float, Gt(0.0), Lt(1.0)] | Annotated[int, Ge(1)]  # of the items, or how many


@dataclass(frozen=True)
class Cutting(KnobGroup):
    """How splits that a source does not have are drawn.

    Args:
        val: share of train, or how many items of it, that validate where the source has no part for that.
        test: share of the whole set, or how many items, that test where the source is not cut.
        split_seed: of those draws; the run's own seed does not touch them.
    """

    val: Share = 0.1
    test: Share = 0.2
    split_seed: Annotated[int, Ge(0)] = 0


def draw_share(labels: Any, wanted: Share, seed: int, stream: int) -> tuple[Indices, Indices]:
    """Indices (kept, drawn) of items with classes `labels` [N]; every class gives the same share, as far as it goes.

    Args:
        wanted: a share of the items, or how many.
        seed, stream: the draw is a pure function of them.
    """
    total = len(labels)
    count = wanted if isinstance(wanted, int) else round(total * wanted)
    random = np.random.default_rng(stream_seed(seed, "split", stream))
    shuffled = random.permutation(total)
    # A class's items in turn get ranks 0, 1, ... spread evenly over 0..1: the lowest of all ranks are drawn.
    rank = np.empty(total)
    for label in np.unique(labels):
        own = shuffled[labels[shuffled] == label]
        rank[own] = (np.arange(len(own)) + random.random()) / len(own)
    chosen = np.argsort(rank, kind="stable")[:count]
    drawn = np.zeros(total, bool)
    drawn[chosen] = True
    return np.flatnonzero(~drawn), np.flatnonzero(drawn)


def cut_parts(
    parts: Mapping[str, Rows], take: Callable[[str, Rows, str], tuple[Rows, Rows]]
) -> dict[str, tuple[str, Rows]]:
    """Split -> (part, what of it), from the parts that the set's makers cut.

    - train, val, test: as they are; - train, test: val is taken from train; - train, val (its test has no classes):
    val is the test, and validation is taken from train; - one part: test is taken from it, then val from the rest.

    Args:
        parts: one alone, or train and test or val.
        take: (part, what of it, "test" or "val") -> (what is kept, what is taken).
    """
    if len(parts) == 1:
        ((whole, rows),) = parts.items()
        rest, tested = take(whole, rows, "test")
        kept, taken = take(whole, rest, "val")
        return {"train": (whole, kept), "val": (whole, taken), "test": (whole, tested)}
    if {"val", "test"} <= set(parts):
        return {name: (name, parts[name]) for name in SPLIT_NAMES}
    final = "test" if "test" in parts else "val"
    kept, taken = take("train", parts["train"], "val")
    return {"train": ("train", kept), "val": ("train", taken), "test": (final, parts[final])}


def cut_classes(labels: Mapping[str, Any], by: Cutting, file: str = "") -> Splits:
    """The splits of parts with classes `labels` [N]: what is missing is drawn, alike from every class.

    Raises:
        DiagnosticError: R320, a split would be empty.
    """
    if len(labels) > 1 and not ("train" in labels and {"val", "test"} & set(labels)):
        raise data_error("D222", f"it has the parts {', '.join(labels)} and none to train on", file=file)

    def take(part: str, rows: Indices, name: str) -> tuple[Indices, Indices]:
        kept, drawn = draw_share(
            labels[part][rows], by.test if name == "test" else by.val, by.split_seed, STREAMS[name]
        )
        return rows[kept], rows[drawn]

    found = cut_parts({part: np.arange(len(classes)) for part, classes in labels.items()}, take)
    refuse_empty({name: len(indices) for name, (_, indices) in found.items()}, file)
    return found


def one_class(name: str, file: Path | str) -> DiagnosticError:
    """D213: there is nothing to tell apart."""
    return data_error("D213", f"all items of train have the class `{name}`", file=file)


def refuse_empty(sizes: Mapping[str, int], file: str, more: str = "") -> None:
    """Every split holds something.

    Args:
        sizes: split -> items.
        more: what else helps.

    Raises:
        DiagnosticError: R320, one does not.
    """
    for name, size in sizes.items():
        if not size:
            knob = "test" if name == "test" else "val"
            message = f"the {name} split is empty ({', '.join(f'{name} {size:,}' for name, size in sizes.items())})"
            raise data_error("R320", message, file=file, path=f"data.{knob}", help=f"change `data.{knob}`{more}")


def cut_fingerprint(facts: tuple[object, ...], cut: Splits) -> str:
    """SHA-256 hex over what a set is and which of its items are in which split."""
    return sha256_of(facts, (part.encode() + rows.tobytes() for part, rows in (cut[name] for name in SPLIT_NAMES)))


def class_counts(labels: Mapping[str, Any], cut: Splits, classes: int) -> dict[str, dict[str, Any]]:
    """Items of each split, in all and of each class, for `snnctl data info`.

    Args:
        labels: part -> [N] classes.
    """
    own = {name: labels[part][indices] for name in SPLIT_NAMES for part, indices in (cut[name],)}
    return {
        name: {"items": len(found), "per_class": np.bincount(found, minlength=classes).tolist()}
        for name, found in own.items()
    }
