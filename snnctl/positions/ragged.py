"""Sequences of different lengths: tokens packed without their padding, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ragged:
    """Where the tokens of a padded batch stand.

    Layers that act on each token alone get the tokens of all sequences in one row, [T, 1, N, D], and nothing else: so
    that statistics of norms, spike counts and time know no padding. What relates tokens unpacks them, with zeros for
    padding, and packs its result again.

    Args:
        mask: [B, L] bool, True where a token stands.
        length: positions that a sequence has at most, whatever this batch is padded to; L <= length.
    """

    mask: Tensor
    length: int

    @cached_property
    def index(self) -> Tensor:
        """[N] int64, the place of each token in B * L."""
        if self.mask.is_meta:  # whose values nobody knows
            return torch.arange(self.mask.numel(), device="meta")
        return self.mask.flatten().nonzero().squeeze(1)

    @cached_property
    def places(self) -> Tensor:
        """[N] int64, the position of each token in its sequence."""
        return self.index % self.mask.shape[1]

    @cached_property
    def sequences(self) -> Tensor:
        """[N] int64, the sequence of each token."""
        return self.index // self.mask.shape[1]

    @cached_property
    def counts(self) -> Tensor:
        """[B] int64, tokens of each sequence; 1 for one without any, so that its mean is 0."""
        return self.mask.sum(1).clamp_min(1)

    @cached_property
    def last(self) -> Tensor:
        """[B] int64, the place among N of the last token of each sequence."""
        return self.mask.sum(1).cumsum(0).sub(1).clamp_min(0)

    def pack(self, x: Tensor) -> Tensor:
        """[T, B, L, D] -> [T, 1, N, D]."""
        return x.flatten(1, 2).index_select(1, self.index).unsqueeze(1)

    def unpack(self, x: Tensor) -> Tensor:
        """[T, 1, N, D] -> [T, B, L, D], zeros where there is no token."""
        batch, length = self.mask.shape
        flat = x.new_zeros(x.shape[0], batch * length, x.shape[-1])
        return flat.index_copy(1, self.index, x.squeeze(1)).unflatten(1, (batch, length))

    def total(self, x: Tensor) -> Tensor:
        """[T, 1, N, D] -> [T, B, D], the sum over the tokens of each sequence."""
        sums = x.new_zeros(x.shape[0], len(self.mask), x.shape[-1])
        return sums.index_add(1, self.sequences, x.squeeze(1))

    def share(self, x: Tensor) -> Tensor:
        """[T, B, D] -> [T, 1, N, D], what belongs to a sequence at each of its tokens."""
        return x.index_select(1, self.sequences).unsqueeze(1)

    def locate(self, code: Tensor) -> Tensor:
        """[*, `length`, n] -> [*, N, n], what belongs to a position at each token there."""
        return code.index_select(-2, self.places)

    def between(self, scores: Tensor) -> Tensor:
        """Scores [T, B, heads, L, L] before a softmax, as good as minus infinity where the key is padding."""
        return scores.masked_fill(~self.mask[:, None, None, :], torch.finfo(scores.dtype).min)

    def pairs(self, bias: Tensor) -> Tensor:
        """[`length`, `length`] -> [L, L], a bias between positions for this batch."""
        return bias[: self.mask.shape[1], : self.mask.shape[1]]
