"""The fused LIF kernels on a CPU: plans the work, calls the compiled code, knows nothing of autograd."""

from __future__ import annotations

import ctypes
import math
from functools import cache, lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from snnctl.neurons.kernels.equation_ir import PARAMETERS, ScanSpec
from snnctl.neurons.kernels.jit import Compiled
from snnctl.neurons.kernels.lif_ir import BACKWARD, FORWARD, SUMS, backward_ir, forward_ir
from snnctl.neurons.kernels.segments import REAL_TYPES, Launch, Plan, c_numbers, per_channel, planned, tiled


class Parameters(NamedTuple):
    """What the step equation needs at run time; per-channel tensors are [C], in the dtype computed in.

    Args:
        scalars: `equation_ir.SCALARS`, those that are per channel unused.
        channels: C; the last axes of one step flattened, over which the tensors run. Those stand in the order of
            `equation_ir.PARAMETERS`.
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


@cache
def _kernel(backwards: bool, spec: ScanSpec) -> Compiled:
    name, text = ("lif_backward", backward_ir) if backwards else ("lif_forward", forward_ir)
    return Compiled(name, text(spec, name))


@lru_cache(maxsize=1024)
def _scan_launch(
    backwards: bool,
    spec: ScanSpec,
    scalars: tuple[float, ...],
    channels: int,
    shape: tuple[int, ...],
    x_stride: int,
    threads: int,
) -> Launch:
    real, steps, elements = REAL_TYPES[spec.real], shape[0], math.prod(shape[1:])
    held = c_numbers(scalars, real)
    given = {"elements": elements, "steps": steps, "x_stride": x_stride, "scalars": ctypes.addressof(held)}
    rows_kept = steps if backwards else 0
    plan = planned(max(elements, 1), (3 if backwards else 2) * steps, channels, rows_kept, real, threads)
    slots = BACKWARD if backwards else FORWARD
    return Launch(_kernel(backwards, spec), slots, plan, real, rows_kept, given, held)


def _launch(backwards: bool, spec: ScanSpec, parameters: Parameters, x: Tensor) -> Launch:
    stride = x.stride(0) if x.shape[0] > 1 else 0
    scalars, channels = parameters.scalars, parameters.channels
    return _scan_launch(backwards, spec, scalars, channels, x.shape, stride, torch.get_num_threads())


def forward(spec: ScanSpec, x: Tensor, v: Tensor | None, parameters: Parameters) -> tuple[Tensor, Tensor | None]:
    """Spikes [T, *] and the last membrane [*] (None unless the spec keeps it) for input [T, *], each step contiguous,
    and the first membrane [*], contiguous (None where the spec says `from_rest`)."""
    spikes = torch.empty(x.shape, dtype=x.dtype)
    v_last = torch.empty(x.shape[1:], dtype=REAL_TYPES[spec.real]) if spec.keeps_state else None
    if not x.numel():
        return spikes, v_last
    assert spec.per_channel == (parameters.leak is not None)
    assert spec.normed == (parameters.scale is not None)  # the code would read what is not there
    launch = _launch(False, spec, parameters, x)
    launch.run({"x": x, "v": v, "spikes": spikes, "v_last": v_last, **_per_channel(launch.plan, parameters)})
    return spikes, v_last


def _per_channel(plan: Plan, parameters: Parameters) -> dict[str, Tensor | None]:
    """The per-channel values by slot."""
    if parameters.leak is None and parameters.scale is None:
        return {}
    return dict(zip(PARAMETERS[1:], tiled(plan, *parameters[2:]), strict=True))


class Gradients(NamedTuple):
    """What `backward` gives: of the input, of the first membrane unless the scan began at rest, and sums per channel
    [C] in float64 by name, those that the spec asks for."""

    x: Tensor
    v: Tensor | None
    sums: dict[str, Tensor]


def backward(
    spec: ScanSpec, x: Tensor, v: Tensor | None, parameters: Parameters, grad_spikes: Tensor, grad_v_last: Tensor | None
) -> Gradients:
    """Gradients for the same arguments as `forward`'s; the incoming ones contiguous, in the dtypes of its results."""
    real = REAL_TYPES[spec.real]
    grad_x = torch.empty(x.shape, dtype=x.dtype)
    grad_v = None if spec.from_rest else torch.empty(x.shape[1:], dtype=real)
    launch = _launch(True, spec, parameters, x)
    wanted = [name for name in SUMS if ("norm" if name in ("sum_gx", "sum_gxx") else "parameters") in spec.sums]
    sums = torch.zeros(len(wanted), launch.plan.chunks, launch.plan.padded, dtype=real) if wanted else None
    if x.numel():
        tensors = {"x": x, "v": v, "grad_spikes": grad_spikes, "grad_v_last": grad_v_last, "grad_x": grad_x}
        own = _per_channel(launch.plan, parameters)
        if sums is not None:
            own |= dict(zip(wanted, sums, strict=True))
        launch.run({**tensors, "grad_v": grad_v, **own})
    found = {} if sums is None else dict(zip(wanted, per_channel(launch.plan, sums), strict=True))
    return Gradients(grad_x, grad_v, found)
