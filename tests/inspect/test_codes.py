"""Statistics of codes against figures measured once and kept, cell by cell."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from golden.test_cpg_codes import COLLISIONS, LENGTHS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from snnctl.core.shapes import SignalSpec
from snnctl.inspect.positions import codes
from snnctl.inspect.positions.encoding import Encoding, encoding_of
from snnctl.inspect.positions.tables import sentences_of
from snnctl.positions import CPG, NoPosition, Sinusoid
from snnctl.positions.base import Position


def encoding(module: Position, steps: int = 4, tokens: int = 12) -> Encoding:
    name = type(module).__name__.lower()
    return encoding_of(module, name=name, config={"type": name}, origin="test", steps=steps, tokens=tokens)


@pytest.mark.parametrize(("neurons", "base", "expected", "prefix"), COLLISIONS)
def test_collisions_by_length(neurons: int, base: int, expected: tuple[tuple[int, int], ...], prefix: int) -> None:
    found = encoding(CPG(neurons=neurons, base=float(base)), tokens=168)
    unique, pairs = found.growth
    assert tuple((unique[m - 1], pairs[m - 1]) for m in LENGTHS) == expected
    summary = found.summary()
    assert (summary["unique"], summary["collisions"], summary["longest_prefix"]) == (*expected[-1], prefix)


@pytest.mark.parametrize(
    ("neurons", "base", "run", "tokens"),
    [(10, 1000, 4, 163), (10, 10000, 4, 146), (40, 1000, 3, 168), (40, 10000, 4, 168)],
)
def test_runs_and_tokens(neurons: int, base: int, run: int, tokens: int) -> None:
    summary = encoding(CPG(neurons=neurons, base=float(base)), tokens=168).summary()
    assert (summary["longest_run"], summary["unique_tokens"]) == (run, tokens)
    assert encoding(CPG(neurons=neurons, base=float(base))).unique_tokens == 12


@pytest.mark.parametrize(
    ("neurons", "base", "constant", "rates"),
    [
        (10, 1000, ((1, 2), (0, 0)), (0.333, 0.238)),
        (10, 10000, ((2, 2), (1, 1)), (0.369, 0.296)),
        (40, 1000, ((7, 8), (0, 0)), (0.360, 0.247)),
        (40, 10000, ((10, 11), (4, 5)), (0.393, 0.308)),
    ],
)
def test_constant_neurons_and_rates(
    neurons: int, base: int, constant: tuple[tuple[int, int], ...], rates: tuple[float, ...]
) -> None:
    for tokens, expected, rate in zip((12, 168), constant, rates, strict=True):
        summary = encoding(CPG(neurons=neurons, base=float(base)), tokens=tokens).summary()
        assert (summary["always_on"], summary["always_off"]) == expected
        assert summary["constant_neurons"] == sum(expected)
        assert summary["firing_rate"] == pytest.approx(rate, abs=5.1e-4)


def test_long_run_duty() -> None:
    assert encoding(CPG(neurons=4)).duty == pytest.approx(0.20483, abs=1e-5)


def test_first_rows() -> None:
    code = encoding(CPG(neurons=10)).code
    assert ["".join(str(int(bit)) for bit in row) for row in code[:6]] == [
        "0101010101",
        "1001010101",
        "1001010101",
        "0001010101",
        "0001010101",
        "0000010101",
    ]


def test_distances() -> None:
    found = encoding(CPG(neurons=40, base=1000.0))
    hamming, dot = found.hamming, found.dot
    off = ~np.eye(48, dtype=bool)
    assert (hamming == hamming.T).all()
    assert not hamming.diagonal().any()
    assert (hamming[off].min(), hamming[off].max()) == (1, 18)
    assert hamming[off].mean() == pytest.approx(9.275, abs=5e-4)
    assert (dot[off].min(), dot[off].max()) == (7, 18)
    assert dot[off].mean() == pytest.approx(9.779, abs=5e-4)
    assert (dot.diagonal().min(), dot.diagonal().max()) == (11, 20)
    assert hamming[0, :6].tolist() == [0, 3, 7, 8, 9, 8]
    assert dot[0, :6].tolist() == [20, 18, 16, 15, 14, 14]


BITS = arrays.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 8)), elements=st.sampled_from([0.0, 1.0]))


@settings(max_examples=60, deadline=None)
@given(BITS)
def test_hamming_is_both_sums_less_twice_the_dot(code: np.ndarray) -> None:
    total = code.sum(axis=1)
    assert (codes.hamming(code) == total[:, None] + total[None, :] - 2 * codes.dot(code)).all()


@settings(max_examples=60, deadline=None)
@given(BITS)
def test_growth_agrees_with_counting(code: np.ndarray) -> None:
    ids = codes.row_ids(code)
    unique, pairs = codes.growth(ids)
    for m in range(1, len(code) + 1):
        _, counts = np.unique(code[:m], axis=0, return_counts=True)
        assert unique[m - 1] == len(counts)
        assert pairs[m - 1] == (counts * (counts - 1) // 2).sum()
    run, longest = 1, 1
    for before, now in pairwise(ids):
        run = run + 1 if before == now else 1
        longest = max(longest, run)
    assert codes.longest_run(ids) == longest


def test_means_by_distance() -> None:
    mean, sd = codes.by_distance(np.array([[1.0, 2.0, 5.0], [2.0, 1.0, 4.0], [5.0, 4.0, 1.0]]))
    assert mean.tolist() == [1, 3, 5]
    assert sd.tolist() == [0, 1, 0]


@pytest.mark.parametrize(("neurons", "base", "rows"), [(40, 1000.0, 672), (40, 10000.0, 672), (10, 100.0, 48)])
def test_spectrum_peaks_where_theory_says(neurons: int, base: float, rows: int) -> None:
    found = encoding(CPG(neurons=neurons, base=base), steps=1, tokens=rows)
    assert found.membrane is not None
    assert found.omegas is not None
    theory = np.repeat(base ** (-2 * np.arange(neurons // 2) / neurons), 2)
    assert found.omegas == pytest.approx(theory, rel=1e-9)
    expected = theory / (2 * np.pi)
    peaks = codes.peaks(*codes.spectrum(found.membrane))
    seen = expected * rows >= 2
    assert seen.sum() >= 4
    assert (np.abs(peaks - expected)[seen] <= 1 / rows).all()


def test_odd_number_of_neurons() -> None:
    found = encoding(CPG(neurons=9, base=100.0))
    assert found.omegas is not None
    assert found.omegas == pytest.approx(np.repeat(100.0 ** (-2 * np.arange(5) / 9), 2)[:9])


def test_real_codes_are_compared_to_a_tolerance_and_by_cosine() -> None:
    found = encoding(Sinusoid(SignalSpec(4, 12, 16, kind="spikes")))
    summary = found.summary()
    assert (summary["kind"], summary["compared_by"], summary["tolerance"]) == ("real", "cosine", codes.TOLERANCE)
    assert (summary["length"], summary["unique"], summary["collisions"]) == (12, 12, 0)
    assert summary["firing_rate"] is None
    assert found.cosine.diagonal() == pytest.approx(np.ones(12))
    assert codes.row_ids(np.array([[0.5], [0.50004], [0.51]])).tolist() == [0, 0, 1]
    assert any("agree to 0.001" in sentence for sentence in sentences_of(found))


def test_an_empty_code_tells_nothing_apart() -> None:
    found = encoding(NoPosition())
    summary = found.summary()
    assert (summary["neurons"], summary["unique"], summary["collisions"]) == (0, 1, 66)
    assert (summary["constant_neurons"], summary["firing_rate"]) == (0, None)
    assert "no table of codes" in sentences_of(found)[0]


def test_cosine_of_a_silent_row_is_zero() -> None:
    assert codes.cosine(np.array([[0.0, 0.0], [1.0, 1.0]])).tolist() == [[0, 0], [0, pytest.approx(1)]]


def test_index_l_has_one_row_per_token() -> None:
    summary = encoding(CPG(neurons=10, base=1000.0, index="L"), tokens=12).summary()
    assert (summary["length"], summary["unique"], summary["collisions"], summary["unique_tokens"]) == (12, 7, 7, 7)


@pytest.mark.parametrize("base", [100.0, 1000.0, 10000.0])
def test_uniqueness_is_never_claimed_where_codes_collide(base: float) -> None:
    for neurons in (10, 20, 40, 64):
        found = encoding(CPG(neurons=neurons, base=base), tokens=42)
        said = " ".join(sentences_of(found))
        assert ("share a code at this length" in said) == (found.summary()["collisions"] == 0)


def test_kinds() -> None:
    assert codes.kind_of(torch.tensor([[0.0, 1.0]]).numpy()) == "spikes"
    assert codes.kind_of(np.array([[-1.0, 1.0]])) == "signs"
    assert codes.kind_of(np.array([[0.5, 1.0]])) == "real"
    assert codes.hamming(np.array([[-1.0, 1.0], [1.0, 1.0]])).tolist() == [[0, 1], [1, 0]]
