"""Energy of one memory access, in pJ, by the size of the memory; all three forms in use around Lemaire et al. 2022."""

from __future__ import annotations

from typing import Literal

import numpy as np

KIB = 1024
MIB = 1024 * KIB

# a: piecewise linear, the article's; b and c: qualia-plugin-snn's affine default and its 8 KiB blocks of 64-bit words.
Variant = Literal["a", "b", "c"]


def ram_a(size_bytes: float, at_8kib: float = 10.0, at_32kib: float = 20.0, at_1mib: float = 100.0) -> float:
    """Linear between 0 at 0 bytes and the three sizes, constant above 1 MiB.

    Continuous: each segment starts where the one below it ends. The offsets must not be dropped (one published script
    does, and gets 5 pJ in place of 15 at 20 KiB).
    """
    return float(np.interp(size_bytes, [0, 8 * KIB, 32 * KIB, MIB], [0.0, at_8kib, at_32kib, at_1mib]))


def ram_b(elements: float, bits: float, slope: float = 1.09e-5, offset: float = 13.2) -> float:
    """slope * elements * bits + offset."""
    return slope * elements * bits + offset


def ram_c(bits: int, word: float = 10.0) -> float:
    """word / floor(64 / bits): blocks of 8 KiB, whose 64-bit words hold several data.

    Wider data take ceil(bits / 64) words.
    """
    return word / (64 // bits) if bits <= 64 else word * -(-bits // 64)
