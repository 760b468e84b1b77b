"""Optimisers of torch.optim as registered components; defaults are torch's own unless said otherwise.

On a CPU torch goes through the weights one by one unless it is told otherwise, a dozen small operations for each: in a
small network that is a sixth of a training step. Adam and AdamW are asked for as one operation (`fused`, equal to
rounding), the others as operations on lists (`foreach`, equal to the bit). A checkpoint remembers which it was, so a
run that goes on, goes on alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Lt
from torch.optim import Optimizer

from snnctl.core.catalog import OPTIMS

Params = Iterable[Any]  # parameters, or groups of them as torch takes them
Above0 = Annotated[float, Gt(0)]
Decay = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Lt(1)]
Betas = tuple[Share, Share]


def _fused(parameters: list[Any]) -> dict[str, Any]:
    """The arguments that ask for one operation over all `parameters`, if it takes them: real numbers alone."""
    groups = [one["params"] if isinstance(one, dict) else (one,) for one in parameters]
    real = all(parameter.is_floating_point() for group in groups for parameter in group)
    return {"params": parameters, "fused": real or None}


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
    return torch.optim.Adam(**_fused(list(parameters)), lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)


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
    return torch.optim.AdamW(**_fused(list(parameters)), lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)


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
    return torch.optim.SGD(
        parameters, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, foreach=True
    )


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
    return torch.optim.RMSprop(
        parameters, lr=lr, alpha=alpha, eps=eps, momentum=momentum, weight_decay=weight_decay, foreach=True
    )
