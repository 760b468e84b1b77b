"""Packed tokens: what is packed comes back, and nothing else is in any sum."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from snnctl.positions.ragged import Ragged

MASK = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]]).bool()


def test_by_hand() -> None:
    tokens = Ragged(MASK, 6)
    assert tokens.index.tolist() == [0, 1, 4, 5, 6]
    assert tokens.places.tolist() == [0, 1, 0, 1, 2]
    assert tokens.sequences.tolist() == [0, 0, 1, 1, 1]
    assert tokens.counts.tolist() == [2, 3, 1]
    assert tokens.last.tolist()[:2] == [1, 4]
    x = torch.arange(12.0).view(1, 3, 4, 1)
    assert tokens.pack(x).flatten().tolist() == [0, 1, 4, 5, 6]
    assert tokens.total(tokens.pack(x)).flatten().tolist() == [1, 15, 0]
    assert tokens.share(torch.tensor([[[7.0], [8.0], [9.0]]])).flatten().tolist() == [7, 7, 8, 8, 8]
    assert tokens.locate(torch.arange(6.0)[:, None]).flatten().tolist() == [0, 1, 0, 1, 2]
    bias = torch.arange(36.0).view(6, 6)
    assert torch.equal(tokens.pairs(bias), bias[:4, :4])


def test_softmax_ignores_padding_and_survives_a_sequence_without_tokens() -> None:
    scores = torch.randn(1, 3, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    shares = Ragged(MASK, 4).between(scores).softmax(-1)
    assert not shares[0, 0, :, :, 2:].any()
    torch.testing.assert_close(shares[0, 0, :, :, :2], scores[0, 0, :, :, :2].softmax(-1))
    assert shares.isfinite().all()
    shares[:, :2].sum().backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


@given(
    counts=st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any),
    steps=st.integers(1, 3),
    width=st.integers(1, 3),
)
def test_unpacking_undoes_packing(counts: list[int], steps: int, width: int) -> None:
    length = max(counts)
    mask = torch.arange(length) < torch.tensor(counts)[:, None]
    tokens = Ragged(mask, length + 2)
    x = torch.randn(steps, len(counts), length, width, dtype=torch.float64)
    packed = tokens.pack(x)
    assert packed.shape == (steps, 1, sum(counts), width)
    kept = x * mask[:, :, None]
    assert torch.equal(tokens.unpack(packed), kept)
    torch.testing.assert_close(tokens.total(packed), kept.sum(2))
    for b, count in enumerate(counts):
        if count:
            assert torch.equal(packed[:, 0, tokens.last[b]], x[:, b, count - 1])
