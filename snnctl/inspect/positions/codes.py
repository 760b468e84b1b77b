"""What a table of codes tells apart: pure functions of numpy arrays, one row per position p, one column per neuron.

Rows are compared after rounding to multiples of a tolerance, so that the same functions serve spikes and real codes.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Kind = Literal["spikes", "signs", "real"]

TOLERANCE = 1e-3  # real codes: entries are rounded to multiples of it before rows are compared


def kind_of(code: Floats) -> Kind:
    """`spikes` for entries in {0, 1}, `signs` for {-1, 1}, else `real`; an empty code is `spikes`."""
    if bool(np.isin(code, (0.0, 1.0)).all()):
        return "spikes"
    return "signs" if bool(np.isin(code, (-1.0, 1.0)).all()) else "real"


def row_ids(code: Floats) -> Whole:
    """For each row the number [M] of the distinct code that it is, counted from 0 in order of first appearance."""
    rounded = np.rint(code / TOLERANCE).astype(np.int64)
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(row.tobytes(), len(seen)) for row in rounded], dtype=np.int64)


def growth(ids: Whole) -> tuple[Whole, Whole]:
    """Distinct codes and colliding pairs among the first m rows, for m = 1 .. M: two arrays [M]."""
    counts = np.zeros(int(ids.max(initial=-1)) + 1, dtype=np.int64)
    met = np.empty(len(ids), dtype=np.int64)  # how many earlier rows have the same code
    for row, code in enumerate(ids):
        met[row] = counts[code]
        counts[code] += 1
    return np.cumsum(met == 0), np.cumsum(met)


def longest_free_prefix(ids: Whole) -> int:
    """How many of the first rows all have different codes."""
    _, pairs = growth(ids)
    return int(np.count_nonzero(pairs == 0))


def longest_run(ids: Whole) -> int:
    """Length of the longest run of neighbouring rows with the same code."""
    if not len(ids):
        return 0
    breaks = np.flatnonzero(np.diff(ids) != 0) + 1
    return int(np.diff(np.concatenate(([0], breaks, [len(ids)]))).max())


def stacked_tokens(code: Floats, steps: int) -> Floats:
    """A token's codes side by side: rows p = t*L + l, [T*L, n] -> [L, T*n]."""
    length = len(code) // steps
    return code.reshape(steps, length, -1).transpose(1, 0, 2).reshape(length, -1)


def constant_columns(code: Floats) -> NDArray[np.bool_]:
    """Which neurons [n] have one value in all rows (to the tolerance)."""
    if not len(code):
        return np.zeros(code.shape[1], dtype=bool)
    return np.asarray(np.ptp(np.rint(code / TOLERANCE), axis=0) == 0)


def hamming(code: Floats) -> Whole:
    """In how many neurons each two rows differ, [M, M]; for codes with two values (0 and 1, or -1 and 1)."""
    high = (code > 0).astype(np.float64)
    low = 1.0 - high
    return np.rint(high @ low.T + low @ high.T).astype(np.int64)


def dot(code: Floats) -> Floats:
    """Dot product of each two rows, [M, M]: for spikes, how many neurons fire at both positions."""
    return np.asarray(code @ code.T)


def cosine(code: Floats) -> Floats:
    """Cosine of the angle between each two rows, [M, M] in -1..1; 0 where a row is all zeros."""
    norm = np.linalg.norm(code, axis=1, keepdims=True)
    unit = np.divide(code, norm, out=np.zeros_like(code), where=norm > 0)
    return np.clip(unit @ unit.T, -1.0, 1.0)


def by_distance(matrix: NDArray[np.generic]) -> tuple[Floats, Floats]:
    """Mean and standard deviation [M] of a symmetric matrix over all pairs at distance |i - j| = 0 .. M-1."""
    diagonals = [np.diagonal(matrix, d).astype(np.float64) for d in range(len(matrix))]
    return np.array([d.mean() for d in diagonals]), np.array([d.std() for d in diagonals])


def spectrum(membrane: Floats) -> tuple[Floats, Floats]:
    """Frequencies [F] in cycles per position, 0 .. 1/2, and the amplitude [F, n] of each neuron without its mean.

    The membrane is meant, not the spikes: with a duty of a fifth their second harmonic can beat the fundamental.
    """
    length = len(membrane)
    amplitude = np.abs(np.fft.rfft(membrane - membrane.mean(axis=0), axis=0)) * (2.0 / length)
    return np.asarray(np.fft.rfftfreq(length), dtype=np.float64), np.asarray(amplitude, dtype=np.float64)


def peaks(frequency: Floats, amplitude: Floats) -> Floats:
    """The frequency [n] at which each neuron's amplitude is largest, the constant part left out; nan for none."""
    if len(frequency) < 2:
        return np.full(amplitude.shape[1], np.nan)
    return np.asarray(frequency[1:][amplitude[1:].argmax(axis=0)])
