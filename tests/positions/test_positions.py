"""Positional encodings: indices, combination, width, tables on demand."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.positions import CPG, NoPosition, Sinusoid, position_factory

SIGNAL = SignalSpec(4, 12, 6, kind="spikes")


@pytest.fixture
def x() -> Tensor:
    return torch.randint(0, 2, (4, 3, 12, 6), generator=torch.Generator().manual_seed(0)).double()


def test_none_is_the_identity(x: Tensor) -> None:
    position = NoPosition(SIGNAL)
    assert position(x) is x
    assert position.output == SIGNAL
    assert [*position.parameters(), *position.buffers()] == []
    assert position.code(5).shape == (5, 0)
    assert position.binary


def test_index_tl_gives_every_step_its_own_rows(x: Tensor) -> None:
    position = CPG(SIGNAL, neurons=10)
    y, code = position(x), position.code(48).double()
    assert torch.equal(y[..., :6], x)
    for t in range(4):
        for position_l in range(12):
            row = code[t * 12 + position_l]
            assert torch.equal(y[t, :, position_l, 6:], row.expand(3, 10))


def test_index_l_is_the_same_at_every_step(x: Tensor) -> None:
    position = CPG(SIGNAL, neurons=10, index="L")
    assert torch.equal(position(x)[..., 6:], position.code(12).double().expand(4, 3, 12, 10))


def test_concat_stays_binary_and_add_does_not(x: Tensor) -> None:
    concat = CPG(SIGNAL, neurons=10)
    assert concat.output == SignalSpec(4, 12, 16, kind="spikes")
    assert concat.binary
    assert set(concat(x).unique().tolist()) == {0.0, 1.0}
    add = CPG(SIGNAL, neurons=6, combine="add")
    assert add.output == SignalSpec(4, 12, 6, kind="spikes", levels=2)
    assert not add.binary
    assert torch.equal(add(x), x + add.code(48).double().view(4, 1, 12, 6))
    assert set(add(x).unique().tolist()) == {0.0, 1.0, 2.0}


def test_add_needs_the_width_of_the_signal() -> None:
    with pytest.raises(ShapeError, match="`neurons` 40 must equal the width 6") as caught:
        CPG(SIGNAL, combine="add")
    assert caught.value.knob == "neurons"


@pytest.mark.parametrize("index", ["TL", "L"])
@pytest.mark.parametrize("signal", [None, SIGNAL])
def test_table_is_sized_by_the_signal_and_grows_on_demand(index: Any, signal: SignalSpec | None) -> None:
    position = CPG(signal, neurons=10, index=index)
    rows = dict(position.named_buffers())["_rows"].shape[0]
    assert rows == (0 if signal is None else {"TL": 48, "L": 12}[index])
    long = torch.zeros(4, 2, 30, 6)
    y = position(long)
    assert y.shape == (4, 2, 30, 16)
    expected = position.code(120).view(4, 30, 10) if index == "TL" else position.code(30).expand(4, 30, 10)
    assert torch.equal(y[:, 0, :, 6:], expected)
    assert torch.equal(position(long), y)


def test_table_is_neither_weight_nor_checkpoint() -> None:
    for position in (CPG(SIGNAL), Sinusoid(SIGNAL)):
        assert list(position.parameters()) == []
        assert position.state_dict() == {}


def test_growing_under_inference_mode_leaves_training_possible() -> None:
    position = CPG(neurons=6, combine="add")
    with torch.inference_mode():
        position(torch.zeros(2, 1, 5, 6))
    weight = torch.ones(6, requires_grad=True)
    (position(torch.zeros(2, 1, 5, 6)) * weight).sum().backward()
    assert weight.grad is not None


def test_first_position_has_silent_sines_and_firing_cosines() -> None:
    assert CPG(neurons=9).code(1).tolist() == [[0, 1, 0, 1, 0, 1, 0, 1, 0]]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 24), st.floats(1.5, 1e5), st.floats(-0.95, 0.95), st.integers(1, 300))
def test_code_is_the_thresholded_formula(neurons: int, base: float, threshold: float, length: int) -> None:
    position = CPG(neurons=neurons, base=base, threshold=threshold)
    code, membrane = position.code(length), position.membrane(length)
    assert code.shape == (length, neurons)
    p, column = length - 1, neurons - 1
    wave = math.sin if column % 2 == 0 else math.cos
    assert membrane[p, column].item() == pytest.approx(wave(p * base ** (-(column // 2) * 2 / neurons)), abs=1e-9)
    assert torch.equal(code == 1, membrane >= threshold)
    assert torch.equal(code[: length // 2], position.code(length // 2))


@pytest.mark.parametrize("threshold", [0.8, 0.5, 0.0])
def test_long_run_duty(threshold: float) -> None:
    # Pairs with at least 500 periods in 10^5 rows: base^(-k/20) >= 500 * 2 pi / 10^5 = .0314, so k <= 10
    # for base 1000 (.0316).
    code = CPG(neurons=40, base=1000.0, threshold=threshold).code(100_000)
    duty = code[:, :22].double().mean(dim=0)
    assert (duty - math.acos(threshold) / math.pi).abs().max() < 0.005


def test_sinusoid_against_the_formula() -> None:
    signal = SignalSpec(2, 5, 7, kind="spikes")
    position = Sinusoid(signal)
    for row in range(5):
        for column in range(7):
            angle = row / 10000 ** (2 * (column // 2) / 7)
            expected = math.sin(angle) if column % 2 == 0 else math.cos(angle)
            assert position.code(5)[row, column].item() == pytest.approx(expected, abs=1e-6)
    assert position.output == SignalSpec(2, 5, 7, kind="real")
    assert not position.binary


def test_sinusoid_is_the_same_for_all_steps_and_samples() -> None:
    added = Sinusoid(SIGNAL)(torch.zeros(4, 3, 12, 6))
    assert torch.equal(added, added[:1, :1].expand_as(added))
    assert added[0, 0].unique(dim=0).shape[0] == 12


def test_spikes_keep_their_dtype() -> None:
    x = torch.ones(4, 2, 12, 40, dtype=torch.bfloat16)
    assert CPG(SIGNAL)(x).dtype == torch.bfloat16
    assert CPG(combine="add")(x).dtype == torch.bfloat16


def test_tables_are_computed_whatever_the_default_device() -> None:
    with torch.device("meta"):
        position = CPG(SIGNAL, neurons=10)
        y = position(torch.empty(4, 2, 12, 6))
        assert position.code(6).device.type == "cpu"
    assert (y.device.type, y.shape) == ("meta", (4, 2, 12, 16))
    y = position.to("meta")(torch.zeros(4, 1, 12, 6))  # the lost table is computed again
    assert torch.equal(y[:, 0, :, 6:], position.code(48).view(4, 12, 10))


def test_position_factory() -> None:
    assert position_factory("cpg") is CPG
    assert position_factory(NoPosition) is NoPosition
