"""Layers of image networks written out, one after the other: what networks are tested against."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def lif(x: Tensor, tau: float = 2.0) -> Tensor:
    """Hard reset, input decayed, threshold 1; T is the first axis."""
    v, out = torch.zeros_like(x[0]), []
    for x_t in x:
        v = v + (x_t - v) / tau
        s = (v >= 1.0).to(v)
        v = v * (1 - s)
        out.append(s)
    return torch.stack(out)


def normed(x: Tensor, norm: Any) -> Tensor:
    """BatchNorm of [T, B, C, H, W]: statistics over all but C in training, running ones in evaluation."""
    axes = (0, 1, 3, 4)
    if norm.training:
        mean, var = x.mean(axes), x.var(axes, unbiased=False)
    else:
        mean, var = norm.running_mean, norm.running_var
    shape = (1, 1, -1, 1, 1)
    scaled = (x - mean.view(shape)) / (var.view(shape) + norm.eps).sqrt()
    return scaled * norm.weight.view(shape) + norm.bias.view(shape)


def convolved(x: Tensor, layer: Any, stride: int = 1) -> Tensor:
    """Convolution and norm, step by step and image by image."""
    weight = layer.conv.weight
    padding = weight.shape[-1] // 2
    steps = [torch.cat([F.conv2d(image[None], weight, None, stride, padding) for image in x_t]) for x_t in x]
    return normed(torch.stack(steps), layer.norm)


def attended(x: Tensor, attention: Any, shared: bool) -> Tensor:
    """Every channel times its weight, channel by channel."""
    kernel = attention.conv.weight.flatten()
    reach = len(kernel) // 2
    means = x.mean((3, 4))
    if shared:
        means = means.mean(0, keepdim=True).expand_as(means)
    channels = x.shape[2]
    out = []
    for c in range(channels):
        total = torch.zeros_like(means[:, :, 0])
        for k in range(len(kernel)):
            if 0 <= c + k - reach < channels:
                total = total + kernel[k] * means[:, :, c + k - reach]
        out.append(x[:, :, c] / (1 + torch.exp(-total))[..., None, None])
    return torch.stack(out, dim=2)


def connected(x: Tensor, connection: Any, *, shared: bool, halve: bool) -> Tensor:
    """What a connection adds, for grids that halve without rest or stay."""
    y = attended(x, connection.attention, shared)
    if halve:
        y = (y[..., ::2, ::2] + y[..., 1::2, ::2] + y[..., ::2, 1::2] + y[..., 1::2, 1::2]) / 4
    return y if connection.match is None else convolved(y, connection.match)


def tokens(x: Tensor) -> Tensor:
    """[T, B, C, H, W] -> [T, B, H * W, C]."""
    return x.flatten(3).transpose(2, 3)


def settle(network: Any, x: Tensor) -> None:
    """Running statistics of norms that are those of `x`."""
    norms = [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm1d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(x)


def pictures(*shape: int, seed: int = 1) -> Tensor:
    """Real numbers, float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2


def gradients(out: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    """Of a sum in which every element of `out` counts differently."""
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    return list(torch.autograd.grad((out * weights).sum(), parameters))
