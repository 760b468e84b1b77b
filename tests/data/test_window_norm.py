"""Window normalisation and its inverse."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnctl.core.shapes import ShapeError
from snnctl.data.series.window_norm import WindowNorm, WindowNormKind

KINDS = get_args(WindowNormKind)


def test_by_hand() -> None:
    x = torch.tensor([[[1.0], [2.0], [6.0]]], dtype=torch.float64)
    assert WindowNorm("last").apply(x)[0].flatten().tolist() == [-5.0, -4.0, 0.0]
    assert WindowNorm("mean").apply(x)[0].flatten().tolist() == [-2.0, -1.0, 3.0]
    normed, scale = WindowNorm("mean_std").apply(x)
    # variance with divisor 3: (4 + 1 + 9) / 3
    sd = (14 / 3 + 1e-5) ** 0.5
    torch.testing.assert_close(normed.flatten(), torch.tensor([-2.0, -1.0, 3.0], dtype=torch.float64) / sd)
    assert WindowNorm("mean_std").undo(torch.ones(1, 2, 1, dtype=torch.float64), scale).flatten().tolist() == (
        pytest.approx([3.0 + sd, 3.0 + sd])
    )
    assert WindowNorm("none").apply(x)[0] is x


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 1000), batch=st.integers(1, 4), length=st.integers(1, 9), channels=st.integers(1, 3))
def test_undo_of_apply_is_identity(kind: WindowNormKind, seed: int, batch: int, length: int, channels: int) -> None:
    x = torch.randn(batch, length, channels, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    norm = WindowNorm(kind)
    normed, scale = norm.apply(x * 10 + 3)
    torch.testing.assert_close(norm.undo(normed, scale), x * 10 + 3)


@pytest.mark.parametrize("kind", KINDS)
def test_calendar_features_pass_through(kind: WindowNormKind) -> None:
    x = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    normed, scale = WindowNorm(kind, channels=2).apply(x)
    assert normed.shape == x.shape
    assert torch.equal(normed[..., 2:], x[..., 2:])
    assert scale.shift.shape == (2, 1, 2)
    assert WindowNorm(kind, channels=2).undo(torch.zeros(2, 3, 2), scale).shape == (2, 3, 2)


def test_a_constant_window_stays_finite() -> None:
    normed, _ = WindowNorm("mean_std").apply(torch.full((1, 4, 1), 7.0))
    assert torch.equal(normed, torch.zeros(1, 4, 1))


def test_refusals() -> None:
    with pytest.raises(ShapeError):
        WindowNorm("last", channels=3).apply(torch.zeros(1, 2, 2))
    with pytest.raises(ValueError, match="known: none, last, mean, mean_std"):
        WindowNorm("median")  # type: ignore[arg-type]
