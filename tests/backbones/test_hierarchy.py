"""Time constants over depth: the published values, controls, and every backbone."""

import itertools
from typing import Any

import pytest
import torch

from snnctl.backbones.parts.hierarchy import Hierarchy, Within, cautions, impose, ordered, profile
from snnctl.backbones.spike_mlp import SpikeMLP
from snnctl.core.catalog import BACKBONES
from snnctl.core.seeds import building_with
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.neurons import IF, LIF, PSN, TauLIF

FLAT = Within(type="none")
SIGNAL = SignalSpec(20, 1, 6, kind="spikes", dt_ms=10.0)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [25, 54.5, 100, 145.5, 175]),
        ({"profile": "linear"}, [25, 62.5, 100, 137.5, 175]),
        ({"steepness": 0.1}, [25, 26.0, 100, 174.0, 175]),
        ({"steepness": 0.25}, [25, 40.8, 100, 159.3, 175]),
        ({"steepness": 1.0}, [25, 60.3, 100, 139.7, 175]),
        ({"centre": 0.0}, [25, 96.9, 143.5, 165.8, 175]),
        ({"centre": 1.0}, [25, 34.2, 56.5, 103.1, 175]),
        ({"centre": 0.0, "keep_mean": True}, [3.75, 75.66, 122.25, 144.59, 153.75]),
        ({"centre": 1.0, "keep_mean": True}, [46.25, 55.41, 77.75, 124.34, 196.25]),
    ],
)
def test_worked_values(settings: dict[str, Any], expected: list[float]) -> None:
    assert profile(Hierarchy(delta=150.0, **settings), 5) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(("layers", "expected"), [(2, [25, 175]), (3, [25, 100, 175]), (4, [25, 68.3, 131.7, 175])])
