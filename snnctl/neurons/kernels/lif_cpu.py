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
    BACKWARD,
    COMMON,
    FORWARD,
    NORM_GRADIENT,
    SCALARS,
    STATISTICS,
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
_WORTH_THREADS = 1 << 16

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


def _planned(elements: int, passes: int, channels: int, rows_kept: int, real: torch.dtype, threads: int) -> _Plan:
    """Cut `elements` neurons, each costing `passes` reads and writes, into segments of whole channel rows, and those
    into chunks."""
    target = _SEGMENT if rows_kept <= 1 else min(max(_POTENTIALS // rows_kept, _SMALLEST_SEGMENT), _SEGMENT)
    if channels == 1:  # few neurons over many steps: still a segment for every thread
        while target > _SMALLEST_SEGMENT and elements < target * 2 * threads:
            target //= 2
    lanes = VECTOR_BYTES // real.itemsize
    repeats = max(target // channels, 1)
    segment = repeats * channels
    padded = -(-segment // lanes) * lanes
    segments = -(-elements // segment)
    chunk_segments = max(-(-segments // _CHUNKS), 1)
    chunks = -(-segments // chunk_segments)
    if elements * passes < _WORTH_THREADS:
        threads = 1
    return _Plan(segment, padded, chunks, chunk_segments, repeats, min(threads, chunks))


class _Launch:
    """A kernel with all that does not change between calls of one shape; only addresses are left to fill in.

    Args:
        kernel: the compiled code.
        slots: names of its arguments.
        plan: how the work is cut.
        real: what is computed in.
        rows_kept: rows of a segment that the scratch memory holds besides the membranes.
        given: values of some arguments.
        held: kept alive as long as the launch.
    """

    def __init__(
        self,
        kernel: Compiled,
        slots: tuple[str, ...],
        plan: _Plan,
        real: torch.dtype,
        rows_kept: int,
        given: dict[str, int],
        held: Any = None,
    ) -> None:
        self.kernel, self.plan, self.real, self.held = kernel, plan, real, held
        stride = (rows_kept + 1) * plan.padded
        self.scratch = stride * plan.threads
        values = {**plan._asdict(), "scratch_stride": stride, **given}
        self._kind = ctypes.c_int64 * len(slots)
        self._template = bytes(self._kind(*(values.get(slot, 0) for slot in slots)))

    def arguments(self) -> Any:
        """A fresh array of arguments, without the addresses of this call's tensors."""
        array = self._kind.from_buffer_copy(self._template)
        array[_SCRATCH] = _scratch_of(self.scratch, self.real)
        return array

    def run(self, array: Any) -> None:
        """Do it."""
        self.kernel(array, self.plan.threads)


_SCRATCH = COMMON.index("scratch")


def _scratch_of(needed: int, real: torch.dtype) -> int:
    """Address of `needed` values that belong to this Python thread until the next call."""
    name = "float32" if real == torch.float32 else "float64"
    scratch: Tensor | None = getattr(_scratch, name, None)
    if scratch is None or scratch.numel() < needed:
        scratch = torch.empty(needed, dtype=real)
        setattr(_scratch, name, scratch)
    return scratch.data_ptr()


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


_PARAMETER = FORWARD.index("leak")
_X, _V, _SPIKES, _V_LAST = (FORWARD.index(slot) for slot in ("x", "v", "spikes", "v_last"))


@lru_cache(maxsize=1024)
def _scan_launch(
    backwards: bool,
    spec: ScanSpec,
    scalars: tuple[float, ...],
    channels: int,
    shape: tuple[int, ...],
    x_stride: int,
    threads: int,
) -> _Launch:
    real, steps, elements = REAL_TYPES[spec.real], shape[0], math.prod(shape[1:])
    held = _scalars(scalars, real)
    given = {"elements": elements, "steps": steps, "x_stride": x_stride, "scalars": ctypes.addressof(held)}
    rows_kept = steps if backwards else 0
    plan = _planned(max(elements, 1), (3 if backwards else 2) * steps, channels, rows_kept, real, threads)
    if backwards:
        return _Launch(_backward(spec), BACKWARD, plan, real, rows_kept, given, held)
    return _Launch(_forward(spec), FORWARD, plan, real, rows_kept, given, held)


def forward(spec: ScanSpec, x: Tensor, v: Tensor | None, parameters: Parameters) -> tuple[Tensor, Tensor | None]:
    """Spikes [T, *] and the last membrane [*], or None unless the spec keeps the state.

    Args:
        spec: `from_rest` tells that `v` is None.
        x: input [T, *], each step contiguous.
        v: first membrane [*], contiguous.
        parameters: as the spec needs them.
    """
    spikes = torch.empty(x.shape, dtype=x.dtype)
    v_last = torch.empty(x.shape[1:], dtype=REAL_TYPES[spec.real]) if spec.keeps_state else None
    if not x.numel():
        return spikes, v_last
    assert spec.per_channel == (parameters.leak is not None)
    assert spec.normed == (parameters.scale is not None)  # the code would read what is not there
    launch = _scan_launch(
        False, spec, parameters.scalars, parameters.channels, x.shape, _row_stride(x), torch.get_num_threads()
    )
    array = launch.arguments()
    array[_X], array[_SPIKES] = x.data_ptr(), spikes.data_ptr()
    if v is not None:
        array[_V] = v.data_ptr()
    if v_last is not None:
        array[_V_LAST] = v_last.data_ptr()
    tensors = _put_parameters(array, launch.plan, parameters)
    launch.run(array)
    del tensors  # until here their addresses were in use
    return spikes, v_last


def _put_parameters(array: Any, plan: _Plan, parameters: Parameters) -> list[Tensor | None]:
    """Write the addresses of the per-channel values; what has to be kept until the kernel has run."""
    if parameters.leak is None and parameters.scale is None:
        return []
    tensors = _tiled(plan, *parameters.tensors)
    array[_PARAMETER : _PARAMETER + len(tensors)] = [_address(tensor) for tensor in tensors]
    return tensors


class Gradients(NamedTuple):
    """What `backward` gives: of the input, of the first membrane unless the scan began at rest, and sums per channel
    [C] in float64 by name, those that the spec asks for."""

    x: Tensor
    v: Tensor | None
    sums: dict[str, Tensor]


_B_X, _B_V, _GRAD_SPIKES, _GRAD_V_LAST, _GRAD_X, _GRAD_V, _SUMS = (
    BACKWARD.index(slot) for slot in ("x", "v", "grad_spikes", "grad_v_last", "grad_x", "grad_v", SUMS[0])
)


def backward(
    spec: ScanSpec,
    x: Tensor,
    v: Tensor | None,
    parameters: Parameters,
    grad_spikes: Tensor,
    grad_v_last: Tensor | None,
) -> Gradients:
    """Gradients for the same arguments as `forward`'s; the incoming ones contiguous, in the dtypes of its results."""
    real = REAL_TYPES[spec.real]
    grad_x = torch.empty(x.shape, dtype=x.dtype)
    grad_v = None if spec.from_rest else torch.empty(x.shape[1:], dtype=real)
    launch = _scan_launch(
        True, spec, parameters.scalars, parameters.channels, x.shape, _row_stride(x), torch.get_num_threads()
    )
    wanted = [name for name in SUMS if _wants(spec, name)] if spec.sums else []
    sums = torch.zeros(len(wanted), launch.plan.chunks, launch.plan.padded, dtype=real) if wanted else None
    if x.numel():
        array = launch.arguments()
        array[_B_X], array[_GRAD_SPIKES], array[_GRAD_X] = x.data_ptr(), grad_spikes.data_ptr(), grad_x.data_ptr()
        for slot, tensor in ((_B_V, v), (_GRAD_V_LAST, grad_v_last), (_GRAD_V, grad_v)):
            if tensor is not None:
                array[slot] = tensor.data_ptr()
        if sums is not None:
            for index, name in enumerate(wanted):
                array[_SUMS + SUMS.index(name)] = sums[index].data_ptr()
        tensors = _put_parameters(array, launch.plan, parameters)
        launch.run(array)
        del tensors
    found = {} if sums is None else dict(zip(wanted, _per_channel(launch.plan, sums), strict=True))
    return Gradients(grad_x, grad_v, found)


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


@cache
def _norm_gradient(stored: torch.dtype, real: torch.dtype) -> Compiled:
    name = f"norm_gradient_{REALS[stored]}"
    return Compiled(name, norm_gradient_ir(REALS[real], REALS[stored], name))  # type: ignore[arg-type]


@lru_cache(maxsize=512)
def _norm_launch(
    gradient: bool, stored: torch.dtype, real: torch.dtype, elements: int, channels: int, threads: int
) -> _Launch:
    plan = _planned(elements, 1, channels, 0, real, threads)
    given = {"elements": elements, "steps": 1}
    if gradient:
        return _Launch(_norm_gradient(stored, real), NORM_GRADIENT, plan, real, 0, given)
    return _Launch(_statistics(stored, real), STATISTICS, plan, real, 0, given)


def statistics(x: Tensor, real: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of the last axis of contiguous `x` over all others, in float64."""
    channels = x.shape[-1]
    launch = _norm_launch(False, x.dtype, real, x.numel(), channels, torch.get_num_threads())
    origin = x.reshape(-1, channels)[0].to(real)  # sums of squares around a sample do not cancel
    (tiled,) = _tiled(launch.plan, origin)
    sums = torch.zeros(2, launch.plan.chunks, launch.plan.padded, dtype=real)
    array = launch.arguments()
    array[len(COMMON) :] = [x.data_ptr(), _address(tiled), sums[0].data_ptr(), sums[1].data_ptr()]
    launch.run(array)
    first, second = _per_channel(launch.plan, sums) / (x.numel() // channels)
    return first + origin, (second - first.square()).clamp(min=0)


def norm_gradient(grad: Tensor, x: Tensor, on_grad: Tensor, on_x: Tensor, constant: Tensor) -> None:
    """grad <- on_grad * grad + on_x * x + constant, in place; the factors are [channels]."""
    launch = _norm_launch(True, grad.dtype, on_grad.dtype, grad.numel(), len(on_grad), torch.get_num_threads())
    tensors = _tiled(launch.plan, on_grad, on_x, constant)
    array = launch.arguments()
    array[len(COMMON) :] = [grad.data_ptr(), x.data_ptr(), *map(_address, tensors)]
    launch.run(array)
