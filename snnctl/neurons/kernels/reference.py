"""The definition of LIF and IF: eager, one time step after the other, differentiated by autograd."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from snnctl.neurons.surrogate import Surrogate

Reset = Literal["hard", "soft"]


def lif_step(
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
    """One step of leaky integrate-and-fire; tau = inf with `decay_input` off is integrate-and-fire.

    Equation:
        h = v + (x - v) / tau            with `decay_input`
        h = v * (1 - 1/tau) + x          without
        s = 1 if h >= v_threshold else 0
        v = h * (1 - s)                  reset "hard", to 0
        v = h - s * v_threshold          reset "soft"

    Args:
        x: input current [B, *] of any floating dtype.
        v: membrane after the step before, same shape; its dtype is the one computed in.
        tau: membrane time constant in steps.
        decay_input: whether the input is divided by tau as the leak is.
        v_threshold: spike threshold.
        reset: what a spike does to the membrane.
        detach_reset: whether the gradient ignores the path through the reset.
        surrogate: derivative of the spike.

    Returns:
        Spikes in the dtype of `x`, and the membrane after the reset in the dtype of `v`.
    """
    current = x.to(v.dtype)
    h = v + (current - v) / tau if decay_input else v * (1.0 - 1.0 / tau) + current
    spikes = surrogate.spike(h - v_threshold)
    fired = spikes.detach() if detach_reset else spikes
    v = h * (1.0 - fired) if reset == "hard" else h - fired * v_threshold
    return spikes.to(x.dtype), v


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
    """`lif_step` along the leading axis of `x` [T, B, *]; returns spikes [T, B, *] and the last membrane."""
    out = []
    for x_t in x.unbind(0):  # its gradient is one stack; indexing would allocate a full-size zero per step
        spikes, v = lif_step(
            x_t,
            v,
            tau=tau,
            decay_input=decay_input,
            v_threshold=v_threshold,
            reset=reset,
            detach_reset=detach_reset,
            surrogate=surrogate,
        )
        out.append(spikes)
    return torch.stack(out), v
