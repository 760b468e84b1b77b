"""Kernels that know one equation, that of LIF and its kin: for CUDA, and through `torch.compile`; and which there are.

`reference` is the definition. Whatever the kernels cannot do (`torch.func`, other devices and dtypes, surrogates from
plug-ins) goes to the definition, and the log says so at debug level. On a CPU kernels are made from each neuron's own
step, see `compiled.py`.
"""

from __future__ import annotations

import logging
from functools import cache

import torch
from torch import Tensor

from snnctl.neurons.chunks import scan_in_chunks
from snnctl.neurons.kernels import reference
from snnctl.neurons.kernels.choice import chosen, is_transformed, llvm_is_there
from snnctl.neurons.kernels.parameters import fits, misfit
from snnctl.neurons.kernels.reference import Dynamics

log = logging.getLogger("snnctl.kernels")


def lif_scan(x: Tensor, v: Tensor | None, dynamics: Dynamics) -> tuple[Tensor, Tensor]:
    """Run LIF or IF along time by the kernel that was asked for, where it can.

    Args:
        x: input current [T, B, *].
        v: membrane to start from [B, *], float32 or float64; None starts from rest.
        dynamics: the parameters of the step equation, `reference.lif_step`.

    Returns:
        Spikes [T, B, *] in the dtype of `x`, and the membrane after the last step.
    """
    if chosen.get() == "compile":
        return _compiled()(x, v, dynamics)
    if chosen.get() == "triton":
        from snnctl.neurons.kernels import lif_triton  # Triton is loaded at the first use

        reason = why_not_fused(x, v, dynamics) or lif_triton.why_not(x, v, dynamics)
        if not reason:
            spikes, last = lif_triton.scan(x, v, dynamics)
            assert last is not None
            return spikes, last
        _tell(reason)
    return scan_in_chunks(lambda x, v: reference.lif_scan(x, v, dynamics), x, v)


def takes_lif() -> bool:
    """Whether a kernel was asked for that knows one equation, that of LIF."""
    return chosen.get() in ("compile", "triton")


def why_not_fused(x: Tensor, v: Tensor | None, dynamics: Dynamics) -> str:
    """Why no kernel that knows the equation of LIF can be used for this call, or ""."""
    if chosen.get() == "reference":
        return "the reference kernel was asked for"
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return "the call is being traced"
    device = "cuda" if chosen.get() == "triton" else "cpu"
    parameters = [p for p in dynamics[2:5] if isinstance(p, Tensor)]  # leak, gain, threshold
    for tensor in (x, *parameters) if v is None else (x, v, *parameters):
        if type(tensor) not in (Tensor, torch.nn.Parameter):
            return f"{type(tensor).__name__} is not a plain tensor"
        if tensor.device.type != device:
            return f"no fused kernel for {tensor.device.type}"
        if is_transformed(tensor):
            return "a torch.func transform or forward-mode gradient is active"
    if device == "cpu" and (x.dtype, None if v is None else v.dtype) not in _DTYPES:
        return f"no fused kernel for {x.dtype} input" + ("" if v is None else f" with {v.dtype} membranes")
    if device == "cpu" and not llvm_is_there():
        return "llvmlite cannot be loaded"
    if reason := misfit(x, v, dynamics.surrogate, "fused"):
        return reason
    if not all(fits(p, x) for p in parameters):
        return "a parameter does not run over the last axes"
    return ""


# Input and membranes; None starts from rest.
_DTYPES = {
    (torch.float32, None),
    (torch.float32, torch.float32),
    (torch.float64, None),
    (torch.float64, torch.float64),
    (torch.bfloat16, torch.float32),
    (torch.bfloat16, None),
}


_told: set[str] = set()


def _tell(reason: str) -> None:  # once per reason and process
    if not torch.compiler.is_compiling() and reason not in _told:
        _told.add(reason)
        log.debug("LIF runs its reference kernel: %s", reason)


@cache
def _compiled():  # type: ignore[no-untyped-def]
    return torch.compile(reference.lif_scan, dynamic=False)


def available_kernels() -> list[dict[str, str | bool]]:
    """Each kernel, whether `auto` uses it on this machine, and why; for `snnctl doctor`."""
    fused = "llvmlite cannot be loaded: pip install llvmlite"
    if llvm_is_there():
        from snnctl.neurons.kernels import jit

        fused = f"made from the step of any pointwise neuron, on the CPU: {jit.describe()}"
    usable, reason = False, "no CUDA device here"
    if torch.cuda.is_available():
        from snnctl.neurons.kernels import lif_triton

        usable, reason = lif_triton.is_available()
    triton = "train.kernel=triton chooses it; checked in Triton's interpreter, not run or timed on a GPU yet"
    rows: list[tuple[str, bool, str]] = [
        ("compiled", llvm_is_there(), fused),
        ("reference", True, "eager torch, the definition: every other neuron, device and dtype"),
        ("triton", False, f"{triton}; {'ready' if usable else reason}"),
        ("compile", False, "train.kernel=compile chooses it; needs a compiler"),
    ]
    return [{"name": name, "used": used, "reason": reason} for name, used, reason in rows]
