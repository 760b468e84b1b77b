"""The tf-idf baseline is scikit-learn's: features, values, optimum; padding and order of batches say nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from label_fakes import Items, labelled, run
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from snnctl.baselines.tfidf import TfIdf, fit_tfidf
from snnctl.core.shapes import SignalSpec

V = 12


def texts(count: int, seed: int, longest: int = 9) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, V, (count, longest), generator=generator)
    lengths = torch.randint(1, longest + 1, (count, 1), generator=generator)
    return ids * (torch.arange(longest) < lengths)


def oracle() -> TfidfVectorizer:
    return TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+", lowercase=False)


def spelled(ids: torch.Tensor) -> list[str]:
    return [" ".join(f"w{i}" for i in row if i) for row in ids.tolist()]


def dense(model: TfIdf, ids: torch.Tensor) -> np.ndarray:
    bags = model.bags(ids)
    out = torch.zeros(len(ids), model.features, dtype=torch.float64)
    out.index_put_((bags.rows, bags.features), bags.values, accumulate=True)
    return out.numpy()


def in_our_order(theirs: TfidfVectorizer, model: TfIdf) -> list[int]:
    names = []
    for key in model.keys.tolist():
        first, second = divmod(key, V)
        names.append(f"w{first}" + (f" w{second}" if second else ""))
    return [theirs.vocabulary_[name] for name in names]


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), count=st.integers(1, 20))
def test_features_equal_scikit_learn(seed: int, count: int) -> None:
    train, other = texts(count, seed), texts(6, seed + 1)
    theirs, model = oracle(), TfIdf(train, V)
    expected = theirs.fit_transform(spelled(train)).toarray()
    assert model.features == expected.shape[1]
    order = in_our_order(theirs, model)
    np.testing.assert_allclose(dense(model, train), expected[:, order], atol=1e-12)
    np.testing.assert_allclose(dense(model, other), theirs.transform(spelled(other)).toarray()[:, order], atol=1e-12)


@pytest.mark.parametrize("penalty", [1e-2, 1e-3])
def test_the_optimum_equals_scikit_learn(penalty: float) -> None:
    train, other = texts(120, 0), texts(30, 1)
    targets = (train == 3).sum(1).clamp_max(2)
    model = fit_tfidf((train, targets), (train, targets), V, 3, penalties=[penalty], tolerance=1e-14)
    theirs = oracle()
    features = theirs.fit_transform(spelled(train))
    expected = LogisticRegression(C=1 / (len(train) * penalty), tol=1e-10, max_iter=10_000).fit(
        features, targets.numpy()
    )
    found = model.scores(other).softmax(1).numpy()
    np.testing.assert_allclose(found, expected.predict_proba(theirs.transform(spelled(other))), atol=1e-5)


def test_padding_and_batches_change_no_score() -> None:
    train = texts(60, 0)
    targets = (train == 3).any(1).long()
    model = fit_tfidf((train, targets), (train, targets), V, 2)
    padded = fit_tfidf((F.pad(train, (0, 4)), targets), (train, targets), V, 2)
    whole = model.scores(train)
    torch.testing.assert_close(padded.scores(F.pad(train, (0, 9))), whole)
    torch.testing.assert_close(torch.cat([model.scores(row[None, : int((row != 0).sum())]) for row in train]), whole)
    nothing_known = torch.zeros(2, 3, dtype=torch.int64)
    torch.testing.assert_close(model.scores(nothing_known), model.bias.expand(2, 2))


def test_the_penalty_is_as_weak_as_validation_bears() -> None:
    train, val = texts(200, 0), texts(100, 1)
    clear = [(ids, (ids == 3).any(1).long()) for ids in (train, val)]
    noise = [(ids, torch.randint(2, (len(ids),), generator=torch.Generator().manual_seed(5))) for ids in (train, val)]
    assert fit_tfidf(clear[0], clear[1], V, 2).penalty < fit_tfidf(noise[0], noise[1], V, 2).penalty == 1e-3


class _Texts:
    classes = 2
    input_signal = SignalSpec(0, 9, V, kind="tokens", ragged=True)

    def __init__(self) -> None:
        self.parts = {}
        for i, (name, count) in enumerate((("train", 200), ("val", 80), ("test", 80))):
            ids = texts(count, i)
            self.parts[name] = Items(ids, (ids == 3).any(1).long())

    def split(self, name: str) -> Items:
        return self.parts[name]


def test_among_the_classifiers() -> None:
    report = run(["majority", "tfidf", "linear"], _Texts(), ["accuracy"], batch_size=33)
    assert report.scores["tfidf"]["accuracy"] > 0.9 > report.scores["majority"]["accuracy"]
    assert report.chosen["tfidf"].startswith("penalty")
    assert "linear" in report.omitted
    assert run(["tfidf"], labelled(), ["accuracy"]).omitted == {
        "tfidf": "it counts words, and the inputs are not tokens"
    }


def test_no_random_number_is_drawn_and_no_gradient_needed() -> None:
    state = torch.get_rng_state()
    with torch.no_grad():
        run(["tfidf"], _Texts(), ["accuracy"])
    assert torch.equal(torch.get_rng_state(), state)
