"""Covariates that are known ahead, decoded step by step of the horizon by spiking neurons that all steps share."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from snnctl.core.shapes import ShapeError, SignalSpec, later_by, places_ahead
from snnctl.neurons.lif import LIF


def known_ahead(x: Tensor, known: int, horizon: int) -> Tensor:
    """What raw data tell of covariates that are known ahead, at every step: [B, L, C] -> [B, horizon, known].

    Args:
        known, horizon: as in `SignalSpec`.
    """
    length = x.shape[1]
    rows, copies = (torch.tensor(each, device=x.device) for each in zip(*places_ahead(length, horizon), strict=True))
    first = x.shape[2] - len(later_by(length, horizon)) * known
    return x[:, rows[:, None], first + copies[:, None] * known + torch.arange(known, device=x.device)]


class AheadDecoder(nn.Module):
    """What covariates at a step of the horizon add to the forecast of that step.

    A readout of the backbone has weights of its own for every step; what a plan or a price does to its own hour is the
    same for all hours, and is learnt from all of them here. The neurons spike over the T steps of the network; in a
    non-spiking twin they are rectifiers. The output layer starts at zero, as the network without covariates.

    Equation:
        s_h[t] = LIF(W z_h + b)            z_h: the K covariates at step h, a constant current for T steps
        y_h    = V * mean_t s_h[t]

    Args:
        signal: the backbone's output, whose T and kind are taken.
        outputs: numbers to predict per sample: the horizon times so many for each step.
        data: the raw data [B, L, C], with `known` covariates over `horizon` rows, for `known_neurons`.

    Shape: raw data [B, L, C] -> [B, outputs].

    Raises:
        ShapeError: `outputs` is no multiple of the horizon.

    Source: ours; a decoder shared by all steps as in TiDE (Das et al. 2023, arXiv 2304.08424), made of spiking neurons.
    """

    def __init__(self, signal: SignalSpec, outputs: int, data: SignalSpec) -> None:
        super().__init__()
        if outputs % data.horizon:
            raise ShapeError(f"{outputs} outputs are not a number for each of {data.horizon} steps", knob="type")
        self.known, self.horizon, self.steps = data.known, data.horizon, max(signal.steps, 1)
        hidden = data.known_neurons
        self.into = nn.Linear(data.known, hidden)
        self.neuron = nn.ReLU() if signal.kind == "real" else LIF(hidden)
        self.out = nn.Linear(hidden, outputs // data.horizon, bias=False)
        # Currents on both sides of the threshold for covariates of mean 0 and variance 1.
        nn.init.normal_(self.into.weight, std=2.0 / math.sqrt(data.known))
        nn.init.uniform_(self.into.bias, -2.0, 2.0)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        current = self.into(known_ahead(x, self.known, self.horizon))
        if isinstance(self.neuron, nn.ReLU):
            spikes = self.neuron(current)
        else:
            spikes = self.neuron(current.expand(self.steps, *current.shape).contiguous()).mean(dim=0)
        y: Tensor = self.out(spikes)
        return y.flatten(1)
