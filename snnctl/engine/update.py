"""What a step of training does with its loss: gradients, their clipping, the optimiser's step."""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim import Optimizer

from snnctl.engine.runtime import Runtime


class Update:
    """One optimiser step after the other.

    Args:
        network, optimizer: as `runtime.prepare` gave them; the network's parameters stay these tensors.
        runtime: device, precision, processes.
        clip_norm: norm that all gradients together are clipped to; None leaves them.
    """

    def __init__(self, network: nn.Module, optimizer: Optimizer, runtime: Runtime, clip_norm: float | None) -> None:
        self._parameters = list(network.parameters())  # looking for them takes as long as clipping
        self._optimizer, self._runtime, self._clip_norm = optimizer, runtime, clip_norm

    def gradients(self, loss: Tensor) -> float:
        """Put the gradients of `loss` in the place of those before, clipped; their norm before clipping.

        Where it is not finite nothing was clipped, and `step` should not follow.
        """
        for parameter in self._parameters:
            parameter.grad = None
        self._runtime.backward(loss)
        return self._runtime.clip(self._parameters, self._clip_norm)

    def step(self) -> None:
        """Let the optimiser use them."""
        self._optimizer.step()
