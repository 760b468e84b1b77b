"""Which keys of recipes differ, which of them need telling, and the names that come of it."""

from typing import Any

from snnctl.compare.recipes import (
    aligned,
    differing,
    flatten,
    followers,
    identity,
    names,
    short_keys,
    told,
    unexplained,
    within,
)


def lif(tau: Any = 2.0, **more: Any) -> dict[str, Any]:
    return {"model.type": "spikformer", "model.neuron.type": "lif", "model.neuron.tau": tau, **more}


def test_flatten_keeps_lists_and_empty_sections() -> None:
    values = {"a": {"b": 1, "c": {"d": [1, {"e": 2}]}}, "f": {}, "g": None}
    assert flatten(values) == {"a.b": 1, "a.c.d": [1, {"e": 2}], "f": {}, "g": None}


def test_within() -> None:
    assert within("data.seed", ("data",))
    assert within("data", ("data",))
    assert not within("dataset.seed", ("data",))


def test_no_component_is_a_type_of_none() -> None:
    first, second = aligned([{"encoder.neuron": None, "x": 1}, {"encoder.neuron.type": "lif", "x": 1}])
    assert first == {"encoder.neuron.type": None, "x": 1}
    assert differing([first, second]) == ["encoder.neuron.type"]


def test_numbers_are_equal_as_numbers_and_texts_are_not_numbers() -> None:
    assert differing([{"a": 1, "b": 1, "c": True}, {"a": 1.0, "b": "1", "c": 1}]) == ["b", "c"]
    assert identity({"a": 1}, ()) == identity({"a": 1.0}, ())
    assert identity({"a": 1, "b": 2}, ("b",)) == identity({"a": 1, "b": 3}, ("b",))
    assert identity({"a": 1}, ()) != identity({"a": "1"}, ())


def test_a_number_names_the_groups() -> None:
    flats = [lif(tau) for tau in (2.0, 10.0, 0.5)]
    assert told(flats) == [["model.neuron.tau"]] * 3
    assert names(flats, ["x", "x", "x"]) == ["model.neuron.tau=2", "model.neuron.tau=10", "model.neuron.tau=0.5"]


def test_what_a_component_brings_along_goes_without_saying() -> None:
    cpg = {"model.position.type": "cpg", "model.position.neurons": 8, "model.position.base": 1000.0}
    none, learned = {"model.position.type": "none"}, {"model.position.type": "learned", "model.position.base": 5.0}
    flats = [lif(**cpg), lif(**none), lif(**learned)]
    assert unexplained(flats) == set()
    assert set(differing(flats)) == {"model.position.type", "model.position.neurons", "model.position.base"}
    assert names(flats, ["x"] * 3) == ["model.position=cpg", "model.position=none", "model.position=learned"]
    wide = [*flats, lif(**{**cpg, "model.position.neurons": 16})]
    assert names(wide, ["x"] * 4) == [
        "model.position=cpg, model.position.neurons=8",
        "model.position=none",
        "model.position=learned",
        "model.position=cpg, model.position.neurons=16",
    ]


def test_a_component_in_different_components_is_told() -> None:
    other = {"model.type": "spike_rnn", "model.neuron.type": "plif", "model.neuron.tau": 2.0}
    assert names([lif(), other], ["x", "x"]) == [
        "model=spikformer, model.neuron=lif",
        "model=spike_rnn, model.neuron=plif",
    ]


def test_a_missing_key_without_a_reason_is_told() -> None:
    flats = [lif(), lif(**{"model.neuron.spread": 0.1})]
    assert unexplained(flats) == {"model.neuron.spread"}
    assert names(flats, ["x", "x"]) == ["model.neuron.spread=(absent)", "model.neuron.spread=0.1"]


def test_too_many_keys_give_way_to_the_recipes_names() -> None:
    flats = [{f"k{i}": i + n for i in range(5)} for n in (0, 1)]
    assert names(flats, ["wide", "narrow"]) == ["wide", "narrow"]
    assert names(flats, ["same", "same"])[0] == "k0=0, k1=1, k2=2, k3=3, k4=4"
    assert names([lif()], ["only"]) == ["only"]


def test_short_keys() -> None:
    keys = ["model.neuron.tau", "encoder.neuron.tau", "model.position.type", "train.epochs", "tau"]
    assert list(short_keys(keys).values()) == ["model.neuron.tau", "encoder.neuron.tau", "position", "epochs", "tau"]
    assert list(short_keys(["model.a.tau", "model.b.tau"]).values()) == ["a.tau", "b.tau"]
    assert short_keys([]) == {}


def test_of_keys_that_change_together_one_gives_the_name() -> None:
    grid = [{"a.threshold": 1 / bits, "a.bits": bits, "b.steps": steps} for bits in (1, 2, 4) for steps in (1, 8)]
    assert followers(grid) == {"a.threshold": "a.bits"}  # a whole number leads
    assert told(grid) == [["a.bits", "b.steps"]] * 6
    assert names(grid, ["x"] * 6)[:2] == ["a.bits=1, b.steps=1", "a.bits=1, b.steps=8"]
    assert followers([*grid, {"a.threshold": 1.0, "a.bits": 2, "b.steps": 1}]) == {}  # once they did not
    kinds = [{"m.dim": dim, "m.spiking": spiking} for dim, spiking in ((64, True), (22, False), (8, None))]
    assert followers(kinds) == {}  # no number
    assert followers(grid[:4]) == {}  # with two values it may be chance
