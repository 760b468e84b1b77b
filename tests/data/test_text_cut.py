"""Splits of texts: honest, stratified, repeatable; what stands on two sides is told."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.texts.parts import WHOLE, CutSpec, Texts, cut, sameness, shared_texts, without_shared

SPEC = CutSpec(val=0.1, test=0.2, folds=None, fold=0, seed=0)


def whole(count: int, classes: int = 2, repeats: int = 0) -> Texts:
    texts = [f"text {i}" for i in range(count)] + [f"Text  {i}" for i in range(repeats)]
    labels = [str(i % classes) for i in range(count)] + [str(i % classes) for i in range(repeats)]
    return Texts(tuple(texts), tuple(labels))


def keys(part: Texts) -> set[str]:
    return {sameness(text) for text in part.texts}


@given(count=st.integers(40, 120), classes=st.integers(2, 4), repeats=st.integers(0, 20), seed=st.integers(0, 5))
def test_own_splits_share_no_text_and_keep_the_shares_of_classes(
    count: int, classes: int, repeats: int, seed: int
) -> None:
    source = whole(count, classes, repeats)
    spec = CutSpec(0.1, 0.2, None, 0, seed)
    made, notes = cut({WHOLE: source}, spec, "here")
    assert sum(len(part) for part in made.values()) == count + repeats
    assert shared_texts(made) == []
    per_class = count / classes
    for name, share in (("test", 0.2), ("val", 0.1 * 0.8)):
        for label in map(str, range(classes)):
            texts = {sameness(t) for t, y in zip(made[name].texts, made[name].labels, strict=True) if y == label}
            assert abs(len(texts) - share * per_class) <= 1.5
    assert notes == [f"test is 0.2 of train (seed {seed})", f"val is 0.1 of train (seed {seed})"]
    again, _ = cut({WHOLE: source}, spec, "here")
    assert again == made


def test_another_seed_cuts_otherwise() -> None:
    source = {WHOLE: whole(60)}
    assert cut(source, SPEC, "")[0] != cut(source, CutSpec(0.1, 0.2, None, 0, 1), "")[0]


def test_splits_of_the_source_stay_and_val_comes_from_train() -> None:
    train, test = whole(50), Texts(("text 0", "new"), ("0", "1"))
    made, notes = cut({"train": train, "test": test}, SPEC, "here")
    assert made["test"] == test
    assert keys(made["train"]) | keys(made["val"]) == keys(train)
    assert not keys(made["train"]) & keys(made["val"])
    assert Counter(made["val"].labels) == {"0": 2, "1": 2}
    assert notes == ["val is 0.1 of train (seed 0)"]
    assert shared_texts(made) in (["1 of 2 test texts also stand in train"], ["1 of 2 test texts also stand in val"])


def test_val_does_not_depend_on_test() -> None:
    train = whole(50)
    one, _ = cut({"train": train, "test": whole(4)}, SPEC, "")
    other, _ = cut({"train": train, "test": Texts(("quite", "different"), ("0", "1"))}, SPEC, "")
    assert one["val"] == other["val"]


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_folds_take_turns(folds: int) -> None:
    source = {"train": whole(40, repeats=6), "val": Texts(("v",), ("0",)), "test": Texts(("t",), ("1",))}
    seen: Counter[str] = Counter()
    for fold in range(folds):
        made, notes = cut(source, CutSpec(0.1, 0.2, folds, fold, 0), "")
        seen.update(keys(made["test"]))
        assert shared_texts(made) == []
        assert notes[0] == f"test is fold {fold} of {folds} (seed 0)"
        per_class = Counter(made["test"].labels)
        assert abs(per_class["0"] - per_class["1"]) <= 4
    assert set(seen.values()) == {1}
    assert len(seen) == 42


def test_what_is_shared_is_told_and_can_be_removed() -> None:
    parts = {
        "train": Texts(("a", "b ", "C", "d"), ("0", "1", "0", "1")),
        "val": Texts(("B", "e", "f"), ("1", "0", "1")),
        "test": Texts(("c", "E", "g"), ("0", "0", "1")),
    }
    assert shared_texts(parts) == [
        "1 of 3 val texts also stand in train",
        "1 of 3 test texts also stand in train",
        "1 of 3 test texts also stand in val",
    ]
    cleaned = without_shared(parts)
    assert cleaned["test"] == parts["test"]
    assert (cleaned["val"].texts, cleaned["train"].texts) == (("B", "f"), ("a", "d"))
    assert shared_texts(cleaned) == []


def test_a_class_too_small_to_cut() -> None:
    source = Texts(("a", "b", "c", "d"), ("0", "0", "0", "rare"))
    with pytest.raises(DiagnosticError, match="class `rare` has 1 different texts") as caught:
        cut({WHOLE: source}, SPEC, "here")
    assert caught.value.diagnostics[0].code == "D214"
    with pytest.raises(DiagnosticError, match="no train split"):
        cut({"test": source}, SPEC, "here")
