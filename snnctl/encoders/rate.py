"""Rate code: a value is how likely a spike is at each step."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from snnctl.core.catalog import ENCODERS
from snnctl.core.seeds import run_seed, stream_seed
from snnctl.core.shapes import SignalSpec
from snnctl.encoders.coding import Coding


@ENCODERS.register("rate")
class Rate(Coding):
    """Fires at each step with the value as probability, so that the mean over T tells the value; no weights.

    While training every spike is drawn anew. In evaluation the draws are fixed by the run's seed and the same for all
    items, so that results repeat and do not depend on batches.

    Equation:
        u    = clip((x - low) / (high - low), 0, 1)
        S[t] = 1 with probability u, else 0

    Args:
        signal: the raw data [B, L, C].
        low: value that never fires; there is no default, as it depends on how the data are
            scaled: 0 and 1 for images with `normalise: unit`, -2 and 2, say, for scaled series.
        high: value that fires at every step, > low.
        steps: T, >= 1; the standard error of the mean over T is sqrt(u (1 - u) / T).
        spiking: false hands on u at every step; a non-spiking twin does so by itself.

    Shape: [B, L, C] -> [T, B, L, C].

    Raises:
        ShapeError: `signal` has been encoded already, or `low` is not below `high`.

    Source: Bernoulli spikes as in spikingjelly's PoissonEncoder and snntorch's spikegen.rate.
    """

    def __init__(
        self,
        signal: SignalSpec,
        *,
        low: float,
        high: float,
        steps: Annotated[int, Ge(1)] = 16,
        spiking: bool = True,
    ) -> None:
        super().__init__(signal, steps=steps, low=low, high=high, spiking=spiking)
        self._seed = stream_seed(run_seed(), "encoder")

    def code(self, u: Tensor) -> Tensor:
        if self.training:
            drawn = torch.rand((self.steps, *u.shape), device=u.device, dtype=u.dtype)
        else:
            generator = torch.Generator().manual_seed(self._seed)
            shape = (self.steps, 1, *u.shape[1:])
            with torch.device("cpu"):
                drawn = torch.rand(shape, generator=generator, dtype=torch.float64).to(u)
        return (drawn < u).to(u.dtype)
