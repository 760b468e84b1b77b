"""Neurons between autaptic circuits on a CPU: convolutions by torch, the rest of a step by compiled code."""

from __future__ import annotations

import ctypes
import math
from functools import cache, lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from snnctl.neurons.kernels.circuit_ir import (
    AFFINE,
    BACK,
    STEP,
    SUMS,
    CircuitSpec,
    affine_ir,
    back_ir,
    step_ir,
    sums_ir,
)
from snnctl.neurons.kernels.equation_ir import SCALARS
from snnctl.neurons.kernels.jit import Compiled
from snnctl.neurons.kernels.segments import REAL_TYPES
from snnctl.neurons.kernels.vector_ir import Real


class Maps(NamedTuple):
    """How the maps lie.

    Args:
        spec: C, M and which circuits.
        samples: N, whatever the convolution does not run over.
        space: the sizes of the axes that it runs over.
        groups: of the convolution.
        norm_groups: of the norm, of each circuit; 0 = no norm.
        eps: of the norm.
    """

    spec: CircuitSpec
    samples: int
    space: tuple[int, ...]
    groups: int
    norm_groups: int
    eps: float

    @property
    def positions(self) -> int:
        return math.prod(self.space)

    def zeros(self, like: Tensor) -> Tensor:
        """A convolution's output for no spikes at all [N, positions, M]."""
        return like.new_zeros(self.samples, self.positions, self.spec.outputs)

    def images(self, rows: Tensor) -> Tensor:
        """[N, *space, channels] as torch's convolutions want it, channels last in memory."""
        height = 1 if len(self.space) == 1 else self.space[0]
        return rows.reshape(self.samples, height, self.space[-1], -1).permute(0, 3, 1, 2)

    def padding(self, weight: Tensor) -> list[int]:
        return [size // 2 for size in weight.shape[2:]]

    def convolved(self, s: Tensor, weight: Tensor) -> Tensor:
        """The convolution of both circuits for the spikes of one step, channels last."""
        y = F.conv2d(self.images(s), weight, padding=self.padding(weight), groups=self.groups)
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
    real, outputs = spec.scan.real, spec.outputs
    text = {
        "sums": lambda: sums_ir(real, outputs, name),
        "affine": lambda: affine_ir(real, outputs, name),
        "step": lambda: step_ir(spec, name),
        "back": lambda: back_ir(spec, name),
    }[kind]()
    return Compiled(name, text)


_SLOTS = {"sums": SUMS, "affine": AFFINE, "step": STEP, "back": BACK}


@cache
def _place(kind: str) -> dict[str, int]:
    return {slot: index for index, slot in enumerate(_SLOTS[kind])}


@lru_cache(maxsize=256)
def scalars(values: tuple[float, ...], real: Real) -> ctypes.Array[Any]:
    """The numbers of the step equation, `equation_ir.SCALARS`, where the kernels find them."""
    kind = ctypes.c_float if real == "float32" else ctypes.c_double
    return (kind * len(SCALARS))(*values)


def run(kind: str, maps: Maps, numbers: ctypes.Array[Any] | None, tensors: dict[str, Tensor | None]) -> None:
    """Run one kernel over all samples, with these tensors in its slots."""
    places = _place(kind)
    array = (ctypes.c_int64 * len(places))()
    array[places["chunks"]] = maps.samples
    array[places["positions"]] = maps.positions
    if numbers is not None:
        array[places["scalars"]] = ctypes.addressof(numbers)
    for slot, tensor in tensors.items():
        if tensor is not None:
            array[places[slot]] = tensor.data_ptr()
    _kernel(kind, maps.spec)(array, min(torch.get_num_threads(), maps.samples))


class Normed(NamedTuple):
    """The norm of one step: level = scale * y + shift, all [N, M] in the dtype computed in.

    Args:
        scale, shift: the level's.
        mean, rstd: of the norm group, float64; None without a norm.
    """

    scale: Tensor
    shift: Tensor
    mean: Tensor | None
    rstd: Tensor | None


@lru_cache(maxsize=64)
def members(channels: int, block: int, norm_groups: int, both: bool) -> Tensor:
    """[M, K] in float64: 1 where channel m of the convolution's output belongs to norm group k."""
    outputs = channels * (2 if both else 1)
    number = torch.arange(outputs)
    if both:
        circuit = number // block % 2
        number = number // (2 * block) * block + number % block
    else:
        circuit = torch.zeros_like(number)
    group = circuit * norm_groups + number // (channels // norm_groups)
    found = torch.zeros(outputs, norm_groups * (2 if both else 1), dtype=torch.float64)
    found[torch.arange(outputs), group] = 1.0
    return found


def _members(maps: Maps) -> Tensor:
    return members(maps.spec.channels, maps.spec.block, maps.norm_groups, maps.spec.both)


def normed(maps: Maps, y: Tensor | None, gain: Tensor | None, shift: Tensor) -> Normed:
    """Statistics of `y` [N, *, M]; None stands for zeros.

    Args:
        gain, shift: [M], float64; a gain of None is no norm.
    """
    real, size = REAL_TYPES[maps.spec.scan.real], (maps.samples, maps.spec.outputs)
    if gain is None or not maps.norm_groups:
        return Normed(torch.ones(size, dtype=real), shift.to(real).expand(size).contiguous(), None, None)
    if y is None:
        mean = torch.zeros(size, dtype=torch.float64)
        rstd = torch.full(size, maps.eps**-0.5, dtype=torch.float64)
    else:
        sums = torch.empty(2, *size, dtype=real)
        run("sums", maps, None, {"y": y, "sum_y": sums[0], "sum_yy": sums[1]})
        around, square = sums.double().div_(maps.positions)
        own = around + _origin(maps, y)
        share = _members(maps)
        count = share.shape[0] // share.shape[1]
        mean = (own @ share) @ share.T / count
        spread = square - around.square() + (own - mean).square()
        rstd = ((spread @ share) @ share.T / count).clamp_(min=0).add_(maps.eps).rsqrt_()
    scale = rstd * gain
    return Normed(scale.to(real), (shift - mean * scale).to(real), mean, rstd)


def _origin(maps: Maps, y: Tensor) -> Tensor:
    """Where the sums of a sample are taken around: its first position."""
    return y.view(maps.samples, maps.positions, -1)[:, 0]


class LevelGradients(NamedTuple):
    """What the gradient of the level leaves behind: of gain and shift [M], float64."""

    gain: Tensor | None
    shift: Tensor


def norm_back(
    maps: Maps, d: Tensor, y: Tensor | None, norm: Normed, gain: Tensor | None, sums: Tensor
) -> LevelGradients:
    """Turn `d`, the gradient of the level, into that of y, in place; without y it stays as it is.

    Args:
        y: as for `normed`.
        gain: as for `normed`.
        sums: of d and of d (y - origin), [2, N, M].
    """
    first, second = sums.double()
    if gain is None or norm.mean is None or norm.rstd is None:
        return LevelGradients(None, first.sum(0))
    if y is None:  # y and its mean are zero
        return LevelGradients(torch.zeros_like(gain), first.sum(0))
    mean, rstd, share = norm.mean, norm.rstd, _members(maps)
    hat = rstd * (second + (_origin(maps, y) - mean) * first)
    count = share.shape[0] // share.shape[1] * maps.positions
    a, b = ((torch.stack((first, hat)) * gain) @ share @ share.T / count).unbind(0)
    of_y = -rstd.square() * b
    factors = {"on_d": rstd * gain, "on_y": of_y, "constant": -rstd * a - of_y * mean}
    given: dict[str, Tensor | None] = {name: value.to(d.dtype) for name, value in factors.items()}
    run("affine", maps, None, {"d": d, "y": y, **given})
    return LevelGradients(hat.sum(0), first.sum(0))
