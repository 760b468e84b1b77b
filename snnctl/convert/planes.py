"""Running a network as binary planes: every layer that spikes drive as one binary product per bit, shifted and added.

Whether that gives the same is a matter of arithmetic, not of rounding, so both ways of running are made exact: weights
become whole numbers of 2^-fraction, few enough bits of them that float64 holds every partial sum without rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnctl.backbones.parts.weights import ConvWeights, LinearWeights, TemporalWeights
from snnctl.core.choices import Execution
from snnctl.measure.watcher import Watcher
from snnctl.neurons.base import SpikingNeuron

EXACT_BITS = 53  # whole numbers up to 2^53 are exact in float64, and so are their sums
_WEIGHTS = (LinearWeights, ConvWeights, TemporalWeights)


@dataclass
class Executed:
    """What was run how."""

    layers: dict[str, int] = field(default_factory=dict)  # those that spikes drove -> bits of the widest spike they got
    real: set[str] = field(default_factory=set)  # layers that real numbers drove at least once; they ran as ever
    # largest difference between planes and whole numbers, in units of the result's last place; 0 if exact
    worst: float = 0.0
    fraction_bits: dict[str, int] = field(default_factory=dict)  # of each layer's weights


class PlaneExecution(Watcher):
    """While its `with` block runs, layers driven by spikes compute with whole numbers, as planes if that is asked for.

    Args:
        network: in evaluation mode, on the CPU or a device with float64.
        execution: integer multiplies weights by codes; bitplane adds up one binary product per bit as well, compares
            the two, and goes on with the planes.
    """

    def __init__(self, network: nn.Module, execution: Execution) -> None:
        self.execution = execution
        self.found = Executed()
        self._neurons = [part for part in network.modules() if isinstance(part, SpikingNeuron)]
        self._scales: list[float] | None = None
        self._parts = {name: part for name, part in network.named_modules() if isinstance(part, _WEIGHTS)}

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        for name, part in self._parts.items():
            yield part.register_forward_hook(self._hook(name))

    def document(self) -> dict[str, Any]:
        """What was run how, for `--json`."""
        found = self.found
        compared = {"worst_difference": found.worst} if self.execution == "bitplane" else {}
        rows = [{"layer": n, "bits": b, "fraction_bits": found.fraction_bits[n]} for n, b in found.layers.items()]
        return {"mode": self.execution, **compared, "layers": rows, "driven_by_real_numbers": sorted(found.real)}

    def _hook(self, name: str) -> Callable[[nn.Module, Any, Tensor], Tensor | None]:
        @torch.no_grad()
        def run(module: nn.Module, args: Any, out: Tensor) -> Tensor | None:
            read = self._codes(args[0])
            assert isinstance(module, _WEIGHTS)
            if read is None or module.code_weight is not None:
                self.found.real.add(name)
                return None
            codes, scale = read
            bits = int(codes.abs().max()).bit_length()
            self.found.layers[name] = max(self.found.layers.get(name, 0), bits)
            weight = module.weight
            # Bits of a fraction that leave room for the largest sum.
            largest = float(weight.abs().max()) * max(int(codes.abs().max()), 1) * math.prod(weight.shape[1:])
            fraction = EXACT_BITS - 1 - max(0, math.ceil(math.log2(largest + 1)))
            self.found.fraction_bits[name] = fraction
            whole = (weight.double() * 2.0**fraction).round()
            total = _product(module, codes, whole)
            if self.execution == "bitplane":
                planes = _by_planes(module, codes, whole, bits)
                self.found.worst = max(self.found.worst, float((planes - total).abs().max()) if total.numel() else 0.0)
                total = planes
            y = total * (scale * 2.0**-fraction)
            bias = module.bias
            if bias is not None and module.adds_bias:  # once per step, not once per plane
                y = y + (bias.double() if not isinstance(module, ConvWeights) else bias.double()[:, None, None])
            return y.to(out.dtype)

        return run

    def _codes(self, x: Tensor) -> tuple[Tensor, float] | None:
        """Whole numbers and what one stands for; None where these are no spikes of this network."""
        if self._scales is None:  # not before the first call: thresholds may be loaded after this object is made
            self._scales = sorted({neuron.scale for neuron in self._neurons}, reverse=True)
        for scale in self._scales:
            codes = x.double() / scale
            nearest = codes.round()
            if float((codes - nearest).abs().max() if x.numel() else 0.0) < 1e-4 and nearest.abs().max() <= 255:
                return nearest, scale
        return None


def _product(module: nn.Module, x: Tensor, weight: Tensor) -> Tensor:
    """The layer's linear map of x with other weights, without a bias."""
    if isinstance(module, LinearWeights):
        return F.linear(x, weight)
    if isinstance(module, ConvWeights):
        made: Tensor = module._conv_forward(x, weight, None)
        return made
    assert isinstance(module, TemporalWeights)
    sequences = F.pad(x.flatten(0, 1), (0, 0, module.reach, 0)).transpose(1, 2)
    current = F.conv1d(sequences, weight, None, dilation=module.dilation).transpose(1, 2)
    return current.reshape(*x.shape[:-1], module.out_channels)


def _by_planes(module: nn.Module, codes: Tensor, weight: Tensor, bits: int) -> Tensor:
    """sum over bits j of 2^j (W B_j), B_j the binary plane; planes of spikes below zero are taken off."""
    total = torch.zeros(())
    size, sign = codes.abs().to(torch.int64), codes.sign()
    for bit in range(max(bits, 1)):
        plane = ((size >> bit) & 1).double() * sign
        total = total + _product(module, plane, weight) * 2.0**bit
    return total
