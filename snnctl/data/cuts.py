"""The three splits of all data, and seeded, stratified cuts where the makers of a set have not made them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Lt

from snnctl.core.choices import SplitName
from snnctl.core.seeds import stream_seed
from snnctl.data.problems import data_error

SPLIT_NAMES: tuple[SplitName, ...] = ("train", "val", "test")
SPLIT_WORDS: dict[str, SplitName] = {
    "train": "train",
    "training": "train",
    "dev": "val",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


Indices = npt.NDArray[np.int64]
Splits = Mapping[str, tuple[str, Indices]]  # split -> (part of the source, which of its items)
Share = Annotated[float, Gt(0.0), Lt(1.0)] | Annotated[int, Ge(1)]  # of the items, or how many


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


def cut_parts(labels: Mapping[str, Any], val: Share, test: Share, seed: int, file: str = "") -> Splits:
    """Split -> (part, indices in it), from the parts that the set's makers cut.

    - train, val, test: as they are; - train, test: val is drawn from train; - train, val (its test has no classes):
    val is the test, and validation is drawn from train; - one part: test is drawn from it, then val from the rest.

    Raises:
        DiagnosticError: R320, a split would be empty.
    """
    every = {part: np.arange(len(found)) for part, found in labels.items()}
    if "train" in labels and ("val" in labels or "test" in labels):
        final = "test" if "test" in labels else "val"
        if "val" in labels and final == "test":
            found = {name: (name, every[name]) for name in ("train", "val", "test")}
        else:
            kept, drawn = draw_share(labels["train"], val, seed, 1)
            found = {"train": ("train", kept), "val": ("train", drawn), "test": (final, every[final])}
    elif len(labels) == 1:
        ((part, classes),) = labels.items()
        rest, tested = draw_share(classes, test, seed, 0)
        kept, drawn = draw_share(classes[rest], val, seed, 1)
        found = {"train": (part, rest[kept]), "val": (part, rest[drawn]), "test": (part, tested)}
    else:
        raise data_error("D222", f"it has the parts {', '.join(labels)} and none to train on", file=file)
    refuse_empty({name: len(indices) for name, (_, indices) in found.items()}, file)
    return found


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
    digest = hashlib.sha256(repr(facts).encode())
    for name in SPLIT_NAMES:
        part, indices = cut[name]
        digest.update(part.encode() + indices.tobytes())
    return digest.hexdigest()


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
