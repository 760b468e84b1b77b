"""What the kernels' hand-derived gradients have in common."""

from __future__ import annotations

import torch


def first_gradients_only() -> None:
    """Refuse a gradient of a gradient: it would be wrong without a word.

    Raises:
        RuntimeError: called while the backward pass itself is recorded.
    """
    if torch.is_grad_enabled():
        raise RuntimeError("the fast kernels give first gradients only; for more: use_kernel('reference')")
