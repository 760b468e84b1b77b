"""CPG codes bit for bit: rows, collisions, rates and distances measured once and kept."""

import pytest
import torch
from torch import Tensor

from snnctl.positions import CPG

LENGTHS = (12, 48, 168, 672)

# neurons, base, (unique codes, colliding pairs) at each of LENGTHS, longest prefix without a collision
COLLISIONS = [
    (10, 100, ((9, 4), (31, 26), (78, 207), (167, 3414)), 4),
    (10, 1000, ((7, 7), (21, 58), (57, 458), (153, 3611)), 2),
    (10, 10000, ((7, 8), (20, 70), (31, 940), (74, 6423)), 2),
    (20, 100, ((12, 0), (44, 4), (147, 24), (550, 152)), 13),
    (20, 1000, ((11, 1), (40, 8), (130, 40), (481, 237)), 10),
    (20, 10000, ((9, 4), (31, 26), (93, 143), (331, 800)), 4),
    (40, 100, ((12, 0), (48, 0), (167, 1), (665, 7)), 156),
    (40, 1000, ((12, 0), (48, 0), (159, 10), (614, 61)), 61),
    (40, 10000, ((12, 0), (44, 4), (149, 22), (568, 126)), 13),
    (64, 100, ((12, 0), (48, 0), (168, 0), (671, 1)), 332),
    (64, 1000, ((12, 0), (48, 0), (167, 1), (659, 13)), 162),
    (64, 10000, ((12, 0), (47, 1), (161, 7), (639, 33)), 26),
]


def code_of(neurons: int, base: float, length: int) -> Tensor:
    return CPG(neurons=neurons, base=float(base)).code(length)


def test_first_rows() -> None:
    rows = ["".join(str(int(bit)) for bit in row) for row in CPG(neurons=10, base=10000.0).code(6)]
    assert rows == ["0101010101", "1001010101", "1001010101", "0001010101", "0001010101", "0000010101"]


@pytest.mark.parametrize(("neurons", "base", "expected", "prefix"), COLLISIONS)
def test_collisions(neurons: int, base: int, expected: tuple[tuple[int, int], ...], prefix: int) -> None:
    code = code_of(neurons, base, 672)
    found = []
    for length in LENGTHS:
        _, counts = code[:length].unique(dim=0, return_counts=True)
        found.append((len(counts), int((counts * (counts - 1) // 2).sum())))
    assert tuple(found) == expected
    assert len(code[:prefix].unique(dim=0)) == prefix
    assert len(code[: prefix + 1].unique(dim=0)) == prefix


@pytest.mark.parametrize(
    ("neurons", "base", "constant", "rates"),
    [  # (always on, always off) at 48 and 672 rows; mean rate at LENGTHS
        (10, 1000, ((1, 2), (0, 0)), (0.400, 0.333, 0.294, 0.238)),
        (10, 10000, ((2, 2), (1, 1)), (0.433, 0.369, 0.327, 0.296)),
        (40, 1000, ((7, 8), (0, 0)), (0.421, 0.360, 0.306, 0.247)),
        (40, 10000, ((10, 11), (4, 5)), (0.440, 0.393, 0.352, 0.308)),
    ],
)
def test_rates_and_constant_neurons(
    neurons: int, base: int, constant: tuple[tuple[int, int], ...], rates: tuple[float, ...]
) -> None:
    code = code_of(neurons, base, 672)
    for length, expected in zip((48, 672), constant, strict=True):
        part = code[:length]
        always_on, always_off = int(part.all(dim=0).sum()), int((~part.any(dim=0)).sum())
        assert (always_on, always_off) == expected
    for length, rate in zip(LENGTHS, rates, strict=True):
        assert code[:length].mean().item() == pytest.approx(rate, abs=5.1e-4)


@pytest.mark.parametrize(
    ("neurons", "base", "tokens"), [(40, 1000, 168), (40, 10000, 168), (10, 1000, 163), (10, 10000, 146)]
)
def test_tokens_told_apart_by_their_four_codes(neurons: int, base: int, tokens: int) -> None:
    stacked = code_of(neurons, base, 4 * 168).view(4, 168, neurons).transpose(0, 1).flatten(1)
    assert len(stacked.unique(dim=0)) == tokens


def test_distances() -> None:
    code = code_of(40, 1000, 48).double()
    dot = code @ code.T
    total = code.sum(dim=1)
    hamming = total[:, None] + total[None, :] - 2 * dot
    off = ~torch.eye(48, dtype=torch.bool)
    assert (hamming[off].min(), hamming[off].max()) == (1, 18)
    assert hamming[off].mean().item() == pytest.approx(9.275, abs=5e-4)
    assert (dot[off].min(), dot[off].max()) == (7, 18)
    assert dot[off].mean().item() == pytest.approx(9.779, abs=5e-4)
    assert (dot.diagonal().min(), dot.diagonal().max()) == (11, 20)
    assert hamming[0, :6].tolist() == [0, 3, 7, 8, 9, 8]
    assert dot[0, :6].tolist() == [20, 18, 16, 15, 14, 14]


def test_odd_number_of_neurons() -> None:
    # Five sines and four cosines: at position 0 the sines are silent and the cosines fire.
    assert code_of(9, 10000, 1).tolist() == [[0, 1, 0, 1, 0, 1, 0, 1, 0]]
