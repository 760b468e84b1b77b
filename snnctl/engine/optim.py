"""Optimisers of torch.optim as registered components; defaults are torch's own unless said otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import nn
from torch.optim import Optimizer

from snnctl.core.catalog import OPTIMS

Params = Iterable[nn.Parameter]
Above0 = Annotated[float, Gt(0)]
Decay = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Lt(1)]
Betas = tuple[Share, Share]


@OPTIMS.register("adam")
def adam(
    parameters: Params, *, lr: Above0 = 1e-3, betas: Betas = (0.9, 0.999), eps: Above0 = 1e-8, weight_decay: Decay = 0.0
) -> Optimizer:
    """Adam.

    Args:
        lr: learning rate.
        betas: decay of the running means of gradient and squared gradient.
        eps: added to the denominator.
        weight_decay: L2 penalty added to the gradient.

    Source: torch.optim.Adam; Kingma and Ba, ICLR 2015.
    """
    return torch.optim.Adam(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)


@OPTIMS.register("adamw")
def adamw(
    parameters: Params,
    *,
    lr: Above0 = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: Above0 = 1e-8,
    weight_decay: Decay = 1e-2,
) -> Optimizer:
    """Adam with decoupled weight decay.

    Args:
        lr: learning rate.
        betas: decay of the running means of gradient and squared gradient.
        eps: added to the denominator.
        weight_decay: share of each weight removed per step, times lr.

    Source: torch.optim.AdamW; Loshchilov and Hutter, ICLR 2019.
    """
    return torch.optim.AdamW(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)


@OPTIMS.register("sgd")
def sgd(
    parameters: Params, *, lr: Above0 = 1e-2, momentum: Share = 0.9, nesterov: bool = False, weight_decay: Decay = 0.0
) -> Optimizer:
    """Stochastic gradient descent with momentum.

    Args:
        lr: learning rate.
        momentum: share of the last step that is repeated; 0.9 is the field's habit (torch's default is 0).
        nesterov: look ahead along the momentum.
        weight_decay: L2 penalty added to the gradient.

    Source: torch.optim.SGD.
    """
    nesterov = nesterov and momentum > 0
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)


@OPTIMS.register("rmsprop")
def rmsprop(
    parameters: Params,
    *,
    lr: Above0 = 1e-2,
    alpha: Share = 0.99,
    eps: Above0 = 1e-8,
    momentum: Share = 0.0,
    weight_decay: Decay = 0.0,
) -> Optimizer:
    """RMSprop.

    Args:
        lr: learning rate.
        alpha: decay of the running mean of the squared gradient.
        eps: added to the denominator.
        momentum: share of the last step that is repeated.
        weight_decay: L2 penalty added to the gradient.

    Source: torch.optim.RMSprop; Hinton, Neural Networks for Machine Learning, lecture 6.
    """
    return torch.optim.RMSprop(parameters, lr=lr, alpha=alpha, eps=eps, momentum=momentum, weight_decay=weight_decay)
