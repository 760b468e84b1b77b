"""Learned, random, convolutional, Gray and log positions, the split-weight CPG and the learned CPG."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from snnctl.backbones import SpikingLinear
from snnctl.core.seeds import building_with
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.neurons import LIF
from snnctl.positions import CPG, ConvPosition, CPGLinear, Gray, Learned, LearnedCPG, LogDistance, NoPosition, Random
from snnctl.positions.cpg import distinct_code, smallest_distance

SIGNAL = SignalSpec(4, 12, 6, kind="spikes")


@pytest.fixture
def x() -> Tensor:
    return torch.randint(0, 2, (4, 3, 12, 6), generator=torch.Generator().manual_seed(0)).double()


class TestCPGLinear:
    @pytest.mark.parametrize("index", ["TL", "L"])
    @pytest.mark.parametrize("norm_gain", [None, 2.0])
    def test_equals_concat_then_linear(self, x: Tensor, index: Any, norm_gain: float | None) -> None:
        knobs: dict[str, Any] = {"neurons": 9, "base": 100.0, "threshold": 0.5, "index": index}
        concat, split = CPG(SIGNAL, **knobs), CPGLinear(SIGNAL, **knobs)
        wide = SpikingLinear(15, 8, LIF, norm_gain=norm_gain).double()
        narrow = SpikingLinear(6, 8, LIF, norm_gain=norm_gain, code=split.input_code).double()
        assert narrow.linear.code_weight is not None
        with torch.no_grad():
            narrow.linear.weight.copy_(wide.linear.weight[:, :6])
            narrow.linear.code_weight.copy_(wide.linear.weight[:, 6:])
            narrow.linear.bias.copy_(wide.linear.bias)
        current = narrow.linear(split(x), split.place(x).code)
        torch.testing.assert_close(current, wide.linear(concat(x)), rtol=0, atol=1e-12)
        assert torch.equal(narrow(split(x), code=split.place(x).code), wide(concat(x)))

    def test_has_no_weights_and_no_state_of_its_own(self) -> None:
        split = CPGLinear(SIGNAL)
        assert list(split.parameters()) == []
        assert split.state_dict() == {}
        assert split.output == SIGNAL
        assert (split.input_code, split.block_code) == (40, 0)
        assert CPGLinear(SIGNAL, neurons=7, where="all").block_code == 7

    def test_folding_the_norm_keeps_the_code(self, x: Tensor) -> None:
        split = CPGLinear(SIGNAL, neurons=9)
        layer = SpikingLinear(6, 8, LIF, norm_gain=2.0, code=9).double()
        code = split.place(x).code
        layer(x, code=code)
        layer.eval()
        expected = layer.norm(layer.linear(x, code) + layer.linear.bias)
        layer.fold_norm()
        torch.testing.assert_close(layer.linear(x, code), expected, rtol=0, atol=1e-12)


class TestDistinctCodes:
    @pytest.mark.parametrize(("neurons", "steps", "length"), [(40, 4, 12), (40, 4, 168), (20, 4, 96), (10, 4, 12)])
    def test_null_makes_all_codes_differ(self, neurons: int, steps: int, length: int) -> None:
        signal = SignalSpec(steps, length, 6, kind="spikes")
        position = CPG(signal, neurons=neurons, base=None, threshold=None)
        assert len(position.code(steps * length).unique(dim=0)) == steps * length
        assert -1 < position.threshold < 1 < position.base

    def test_what_is_given_stays(self) -> None:
        signal = SignalSpec(4, 168, 6)
        assert CPG(signal, base=None, threshold=0.8).threshold == 0.8
        assert CPG(signal, base=3.0, threshold=None).base == 3.0
        by_position = CPG(signal, base=None, threshold=0.8, index="L")
        assert len(by_position.code(168).unique(dim=0)) == 168

    def test_too_few_neurons_are_refused(self) -> None:
        with pytest.raises(ShapeError, match="no code of 5 neurons tells 48 positions apart") as caught:
            CPG(SIGNAL, neurons=5, base=None, threshold=None)
        assert caught.value.knob == "neurons"

    def test_needs_to_know_how_many(self) -> None:
        with pytest.raises(ShapeError, match="needs the signal"):
            CPG(base=None)

    def test_takes_the_largest_smallest_distance(self) -> None:
        base, threshold = distinct_code(40, 48, None, None)
        best = smallest_distance(CPG(neurons=40, base=base, threshold=threshold).code(48) == 1)
        assert best >= smallest_distance(CPG(neurons=40, base=2.0).code(48) == 1) > 0

    @settings(deadline=None, max_examples=40)
    @given(st.integers(1, 9), st.integers(0, 30), st.integers(0, 2**31))
    def test_smallest_distance_by_brute_force(self, n: int, rows: int, seed: int) -> None:
        code = torch.rand(rows, n, generator=torch.Generator().manual_seed(seed)) < 0.5
        pairs = [int((code[i] != code[j]).sum()) for i in range(rows) for j in range(i)]
        assert smallest_distance(code) == min(pairs, default=n)


class TestLearnedCPG:
    @pytest.mark.parametrize("index", ["TL", "L"])
    def test_starts_as_the_fixed_one(self, x: Tensor, index: Any) -> None:
        fixed = CPG(SIGNAL, neurons=9, base=100.0, threshold=0.6, index=index)
        learned = LearnedCPG(SIGNAL, neurons=9, base=100.0, threshold=0.6, index=index).double()
        assert torch.equal(learned(x), fixed(x))
        assert torch.equal(learned.code(48), fixed.code(48))
        torch.testing.assert_close(learned.membrane(48), fixed.membrane(48), rtol=0, atol=1e-5)
        assert learned.base == pytest.approx(100.0, rel=1e-5)
        assert learned.threshold == pytest.approx(0.6, rel=1e-5)

    def test_gradients_are_those_of_the_smooth_step(self) -> None:
        # Surrogate gradient times the derivative of the potential, by hand, for one sine and one cosine.
        learned = LearnedCPG(neurons=2, base=10.0, threshold=0.5, index="L").double()
        with torch.no_grad():
            learned.phase.fill_(0.3)
        out = learned(torch.zeros(1, 1, 4, 0, dtype=torch.float64))
        weight = torch.tensor([[1.0, 2.0]] * 4, dtype=torch.float64) * torch.arange(1, 5)[:, None]
        (out[0, 0] * weight).sum().backward()
        threshold = math.tanh(math.atanh(0.5))
        by_phase, by_threshold = 0.0, 0.0
        for p in range(4):
            angle = p * 1.0 + 0.3
            for column, (value, slope) in enumerate(
                ((math.sin(angle), math.cos(angle)), (math.cos(angle), -math.sin(angle)))
            ):
                above = torch.tensor(value - threshold, dtype=torch.float64)
                bump = float(learned.surrogate.gradient(above)) * float(weight[p, column])
                by_phase += bump * slope
                by_threshold -= bump
        assert learned.phase.grad is not None
        assert learned.raw_threshold.grad is not None
        assert learned.log_base.grad is not None
        assert learned.phase.grad.item() == pytest.approx(by_phase, rel=1e-6)
        assert learned.raw_threshold.grad.item() == pytest.approx(by_threshold * (1 - threshold**2), rel=1e-5)
        assert learned.log_base.grad.item() == 0.0  # the first pair turns by 1 whatever the base

    def test_base_learns_through_slower_pairs(self, x: Tensor) -> None:
        learned = LearnedCPG(SIGNAL, neurons=8).double()
        (learned(x) * torch.randn(14, generator=torch.Generator().manual_seed(1)).double()).sum().backward()
        assert learned.log_base.grad is not None
        assert learned.log_base.grad != 0

    def test_is_kept_in_a_checkpoint(self) -> None:
        learned = LearnedCPG(SIGNAL, neurons=8)
        with torch.no_grad():
            learned.log_base.add_(1.0)
            learned.phase.normal_()
        fresh = LearnedCPG(SIGNAL, neurons=8)
        fresh.load_state_dict(learned.state_dict())
        assert torch.equal(fresh.code(48), learned.code(48))


class TestLearned:
    def test_index_is_the_position(self, x: Tensor) -> None:
        learned = Learned(SIGNAL).double()
        order = torch.tensor([2, 0, 1])
        assert torch.equal(learned(x[:, order]), learned(x)[:, order])
        turned = torch.randperm(12, generator=torch.Generator().manual_seed(1))
        assert not torch.equal(learned(x[:, :, turned]), learned(x)[:, :, turned])
        assert torch.equal(learned(x) - x, (learned(x) - x)[:1, :1].expand_as(x))

    def test_only_rows_in_use_learn(self) -> None:
        learned = Learned(SIGNAL)
        learned(torch.zeros(4, 2, 5, 6)).sum().backward()
        assert learned.rows.grad is not None
        assert (learned.rows.grad[:5] == 8).all()
        assert not learned.rows.grad[5:].any()

    def test_is_real_and_bounded_in_length(self) -> None:
        learned = Learned(SIGNAL)
        assert learned.output.kind == "real"
        with pytest.raises(ShapeError, match="vectors were learned for 12"):
            learned(torch.zeros(4, 2, 13, 6))


class TestRandom:
    def test_own_generator_and_named_stream(self) -> None:
        torch.manual_seed(1)
        first = Random(SIGNAL).code(48)
        torch.manual_seed(2)
        state = torch.random.get_rng_state()
        assert torch.equal(Random(SIGNAL).code(48), first)
        assert torch.equal(torch.random.get_rng_state(), state)
        assert not torch.equal(Random(SIGNAL, seed=1).code(48), first)
        assert torch.equal(Random(SIGNAL).code(500)[:48], first)

    def test_takes_the_seed_of_the_run(self) -> None:
        with building_with(7):
            inside = Random(SIGNAL)
        assert torch.equal(inside.code(9), Random(SIGNAL, seed=7).code(9))
        assert Random(SIGNAL).seed == 0

    def test_values(self, x: Tensor) -> None:
        assert set(Random(SIGNAL)(x)[..., 6:].unique().tolist()) == {-1.0, 1.0}
        assert Random(SIGNAL).output.kind == "real"
        bits = Random(SIGNAL, values="bits")
        assert set(bits(x)[..., 6:].unique().tolist()) == {0.0, 1.0}
        assert bits.output == SIGNAL.replace(features=46)
        assert bits.code(4000).mean().item() == pytest.approx(0.5, abs=0.01)

    def test_same_index_modes_as_cpg(self, x: Tensor) -> None:
        by_step, by_position = Random(SIGNAL), Random(SIGNAL, index="L")
        for t in range(4):
            assert torch.equal(by_step(x)[t, 0, :, 6:], by_step.code(48).double()[t * 12 : (t + 1) * 12])
            assert torch.equal(by_position(x)[t, 0, :, 6:], by_position.code(12).double())

    def test_add_needs_the_width(self, x: Tensor) -> None:
        with pytest.raises(ShapeError, match="must equal the width 6"):
            Random(SIGNAL, combine="add")
        add = Random(SIGNAL, neurons=6, combine="add", values="bits")
        assert add.output.levels == 2
        assert torch.equal(add(x), x + add.code(48).double().view(4, 1, 12, 6))


class TestConv:
    def test_against_torch_on_a_sequence(self, x: Tensor) -> None:
        position = ConvPosition(SIGNAL, norm_gain=2.0).double()
        conv, norm = nn.Conv1d(6, 6, 3, padding=1, bias=False).double(), nn.BatchNorm1d(6).double()
        conv.weight.data.copy_(position.conv.weight)
        nn.init.constant_(norm.weight, 2.0)
        current = norm(conv(x.flatten(0, 1).mT)).mT.unflatten(0, (4, 3))
        expected = x + LIF(6).double()(current.contiguous())
        assert torch.equal(position(x), expected)
        assert set(position(x).unique().tolist()) == {0.0, 1.0, 2.0}
        assert position.output == SIGNAL.replace(levels=2)

    def test_against_torch_on_an_image(self, x: Tensor) -> None:
        position = ConvPosition(SIGNAL, grid=[3, 4], norm_gain=2.0).double()
        conv, norm = nn.Conv2d(6, 6, 3, padding=1, bias=False).double(), nn.BatchNorm2d(6).double()
        conv.weight.data.copy_(position.conv.weight)
        nn.init.constant_(norm.weight, 2.0)
        image = x.flatten(0, 1).mT.unflatten(2, (3, 4))
        current = norm(conv(image)).flatten(2).mT.unflatten(0, (4, 3)).contiguous()
        assert torch.equal(position(x), x + LIF(6).double()(current))

    @pytest.mark.parametrize(("grid", "expected"), [(None, 3 * 384**2 + 2 * 384), ([8, 8], 9 * 384**2 + 2 * 384)])
    def test_parameters(self, grid: Any, expected: int) -> None:
        position = ConvPosition(SignalSpec(4, 64, 384, kind="spikes"), grid=grid)
        assert sum(p.numel() for p in position.parameters()) == expected

    def test_reaches_neighbours_only(self, x: Tensor) -> None:
        position = ConvPosition(SIGNAL, norm_gain=2.0).double()
        position(x)
        position.eval()
        other = x.clone()
        other[:, :, 6] = 1 - other[:, :, 6]
        changed = (position(other) != position(x)).any(-1).any(0).any(0).nonzero().flatten().tolist()
        assert 6 in changed
        assert set(changed) <= {5, 6, 7}

    @pytest.mark.parametrize(("grid", "message"), [([3, 5], "does not hold the 12"), ([12], "needs two sizes")])
    def test_grid_must_hold_the_positions(self, grid: Any, message: str) -> None:
        with pytest.raises(ShapeError, match=message) as caught:
            ConvPosition(SIGNAL, grid=grid)
        assert caught.value.knob == "grid"


class TestGray:
    def test_power_of_two_apart(self) -> None:
        code = Gray(bits=10).code(600)
        for i in range(500):
            assert (code[i] != code[i + 1]).sum() == 1
            for m in range(1, 6):
                assert (code[i] != code[i + 2**m]).sum() == 2

    def test_enough_bits_tell_all_apart(self) -> None:
        assert Gray(SIGNAL).bits == 4
        assert Gray(SignalSpec(4, 168, 6)).bits == 8
        assert len(Gray(SignalSpec(4, 168, 6)).code(168).unique(dim=0)) == 168
        assert len(Gray(bits=7).code(168).unique(dim=0)) == 128
        assert Gray(SignalSpec(4, 1, 6)).bits == 1

    def test_bias_counts_agreeing_bits(self, x: Tensor) -> None:
        gray = Gray(SIGNAL)
        code, bias = gray.code(12), gray.attention_bias(12)
        assert bias is not None
        expected = torch.tensor([[float((a == b).sum()) for b in code] for a in code])
        assert torch.equal(bias, expected)
        place = gray.place(x)
        assert place.bias is not None
        assert torch.equal(place.bias, expected.double())
        assert gray(x) is x

    def test_on_an_image_row_and_column(self) -> None:
        gray = Gray(SignalSpec(4, 12, 6, kind="spikes"), grid=[3, 4], combine="concat")
        assert gray.code(12).shape == (12, 4)
        assert len(gray.code(12).unique(dim=0)) == 12
        assert (gray.code(12)[0] != gray.code(12)[4]).sum() == 1  # the row below
        assert gray.output == SIGNAL.replace(features=10)

    def test_concat_is_binary(self, x: Tensor) -> None:
        gray = Gray(SIGNAL, combine="concat")
        assert torch.equal(gray(x)[..., 6:], gray.code(12).double().expand(4, 3, 12, 4))
        assert (gray.needs, gray.attention_bias(12), gray.place(x).bias) == (None, None, None)

    def test_without_a_signal_bits_must_be_given(self) -> None:
        with pytest.raises(ShapeError, match="number of bits must be given"):
            Gray()


class TestLog:
    @pytest.mark.parametrize("length", [1, 2, 3, 12, 168])
    def test_the_formula(self, length: int) -> None:
        R = LogDistance().attention_bias(length)
        assert R is not None
        assert torch.equal(R, R.T)
        assert (R >= 0).all()
        assert (R[0].diff() <= 0).all()
        for distance in range(length):
            expected = math.ceil(math.log2((length - 1) / (distance + 1))) if length > 1 else 0
            assert R[0, distance] == max(0, expected)
        assert R[0, length - 1] == 0

    def test_depends_on_the_length(self) -> None:
        position = LogDistance(SIGNAL)
        for length in (12, 5, 12, 30):
            place = position.place(torch.zeros(4, 1, length, 6))
            expected = LogDistance().attention_bias(length)
            assert place.bias is not None
            assert expected is not None
            assert torch.equal(place.bias, expected)
        assert position.code(5).shape == (5, 0)
        assert position.state_dict() == {}


class TestDisturbance:
    @pytest.mark.parametrize("make", [CPG, Random, Learned])
    def test_removed_and_shuffled(self, x: Tensor, make: Any) -> None:
        position = make(SIGNAL).double()
        before = position(x)
        with position.disturbed("removed"):
            removed = position(x)
        with position.disturbed("shuffled", seed=3):
            shuffled, again = position(x), position(x)
        assert torch.equal(position(x), before)
        assert torch.equal(shuffled, again)
        base = x if make is Learned else torch.cat((x, torch.zeros(*x.shape[:-1], 40).double()), -1)
        assert torch.equal(removed, base)
        rows = lambda y: (y - base)[0, 0].detach()  # noqa: E731
        assert not torch.equal(shuffled, before)
        assert torch.equal(rows(shuffled).sort(0).values, rows(before).sort(0).values)

    def test_biases_and_an_exception(self, x: Tensor) -> None:
        gray = Gray(SIGNAL)
        with gray.disturbed("removed"):
            assert not gray.place(x).bias.any()  # type: ignore[union-attr]
        with pytest.raises(RuntimeError), gray.disturbed("shuffled"):
            raise RuntimeError
        assert gray.place(x).bias.any()  # type: ignore[union-attr]
        with NoPosition(SIGNAL).disturbed("removed"):
            pass
