"""Gradients against lag: closed forms, an independent product, the control, what is refused, the order."""

import csv
import io
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from snnctl.core.diagnostic import DiagnosticError
from snnctl.inspect.gradients.collect import DEFAULTS, Run, Setting, Study, measured, noise, parse_neurons, study
from snnctl.inspect.gradients.tables import document, overview, sentences, tables
from snnctl.neurons import GLIF, IF, LIF, LMH, STC, STCLIF, TCLIF
from snnctl.neurons.stc import watch_circuits

SOFT: dict[str, Any] = {"reset": "soft", "detach_reset": False, "surrogate": "sigmoid"}
SMALL = Setting(steps=12, channels=16, size=4, batch=2, seeds=(0, 1))


def silent(*shape: int) -> Tensor:
    return torch.full(shape, -10.0, dtype=torch.float64)


@pytest.mark.parametrize("tau", [2.0, 4.0])
def test_silent_lif_forgets_by_its_leak(tau: float) -> None:
    found = measured(LIF(8, **SOFT, tau=tau).double(), silent(20, 2, 3, 3, 8))
    expected = (1 - 1 / tau) ** np.arange(1, 20)
    assert found.mean == pytest.approx(expected, abs=1e-6)
    assert found.median == pytest.approx(expected, abs=1e-6)
    assert found.rate == 0


@pytest.mark.parametrize(
    "neuron", [IF(8, **SOFT), STCLIF(8, groups=2, kernel=3, axes=2), STC(8, host="if", circuit="none"), LMH(8)]
)
def test_silent_if_and_circuits_that_see_nothing_remember(neuron: Any) -> None:
    found = measured(neuron.double(), silent(20, 2, 3, 3, 8))
    assert found.mean == pytest.approx(np.ones(19), abs=1e-6)
    assert found.largest == pytest.approx(10.0 * np.arange(1, 21))


def test_products_of_stc_by_beta_and_slope() -> None:
    """prod over k of beta_k (1 - g_{k-1}), from the factors as they are told."""
    torch.manual_seed(0)
    neuron = STCLIF(16, groups=4, kernel=3, axes=2).double()
    currents = noise(SMALL, 3)
    told: list[tuple[Tensor, Tensor]] = []
    with watch_circuits(lambda _neuron, beta, _gamma, u: told.append((beta, u))):
        found = measured(neuron, currents)
    slopes = [neuron.surrogate.gradient(u.detach() - 1) for _, u in told]
    product = torch.ones_like(slopes[0])
    for lag in range(1, SMALL.steps):
        product = product * told[SMALL.steps - lag][0].detach() * (1 - slopes[SMALL.steps - 1 - lag])
        assert found.mean[lag - 1] == pytest.approx(float(product.mean()), rel=1e-9)
        assert found.median[lag - 1] == pytest.approx(float(product.median()), rel=1e-9)
        assert found.effective[lag - 1] == pytest.approx(float((product * slopes[-1]).mean()), rel=1e-9)
    assert 0 < found.rate < 1


@pytest.mark.parametrize("neuron", [GLIF(4), TCLIF(4), TCLIF(4, late_reset=True), LIF(4), LMH(4)])
def test_every_host_has_the_derivative_of_finite_differences_where_it_is_silent(neuron: Any) -> None:
    """Far below threshold nothing is surrogate: the last membrane's own derivative, through every compartment."""
    neuron = neuron.double()
    currents = silent(6, 1, 2, 2, 4)
    found = measured(neuron, currents)

    def last(first: Tensor) -> Tensor:
        state = neuron.initial_state(currents[0])
        for t, x in enumerate(currents):
            u, *rest = neuron.charge(x, state)
            u = u + first if t == 0 else u
            _, state = neuron.fire((u, *rest), x.dtype)
        return u

    step = torch.full(currents.shape[1:], 1e-4, dtype=torch.float64)
    difference = ((last(step) - last(-step)) / 2e-4).detach()
    assert found.mean[-1] == pytest.approx(float(difference.abs().mean()), rel=1e-6)


def test_noise_is_normalised_and_may_be_held() -> None:
    currents = noise(SMALL, 0)
    assert currents.shape == (12, 2, 4, 4, 16)
    groups = currents.unflatten(-1, (16, 1))
    assert groups.mean((2, 3, 5)).abs().max() < 1e-12
    assert groups.var((2, 3, 5), unbiased=False).sub(1).abs().max() < 1e-3
    assert torch.equal(currents, noise(SMALL, 0))
    assert not torch.equal(currents, noise(SMALL, 1))
    held = noise(Setting(steps=4, channels=16, size=4, held=1.0), 0)
    assert torch.equal(held, held[:1].expand_as(held))


def test_if_is_always_beside_stc() -> None:
    wanted, notes = parse_neurons(["stc_lif", "lif"])
    assert [config["type"] for config, _ in wanted] == ["stc_lif", "lif", "if"]
    assert len(notes) == 1
    assert parse_neurons(["lif"])[1] == []
    assert [config["type"] for config, _ in parse_neurons([])[0]] == [text.partition(":")[0] for text in DEFAULTS]
    assert len(parse_neurons(["if", "if", "stc_lif"])[0]) == 2


