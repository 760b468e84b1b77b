"""The order task: the same symbols in every sequence, classes that are their order, nothing shared by splits."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.backbones.spikformer import Spikformer
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import defaults
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.made.order import Order, OrderData, order_class, special_symbols
from snnctl.encoders.direct import Repeat
from snnctl.positions.cpg import CPG
from snnctl.readouts.linear import MeanLinear
from snnctl.tasks.classification import Classification


def whole(data: OrderData, name: Any = "train") -> Any:
    part = data.split(name)
    return part.batch(torch.arange(len(part)))


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    rule = draw(st.sampled_from(["first", "after"]))
    classes = draw(st.integers(2, 4))
    symbols = special_symbols(rule, classes) + draw(st.integers(1, 3))
    sizes = {name: draw(st.integers(1, 7)) for name in SPLIT_NAMES}
    length = symbols + draw(st.integers(4, 8))
    return {"rule": rule, "classes": classes, "symbols": symbols, "length": length, "seed": draw(st.integers(0, 9))} | (
        sizes
    )


@settings(max_examples=40, deadline=None)
@given(knobs=orders())
def test_every_sequence_holds_the_same_symbols(knobs: dict[str, Any]) -> None:
    data = Order(**knobs).load()
    counts = None
    rows = []
    for name in SPLIT_NAMES:
        batch = whole(data, name)
        assert batch.inputs.shape == (knobs[name], knobs["length"], knobs["symbols"])
        assert (batch.inputs.dtype, batch.targets.dtype, batch.observed) == (torch.float32, torch.int64, None)
        assert torch.equal(batch.inputs.sum(2), torch.ones(knobs[name], knobs["length"]))  # one symbol a place
        counts = batch.inputs.sum(1)[:1] if counts is None else counts
        assert torch.equal(batch.inputs.sum(1), counts.expand(knobs[name], -1))
        tokens = data.split(name).tokens.numpy()
        np.testing.assert_array_equal(order_class(tokens, knobs["classes"], knobs["rule"]), batch.targets)
        spread = torch.bincount(batch.targets, minlength=knobs["classes"])
        assert spread.max() - spread.min() <= 1
        rows += [row.tobytes() for row in tokens]
    assert len(set(rows)) == len(rows)
    assert counts is not None
    assert counts.min() >= 1  # no channel is empty
    assert counts[0, : special_symbols(knobs["rule"], knobs["classes"])].eq(1).all()
    fillers = counts[0, special_symbols(knobs["rule"], knobs["classes"]) :]
    assert fillers.max() - fillers.min() <= 1


def test_the_rules_by_hand() -> None:
    #                    0  1  2  3  4
    tokens = np.array([[3, 1, 2, 3, 0], [0, 3, 1, 3, 2], [2, 1, 0, 3, 3]])
    assert order_class(tokens, 2, "first").tolist() == [1, 0, 1]
    # the cue is 2: after it come 3 0 3 1, then (from the start again) 0 3 1 3, then 1 0 3 3
    assert order_class(tokens, 2, "after").tolist() == [0, 0, 1]


def test_drawing_favours_no_sequence() -> None:
    data = Order(length=5, symbols=3, train=5, val=2, test=3, seed=0).load()  # half of the 20 that there are
    for seed in range(50):
        drawn = Order(length=5, symbols=3, train=5, val=2, test=3, seed=seed).load()
        assert len(whole(drawn).targets) == 5
    counts: dict[bytes, int] = {}
    for seed in range(2000):
        drawn = OrderData("first", 5, 3, 2, {"train": 2, "val": 1, "test": 1}, seed, 0.0)
        for row in drawn.split("train").tokens.numpy():
            counts[row.tobytes()] = counts.get(row.tobytes(), 0) + 1
    assert len(counts) == 20
    assert data.fingerprint
    # 4000 draws over 20 sequences: 200 each, standard deviation below 14
    assert max(abs(count - 200) for count in counts.values()) < 5 * 14


@pytest.mark.parametrize("classes", [2, 3])
def test_single_places_say_nothing_of_what_follows_a_cue(classes: int) -> None:
    """The best linear map of the flattened input is constant: classes are equally likely given any one place."""
    special = classes + 1
    every = np.array(sorted(set(permutations([*range(special), *[special] * 3]))))
    found = order_class(every, classes, "after")
    for place in range(every.shape[1]):
        for symbol in range(special + 1):
            counts = np.bincount(found[every[:, place] == symbol], minlength=classes)
            assert len(set(counts.tolist())) == 1


def test_baselines() -> None:
    first = Classification(Order(train=600, val=200, test=200).load()).run_baselines()
    assert first.scores["linear"]["accuracy"] > 0.9
    assert first.scores["linear_pooled"]["accuracy"] == first.scores["majority"]["accuracy"] == 0.5
    after = Classification(Order(rule="after", train=600, val=200, test=200).load()).run_baselines()
    assert abs(after.scores["linear"]["accuracy"] - 0.5) < 0.15
    assert after.scores["linear_pooled"]["accuracy"] == 0.5


@pytest.mark.parametrize("rule", ["first", "after"])
def test_an_order_blind_network_gives_one_answer(rule: Any) -> None:
    """Without a position all sequences get the same scores, so the accuracy is 1 / K whatever the weights."""
    data = Order(rule=rule, classes=2, train=40, val=2, test=2).load()

    def scores(position: Any) -> torch.Tensor:
        torch.manual_seed(0)
        encoder = Repeat(data.input_signal, neuron="if")
        sizes: Any = {"dim": 16, "depth": 2, "heads": 2, "embed_norm": True, "norm_gain": 2.0, "attention_scale": 1.0}
        backbone = Spikformer(encoder.output, position=position, **sizes)
        readout = MeanLinear(backbone.output, 2, data.input_signal)
        network = torch.nn.Sequential(encoder, backbone).double()
        x = whole(data).inputs.double()
        network(x)  # running statistics of BatchNorm
        with torch.no_grad():
            found: torch.Tensor = readout.double()(network.eval()(x), x)
        return found

    blind = scores("none")
    assert (blind - blind[0]).abs().max() < 1e-9
    assert float((blind.argmax(1) == whole(data).targets).double().mean()) == 0.5
    seeing = scores(lambda signal: CPG(signal, neurons=20))
    assert (seeing - seeing[0]).abs().max() > 1e-3


def test_it_is_drawn_from_its_own_seed_alone() -> None:
    knobs: Any = {"train": 30, "val": 10, "test": 10, "noise": 0.5}
    np.random.seed(1)  # noqa: NPY002  # what global state there is must not matter
    one = Order(**knobs).load()
    np.random.seed(2)  # noqa: NPY002
    two = Order(**knobs).load()
    assert two.split("test") is two.split("test")
    for name in ("test", "train", "val"):  # asked for in another order
        assert torch.equal(whole(two, name).inputs, whole(one, name).inputs)
    assert one.fingerprint == two.fingerprint
    changes: list[dict[str, Any]] = [{"seed": 1}, {"noise": 0.4}, {"noise": 0.0}, {"rule": "after"}, {"length": 17}]
    assert len({one.fingerprint, *(Order(**{**knobs, **change}).load().fingerprint for change in changes)}) == 6


def test_the_first_sequences_stay_what_they_are() -> None:
    tokens = Order(length=6, symbols=3, train=4, val=2, test=2).load().split("train").tokens
    assert tokens.tolist() == TOKENS


TOKENS = [[2, 0, 2, 1, 2, 2], [2, 2, 1, 2, 2, 0], [2, 2, 0, 1, 2, 2], [2, 2, 1, 2, 0, 2]]


def test_noise_is_added_and_leaves_the_class_alone() -> None:
    clean, noisy = (Order(train=400, val=2, test=2, noise=noise).load() for noise in (0.0, 0.25))
    assert torch.equal(whole(noisy).targets, whole(clean).targets)
    added = whole(noisy).inputs - whole(clean).inputs
    assert added.std().item() == pytest.approx(0.25, rel=0.05)
    assert abs(added.mean().item()) < 0.01


def test_probe_draws_nothing() -> None:
    probe = Order(length=20, symbols=9).probe()
    assert probe.input_signal == SignalSpec(steps=0, length=20, features=9)
    assert (probe.classes, probe.leaks) == (2, ())
    assert "_splits" not in vars(probe)


def test_rules() -> None:
    base = defaults(Order)
    assert list(Order.rules(base)) == []

    def broken(**changes: Any) -> list[str]:
        return [knob for knob, _ in Order.rules({**base, **changes})]

    assert broken(symbols=3, length=100) == []
    assert broken(symbols=3, rule="after") == broken(classes=8) == ["symbols"]
    assert broken(length=7) == ["length"]
    assert broken(length=8, symbols=3) == ["length"]
    # 5 places for two marks: 20 sequences, of which 10 may be asked for
    assert broken(length=5, symbols=3, train=8, val=1, test=1) == []
    assert broken(length=5, symbols=3, train=8, val=1, test=2) == ["length"]
    with pytest.raises(ShapeError, match="there are 20 such sequences"):
        Order(length=5, symbols=3, train=8, val=1, test=2)


def test_describe() -> None:
    facts = Order(train=11, val=2, test=3).load().describe()
    assert facts["splits"]["train"] == {"items": 11, "per_class": [6, 5]}
    assert (facts["rule"], facts["leaks"], len(facts["fingerprint"])) == ("first", [], 64)
