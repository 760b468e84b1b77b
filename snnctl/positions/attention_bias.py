"""Relative positions in attention maps: Gray code, counted in agreeing bits, and logarithms of distances."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor

from snnctl.core.catalog import POSITIONS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.positions.base import Grid, Needs, Place, TablePosition, check_grid, combined, positions, worth_computing
from snnctl.positions.ragged import Ragged


@POSITIONS.register("gray")
class Gray(TablePosition):
    """Gray-PE: the Gray code of the position stands beside every query and key, and the map counts agreeing bits.

    Positions at a power of two apart differ in one bit (distance 1) or two, wherever they are: relative position
    from binary codes. The bits are the same for all steps and samples, so what they add to a map is one whole
    number per pair of positions.

    Equation:
        G(l)    = l XOR (l >> 1), written with `bits` bits, lowest first
        map     = sum_d NOT(q_d XOR k_d) + (bits - Hamming(G(i), G(j)))      (attention)
        y[t, l] = [x[t, l], G(l)]                                            (concat)

    Args:
        bits: width of the code, 1 to 62; null takes as many as tell all positions apart (the authors find 7 enough
            for 168 positions and 5 for 12 or 32). With too few, the code repeats.
        combine: attention needs a backbone with an attention map; concat gives the bits to the first layer of any
            backbone, as `cpg` (ours).
        grid: [rows, columns] of an image, row by row: the codes of row and column side by side, `bits` each; null
            takes what the encoder says (an image or a sequence), sequence makes it one (Gray-PE 1D).

    Shape: [T, B, L, D] -> [T, B, L, D] (attention) or [T, B, L, D + width of the code] (concat).

    Raises:
        ShapeError: `grid` does not hold L positions, or the backbone has no such map.

    Source: Lv et al. 2025, "Toward relative positional encoding in spiking transformers", arXiv 2501.16745.
    """

    adds_code = True
    shown = ("bits", "combine", "grid")

    def __init__(
        self,
        signal: SignalSpec | None = None,
        *,
        bits: Annotated[int, Ge(1), Le(62)] | None = None,
        combine: Literal["attention", "concat"] = "attention",
        grid: Grid | None = None,
    ) -> None:
        if signal is None and (bits is None or grid is not None):
            message = "without a signal the number of bits must be given, and no grid"
            raise ShapeError(message, knob="grid" if bits else "bits")
        self.grid = None if signal is None else check_grid(grid, signal)
        largest = max(self.grid) if self.grid else signal.length if signal is not None else 1
        self.bits = max(1, (largest - 1).bit_length()) if bits is None else bits
        self.combine = combine
        self.needs: Needs | None = "agreement" if combine == "attention" else None
        super().__init__(signal)

    def describe(self, signal: SignalSpec) -> SignalSpec:
        if self.combine == "attention":
            return signal
        width = self.bits * (2 if self.grid else 1)
        return signal.replace(features=signal.features + width)

    def table(self, length: int) -> Tensor:
        position = torch.arange(length, device="cpu")
        if self.grid is None:
            return gray_bits(position, self.bits)
        columns = self.grid[1]
        return torch.cat((gray_bits(position // columns, self.bits), gray_bits(position % columns, self.bits)), dim=1)

    def attention_bias(self, length: int) -> Tensor | None:
        """How many bits the codes of two positions share, [length, length]."""
        if self.combine != "attention":
            return None
        return _shared_bits(self.code(length))

    def place(self, x: Tensor, tokens: Ragged | None = None) -> Place:
        if self.combine != "attention":
            return Place()
        return Place(bias=self.disturb(_shared_bits(self.rows(positions(x, tokens), x)), (0, 1)))

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        return x if self.combine == "attention" else combined(x, self.located(x, tokens))


def _shared_bits(code: Tensor) -> Tensor:
    signs = code * 2 - 1
    return (signs.shape[1] + signs @ signs.T) / 2


def gray_bits(position: Tensor, bits: int) -> Tensor:
    """Gray code of whole numbers [n] as booleans [n, bits], lowest bit first."""
    code = position ^ (position >> 1)
    return (code[:, None] >> torch.arange(bits, device=position.device)) & 1 == 1


@POSITIONS.register("log")
class LogDistance(TablePosition):
    """Log-PE: whole numbers, fixed in advance, that favour near positions in an attention map.

    The fraction under the logarithm is our reading of a damaged formula: the only one that is never negative and
    falls with distance. On dot-product maps the authors saw training fail.

    Equation:
        R[i, j] = ceil(log2((L - 1) / (|i - j| + 1))), at least 0
        map     = map + R

    Shape: [T, B, L, D] -> [T, B, L, D]; it acts on attention maps alone.

    Source: Lv et al. 2025, "Toward relative positional encoding in spiking transformers", arXiv 2501.16745.
    """

    needs: Needs | None = "pairs"

    def __init__(self, signal: SignalSpec | None = None) -> None:
        super().__init__(signal, rows=0)
        # Sized at once: an average of the network's buffers is taken while it trains.
        if signal is not None and worth_computing(signal.length, signal.length):
            self._rows = self.table(signal.length).to(torch.get_default_dtype())

    def code(self, length: int) -> Tensor:
        return torch.empty(length, 0, device="cpu")

    def table(self, length: int) -> Tensor:
        """R itself, one row per position."""
        # Whole-number arithmetic: ceil(log2(a / b)) is the smallest k with b * 2^k >= a.
        by_distance = [next(k for k in range(64) if (distance + 1) << k >= length - 1) for distance in range(length)]
        index = torch.arange(length, device="cpu")
        return torch.tensor(by_distance, device="cpu")[(index[:, None] - index).abs()]

    def attention_bias(self, length: int) -> Tensor | None:
        return self.table(length).to(torch.get_default_dtype())

    def place(self, x: Tensor, tokens: Ragged | None = None) -> Place:
        length = positions(x, tokens)
        # The map of a shorter sequence is not a part of the map of a longer one: L is in the formula.
        if self._rows.shape[0] != length or (self._rows.is_meta and not x.is_meta):
            with torch.inference_mode(False):
                self._rows = self.table(length).to(x.device, torch.get_default_dtype())
        return Place(bias=self.disturb(self._rows.to(device=x.device, dtype=x.dtype), (0, 1)))
