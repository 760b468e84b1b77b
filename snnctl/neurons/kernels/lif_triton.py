"""LIF over time in Triton, for CUDA tensors: all steps in one pass over memory, forward and backward.

One program takes a block of neighbouring neurons and loops over time with their membranes in registers. The
backward pass computes the potentials again into a float32 buffer of the size of the input, and walks back through
them; nothing but the input is kept between the two. The equations are those of `equation_ir`, where they are derived.

Spikes are those of the definition on a CPU, bit for bit, as far as every operation is rounded on its own and to
nearest: divisions say so, and products and sums are not contracted (`enable_fp_fusion=False`). Eager torch on a GPU
divides by a number through its rounded reciprocal, so at exactly the threshold the definition may differ there.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snnctl.neurons.kernels.choice import first_gradients_only
from snnctl.neurons.kernels.parameters import fits, flat, misfit, surrogate_constants
from snnctl.neurons.kernels.reference import Dynamics
from snnctl.neurons.kernels.triton_code import backward_kernel, forward_kernel, triton
from snnctl.neurons.surrogate import ATan

_DTYPES = (torch.float32, torch.bfloat16, torch.float16)

# Neurons of a program: four per thread are one 128-bit access in float32; fewer neurons in all, smaller blocks.
_BLOCK, _SMALL_BLOCK, _FEW, _PER_THREAD = 512, 128, 1 << 17, 4


class _Plan(NamedTuple):
    """What the kernels are called with besides tensors."""

    numbers: tuple[float, ...]  # leak, gain, threshold (unused where they are per channel), tau, 1 / tau
    slope: tuple[str, float, float]  # the surrogate's name and constants
    channels: int  # over how many neighbouring neurons the parameters run
    options: dict[str, Any]  # what both kernels are compiled for
    detach_reset: bool
    keeps_state: bool


def _prepared(x: Tensor, dynamics: Dynamics, keeps_state: bool) -> tuple[_Plan, list[Tensor]]:
    """The plan, and leak, gain, threshold as flat float32 tensors if any of them is a tensor."""
    found = flat(x, torch.float32, dynamics)
    options = {
        "PER_CHANNEL": bool(found.tensors),
        "CHARGE": found.charge,
        "SOFT": dynamics.reset == "soft",
        "LEVELS": dynamics.levels,
    }
    numbers = (found.leak, found.gain, found.threshold, found.tau, 1 / found.tau)
    slope = surrogate_constants(dynamics.surrogate)
    return _Plan(numbers, slope, found.channels, options, dynamics.detach_reset, keeps_state), found.tensors


def _launch(kernel: Any, x: Tensor, *arguments: Any, **options: Any) -> None:
    """Run `kernel` over all neurons of a step of `x`; sizes are put behind `arguments`."""
    elements, steps = x[0].numel(), x.shape[0]
    if not elements:
        return
    block = _SMALL_BLOCK if elements < _FEW else _BLOCK
    warps = max(block // (32 * _PER_THREAD), 1)
    stride = x.stride(0) if steps > 1 else 0
    with torch.cuda.device_of(x):
        kernel[(-(-elements // block),)](
            *arguments, elements, steps, stride, **options, BLOCK=block, num_warps=warps, enable_fp_fusion=False
        )


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, v: Tensor | None, plan: _Plan, *own: Tensor) -> Any:
        if not (x.is_contiguous() or x[0].is_contiguous()):  # a constant current expanded over T stays one step
            x = x.contiguous()
        v = None if v is None else v.contiguous()
        ctx.plan = plan
        ctx.save_for_backward(x, v, *own)
        ctx.set_materialize_grads(False)
        spikes = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        v_last = torch.empty(x.shape[1:], device=x.device, dtype=torch.float32) if plan.keeps_state else None
        leak, gain, threshold, tau, rate = plan.numbers
        parameters = own or (leak, gain, threshold)
        _launch(forward_kernel, x, x, v, spikes, v_last, *parameters, tau, rate, plan.channels, **plan.options)
        return spikes if v_last is None else (spikes, v_last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        first_gradients_only()
        x, v, *own = ctx.saved_tensors
        plan: _Plan = ctx.plan
        grad_spikes, grad_v_last = (*grads, None)[:2]
        grad_spikes = x.new_zeros(x.shape) if grad_spikes is None else grad_spikes.contiguous()
        grad_v_last = None if grad_v_last is None else grad_v_last.contiguous()

        def room(wanted: bool, shape: torch.Size, dtype: torch.dtype = torch.float32) -> Tensor | None:
            return torch.empty(shape, dtype=dtype, device=x.device) if wanted else None

        needs_x, needs_v, _, *needs_own = ctx.needs_input_grad
        grad_x, grad_v = room(needs_x, x.shape, x.dtype), room(needs_v, x.shape[1:])
        if own and plan.options["CHARGE"] != "linear":  # with tau, neither leak nor gain has a part
            needs_own[:2] = False, False
        partial = [room(needed, x.shape[1:]) for needed in needs_own] or [None] * 3
        potentials = torch.empty(x.shape, dtype=torch.float32, device=x.device)
        leak, gain, threshold, tau, rate = plan.numbers
        parameters = own or (leak, gain, threshold)
        surrogate, first, second = plan.slope
        _launch(
            backward_kernel,
            x,
            *(x, v, grad_spikes, grad_v_last, potentials, grad_x, grad_v, *partial),
            *(*parameters, tau, rate, first, second, plan.channels),
            **plan.options,
            DETACH=plan.detach_reset,
            SURROGATE=surrogate,
        )
        # Whole rows are summed by torch, always in the same order.
        found = [p if p is None else p.view(-1, plan.channels).sum(0, dtype=torch.float64).float() for p in partial]
        return grad_x, grad_v, None, *(found if own else ())


def scan(x: Tensor, v: Tensor | None, dynamics: Dynamics, *, return_state: bool = True) -> tuple[Tensor, Tensor | None]:
    """As `reference.lif_scan`, where `why_not` says nothing; without `return_state` the second result is None."""
    plan, own = _prepared(x, dynamics, return_state)
    found = _Scan.apply(x, v, plan, *own)
    return found if return_state else (found, None)


def _interprets() -> bool:
    """Whether Triton runs kernels in its interpreter (TRITON_INTERPRET=1 when it was imported), on any device."""
    return triton is not None and not isinstance(forward_kernel, triton.JITFunction)


@cache
def is_available() -> tuple[bool, str]:
    """Whether these kernels run on this machine, and why or why not; the first call tries one."""
    if triton is None:
        return False, "Triton cannot be imported"
    if _interprets():
        return True, "in Triton's interpreter"
    if not torch.cuda.is_available():
        return False, "no CUDA device"
    try:  # no compiler for Triton's launcher, a GPU that it does not know, ...
        scan(torch.zeros(1, 1, 1, device="cuda"), None, Dynamics(ATan()))
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return False, f"Triton cannot run a kernel: {lines[0]}"
    return True, "CUDA device and Triton"


def why_not(x: Tensor, v: Tensor | None, dynamics: Dynamics) -> str:
    """Why `scan` cannot be used for these plain, untransformed tensors, or ""."""
    available, reason = is_available()
    if not available:
        return reason
    if not x.is_cuda and not _interprets():
        return f"no Triton kernel for {x.device.type}"
    if x.dtype not in _DTYPES or (v is not None and v.dtype != torch.float32):
        return f"no Triton kernel for {x.dtype} input" + ("" if v is None else f" with {v.dtype} membranes")
    if reason := misfit(x, v, dynamics.surrogate, "Triton"):
        return reason
    if dynamics.reset == "delayed" or dynamics.strict or dynamics.early or dynamics.signed:
        return "no Triton kernel for a delayed reset, or thresholds that are strict, early or signed"
    parameters = [p for p in (dynamics.leak, dynamics.gain, dynamics.v_threshold) if isinstance(p, Tensor)]
    if any(tensor.device != x.device for tensor in (*parameters, *(() if v is None else (v,)))):
        return "the tensors are on several devices"
    if any(p.dtype == torch.float64 for p in parameters):
        return "a parameter is torch.float64"
    if not all(fits(p, x) for p in parameters):
        return "a parameter does not run over the last axes"
    return ""
