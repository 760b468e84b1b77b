"""What several neurons do to a membrane: rest, leak and charge, fire strictly above threshold, reset."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor, nn

from snnctl.neurons.kernels import Reset
from snnctl.neurons.surrogate import Surrogate


class EulerLeak(nn.Module):
    """For neurons that keep 1 - 1/tau of their membrane per step: leak and tau in terms of each other."""

    tau: float | Tensor

    def leak_per_step(self) -> Tensor:
        """1 - 1/tau, see `SpikingNeuron.leak_per_step`."""
        return 1.0 - 1.0 / torch.as_tensor(self.tau)

    def set_leak(self, leak: Tensor) -> None:
        """See `SpikingNeuron.set_leak`."""
        vars(self).pop("tau", None)
        self.register_buffer("tau", 1.0 / (1.0 - leak))


def at_rest(x0: Tensor) -> Tensor:
    """A membrane of zeros for one step of input; float32 or wider, as narrow types lose small increments."""
    return torch.zeros_like(x0, dtype=torch.promote_types(x0.dtype, torch.float32))


def known_reset(reset: Reset) -> Reset:
    """The name that was given.

    Raises:
        ValueError: it is neither hard nor soft.
    """
    if reset not in get_args(Reset):
        raise ValueError(f"unknown reset `{reset}`; known: {', '.join(get_args(Reset))}")
    return reset


def leak_and_charge(v: Tensor, current: Tensor, *, tau: float | Tensor, decay_input: bool) -> Tensor:
    """v + (current - v) / tau with `decay_input`, else v * (1 - 1/tau) + current."""
    return v + (current - v) / tau if decay_input else v * (1.0 - 1.0 / tau) + current


def after_spike(h: Tensor, spikes: Tensor, *, v_threshold: float | Tensor, reset: Reset, detach_reset: bool) -> Tensor:
    """The membrane after the reset: h * (1 - s) if hard, h - s * v_threshold if soft."""
    fired = spikes.detach() if detach_reset else spikes
    return h * (1.0 - fired) if reset == "hard" else h - fired * v_threshold


def spike_above(surrogate: Surrogate, x: Tensor) -> Tensor:
    """1 where x > 0, else 0: `surrogate.spike` without the threshold itself; its derivative at x is that at -x."""
    return 1.0 - surrogate.spike(-x)
