"""Texts and labels side by side, and honest splits: seeded, stratified, repeated texts on one side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snnctl.core.seeds import stream_seed
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.problems import data_error

# A source is one part that nobody has cut yet, or has parts of its own.
WHOLE = "whole"


@dataclass(frozen=True)
class Texts:
    """Texts and labels side by side.

    Args:
        texts: as they stand in the source; an empty one counts as a text.
        labels: as they stand there, one each; "" where there is none.
        order: labels in the order of the classes, where the source says so.
        notes: how they were read, one line each.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    order: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: list[int]) -> Texts:
        """The items at `indices`."""
        return Texts(tuple(self.texts[i] for i in indices), tuple(self.labels[i] for i in indices), self.order)


Parts = Mapping[str, Texts]  # WHOLE alone, or some of train, val and test


def joined(parts: list[Texts]) -> Texts:
    """All items of `parts`, one part after the other."""
    return Texts(
        tuple(text for part in parts for text in part.texts),
        tuple(label for part in parts for label in part.labels),
        next((part.order for part in parts if part.order), ()),
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def sameness(text: str) -> str:
    """What two texts have in common if they are the same but for blanks and case."""
    return " ".join(text.split()).casefold()


@dataclass(frozen=True)
class CutSpec:
    """How parts that a source does not have are made.

    Args:
        val, test: shares of what they are taken from.
        folds: how many parts take turns as test; None keeps the source's splits.
        fold: whose turn it is, from 0.
        seed: of the choice.
    """

    val: float
    test: float
    folds: int | None
    fold: int
    seed: int


def cut(parts: Parts, spec: CutSpec, origin: str) -> tuple[dict[str, Texts], list[str]]:
    """train, val and test, and what was done to get them, one line each.

    Splits of the source are kept. A missing test is a share of train; a missing val is a share of what train is then.
    With folds all texts are put together first. Texts that are the same but for blanks and case stay together.

    Raises:
        DiagnosticError: D214 a class is too small to be cut, D105 there is nothing to train on.
    """
    notes: list[str] = []
    if spec.folds is not None:
        whole = joined([parts[name] for name in (WHOLE, *SPLIT_NAMES) if name in parts])
        dealt = _deal(whole, spec.folds, spec.seed)
        made = {
            "train": whole.take([i for i, fold in enumerate(dealt) if fold != spec.fold]),
            "test": whole.take([i for i, fold in enumerate(dealt) if fold == spec.fold]),
        }
        notes.append(f"test is fold {spec.fold} of {spec.folds} (seed {spec.seed})")
    else:
        made = {("train" if name == WHOLE else name): part for name, part in parts.items()}
    if not len(made.get("train", ())):
        raise data_error("D105", "there is no train split", file=origin)
    for name, share in (("test", spec.test), ("val", spec.val)):
        if name not in made:
            taken = _pick(made["train"], share, spec.seed, name, origin)
            train = made["train"]
            made[name] = train.take(sorted(taken))
            made["train"] = train.take([i for i in range(len(train)) if i not in taken])
            notes.append(f"{name} is {share:g} of train (seed {spec.seed})")
    return {name: made[name] for name in SPLIT_NAMES}, notes


def _groups(part: Texts) -> list[list[list[int]]]:
    """Per class, in order of first appearance: its different texts, each with the places where it stands."""
    places: dict[str, list[int]] = {}
    for i, text in enumerate(part.texts):
        places.setdefault(sameness(text), []).append(i)
    classes: dict[str, list[list[int]]] = {}
    for found in places.values():
        classes.setdefault(part.labels[found[0]], []).append(found)
    return [classes[label] for label in sorted(classes)]


def _pick(part: Texts, share: float, seed: int, name: str, origin: str) -> set[int]:
    """Places of about `share` of the texts of every class."""
    random = np.random.default_rng(stream_seed(seed, "split", SPLIT_NAMES.index(name)))
    picked: set[int] = set()
    for groups in _groups(part):
        count = max(1, round(share * len(groups)))
        if count >= len(groups):
            label = part.labels[groups[0][0]]
            message = f"class `{label}` has {len(groups)} different texts, too few to take a {name} split from"
            raise data_error("D214", message, file=origin, help="bring splits of your own: train, dev and test files")
        for i in random.permutation(len(groups))[:count]:
            picked.update(groups[i])
    return picked


def _deal(part: Texts, folds: int, seed: int) -> list[int]:
    """The fold of each text; folds get equal shares of every class."""
    random = np.random.default_rng(stream_seed(seed, "split", len(SPLIT_NAMES)))
    dealt, turn = [0] * len(part), 0
    for groups in _groups(part):
        for i in random.permutation(len(groups)):
            for place in groups[i]:
                dealt[place] = turn % folds
            turn += 1
    return dealt


def shared_texts(parts: dict[str, Texts]) -> list[str]:
    """Texts of one split that stand in another, too: one sentence for each pair of splits."""
    found = []
    for later, earlier in (("val", "train"), ("test", "train"), ("test", "val")):
        known = {sameness(text) for text in parts[earlier].texts}
        count = sum(sameness(text) in known for text in parts[later].texts)
        if count:
            found.append(f"{count:,} of {len(parts[later]):,} {later} texts also stand in {earlier}")
    return found


def without_shared(parts: dict[str, Texts]) -> dict[str, Texts]:
    """Val without the texts of test, train without those of either; test stays whole."""
    made = dict(parts)
    seen: set[str] = set()
    for name in reversed(SPLIT_NAMES):
        part = made[name]
        keys = [sameness(text) for text in part.texts]
        made[name] = part.take([i for i, key in enumerate(keys) if key not in seen])
        seen.update(keys)
    return made


def class_order(train: Texts, wanted: Sequence[str] | None, numbered: Sequence[str]) -> tuple[str, ...]:
    """Labels in the order of the classes: as the recipe says, as the source says, or sorted."""
    present = set(train.labels)
    if wanted is not None:
        return tuple(wanted)
    if train.order:
        return tuple(label for label in train.order if label in present)
    return tuple(numbered)
