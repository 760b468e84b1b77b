"""Neurons between autaptic circuits on a CPU: convolutions by torch, the rest of a step by compiled code."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from snnctl.neurons.kernels.circuit_ir import BACK, STEP, CircuitSpec, back_ir, lanes_of, step_ir
from snnctl.neurons.kernels.jit import Compiled
from snnctl.neurons.kernels.segments import REAL_TYPES, c_numbers


class Maps(NamedTuple):
    """How the maps lie."""

    spec: CircuitSpec
    samples: int  # N, whatever the convolution does not run over
    space: tuple[int, ...]  # the sizes of the axes that it runs over
    groups: int  # of the convolution

    @property
    def positions(self) -> int:
        return math.prod(self.space)

    def images(self, rows: Tensor) -> Tensor:
        """[N, *space, channels] as torch's convolutions want it, channels last in memory."""
        height = 1 if len(self.space) == 1 else self.space[0]
        return rows.reshape(self.samples, height, self.space[-1], -1).permute(0, 3, 1, 2)

    def padding(self, weight: Tensor) -> list[int]:
        return [size // 2 for size in weight.shape[2:]]

    def filled(self, weight: Tensor) -> tuple[Tensor, int]:
        """The same convolution in fewer groups, with zeros between them, and how many: narrow groups leave much of a
        vector idle (worth a fifth of the time for 4 channels)."""
        each = len(weight) // self.groups
        together = math.gcd(max(lanes_of(self.spec.scan.real) // each, 1), self.groups)
        if together == 1:
            return weight, self.groups
        groups, inputs = self.groups // together, weight.shape[1]
        wide = weight.new_zeros(groups, together, each, together, inputs, *weight.shape[2:])
        parts = weight.view(groups, together, each, inputs, *weight.shape[2:])
        for n in range(together):
            wide[:, n, :, n] = parts[:, n]
        return wide.flatten(3, 4).flatten(0, 2), groups

    def convolved(self, s: Tensor, weight: Tensor, groups: int) -> Tensor:
        """The convolution of both circuits for the spikes of one step, channels last; weights as from `filled`."""
        y = F.conv2d(self.images(s), weight, padding=self.padding(weight), groups=groups)
        return y.permute(0, 2, 3, 1).contiguous()

    def convolved_back(self, d: Tensor, s: Tensor, weight: Tensor, *, to_spikes: bool) -> tuple[Tensor | None, Tensor]:
        """Gradients of the spikes, if wanted, and of the weights."""
        given = (self.images(d), self.images(s), weight, [0], [1, 1], self.padding(weight), [1, 1], False, [0, 0])
        found = torch.ops.aten.convolution_backward(*given, self.groups, [to_spikes, True, False])
        grad = found[0].permute(0, 2, 3, 1).contiguous() if to_spikes else None
        return grad, found[1]


@cache
def _kernel(kind: str, spec: CircuitSpec) -> Compiled:
    name = f"circuit_{kind}"
    return Compiled(name, step_ir(spec, name) if kind == "step" else back_ir(spec, name))


_SLOTS = {"step": STEP, "back": BACK}
_PLACES = {kind: {slot: place for place, slot in enumerate(slots)} for kind, slots in _SLOTS.items()}
_SCRATCH = ("sum_y", "sum_yy", "sum_d", "sum_dy", "on_d", "on_y", "constant")


@lru_cache(maxsize=64)
def _norm_group_of(channels: int, block: int, norm_groups: int, both: bool) -> Tensor:
    """Of each channel of the convolution's output [M], which norm group it is in: int64."""
    number = torch.arange(channels * (2 if both else 1))
    circuit = number // block % 2 if both else torch.zeros_like(number)
    if both:
        number = number // (2 * block) * block + number % block
    return circuit * norm_groups + number // (channels // max(norm_groups, 1))


class Kernels:
    """The kernels of one call, with all that does not change between its steps.

    Args:
        gain, bias: of the norm [M]; a gain of None is no norm.
        own: leak, gain and threshold per channel [C], or empty.
    """

    def __init__(
        self, maps: Maps, scalars: tuple[float, ...], gain: Tensor | None, bias: Tensor, own: Sequence[Tensor]
    ) -> None:
        spec = maps.spec
        self.maps, self.real = maps, REAL_TYPES[spec.scan.real]
        groups = spec.norm_groups * (2 if spec.both else 1)
        self.row, self.moments = (maps.samples, spec.outputs), (maps.samples, max(groups, 1))
        self._held: dict[str, Tensor] = {
            "norm_group": _norm_group_of(spec.channels, spec.block, spec.norm_groups, spec.both),
            "norm_gain": torch.ones_like(bias, dtype=torch.float64) if gain is None else gain.double(),
            "norm_bias": bias.double(),
            **{slot: torch.empty(self.moments, dtype=torch.float64) for slot in ("sums_a", "sums_b")},
            **{slot: torch.empty(self.row, dtype=self.real) for slot in _SCRATCH},
            **dict(zip(("leak", "gain", "threshold"), own, strict=False)),
        }
        self._numbers = c_numbers(scalars, self.real)
        fixed = {slot: tensor.data_ptr() for slot, tensor in self._held.items()}
        fixed |= {"chunks": maps.samples, "positions": maps.positions, "scalars": ctypes.addressof(self._numbers)}
        self._templates = {
            kind: (ctypes.c_int64 * len(slots))(*(fixed.get(slot, 0) for slot in slots))
            for kind, slots in _SLOTS.items()
        }

    def norm(self) -> dict[str, Tensor]:
        """Room for what one step's norm leaves for the backward pass."""
        return {
            "scale": torch.empty(self.row, dtype=self.real),
            "shift": torch.empty(self.row, dtype=self.real),
            "mean": torch.empty(self.moments, dtype=torch.float64),
            "rstd": torch.empty(self.moments, dtype=torch.float64),
        }

    def run(self, kind: str, spec: CircuitSpec, tensors: Mapping[str, Tensor | None]) -> None:
        """Run one kernel over all samples, with these tensors in its slots."""
        places, template = _PLACES[kind], self._templates[kind]
        array = type(template).from_buffer_copy(template)
        for slot, tensor in tensors.items():
            if tensor is not None:
                array[places[slot]] = tensor.data_ptr()
        _kernel(kind, spec)(array, min(torch.get_num_threads(), self.maps.samples))
