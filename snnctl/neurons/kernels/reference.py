"""The definition of LIF and IF: eager, one time step after the other, differentiated by autograd."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from snnctl.neurons.surrogate import Surrogate

Reset = Literal["hard", "soft"]
AnyReset = Literal["hard", "soft", "delayed"]


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
        strict: whether a membrane that just reaches the threshold does not fire.
        early: by how much of a threshold spikes come early, 0..1; the reset takes off whole ones.
        signed: whether a membrane below zero fires as one above does, with spikes below zero.
    """

    surrogate: Surrogate
    tau: float | None = None
    leak: float | Tensor = 1.0
    gain: float | Tensor = 1.0
    v_threshold: float | Tensor = 1.0
    reset: AnyReset = "hard"
    detach_reset: bool = True
    levels: int = 1
    strict: bool = False
    early: float = 0.0
    signed: bool = False


class BatchNorm(NamedTuple):
    """Batch normalisation over the last axis, [channels] each.

    Args:
        weight, bias, eps: of the norm.
        running: mean and variance to use; None takes those of the input.
        offset: a bias of the layer before, for its gradient only; `running` and what the norm finds leave it out.
    """

    weight: Tensor
    bias: Tensor
    eps: float
    running: tuple[Tensor, Tensor] | None = None
    offset: Tensor | None = None


def lif_step(x: Tensor, v: Tensor, dynamics: Dynamics) -> tuple[Tensor, Tensor]:
    """One step of leaky integrate-and-fire.

    Of several levels only the threshold nearest to the membrane has a gradient; how many a surrogate should
    reach is not settled in the field, and this is our reading.

    Equation:
        h = v + (x - v) / tau            with `tau`
        h = leak * v + gain * x          without
        s = the largest k in 0..levels with k = 0 or h >= (k - early) * threshold     `strict`: h > ...
        s = sign(h) * that of |h|        `signed`
        v = h where s = 0, else 0        reset "hard"
        v = h - s * threshold            reset "soft"

    With the reset "delayed" the threshold is taken off one step later, by when it has not leaked. The state is then the
    membrane as the next step finds it:

        h = v + gain * x
        v = leak * h - s * threshold

    Args:
        x: input current [B, *] of any floating dtype.
        v: membrane after the step before, same shape; its dtype is the one computed in.
        dynamics: the parameters; a delayed reset takes leak and gain, not `tau`.

    Returns:
        Spikes in the dtype of `x`, and the membrane after the reset in the dtype of `v`.
    """
    return lif_fire(lif_charge(x, v, dynamics), dynamics, x.dtype)


def lif_charge(x: Tensor, v: Tensor, dynamics: Dynamics) -> Tensor:
    """The membrane before the reset, h of `lif_step`."""
    current = x.to(v.dtype)
    tau, leak, gain = dynamics.tau, dynamics.leak, dynamics.gain
    if dynamics.reset == "delayed":
        assert tau is None
        return v + current * gain
    return v * leak + current * gain if tau is None else v + (current - v) / tau


def lif_fire(h: Tensor, dynamics: Dynamics, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Spikes in `dtype` and the membrane after the reset, from the one before."""
    threshold = dynamics.v_threshold
    sign = torch.where(h.detach() < 0, -1.0, 1.0).to(h.dtype) if dynamics.signed else None
    raised = h if sign is None else h * sign
    if dynamics.early:
        raised = raised + dynamics.early * threshold
    if dynamics.levels == 1:
        spikes = _spike(dynamics, raised - threshold)
    else:
        nearest = (raised.detach() / threshold).round().clamp(1, dynamics.levels).detach()
        spikes = _spike(dynamics, raised - nearest * threshold) + (nearest - 1)
    size = spikes
    if sign is not None:
        spikes = spikes * sign
    fired, size = (spikes.detach(), size.detach()) if dynamics.detach_reset else (spikes, size)
    if dynamics.reset == "delayed":
        return spikes.to(dtype), h * dynamics.leak - fired * threshold
    any_fired = size if dynamics.levels == 1 else torch.where(size > 1, 1.0, size)
    v = h - fired * threshold if dynamics.reset == "soft" else h * (1.0 - any_fired)
    return spikes.to(dtype), v


def _spike(dynamics: Dynamics, u: Tensor) -> Tensor:
    """1 from the threshold on, or above it only; the derivatives of surrogates are even."""
    return 1.0 - dynamics.surrogate.spike(-u) if dynamics.strict else dynamics.surrogate.spike(u)


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
