"""Convolutional encoder: output channel t of a small convolution over L is the current of step t."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F

from snnctl.core.catalog import ENCODERS
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import After, takes_knobs
from snnctl.encoders.base import Encoder, Expansion


@ENCODERS.register("conv")
class Conv(Encoder):
    """Learns T filters over neighbouring positions, shared by all variables.

    Equation:
        I[t, l] = BN_t( sum_j w[t, j] * x[l + j - (kernel-1)/2] + b[t] )      ends padded with 0
        I[t, l] = BN_t( sum_j w[t, j] * x[l + j - (kernel-1)]   + b[t] )      with `causal`
        S       = neuron(I),  or I itself where `neuron` is null

    Args:
        steps: T, simulation steps per position and number of filters, >= 1 (4 as in SeqSNN).
        kernel: taps over L, >= 1, odd unless `causal` (3 as in SeqSNN).
        causal: whether a position sees itself and earlier ones only (SeqSNN looks one ahead).

    Shape: [B, L, C] -> [T, B, L, C].

    Raises:
        ShapeError: `kernel` is even without `causal`.

    Source: arXiv 2402.01533; github.com/microsoft/SeqSNN.
    """

    @takes_knobs
    def __init__(
        self,
        signal: SignalSpec,
        *,
        expansion: Expansion = Expansion(),
        causal: Annotated[bool, After("steps")] = False,
        kernel: Annotated[int, Ge(1), After("steps")] = 3,
    ) -> None:
        steps = expansion.steps
        super().__init__(signal, steps=steps, neuron=expansion.neuron)
        # The series is an image [B, 1, L, C]: no axis has to move, and the neuron reads a view.
        self.conv = nn.Conv2d(1, steps, (kernel, 1))
        self.norm = nn.BatchNorm2d(steps)
        ahead = 0 if causal else kernel // 2
        self.padding = (0, 0, kernel - 1 - ahead, ahead)
        self.reach = (kernel - 1 - ahead, ahead)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """An even kernel has no centre."""
        if knobs["kernel"] % 2 == 0 and not knobs["causal"]:
            yield "kernel", "`kernel` must be odd unless `causal` is true"

    def currents(self, x: Tensor) -> Tensor:
        image = F.pad(x, self.padding).unsqueeze(1)
        return self.norm(self.conv(image)).transpose(0, 1)
