"""Which kernels may run: what the user chose, and whether a tensor's memory may be read."""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import cache
from typing import Literal, get_args

import torch
from torch import Tensor

from snnctl.core.scoped import scoped

Kernel = Literal["auto", "reference", "compile", "triton"]

chosen: ContextVar[Kernel] = ContextVar("kernel", default="auto")


def use_kernel(kernel: Kernel) -> AbstractContextManager[None]:
    """Choose the kernel of all neurons that are called within: `auto` the fastest that fits, `reference` the
    definition, `compile` the definition through `torch.compile` (needs a compiler), `triton` the kernel for CUDA,
    which has been checked in Triton's interpreter but not been run or timed on a GPU yet.

    Raises:
        ValueError: another name.
    """
    if kernel not in get_args(Kernel):
        raise ValueError(f"unknown kernel `{kernel}`; known: {', '.join(get_args(Kernel))}")
    return scoped(chosen, kernel)


def can_be_fast(x: Tensor) -> bool:
    """Whether code that looks at memory may be used on `x`: a plain CPU tensor outside transforms, traces and
    autocast, and nobody asked for another kernel."""
    return (
        chosen.get() == "auto"
        and type(x) in (Tensor, torch.nn.Parameter)
        and x.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not is_transformed(x)
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._len_torch_dispatch_stack()  # someone counts operations: what they see must be torch's own
        and llvm_is_there()
    )


def is_plain(x: Tensor) -> bool:
    """Whether a parameter is a plain tensor on the CPU: what it points to may be read."""
    return type(x) in (Tensor, torch.nn.Parameter) and x.is_cpu and not is_transformed(x)


def is_transformed(x: Tensor) -> bool:
    """Whether a `torch.func` transform or forward-mode gradient is at work on `x`."""
    if torch._C._functorch.is_functorch_wrapped_tensor(x):
        return True
    forward_mode = torch.autograd.forward_ad
    return forward_mode._current_level >= 0 and forward_mode.unpack_dual(x).tangent is not None


@cache
def llvm_is_there() -> bool:
    try:
        import llvmlite.binding  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


def first_gradients_only() -> None:
    """Refuse a gradient of a gradient: it would be wrong without a word.

    Raises:
        RuntimeError: called while the backward pass itself is recorded.
    """
    if torch.is_grad_enabled():
        raise RuntimeError("the fast kernels give first gradients only; for more: use_kernel('reference')")
