import dataclasses

import pytest

from snnctl.measure.gradients import LayerGradients
from snnctl.measure.health import verdicts
from snnctl.measure.spikes import LayerSpikes

WELL = LayerSpikes("blocks.0.attention", 10, 1, 0.1, 0.1, 0.0, 0.0, (900, 100), 1000)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"rate": 0.0, "silent_share": 1.0}, "E501", "it never fired"),
        ({"silent_share": 0.91}, "E501", "91% of its channels never fired"),
        ({"saturated_share": 0.6}, "E502", "60% of its channels fire all the time"),
        ({"rate": 0.0049}, "E504", "0.49% spikes per neuron and step"),
    ],
)
def test_ill_layers(changes, code, words):
    (found,) = verdicts([dataclasses.replace(WELL, **changes)])
    assert (found.code, found.severity, found.path) == (code, "warning", "blocks.0.attention")
    assert words in found.message
    assert "`model.norm_gain`" in found.help
    assert "`model.neuron.v_threshold`" in found.help


def test_well_layers_and_layers_that_never_ran_give_nothing():
    at_the_edges = dataclasses.replace(WELL, rate=0.005, silent_share=0.9, saturated_share=0.5)
    never = dataclasses.replace(WELL, rate=0.0, neuron_steps=0)
    assert verdicts([WELL, at_the_edges, never], [LayerGradients("n", 10, 0.9, 0.9)]) == []


def test_a_blocking_surrogate_is_told_from_a_gradient_that_never_arrives():
    dead, starved = verdicts([], [LayerGradients("a", 4, 1.0, 0.0), LayerGradients("b", 4, 1.0, 1.0)])
    assert dead.code == starved.code == "E503"
    assert dead.message == "the surrogate of layer `a` is never active: no gradient passes 100% of its channels"
    assert starved.message == "no gradient reaches layer `b`: 100% of its channels get exactly zero"
    assert all("`model.neuron.surrogate`" in found.help for found in (dead, starved))


def test_spikes_come_before_gradients():
    silent = dataclasses.replace(WELL, rate=0.0)
    assert [v.code for v in verdicts([silent], [LayerGradients("a", 4, 1.0, 1.0)])] == ["E501", "E503"]
