"""Embedding encoder: a learned vector per token is the current of every step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from snnctl.core.catalog import ENCODERS
from snnctl.core.registry import Slot, SourcePath
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.encoders.base import Encoder
from snnctl.encoders.vectors import read_vectors
from snnctl.neurons.base import NeuronFactory
from snnctl.neurons.norm import TokenNorm
from snnctl.positions.ragged import Ragged


@ENCODERS.register("embedding")
class Embedding(Encoder):
    """Looks up a learned vector for each token and feeds it as a constant current for T steps.

    Padding (token 0) has no vector, fires nothing and takes part in no statistics.

    Equation:
        I[t, l] = BN( E[token l] )           BN over tokens; left out where `norm_gain` is null
        y       = neuron(I),  or I itself where `neuron` is null

    Args:
        signal: tokens [B, L]; `features` of them are known.
        dim: D, length of a vector, >= 1.
        steps: T, simulation steps per token, >= 1 (4 as in Spikformer).
        scale: standard deviation of the initial vectors, > 0 (1 is torch's).
        norm_gain: initial gain of the BatchNorm, > 0 (2: with gain 1 a decayed-input LIF of tau 2 starts nearly
            silent); null leaves the norm out.
        word_dropout: share of tokens whose vector is 0 in a training step, 0 <= p < 1; the others stay as they are.
        dropout: share of the vectors' values that are 0 in a training step, 0 <= p < 1; the others grow by 1 / (1 - p).
        vectors: file with vectors to start from: text (word2vec, GloVe: a word and its values on a line), .npy or
            .safetensors with one row per token, or a folder of a `transformers` checkpoint; null starts at random.
            Words are matched by their text; those that are not in the file start at random.
        learn_vectors: whether vectors are trained; false keeps those of the file (and random ones, too).
        neuron: neuron that makes the spikes, run along T; null hands the currents on, and the backbone's first neuron
            makes the spikes.

    Shape: [B, L] -> [T, B, L, dim], or packed tokens [T, 1, N, dim].

    Raises:
        ShapeError: the data are not tokens, or the vectors do not fit `dim` or the tokens.

    Source: repeated token embeddings as in Lv et al. 2023, "SpikeBERT", arXiv 2308.15122; the norm is ours.
    """

    takes_tokens: ClassVar[bool] = True

    def __init__(
        self,
        signal: SignalSpec,
        *,
        dim: Annotated[int, Ge(1)],
        steps: Annotated[int, Ge(1)] = 4,
        scale: Annotated[float, Gt(0.0)] = 1.0,
        norm_gain: Annotated[float, Gt(0.0)] | None = 2.0,
        word_dropout: Annotated[float, Ge(0.0), Lt(1.0)] = 0.0,
        dropout: Annotated[float, Ge(0.0), Lt(1.0)] = 0.0,
        vectors: Annotated[str, SourcePath()] | None = None,
        learn_vectors: bool = True,
        neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] | None = "lif",
    ) -> None:
        if signal.kind != "tokens":
            message = f"an embedding takes tokens, not {signal.describe()}"
            raise ShapeError(message, knob="type", help="use another encoder, such as repeat, conv or patch")
        super().__init__(signal, steps=steps, neuron=neuron, features=dim)
        self.length = signal.length
        self.word_dropout = word_dropout
        self.table = nn.Embedding(signal.features, dim, padding_idx=0)
        with torch.no_grad():
            self.table.weight.mul_(scale)
        if vectors is not None:
            self._start_from(Path(vectors), signal)
        self.table.weight.requires_grad_(learn_vectors)
        self.norm: nn.Module = nn.Identity() if norm_gain is None else TokenNorm(dim, gain=norm_gain)
        self.dropout = nn.Dropout(dropout)

    @torch.no_grad()
    def _start_from(self, path: Path, signal: SignalSpec) -> None:
        found = read_vectors(path, signal)
        width = found.values.shape[1]
        if width != self.table.embedding_dim:
            message = f"the vectors of `{path.name}` have {width} values, not {self.table.embedding_dim}"
            raise ShapeError(message, knob="dim", help=f"use `dim: {width}`")
        if not self.table.weight.is_meta:
            self.table.weight[found.rows] = found.values.to(self.table.weight)
            self.table.weight[0] = 0.0

    def tokens(self, ids: Tensor) -> Ragged:
        """Where tokens stand in ids [B, L]."""
        return Ragged(ids != 0, self.length)

    def forward(self, x: Tensor, tokens: Ragged | None = None) -> Tensor:
        """Packed where `tokens` are given; without them the same values, and zeros for padding."""
        at = self.tokens(x) if tokens is None else tokens
        packed = super().forward(x.flatten()[at.index].unsqueeze(0))
        return at.unpack(packed) if tokens is None else packed

    def currents(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm(self.table(x))
        if self.training and self.word_dropout:
            kept = torch.rand(found.shape[:-1], device=found.device) >= self.word_dropout
            found = found * kept.unsqueeze(-1)
        found = self.dropout(found)
        return found.expand(self.steps, *found.shape)
