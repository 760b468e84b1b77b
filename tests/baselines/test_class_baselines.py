"""Reference classifiers: scikit-learn's optimum, choices on validation alone, reasons for what is left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from label_fakes import Items, Labelled, labelled, run
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from snnctl.baselines.logistic import fit_logistic


@pytest.mark.parametrize("penalty", [0.1, 1e-3])
def test_logistic_regression_equals_scikit_learn(penalty: float) -> None:
    data = labelled()
    x = data.parts["train"].inputs.double().flatten(1)
    y = data.parts["train"].targets
    model = fit_logistic((x, y), (x, y), 3, penalties=[penalty])
    z = StandardScaler().fit_transform(x.numpy())
    oracle = LogisticRegression(C=1 / (len(y) * penalty), tol=1e-10, max_iter=10_000).fit(z, y.numpy())
    np.testing.assert_allclose(model.weight.numpy(), oracle.coef_, atol=1e-5)
    found = model.scores(x).softmax(1).numpy()
    np.testing.assert_allclose(found, oracle.predict_proba(z), atol=1e-5)


def test_the_penalty_is_chosen_on_validation() -> None:
    data = labelled(pull=0.0)  # nothing to learn: the strongest penalty is the best
    parts = [(part.inputs.double().flatten(1), part.targets) for part in (data.parts["train"], data.parts["val"])]
    assert fit_logistic(parts[0], parts[1], 3).penalty == 1.0
    data = labelled(pull=4.0)
    parts = [(part.inputs.double().flatten(1), part.targets) for part in (data.parts["train"], data.parts["val"])]
    assert fit_logistic(parts[0], parts[1], 3).penalty < 0.1


def test_constant_features_say_nothing() -> None:
    x = torch.full((6, 2), 0.1, dtype=torch.float64)
    x[:, 1] += torch.tensor([0, 1, 0, 1, 0, 1]) * 1e-17  # rounding
    y = torch.tensor([0, 1, 0, 1, 0, 1])
    model = fit_logistic((x, y), (x, y), 2)
    assert not model.weight.any()
    other = torch.tensor([[5.0, -5.0]], dtype=torch.float64)
    assert torch.equal(model.scores(other), model.scores(x[:1]))


def test_majority_takes_the_first_of_equals() -> None:
    train = Items(torch.zeros(5, 1, 1), torch.tensor([2, 1, 1, 2, 0]))
    test = Items(torch.zeros(4, 1, 1), torch.tensor([1, 1, 2, 0]))
    data = Labelled(3, {"train": train, "val": test, "test": test})
    assert run(["majority"], data, ["accuracy"]).scores == {"majority": {"accuracy": 0.5}}


def test_all_of_them_and_in_order() -> None:
    told: list[tuple[str, float]] = []
    data = labelled(pull=4.0)
    report = run(
        ["linear_pooled", "linear", "majority"],
        data,
        ["accuracy", "macro_f1"],
        batch_size=7,
        progress=lambda name, share: told.append((name, share)),
    )
    assert list(report.scores) == ["linear_pooled", "linear", "majority"]
    assert report.omitted == {}
    assert set(report.chosen) == {"linear", "linear_pooled"}
    assert report.scores["linear"]["accuracy"] > 0.9 > report.scores["majority"]["accuracy"]
    assert list(dict.fromkeys(name for name, _ in told)) == list(report.scores)
    assert all(0 < share <= 1 for _, share in told)
    assert told[-3:] == [(name, 1.0) for name in report.scores]


def test_the_split_that_is_scored_chooses_nothing() -> None:
    data = labelled()
    before = run(["linear"], data, ["accuracy"], split="val")
    data.parts["test"] = Items(data.parts["test"].inputs + 100, data.parts["test"].targets)
    assert run(["linear"], data, ["accuracy"], split="val") == before


def test_what_does_not_apply_says_why() -> None:
    flat = labelled(shape=(4,))
    assert run(["linear_pooled"], flat, ["accuracy"]).omitted == {
        "linear_pooled": "the inputs have no axis of positions to pool over"
    }
    words = labelled()
    words.parts = {n: Items(p.inputs.long(), p.targets) for n, p in words.parts.items()}
    assert run(["linear"], words, ["accuracy"]).omitted == {"linear": "it needs real inputs, these are int64"}
    data = labelled()
    data.parts["val"] = Items(torch.empty(0, 4, 2), torch.empty(0, dtype=torch.int64))
    report = run(["majority", "linear"], data, ["accuracy"])
    assert (list(report.scores), list(report.omitted)) == (["majority"], ["linear"])


def test_no_random_number_is_drawn_and_no_gradient_needed() -> None:
    state = torch.get_rng_state()
    with torch.no_grad():
        run(["linear"], labelled(), ["accuracy"])
    assert torch.equal(torch.get_rng_state(), state)
