"""The definition of LIF and IF: eager, one time step after the other, differentiated by autograd."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from snnctl.neurons.surrogate import Surrogate

Reset = Literal["hard", "soft"]


class Dynamics(NamedTuple):
    """The parameters of the step equation `lif_step`.

    Args:
        surrogate: derivative of the spike.
        tau: membrane time constant in steps of the decayed-input form; None takes `leak` and `gain` instead.
        leak: factor on the membrane, a number or a tensor over the last axes of one step (`[channels]`).
        gain: factor on the input, likewise.
        v_threshold: spike threshold, likewise.
        reset: what a spike does to the membrane.
        detach_reset: whether the gradient ignores the path through the reset.
        levels: highest spike value; spike k is fired at k times the threshold.
    """

    surrogate: Surrogate
    tau: float | None = None
    leak: float | Tensor = 1.0
    gain: float | Tensor = 1.0
    v_threshold: float | Tensor = 1.0
    reset: Reset = "hard"
    detach_reset: bool = True
    levels: int = 1


def lif_step(x: Tensor, v: Tensor, dynamics: Dynamics) -> tuple[Tensor, Tensor]:
    """One step of leaky integrate-and-fire.

    Of several levels only the threshold nearest to the membrane has a gradient; how many a surrogate should
    reach is not settled in the field, and this is our reading.

    Equation:
        h = v + (x - v) / tau            with `tau`
        h = leak * v + gain * x          without
        s = the largest k in 0..levels with k = 0 or h >= k * threshold
        v = h where s = 0, else 0        reset "hard"
        v = h - s * threshold            reset "soft"

    Args:
        x: input current [B, *] of any floating dtype.
        v: membrane after the step before, same shape; its dtype is the one computed in.
        dynamics: the parameters.

    Returns:
        Spikes in the dtype of `x`, and the membrane after the reset in the dtype of `v`.
    """
    current, threshold = x.to(v.dtype), dynamics.v_threshold
    tau, leak, gain = dynamics.tau, dynamics.leak, dynamics.gain
    h = v * leak + current * gain if tau is None else v + (current - v) / tau
    if dynamics.levels == 1:
        spikes = dynamics.surrogate.spike(h - threshold)
    else:
        nearest = (h.detach() / threshold).round().clamp(1, dynamics.levels).detach()
        spikes = dynamics.surrogate.spike(h - nearest * threshold) + (nearest - 1)
    fired = spikes.detach() if dynamics.detach_reset else spikes
    any_fired = fired if dynamics.levels == 1 else torch.where(fired > 1, 1.0, fired)
    v = h - fired * threshold if dynamics.reset == "soft" else h * (1.0 - any_fired)
    return spikes.to(x.dtype), v


def lif_scan(x: Tensor, v: Tensor | None, dynamics: Dynamics) -> tuple[Tensor, Tensor]:
    """`lif_step` along the leading axis of `x` [T, B, *]; returns spikes [T, B, *] and the last membrane.

    Without `v` the membranes start at 0, in float32 or wider: bfloat16 loses the increments of a slow membrane.
    """
    out = []
    if v is None:
        v = torch.zeros_like(x[0], dtype=torch.promote_types(x.dtype, torch.float32))
    for x_t in x.unbind(0):  # its gradient is one stack; indexing would allocate a full-size zero per step
        spikes, v = lif_step(x_t, v, dynamics)
        out.append(spikes)
    return torch.stack(out), v
