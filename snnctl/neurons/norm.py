"""BatchNorm in front of a neuron, for tensors whose channels are the last axis."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnctl.neurons.kernels import BatchNorm, compiled

_FEW = 4  # features of a norm behind a read-out


class Affine(NamedTuple):
    """y = scale * x + shift, per channel."""

    scale: Tensor
    shift: Tensor


NormKind = Literal["running", "batch", "layer", "none"]


def make_norm(kind: NormKind, features: int, gain: float) -> nn.Module:
    """The norm of one layer of currents: BatchNorm evaluated with running or with the batch's statistics, LayerNorm
    (epsilon 1e-6), or none."""
    if kind == "none":
        return nn.Identity()
    if kind == "layer":
        norm = nn.LayerNorm(features, eps=1e-6)
        nn.init.constant_(norm.weight, gain)
        return norm
    return TokenNorm(features, gain=gain, always_batch=kind == "batch")


class TokenNorm(nn.BatchNorm1d):
    """Batch normalisation of the last axis over all others: steps, batch and positions alike.

    In front of a neuron that has a kernel both run as one (`scan`), which never writes the normalised current to
    memory.

    Args:
        features: size of the last axis.
        gain: initial scale; 2 lets a decayed-input LIF with tau 2 fire from the start, 1 is torch's.
        always_batch: whether evaluation uses the statistics of its batch as well. What a network says of a sample
            then depends on the others beside it.

    Shape: [*, features] -> [*, features].
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, features: int, *, gain: float = 1.0, always_batch: bool = False) -> None:
        super().__init__(features)
        nn.init.constant_(self.weight, gain)
        self.always_batch = always_batch

    def forward(self, input: Tensor) -> Tensor:
        rows = input.flatten(0, -2)
        if self.always_batch and not self.training:
            return F.batch_norm(rows, None, None, self.weight, self.bias, training=True, eps=self.eps).view_as(input)
        if self.num_features <= _FEW and rows.is_contiguous():
            # As one sample of long channels: over rows of a few values torch's kernel takes twice as long.
            return super().forward(rows.t().contiguous()[None]).squeeze(0).t().unflatten(0, input.shape[:-1])
        return super().forward(rows).unflatten(0, input.shape[:-1])

    def scan(
        self, neuron: nn.Module, x: Tensor, state: Any, offset: Tensor | None, *, return_state: bool
    ) -> tuple[Tensor, Any] | None:
        """The norm of `x + offset`, then the neuron; None where no kernel does both and they have to run apart.

        Args:
            neuron, x, state, return_state: as in `compiled.scan`.
            offset: a bias [features] of the layer before. Statistics of the batch cancel it, so it is never
                added; it counts in the running mean.
        """
        tokens = x.numel() // max(x.shape[-1], 1)
        if self._forward_hooks or self._forward_pre_hooks:
            return None  # someone watches the norm's output
        by_batch = self.training or self.always_batch
        if (by_batch and tokens < 2) or x.shape[-1] != self.num_features:
            return None  # torch's own error is due
        running = None if by_batch else self._running(offset)
        norm = BatchNorm(self.weight, self.bias, self.eps, running, offset)
        found = compiled.norm_scan(neuron, x, state, norm, return_state=return_state)
        if found is None:
            return None
        spikes, last, (mean, var) = found
        if self.training:
            self._remember(mean if offset is None else mean + offset.detach(), var * (tokens / (tokens - 1)))
        return spikes, last

    def _running(self, offset: Tensor | None) -> tuple[Tensor, Tensor]:
        mean = self.running_mean if offset is None else self.running_mean - offset.detach()
        return mean, self.running_var

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor) -> None:
        self.num_batches_tracked.add_(1)
        share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(var.to(self.running_var), share)

    def in_evaluation(self) -> Affine:
        """What the norm does in evaluation: for folding it into the weights before."""
        mean, var = self._running(None)
        scale = self.weight.detach().double() / (var.double() + self.eps).sqrt()
        return Affine(scale, self.bias.detach().double() - mean.double() * scale)