def test_what_is_refused() -> None:
    with pytest.raises(DiagnosticError) as error:
        parse_neurons(["lff", "lif: {tau: 0.5}"])
    assert [one.code for one in error.value.diagnostics] == ["R200", "R204"]
    for words, code, knob in ((["psn: {steps: 12}"], "U456", ""), (["stc_lif: {groups: 5}"], "R401", "groups")):
        with pytest.raises(DiagnosticError) as error:
            study(parse_neurons(words)[0], SMALL)
        (problem,) = error.value.diagnostics
        assert (problem.code, problem.path) == (code, knob)
        assert words[0] in problem.override


def test_undetached_circuits_are_followed_as_if_they_were_and_that_is_said() -> None:
    texts = ["stc_lif: {groups: 4, detach: false}", "stc_lif: {groups: 4}"]
    found = study(parse_neurons(texts)[0], SMALL)
    whole = {one.config.get("detach"): one for one in found.neurons}
    assert whole[True].parts == whole[None].parts == ""
    assert "left out" in whole[False].parts
    assert whole[False].curve("mean") == pytest.approx(whole[True].curve("mean"))
    made = document(found)
    assert [one["whole"] for one in made["neurons"]] == [False, True, True]
    assert any("left out" in note for note in made["notes"])


@pytest.fixture(scope="module")
def usual() -> Study:
    return study(parse_neurons([])[0], Setting(steps=20, channels=32, size=8, batch=2, seeds=(0, 1)))


def test_the_order_of_the_usual_neurons(usual: Study) -> None:
    at = {one.name: {w: float(one.curve(w)[18]) for w in ("mean", "median", "effective")} for one in usual.neurons}
    both, temporal, spatial = (at[f"stc_lif circuit={which}"] for which in ("both", "temporal", "spatial"))
    # Whatever has no leak reaches back; of those with one the circuits stretch the tail, not the middle.
    assert at["lif"]["mean"] < 1e-5 < at["if"]["mean"] < 1
    assert at["lif"]["mean"] < at["stc_plif"]["mean"] < at["if"]["mean"]
    assert at["stc_plif"]["median"] < at["lif"]["median"]
    # The temporal circuit makes the heavy tail; the spatial one alone is next to IF.
    assert min(both["mean"], temporal["mean"]) > 10 * at["if"]["mean"]
    assert max(both["median"], temporal["median"]) < at["if"]["median"]
    assert spatial["mean"] == pytest.approx(at["if"]["mean"], rel=0.2)
    # What a loss on spikes sees of all of them is alike.
    assert both["effective"] > 1e3 * at["lif"]["effective"]
    assert 0.1 < both["effective"] / at["if"]["effective"] < 10


def test_document_and_tables(usual: Study) -> None:
    made = document(usual)
    assert made["lags"] == [1, 5, 10, 19]
    assert [one["name"] for one in made["neurons"]] == [one.name for one in usual.neurons]
    first = made["neurons"][0]
    assert list(first["largest_membrane"]) == ["5", "19"]
    assert len(first["mean"]["5"]["values"]) == 2
    assert first["mean"]["5"]["mean"] == pytest.approx(float(usual.neurons[0].curve("mean")[4]))
    for name, text in tables(usual).items():
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len(rows) == 6 * 2 * (19 if name == "lags.csv" else 20)
        assert all(float(value) == float(value) for row in rows for key, value in row.items() if key != "neuron")
    assert len(overview(usual).rows) == 6


def test_sentences_are_worked_out() -> None:
    runs = [Run(0.1, np.array([1.0, 7e4, 1e6]), np.array([2.0, 50.0]), np.array([0.5, 0.1]), np.array([0.2, 0.4]))]
    calm = [Run(0.1, np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.25]), np.array([0.5, 0.25]), np.array([0.05, 0.01]))]
    from snnctl.inspect.gradients.collect import Lags

    said = sentences(Study(Setting(steps=3, seeds=(0,)), [Lags("calm", {}, calm), Lags("wild", {}, runs)]))
    assert said == [
        "At lag 1 a loss on the spikes of wild sees 0.2, 4 times the 0.05 of calm.",
        "wild: max |u| passes 65504, the largest float16, at step 1 (from 0).",
    ]


def test_figures_draw_every_neuron(usual: Study) -> None:
    from snnctl.inspect.gradients.page import curves, membranes

    drawn = curves(usual).figure.axes
    assert len(drawn) == 3
    for panel, which in zip(drawn, ("mean", "median", "effective"), strict=True):
        lines = {str(line.get_label()): np.asarray(line.get_ydata(), dtype=float) for line in panel.get_lines()}
        for one in usual.neurons:
            assert np.nan_to_num(lines[one.name]) == pytest.approx(one.curve(which), abs=1e-13)
    (axes,) = membranes(usual).figure.axes
    assert len(axes.get_lines()) == 7
