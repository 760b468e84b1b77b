"""Coupled pairs of neurons that oscillate, integrated numerically: what CPG-PE's closed form solves.

Working model (our reading; the paper's own equation may differ): in each pair one neuron excites the other and is
inhibited by it, with no input from outside.

    dU_a/dt = +w_k U_b,  U_a(0) = 0
    dU_b/dt = -w_k U_a,  U_b(0) = 1       =>  U_a = sin(w_k t),  U_b = cos(w_k t)

With w_k = base^(-2k/neurons), read at t = 0, 1, 2, ..., these are the membranes of `CPG`.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from snnctl.positions.base import frequencies

Method = Literal["rotation", "rk4", "symplectic", "euler"]
METHODS: tuple[Method, ...] = get_args(Method)


def slope(u: Tensor, w: Tensor) -> Tensor:
    """Time derivative of the pairs `u` [..., pairs, 2] with angular frequencies `w` [pairs]."""
    a, b = u.unbind(-1)
    return torch.stack((w * b, -w * a), dim=-1)


def advance(u: Tensor, w: Tensor, step: float, method: Method) -> Tensor:
    """`u` [..., pairs, 2] one step of length `step` later, in positions.

    `rotation` is exact up to rounding, `rk4` of fourth order, `symplectic` (Euler's, the second neuron sees the
    first one's new value) keeps the amplitude bounded, `euler` spirals outwards and is here as the failing example.
    """
    match method:
        case "rotation":
            turn = w * step
            a, b = u.unbind(-1)
            return torch.stack((a * turn.cos() + b * turn.sin(), b * turn.cos() - a * turn.sin()), dim=-1)
        case "rk4":
            k1 = slope(u, w)
            k2 = slope(u + step / 2 * k1, w)
            k3 = slope(u + step / 2 * k2, w)
            k4 = slope(u + step * k3, w)
            return u + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        case "symplectic":
            a, b = u.unbind(-1)
            a = a + step * w * b
            return torch.stack((a, b - step * w * a), dim=-1)
        case "euler":
            return u + step * slope(u, w)


def integrate(neurons: int, base: float, length: int, *, method: Method = "rk4", step: float = 0.01) -> Tensor:
    """Membranes at positions 0 .. length-1, by numerical integration of the coupled pairs.

    The system is linear, so what a method does to any state in 1/step steps is a 2 x 2 matrix per pair. That
    matrix comes from running those steps on the two unit states; positions then follow by one product each.

    Args:
        neurons, base: as in `CPG`.
        length: positions, >= 0.
        method: see `advance`.
        step: length of a step in positions, > 0; 1/step must be a whole number.

    Returns:
        float64 [length, neurons] on the CPU, columns as in `CPG.membrane`: sine, cosine, sine, ...

    Raises:
        ValueError: steps of `step` do not meet at whole positions.
    """
    steps = round(1 / step)
    if steps < 1 or abs(steps * step - 1) > 1e-9:
        raise ValueError(f"step must divide 1, got {step}")
    w = frequencies(neurons, base)
    unit = torch.eye(2, dtype=torch.float64, device="cpu")[:, None].expand(2, len(w), 2)
    for _ in range(steps):
        unit = advance(unit, w, step, method)
    turn = unit.permute(1, 2, 0)  # [pairs, 2, 2]: column j is where unit state j went
    state = torch.tensor([0.0, 1.0], dtype=torch.float64, device="cpu").expand(len(w), 2)
    membranes = torch.empty(length, len(w), 2, dtype=torch.float64, device="cpu")
    for p in range(length):
        membranes[p] = state
        state = (turn @ state.unsqueeze(-1)).squeeze(-1)
    return membranes.flatten(1)[:, :neurons]
