"""What a spike is: a whole number of some bits, cut from the membrane by rounding down, to the nearest or up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

Quantizer = Literal["floor", "round", "ceil"]
Emits = Literal["code", "value"]
MOST_BITS = 8


@dataclass(frozen=True)
class SpikeFormat:
    """Spikes as fixed-point numbers of `integer_bits` before and `fraction_bits` behind the point.

    A neuron gives out the code c, a whole number; what it stands for, c * q, differs from it by a factor that the
    weights behind it take up. One integer bit and no fraction is the binary spike.

    Equation:
        K = 2^(integer_bits + fraction_bits) - 1        or `levels`
        q = v_threshold * 2^-fraction_bits
        c = clip(floor(h / q), 0, K)                    quantizer: floor; round and ceil likewise
        c = sign(h) * that of |h|                       signed
        v = h - c q                                     reset: soft

    Args:
        integer_bits: bits before the point, 0 to 8.
        fraction_bits: bits behind the point, 0 to 8: each halves the smallest membrane that fires; with the others 1
            to 8.
        levels: highest code, 1 to 255; null = 2^bits - 1 (4 with quantizer round is the integer spike of SpikeYOLO).
        quantizer: floor fires where a threshold is reached (ours: the only one that contains the binary spike), round
            half a quantum earlier, ceil wherever the membrane is above 0.
        signed: whether membranes below zero fire spikes below zero (with one bit: ternary spikes).
        emit: code gives out c, value c * q: then weights of a non-spiking network can be used as they are.

    Source: the idea is that of Xiao et al. 2024, "Multi-bit mechanism", arXiv 2407.05739; its equations were not
        available, this is our reading.
    """

    integer_bits: Annotated[int, Ge(0), Le(MOST_BITS)] = 1
    fraction_bits: Annotated[int, Ge(0), Le(MOST_BITS)] = 0
    levels: Annotated[int, Ge(1), Le(2**MOST_BITS - 1)] | None = None
    quantizer: Quantizer = "floor"
    signed: bool = False
    emit: Emits = "code"

    @property
    def bits(self) -> int:
        """Bits of a code, without a sign."""
        return self.integer_bits + self.fraction_bits

    @property
    def highest(self) -> int:
        """K, the highest code."""
        return 2**self.bits - 1 if self.levels is None else self.levels

    @property
    def quantum(self) -> float:
        """q in thresholds: the distance between two codes."""
        return 2.0**-self.fraction_bits

    @property
    def early(self) -> float:
        """By how much of a quantum spikes come early."""
        return {"floor": 0.0, "round": 0.5, "ceil": 1.0}[self.quantizer]

    def problem(self) -> str:
        """What is wrong with it, or ""."""
        if not 1 <= self.bits <= MOST_BITS:
            return f"`integer_bits` and `fraction_bits` must be 1 to {MOST_BITS} together, got {self.bits}"
        return ""
