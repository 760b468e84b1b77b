"""Products and neurons in one call: spikes that come back through weights, and single rows through a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from snnctl.neurons.base import SpikingNeuron, State
from snnctl.neurons.kernels import compiled

Hook = TypeVar("Hook", bound=Callable[..., Any])


def recurrent_scan(
    neuron: nn.Module,
    x: Tensor,
    weight: Tensor,
    spikes: Tensor | None,
    state: State | None,
    *,
    lag: int = 1,
    product: nn.Module | None = None,
) -> tuple[Tensor, State]:
    """A neuron along time, its own spikes of `lag` steps before added to its input through weights.

    Sums over spikes are taken in another order than in a matrix product: equal to rounding, so that a spike may come
    or not where a membrane lies that close to the threshold. Where somebody watches, the loop runs.

    Equation:
        I[t] = x[t] + U s[t - lag]           s[t < 0] as given
        s[t] = neuron(I[t])

    Args:
        neuron: one that hands on its state, see `SpikingNeuron.streams`.
        x: input current [T, B, *, channels]; T is a whole number of lags.
        weight: U [channels, channels].
        spikes: those of the steps before the first [lag, B, *, channels]; None for none.
        state: of the neuron; None starts from rest.
        lag: >= 1.
        product: the module that multiplies by U, if there is one, for who watches it.

    Returns:
        Spikes [T, B, *, channels] and the neuron's state after the last step.
    """
    found = _at_once(neuron, x, weight, spikes, state, lag, product)
    if found is not None:
        for hook in list(neuron._forward_hooks.values()):
            hook(neuron, (x,), found)
        return found
    before = torch.zeros_like(x[:lag]) if spikes is None else spikes
    back = weight.t()
    out = []
    for current in x.split(lag):
        came = before @ back if product is None else product(before)
        before, state = neuron(current + came, state, return_state=True)
        out.append(before)
    return torch.cat(out), state


def row_scan(neuron: nn.Module, x: Tensor, weights: nn.Module, state: State | None) -> tuple[Tensor, State] | None:
    """One row of spikes through a linear layer and its neuron in one call, where that can be and is faster.

    Args:
        neuron: of the layer.
        x: [1, *, inputs]; anything but a single row is left to others.
        weights: the linear layer, with a bias that counts if it has one.
        state: of the neuron; None starts from rest.

    Returns:
        Spikes [1, *, outputs] and the state after the step; None where the two have to run one after the other.
    """
    if x.numel() != x.shape[-1] or torch.is_grad_enabled():
        return None
    if not isinstance(neuron, SpikingNeuron) or not neuron.runs_its_step:
        return None
    if _is_watched(neuron) or _is_watched(weights):
        return None
    parts = weights._parameters
    weight, bias = parts["weight"], parts["bias"]
    assert weight is not None
    return compiled.row_scan(neuron, x, weight, bias, state)


def _at_once(
    neuron: nn.Module, x: Tensor, weight: Tensor, spikes: Tensor | None, state: Any, lag: int, product: nn.Module | None
) -> tuple[Tensor, State] | None:
    if not isinstance(neuron, SpikingNeuron) or not neuron.runs_its_step:
        return None
    if _is_watched(neuron, but_for_spikes=True) or (product is not None and _is_watched(product)):
        return None
    if not torch.is_autocast_enabled("cpu"):
        return compiled.recurrent_scan(neuron, x, weight, spikes, state, lag)
    # What autocast would multiply in a narrow type is multiplied in the type of the weights, which is faster here.
    with torch.autocast("cpu", enabled=False):
        given = None if spikes is None else spikes.to(weight.dtype)
        found = compiled.recurrent_scan(neuron, x.to(weight.dtype), weight, given, state, lag)
    return None if found is None else (found[0].to(x.dtype), found[1])


def only_for_spikes(hook: Hook) -> Hook:
    """Mark a forward hook that looks at spikes alone, of however many steps: it may see all at once."""
    hook.only_for_spikes = True  # type: ignore[attr-defined]
    return hook


def _is_watched(module: nn.Module, *, but_for_spikes: bool = False) -> bool:
    every: Any = nn.modules.module
    hooks = module._forward_hooks
    if hooks and but_for_spikes and not module._forward_hooks_with_kwargs and not module._forward_hooks_always_called:
        hooks = {k: hook for k, hook in hooks.items() if not hasattr(hook, "only_for_spikes")}
    return bool(
        hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or every._global_forward_hooks
        or every._global_forward_pre_hooks
    )
