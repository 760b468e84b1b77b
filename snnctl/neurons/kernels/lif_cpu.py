"""The fused LIF kernels on a CPU: plans the work, calls the compiled code, knows nothing of autograd."""

from __future__ import annotations

import ctypes
import math
import threading
from functools import cache, lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snnctl.neurons.kernels.jit import Compiled
from snnctl.neurons.kernels.lif_ir import (
    SCALARS,
    SUMS,
    ScanSpec,
    backward_ir,
    forward_ir,
    norm_gradient_ir,
    statistics_ir,
)
from snnctl.neurons.kernels.vector_ir import VECTOR_BYTES

REAL_TYPES = {"float32": torch.float32, "float64": torch.float64}
REALS = {torch.float32: "float32", torch.float64: "float64", torch.bfloat16: "bfloat16"}

# Neurons per segment: their membranes (and, backward, the potentials of all steps) stay in the first caches.
_SEGMENT, _SMALLEST_SEGMENT, _POTENTIALS = 2048, 64, 65536
# Units of work: a fixed number, so that sums come out the same whatever the number of threads.
_CHUNKS = 32
# Less work than this (values read and written) is done sooner by one thread than others are woken.
_WORTH_THREADS = 1 << 18

_scratch = threading.local()


class Parameters(NamedTuple):
    """What the step equation needs at run time; per-channel tensors are [C], in the dtype computed in.

    Args:
        scalars: `lif_ir.SCALARS`, those that are per channel unused.
        channels: C; the last axes of one step flattened, over which the tensors run.
        leak, gain, threshold: per channel, or None.
        scale, shift: the norm per channel, or None.
        centre: per channel, around which the norm's sums are taken, or None.
    """

    scalars: tuple[float, ...]
    channels: int = 1
    leak: Tensor | None = None
    gain: Tensor | None = None
    threshold: Tensor | None = None
    scale: Tensor | None = None
    shift: Tensor | None = None
    centre: Tensor | None = None

    @property
    def tensors(self) -> tuple[Tensor | None, ...]:
        """The per-channel values in the order of `lif_ir.PARAMETERS`."""
        return self.leak, self.gain, self.threshold, self.scale, self.shift, self.centre


class _Plan(NamedTuple):
    segment: int
    padded: int
    chunks: int
    chunk_segments: int
    repeats: int
    threads: int


