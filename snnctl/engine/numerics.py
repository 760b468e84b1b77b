"""When numbers go wrong: which layer was first, and what to try."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.core.diagnostic import Diagnostic

_CURES = "try a lower `optim.lr`, `train.clip_norm: 1.0`, or `train.precision: fp32`"


def first_non_finite(network: nn.Module, run: Callable[[], Any]) -> str:
    """Name the first parameter or layer output that is not finite when `run` is repeated.

    Where all are, the loss itself overflowed, and the largest output is named.
    """
    for name, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            return f"weight `{name}`"
    found: list[str] = []
    largest, size = "", -1.0

    def look(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            nonlocal largest, size
            for tensor in output if isinstance(output, tuple) else (output,):
                if not isinstance(tensor, Tensor) or not tensor.numel():
                    continue
                reached = float(tensor.detach().abs().max())
                if not math.isfinite(reached):
                    found.append(f"output of `{name}` ({type(module).__name__})")
                elif reached > size:
                    largest, size = f"`{name}` ({type(module).__name__})", reached

        return hook

    hooks = [m.register_forward_hook(look(name)) for name, m in network.named_modules() if name]
    try:
        with torch.no_grad():
            run()
    finally:
        for handle in hooks:
            handle.remove()
    if found:
        return found[0]
    return f"loss; largest output: {largest} with {size:.3g}" if largest else "loss"


def non_finite_loss(where: str, value: float, epoch: int, step: int) -> Diagnostic:
    """E401: the loss is NaN or infinite."""
    message = f"loss became {value} in epoch {epoch + 1} at step {step + 1}; first non-finite: {where}"
    return Diagnostic("E401", message, path="train", help=_CURES)


def non_finite_gradient(network: nn.Module, epoch: int, step: int) -> Diagnostic:
    """E402: a gradient is NaN or infinite."""
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    bad = [name for name, gradient in gradients.items() if not torch.isfinite(gradient).all()]
    when = f"in epoch {epoch + 1} at step {step + 1}"
    if bad:  # gradients flow backwards, so the last in module order went wrong first
        message = f"gradient became non-finite {when}; first at `{bad[-1]}`"
    else:  # each is finite, the sum of their squares is not
        largest = max(gradients, key=lambda name: float(gradients[name].abs().max()))
        message = f"gradient norm overflowed {when}; largest at `{largest}`"
    return Diagnostic("E402", message, path="train", help=_CURES)


def non_finite_weights(network: nn.Module, epoch: int) -> Diagnostic | None:
    """E402 if a weight is NaN or infinite: spikes hide that, a NaN membrane just never fires."""
    for name, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            message = f"weights became non-finite in epoch {epoch + 1}; first: `{name}`"
            return Diagnostic("E402", message, path="train", help=_CURES)
    return None


def out_of_memory(error: BaseException) -> Diagnostic | None:
    """E403 if `error` says that memory ran out, else None."""
    text = str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
        return Diagnostic(
            "E403",
            path="train.batch_size",
            help="lower `train.batch_size`; `snnctl train --dry-run` forecasts the memory",
            notes=(text.splitlines()[0][:200],) if text else (),
        )
    return None
