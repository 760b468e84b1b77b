"""Closed form against numerical integration of the coupled pairs: a check of the working model, not of a theorem."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnctl.inspect.positions.codes import Floats, Whole
from snnctl.positions import CPG
from snnctl.positions.oscillator import METHODS, Method, integrate

STEP = 0.01  # of the integration, in positions
TITLE = "working model, not the paper's proof"


@dataclass(frozen=True)
class Integration:
    """How far one method's membranes are from sin and cos."""

    method: Method  # of integration
    base: float  # ratio of the frequency ladder
    error: Floats  # largest absolute error over the neurons at each position [M]
    wrong_bits: Whole  # spikes of the thresholded membranes that differ, summed up to each position [M]

    @property
    def worst(self) -> float:
        return float(self.error.max())

    @property
    def wrong(self) -> int:
        return int(self.wrong_bits[-1])


def compare(neurons: int, base: float, length: int, threshold: float = 0.8) -> list[Integration]:
    """Every method against the closed form, over positions 0 .. length-1.

    The oscillators are those of a `CPG` with these neurons, this base and this threshold.
    """
    cells = CPG(neurons=neurons, base=base, threshold=threshold)
    exact, bits = cells.membrane(length).numpy(), cells.code(length).numpy() > 0
    found = []
    for method in METHODS:
        membrane = integrate(neurons, base, length, method=method, step=STEP).numpy()
        error = np.abs(membrane - exact).max(axis=1)
        wrong = ((membrane >= threshold) != bits).sum(axis=1).cumsum()
        found.append(Integration(method, base, error, wrong.astype(np.int64)))
    return found