@lru_cache(maxsize=512)
def _plan(elements: int, passes: int, channels: int, rows_kept: int, lanes: int, threads: int) -> _Plan:
    """Cut `elements` neurons into segments of whole channel rows, and those into chunks."""
    target = _SEGMENT if rows_kept <= 1 else min(max(_POTENTIALS // rows_kept, _SMALLEST_SEGMENT), _SEGMENT)
    if channels == 1:  # few neurons over many steps: still a segment for every thread
        while target > _SMALLEST_SEGMENT and elements < target * 2 * threads:
            target //= 2
    repeats = max(target // channels, 1)
    segment = repeats * channels
    padded = -(-segment // lanes) * lanes
    segments = -(-elements // segment)
    chunk_segments = max(-(-segments // _CHUNKS), 1)
    chunks = -(-segments // chunk_segments)
    if elements * passes < _WORTH_THREADS:
        threads = 1
    return _Plan(segment, padded, chunks, chunk_segments, repeats, min(threads, chunks))


def _planned(elements: int, passes: int, channels: int, rows_kept: int, real: torch.dtype) -> _Plan:
    """The plan for `elements` neurons, each costing `passes` reads and writes."""
    return _plan(elements, passes, channels, rows_kept, VECTOR_BYTES // real.itemsize, torch.get_num_threads())


def _common(plan: _Plan, elements: int, steps: int, rows_kept: int, real: torch.dtype) -> tuple[int, ...]:
    stride = (rows_kept + 1) * plan.padded
    scratch = _scratch_of(stride * plan.threads, real)
    return 0, 0, plan.chunks, plan.chunk_segments, plan.segment, elements, steps, scratch, stride, plan.padded


def _scratch_of(needed: int, real: torch.dtype) -> int:
    """Address of `needed` values that belong to this Python thread until the next call."""
    name = str(real)
    scratch: Tensor | None = getattr(_scratch, name, None)
    if scratch is None or scratch.numel() < needed:
        scratch = torch.empty(needed, dtype=real)
        setattr(_scratch, name, scratch)
    return int(scratch.data_ptr())


@lru_cache(maxsize=256)
def _scalars(values: tuple[float, ...], real: torch.dtype) -> ctypes.Array[Any]:
    kind = ctypes.c_float if real == torch.float32 else ctypes.c_double
    return (kind * len(SCALARS))(*values)


def _tiled(plan: _Plan, *values: Tensor | None) -> list[Tensor | None]:
    """Per-channel values repeated over the rows of a segment, padded to whole vectors."""
    found: list[Tensor | None] = []
    for value in values:
        if value is None or (plan.repeats == 1 and plan.padded == value.numel()):
            found.append(value)
            continue
        tiled = value.new_ones(plan.padded)
        tiled[: plan.segment].view(plan.repeats, -1).copy_(value)
        found.append(tiled)
    return found


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


@cache
def _forward(spec: ScanSpec) -> Compiled:
    return Compiled("lif_forward", forward_ir(spec, "lif_forward"))


@cache
def _backward(spec: ScanSpec) -> Compiled:
    return Compiled("lif_backward", backward_ir(spec, "lif_backward"))


def _row_stride(x: Tensor) -> int:
    return x.stride(0) if x.shape[0] > 1 else 0


def forward(spec: ScanSpec, x: Tensor, v: Tensor | None, parameters: Parameters) -> tuple[Tensor, Tensor | None]:
    """Spikes [T, *] and the last membrane [*], or None unless the spec keeps the state.

    Args:
        spec: `from_rest` tells that `v` is None.
        x: input [T, *], each step contiguous.
        v: first membrane [*], contiguous.
        parameters: as the spec needs them.
    """
    real, steps = REAL_TYPES[spec.real], x.shape[0]
    elements = math.prod(x.shape[1:])
    spikes = torch.empty(x.shape, dtype=x.dtype)
    v_last = torch.empty(x.shape[1:], dtype=real) if spec.keeps_state else None
    if not elements:
        return spikes, v_last
    plan = _planned(elements, 2 * steps, parameters.channels, 0, real)
    tensors, scalars = _tiled(plan, *parameters.tensors), _scalars(parameters.scalars, real)
    slots = (
        *_common(plan, elements, steps, 0, real),
        ctypes.addressof(scalars),
        *map(_address, tensors),
        x.data_ptr(),
        _row_stride(x),
        _address(v),
        spikes.data_ptr(),
        _address(v_last),
    )
    _forward(spec)(slots, plan.threads)
    return spikes, v_last


class Gradients(NamedTuple):
    """What `backward` gives: of the input, of the first membrane unless the scan began at rest, and sums per channel
    [C] in float64 by name, those that the spec asks for."""

    x: Tensor
    v: Tensor | None
    sums: dict[str, Tensor]


def backward(
    spec: ScanSpec,
    x: Tensor,
    v: Tensor | None,
    parameters: Parameters,
    grad_spikes: Tensor,
    grad_v_last: Tensor | None,
) -> Gradients:
    """Gradients for the same arguments as `forward`'s; the incoming ones contiguous, in the dtypes of its results."""
    real, steps = REAL_TYPES[spec.real], x.shape[0]
    elements = math.prod(x.shape[1:])
    grad_x = torch.empty(x.shape, dtype=x.dtype)
    grad_v = None if spec.from_rest else torch.empty(x.shape[1:], dtype=real)
    plan = _planned(max(elements, 1), 3 * steps, parameters.channels, steps, real)
    wanted = [name for name in SUMS if _wants(spec, name)] if spec.sums else []
    sums = torch.zeros(len(wanted), plan.chunks, plan.padded, dtype=real) if wanted else None
    if elements:
        tensors, scalars = _tiled(plan, *parameters.tensors), _scalars(parameters.scalars, real)
        places = {} if sums is None else {name: sums[index].data_ptr() for index, name in enumerate(wanted)}
        slots = (
            *_common(plan, elements, steps, steps, real),
            ctypes.addressof(scalars),
            *map(_address, tensors),
            x.data_ptr(),
            _row_stride(x),
            _address(v),
            grad_spikes.data_ptr(),
            _address(grad_v_last),
            grad_x.data_ptr(),
            _address(grad_v),
            *(places.get(name, 0) for name in SUMS),
        )
        _backward(spec)(slots, plan.threads)
    return Gradients(grad_x, grad_v, {} if sums is None else dict(zip(wanted, _per_channel(plan, sums), strict=True)))


def _wants(spec: ScanSpec, name: str) -> bool:
    return ("norm" if name in ("sum_gx", "sum_gxx") else "parameters") in spec.sums


def _per_channel(plan: _Plan, sums: Tensor) -> Tensor:
    """[kinds, chunks, padded] -> [kinds, C], always in the same order."""
    rows = sums[..., : plan.segment].unflatten(-1, (plan.repeats, -1))
    return rows.sum(dim=(1, 2), dtype=torch.float64)


@cache
def _statistics(stored: torch.dtype, real: torch.dtype) -> Compiled:
    name = f"statistics_{REALS[stored]}"
    return Compiled(name, statistics_ir(REALS[real], REALS[stored], name))  # type: ignore[arg-type]


def statistics(x: Tensor, real: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of the last axis of contiguous `x` over all others, in float64."""
    channels = x.shape[-1]
    plan = _planned(x.numel(), 1, channels, 0, real)
    origin = x.reshape(-1, channels)[0].to(real)  # sums of squares around a sample do not cancel
    (tiled,) = _tiled(plan, origin)
    sums = torch.zeros(2, plan.chunks, plan.padded, dtype=real)
    slots = (
        *_common(plan, x.numel(), 1, 0, real),
        x.data_ptr(),
        _address(tiled),
        sums[0].data_ptr(),
        sums[1].data_ptr(),
    )
    _statistics(x.dtype, real)(slots, plan.threads)
    first, second = _per_channel(plan, sums) / (x.numel() // channels)
    return first + origin, (second - first.square()).clamp(min=0)


@cache
def _norm_gradient(stored: torch.dtype, real: torch.dtype) -> Compiled:
    name = f"norm_gradient_{REALS[stored]}"
    return Compiled(name, norm_gradient_ir(REALS[real], REALS[stored], name))  # type: ignore[arg-type]


def norm_gradient(grad: Tensor, x: Tensor, on_grad: Tensor, on_x: Tensor, constant: Tensor) -> None:
    """grad <- on_grad * grad + on_x * x + constant, in place; the factors are [channels]."""
    real = on_grad.dtype
    plan = _planned(grad.numel(), 1, len(on_grad), 0, real)
    tensors = _tiled(plan, on_grad, on_x, constant)
    slots = (
        *_common(plan, grad.numel(), 1, 0, real),
        grad.data_ptr(),
        x.data_ptr(),
        *map(_address, tensors),
    )
    _norm_gradient(grad.dtype, real)(slots, plan.threads)