def test_worked_values_by_depth(layers: int, expected: list[float]) -> None:
    assert profile(Hierarchy(delta=150.0), layers) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("centre", [0.0, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("steepness", [0.1, 0.5, 1.0])
def test_ends_and_mean(centre: float, steepness: float) -> None:
    given = {"delta": 150.0, "centre": centre, "steepness": steepness}
    taus = profile(Hierarchy(**given), 5)  # type: ignore[arg-type]
    assert (taus[0], taus[-1]) == pytest.approx((25.0, 175.0))
    given["delta"] = 50.0  # a steep profile bent at its end leaves one layer far from the others
    kept = profile(Hierarchy(**given, keep_mean=True), 5)  # type: ignore[arg-type]
    assert sum(kept) / 5 == pytest.approx(100.0, abs=1e-9)


def test_a_negative_delta_turns_the_profile_round() -> None:
    up, down = (profile(Hierarchy(delta=d), 4) for d in (150.0, -150.0))
    assert down == pytest.approx(up[::-1])
    two = [profile(Hierarchy(delta=90.0, profile=p), 2) for p in ("tanh", "linear")]  # type: ignore[arg-type]
    assert two[0] == pytest.approx(two[1])


@pytest.mark.parametrize("settings", [{"profile": "none", "delta": 9.0}, {"delta": 0.0}])
def test_no_profile(settings: dict[str, Any]) -> None:
    assert profile(Hierarchy(**settings), 3) == [100.0] * 3


@pytest.mark.parametrize(
    ("settings", "layers", "words"),
    [
        ({"delta": 100.0}, 1, "two layers"),
        ({"delta": 300.0, "profile": "linear"}, 3, "above 0"),
        ({"delta": 200.0}, 2, "above 0"),
        ({"delta": 50.0, "centre": 500.0, "steepness": 0.01}, 3, "flat"),
    ],
)
def test_profiles_that_cannot_be(settings: dict[str, Any], layers: int, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        profile(Hierarchy(**settings), layers)


def test_orders() -> None:
    taus = [1.0, 2.0, 3.0]
    assert ordered(taus, "increasing") == taus
    assert ordered(taus, "decreasing") == taus[::-1]
    assert ordered(taus, [2, 3, 1]) == [2.0, 3.0, 1.0]
    drawn = set()
    for seed in range(60):
        with building_with(seed):
            drawn.add(tuple(ordered(taus, "permuted")))
    assert drawn == set(itertools.permutations(taus)) - {tuple(taus)}
    with building_with(3):
        five = ordered([1.0, 2.0, 3.0, 4.0, 5.0], "permuted")
    assert sorted(five) == [1, 2, 3, 4, 5]
    assert five != [1, 2, 3, 4, 5]
    for wrong in ([1, 2], [1, 1, 2], [0, 1, 2]):
        with pytest.raises(ShapeError, match="once"):
            ordered(taus, wrong)


def made(seed: int = 1, **settings: Any) -> SpikeMLP:
    with building_with(seed):
        torch.manual_seed(0)
        return SpikeMLP(SIGNAL, width=4000, layers=2, neuron=TauLIF, hierarchy=Hierarchy(**settings))


def taus_of(network: SpikeMLP) -> list[torch.Tensor]:
    return [layer.neuron.time_constants() * 10.0 for layer in network.layers]  # type: ignore[operator, union-attr]


def test_spreads_within_a_layer() -> None:
    first, second = taus_of(made(tau_mean=100.0, delta=100.0))  # uniform, .2
    assert 40.0 - 1e-3 <= float(first.min()) < 41 < 59 < float(first.max()) <= 60 + 1e-3
    assert abs(float(first.mean()) - 50.0) < 3 * 50 * 0.2 / (3**0.5 * 4000**0.5)
    normal = taus_of(made(tau_mean=100.0, within=Within(type="normal", spread=0.1)))[1]
    assert float(normal.std()) == pytest.approx(10.0, rel=0.05)
    flat = made(within=FLAT)
    assert all(layer.neuron.leak_per_step().dim() == 0 for layer in flat.layers)  # type: ignore[operator, union-attr]
    assert torch.equal(*(taus_of(made(5))[0] for _ in range(2)))
    assert not torch.equal(taus_of(made(5))[0], taus_of(made(6))[0])
    assert second.mean() > first.mean()


def test_weights_do_not_depend_on_the_hierarchy() -> None:
    networks = [made(2, delta=d, order=o) for d, o in ((50.0, "increasing"), (-50.0, "permuted"), (0.0, "decreasing"))]
    for network in networks[1:]:
        assert torch.equal(network.layers[1].linear.weight, networks[0].layers[1].linear.weight)  # type: ignore[union-attr]


def test_what_the_bounds_of_the_neuron_do_is_said() -> None:
    network = made(tau_mean=300.0, delta=500.0)
    assert [round(layer.used) for layer in network.taus] == [50, 495]
    assert cautions(network.taus) == network.cautions
    assert "layer 2" in network.cautions[0]
    assert "495 ms" in network.cautions[0]
    assert made(tau_mean=100.0, delta=100.0).cautions == ()


def test_steps_where_the_data_has_no_unit() -> None:
    with building_with(1):
        network = SpikeMLP(
            SIGNAL.replace(dt_ms=0.0), width=3, layers=2, neuron=LIF, hierarchy=Hierarchy(tau_mean=8.0, within=FLAT)
        )
    assert network.taus[0].unit == "steps"
    assert float(network.layers[0].neuron.time_constants()) == pytest.approx(8.0, rel=1e-3)  # type: ignore[operator, arg-type, union-attr]


@pytest.mark.parametrize("neuron", [IF, lambda channels: PSN(channels, steps=20)])
def test_neurons_without_a_time_constant_are_refused(neuron: Any) -> None:
    with pytest.raises(ShapeError, match="no time constant") as caught:
        SpikeMLP(SIGNAL, width=3, layers=2, neuron=neuron, hierarchy=Hierarchy())
    assert caught.value.knob == "hierarchy"


@pytest.mark.parametrize("name", sorted(set(BACKBONES.names()) - {"sim_vp"}))  # which has no neurons
def test_every_backbone_has_a_hierarchy(name: str) -> None:
    signal = SignalSpec(4, 32, 8, kind="spikes", grid=(4, 8), ahead=2)
    hierarchy = Hierarchy(tau_mean=6.0, delta=4.0, within=FLAT)
    network = BACKBONES.get(name)(signal, neuron=LIF, hierarchy=hierarchy)
    constants = [
        {round(float(part.time_constants()), 3) for part in stage.modules() if isinstance(part, LIF)}  # type: ignore[arg-type]
        for stage in network.stages
    ]
    constants = [found for found in constants if found]
    assert len(constants) >= 2
    assert all(len(found) == 1 for found in constants)  # one for the whole stage
    assert [found.pop() for found in constants] == pytest.approx(profile(hierarchy, len(constants)), rel=1e-3)
    everything = [part for part in network.modules() if isinstance(part, LIF)]
    in_stages = [part for stage in network.stages for part in stage.modules() if isinstance(part, LIF)]
    assert len(everything) == len(in_stages)
    twin = BACKBONES.get(name)(signal, neuron=LIF, hierarchy=hierarchy, spiking=False)
    assert twin.taus == ()
    assert impose(None, network.stages, signal) == ()


def test_one_step_of_several_levels_is_called_what_it_is(tmp_path: Any) -> None:
    from snnctl.build import check
    from snnctl.recipe import load_recipe

    path = tmp_path / "r.yaml"
    path.write_text(
        "schema: 1\nname: one\ntask: classification\ndata: {type: order, length: 8, symbols: 6}\n"
        "encoder: {type: repeat, steps: 1, neuron: null}\n"
        "model: {type: spike_mlp, neuron: {type: if, spike: {integer_bits: 2, fraction_bits: 1}}}\n"
        "train: {early_stop: {metric: val/accuracy, mode: max}}\n"
    )
    (found,) = check(load_recipe(path))
    assert (found.code, found.severity) == ("R405", "warning")
    assert "quantised non-spiking network of 3 bits" in found.message
    assert check(load_recipe(path, ["encoder.steps=2"])) == []
