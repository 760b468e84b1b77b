"""Phase code: a value is written in binary, one digit a step."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from snnctl.core.catalog import ENCODERS
from snnctl.core.shapes import SignalSpec
from snnctl.encoders.coding import Coding


@ENCODERS.register("phase")
class Phase(Coding):
    """Writes the value in binary over T, the highest digit first: 2^T values in T steps; no weights.

    The spike at step t stands for 2^-(t+1), and no neuron behind it is told so: each spike counts alike, unless the
    network learns otherwise.

    Equation:
        u = clip((x - low) / (high - low), 0, 1)
        q = min(floor(u * 2^T), 2^T - 1)
        S[t] = digit T - 1 - t of q

    Args:
        signal: the raw data [B, L, C].
        low: value that never fires; there is no default, as it depends on how the data are
            scaled: 0 and 1 for images with `normalise: unit`, -2 and 2, say, for scaled series.
        high: value that fires at every step, > low.
        steps: T, 1 to 24: what float32 can tell apart.
        spiking: false hands on u at every step; a non-spiking twin does so by itself.

    Shape: [B, L, C] -> [T, B, L, C].

    Raises:
        ShapeError: `signal` has been encoded already, or `low` is not below `high`.

    Source: Kim et al. 2018, "Deep neural networks with weighted spikes", Neurocomputing 311; as spikingjelly's
        WeightedPhaseEncoder.
    """

    def __init__(
        self,
        signal: SignalSpec,
        *,
        low: float,
        high: float,
        steps: Annotated[int, Ge(1), Le(24)] = 8,
        spiking: bool = True,
    ) -> None:
        super().__init__(signal, steps=steps, low=low, high=high, spiking=spiking)

    def code(self, u: Tensor) -> Tensor:
        count = 2**self.steps
        q = (u.double() * count).floor().clamp(max=count - 1).long()
        digits = torch.arange(self.steps - 1, -1, -1, device=u.device).view(-1, *[1] * u.dim())
        return (q.bitwise_right_shift(digits) & 1).to(u.dtype)
