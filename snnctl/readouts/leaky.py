"""Read-outs with a memory of their own: leaky integrators without spikes, or a last layer of neurons to count."""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import lru_cache
from typing import Annotated, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snnctl.core.catalog import READOUTS
from snnctl.core.registry import Slot
from snnctl.core.shapes import SignalSpec
from snnctl.neurons.base import NeuronFactory, neuron_factory
from snnctl.neurons.kernels import can_be_fast
from snnctl.neurons.norm import NormKind, make_norm
from snnctl.readouts.base import Readout

Decoder = Literal["cum", "last", "mean", "max"]


def leaky_integral(x: Tensor, leak: float) -> Tensor:
    """V[t] = leak * V[t-1] + (1 - leak) * x[t] along the first axis, from rest.

    The loop is the definition; where nobody watches single operations it is one product with a triangular matrix.
    """
    if not can_be_fast(x):
        v, out = torch.zeros_like(x[0]), []
        for x_t in x.unbind(0):
            v = leak * v + (1 - leak) * x_t
            out.append(v)
        return torch.stack(out)
    return (_decay(len(x), leak, x.dtype) @ x.flatten(1)).view_as(x)


@lru_cache(maxsize=8)
def _decay(count: int, leak: float, dtype: torch.dtype) -> Tensor:
    """[count, count]: what is left, at each step, of the current at each."""
    with torch.inference_mode(False):  # it may be made in an evaluation, and serves training later
        steps = torch.arange(count, dtype=torch.float64, device="cpu")
        lag = steps[:, None] - steps[None, :]
        return torch.where(lag >= 0, (1 - leak) * leak ** lag.clamp(min=0), 0.0).to(dtype)


class CurrentReadout(Readout):
    """Base of what follows: a current for each output, from all positions side by side."""

    def __init__(self, signal: SignalSpec, outputs: int, norm: NormKind) -> None:
        super().__init__(signal, outputs)
        self.linear = nn.Linear(signal.length * signal.features, outputs, bias=norm == "none")
        self.norm = make_norm(norm, outputs, 1.0)

    def currents(self, spikes: Tensor) -> Tensor:
        """[T, B, L, D] -> [T, B, outputs]."""
        return self.norm(self.linear(spikes.flatten(2)))


class LeakyReadout(CurrentReadout):
    """Base of the leaky read-outs: one integrator per output, without threshold; one time constant, never learned."""

    def __init__(
        self,
        signal: SignalSpec,
        outputs: int,
        data: SignalSpec | None = None,
        *,
        tau: Annotated[float, Gt(0.0)] = 50.0,
        norm: NormKind = "running",
    ) -> None:
        super().__init__(signal, outputs, norm)
        self.tau = tau
        self.leak = math.exp(-(signal.dt_ms or 1.0) / tau)

    def read(self, spikes: Tensor) -> Tensor:
        return self.decode(leaky_integral(self.currents(spikes), self.leak))

    @abstractmethod
    def decode(self, voltages: Tensor) -> Tensor:
        """The answer from [T, B, outputs]."""


@READOUTS.register("leaky_step")
class LeakyStep(LeakyReadout):
    """The voltages of leaky integrators, at every step.

    Equation:
        V[t] = a V[t-1] + (1 - a) norm(W x[t])      a = exp(-dt/tau)
        y[t] = V[t]

    Args:
        signal, outputs, data: as in `Readout`; the data are not used.
        tau: time constant, > 0, in ms where the data says what a step lasts, else in steps (50 ms as published for
            multi-time-scale XOR).
        norm: of the currents: running, batch (as published), layer or none, as in `spike_mlp`.

    Shape: [T, B, L, D] -> [B, T, outputs].

    Source: Moro et al. 2024, arXiv 2407.18838, and its code, github.com/EIS-Hub/hSNN (decoder `vmem_time`).
    """

    answers = "step"

    def decode(self, voltages: Tensor) -> Tensor:
        return voltages.transpose(0, 1)


@READOUTS.register("leaky")
class Leaky(LeakyReadout):
    """One answer from the voltages of leaky integrators over all steps.

    Equation:
        V[t] = a V[t-1] + (1 - a) norm(W x[t])      a = exp(-dt/tau)
        y = sum_t softmax(V[t])                     decoder: cum
        y = V[T], mean_t V[t], max_t V[t]           decoder: last, mean, max

    Args:
        signal, outputs, data: as in `Readout`; the data are not used.
        tau: time constant, > 0, in ms where the data says what a step lasts, else in steps (200 ms as published for
            keyword spotting).
        decoder: cum (as published; the loss puts a second softmax on the sums, so that no score can be surer than
            e^T : 1), last, mean or max.
        norm: of the currents: running, batch (as published), layer or none, as in `spike_mlp`.

    Shape: [T, B, L, D] -> [B, outputs].

    Source: Moro et al. 2024, arXiv 2407.18838, and its code, github.com/EIS-Hub/hSNN.
    """

    def __init__(
        self,
        signal: SignalSpec,
        outputs: int,
        data: SignalSpec | None = None,
        *,
        tau: Annotated[float, Gt(0.0)] = 200.0,
        decoder: Decoder = "cum",
        norm: NormKind = "running",
    ) -> None:
        super().__init__(signal, outputs, tau=tau, norm=norm)
        self.decoder = decoder
        if decoder == "cum":
            note = "`decoder: cum` sums softmaxes, and the loss takes a softmax of the sums: a double one, as published"
            self.cautions = (note,)

    def decode(self, voltages: Tensor) -> Tensor:
        match self.decoder:
            case "cum":
                return voltages.softmax(dim=-1).sum(dim=0)
            case "last":
                return voltages[-1]
            case "mean":
                return voltages.mean(dim=0)
        return voltages.amax(dim=0)


@READOUTS.register("spike_count")
class SpikeCount(CurrentReadout):
    """A last layer of spiking neurons, one per output; the answer is how often each has fired.

    Equation:
        y = sum_t neuron(norm(W x))[t]

    Args:
        signal, outputs, data: as in `Readout`; the data are not used.
        neuron: of the last layer.
        norm: of the currents: running, batch, layer or none, as in `spike_mlp`.

    Shape: [T, B, L, D] -> [B, outputs].

    Source: github.com/EIS-Hub/hSNN (its spike-count decoder).
    """

    def __init__(
        self,
        signal: SignalSpec,
        outputs: int,
        data: SignalSpec | None = None,
        *,
        neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] = "tau_lif",
        norm: NormKind = "running",
    ) -> None:
        super().__init__(signal, outputs, norm)
        self.neuron = neuron_factory(neuron)(outputs)

    def read(self, spikes: Tensor) -> Tensor:
        return self.neuron(self.currents(spikes)).sum(dim=0)
