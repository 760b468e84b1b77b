"""Multi-step kernels behind one function each, so that neurons do not know which one runs."""

from __future__ import annotations

from torch import Tensor

from snnctl.neurons.kernels import reference
from snnctl.neurons.kernels.reference import Reset
from snnctl.neurons.surrogate import Surrogate

__all__ = ["Reset", "available_kernels", "lif_scan"]


def lif_scan(
    x: Tensor,
    v: Tensor,
    *,
    tau: float,
    decay_input: bool,
    v_threshold: float,
    reset: Reset,
    detach_reset: bool,
    surrogate: Surrogate,
) -> tuple[Tensor, Tensor]:
    """Run LIF (IF: tau = inf) along time; every device and dtype takes the reference kernel.

    Args:
        x: input current [T, B, *].
        v: membrane to start from [B, *].
        tau, decay_input, v_threshold, reset, detach_reset, surrogate: see `reference.lif_step`.

    Returns:
        Spikes [T, B, *] in the dtype of `x`, and the membrane after the last step.
    """
    return reference.lif_scan(
        x,
        v,
        tau=tau,
        decay_input=decay_input,
        v_threshold=v_threshold,
        reset=reset,
        detach_reset=detach_reset,
        surrogate=surrogate,
    )


def available_kernels() -> list[dict[str, str | bool]]:
    """Each kernel, whether it is used on this machine, and why; for `snnctl doctor`."""
    return [{"name": "reference", "used": True, "reason": "eager torch, every device and dtype; the definition"}]
