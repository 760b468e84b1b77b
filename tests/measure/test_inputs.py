"""What goes into a network is counted exactly however it is cut; that it is empty is told before all else."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from snnctl.measure.gradients import LayerGradients
from snnctl.measure.health import verdicts
from snnctl.measure.inputs import InputMeter, Inputs
from snnctl.measure.spikes import LayerSpikes

SILENT = LayerSpikes("a", 10, 1, 0.0, 0.0, 1.0, 0.0, (1000, 0), 1000)
NEARLY = dataclasses.replace(SILENT, name="b", rate=0.001, silent_share=0.5)
FULL = dataclasses.replace(SILENT, name="c", rate=1.0, silent_share=0.0, saturated_share=1.0)
BLOCKED = [LayerGradients("a", 4, 1.0, 1.0)]


def seen(*batches: Tensor) -> Inputs:
    part = nn.Identity()
    meter = InputMeter(part)
    with meter:
        for batch in batches:
            part(batch)
    part(torch.ones(7, 2))  # outside the block
    return meter.summary()


def test_counts() -> None:
    x = torch.tensor([[[0.0, 1.0], [0.0, -2.0]], [[0.0, 0.0], [0.0, 0.0]], [[3.0, 0.0], [0.0, 0.0]]])
    assert seen(x) == Inputs(items=3, nonzero=3 / 12, empty=1 / 3, constant=False)
    assert seen(x).to_json() == {"nonzero": 0.25, "empty_items": 1 / 3}


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=1, max_size=12),
    st.lists(st.integers(1, 4), max_size=6),
    st.sampled_from([torch.float32, torch.int64, torch.uint8]),
)
def test_cuts_do_not_matter(rows: list[list[int]], cuts: list[int], dtype: torch.dtype) -> None:
    whole = torch.tensor(rows, dtype=dtype)
    parts, first = [], 0
    for size in cuts:
        parts.append(whole[first : first + size])  # empty ones as well
        first += size
    found = seen(*parts, whole[first:])
    assert found == seen(whole)
    values = [value for row in rows for value in row]
    assert found.nonzero == sum(value != 0 for value in values) / len(values)
    assert found.empty == sum(not any(row) for row in rows) / len(rows)
    assert found.blank == (len(set(values)) == 1)


def test_nothing_seen_is_no_verdict() -> None:
    for none in (seen(), seen(torch.zeros(0, 3)), InputMeter(None).summary()):
        assert (none.items, none.blank) == (0, False)
        assert math.isnan(none.nonzero)
        assert [one.code for one in verdicts([SILENT], None, (), [none])] == ["E501"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (torch.zeros(3, 4), "what goes into the network is all zero, in all 3 items"),
        (torch.full((2, 4), -0.42), "what goes into the network is the same value everywhere, in all 2 items"),
    ],
)
def test_blank_input_is_told_instead(values: Tensor, words: str) -> None:
    (found,) = verdicts([SILENT, NEARLY, FULL], BLOCKED, (), [seen(values)])
    assert (found.code, found.severity, found.path, found.message) == ("E506", "warning", "data", words)
    assert "not the network" in found.help
    assert "norm_gain" not in found.help


def test_one_blank_measurement_of_two_is_enough() -> None:
    well = seen(torch.eye(3))
    assert [one.code for one in verdicts([SILENT], BLOCKED, (), [well, seen(torch.zeros(3, 4))])] == ["E506"]
    assert [one.code for one in verdicts([SILENT, FULL], BLOCKED, (), [well])] == ["E501", "E502", "E503"]


def test_many_empty_items_stand_before_the_advice_on_silence_alone() -> None:
    mostly = seen(torch.cat((torch.zeros(7, 4), torch.eye(4)[:3])))
    silent, nearly, full = verdicts([SILENT, NEARLY, FULL], None, (), [mostly])
    for found in (silent, nearly):
        assert found.help.startswith("look at the data first: 70% of the items that go in are all zero; then raise")
    assert "data" not in full.help
    half = seen(torch.cat((torch.zeros(3, 4), torch.eye(4)[:3])))
    assert verdicts([SILENT], None, (), [half])[0].help.startswith("raise")
