"""Texts as tokens: what a network is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic
from snnctl.core.shapes import SignalSpec
from snnctl.data.base import Batch, Labelled, Targeted
from snnctl.data.cache import sha256_of
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.texts.parts import sameness

if TYPE_CHECKING:
    from snnctl.data.texts.anew import FittedTexts


def token_signal(length: int, words: tuple[str, ...]) -> SignalSpec:
    """Texts of at most `length` tokens."""
    return SignalSpec(0, length, len(words), kind="tokens", ragged=True, words=words)


@dataclass(frozen=True)
class TextSplit(Targeted):
    """Texts of one split, by index.

    Args:
        texts: as they were read.
        flat: [total] int32, the tokens of all texts one after the other.
        starts: [N + 1] int64, where each text begins in `flat`.
        targets: [N] int64.
        uncut: [N] int64, tokens of each text before it was cut.
    """

    texts: tuple[str, ...] = field(repr=False)
    flat: Tensor
    starts: Tensor
    targets: Tensor
    uncut: Tensor

    @property
    def lengths(self) -> Tensor:
        """[N] int64, tokens of each text."""
        return self.starts.diff()

    @property
    def cut_short(self) -> int:
        """How many texts are longer than what is left of them."""
        return int((self.uncut > self.lengths).sum())

    def show(self, index: int) -> str:
        """The text at `index` as it was read, for people."""
        return self.texts[index]

    def batch(self, indices: Tensor) -> Batch:
        """The texts at `indices` (int64 [B]), padded with 0 to the longest of them.

        Shape:
            inputs [B, L] int64, targets [B].
        """
        first, count = self.starts[indices], self.starts[indices + 1] - self.starts[indices]
        place = torch.arange(int(count.max()) if len(count) else 0)
        within = place < count[:, None]
        at = (first[:, None] + place).clamp_max(len(self.flat) - 1)
        return Batch(self.flat[at].long() * within, self.targets[indices])


@dataclass(frozen=True)
class TextData(Labelled):
    """Texts with classes.

    Args:
        origin: name or path of the source.
        splits: train, val and test.
        words: what each token stands for; 0 is padding, 1 the unknown.
        labels: names of the classes.
        length: L, the most tokens of a text.
        unknown: the token of what is not among the words.
        reading: what reading the source found: files, labels, what was left out.
        notes: how splits were made.
        leaks: texts that stand in two splits.
        warnings: what reading the source found odd.
        fitted: what a trained model keeps of them.
    """

    origin: str
    splits: Mapping[str, TextSplit]
    words: tuple[str, ...] = field(repr=False)
    labels: tuple[str, ...]
    length: int
    unknown: int = 1
    reading: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    fitted: FittedTexts | None = field(default=None, repr=False)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.labels

    @property
    def input_signal(self) -> SignalSpec:
        return token_signal(self.length, self.words)

    @property
    def cut_short(self) -> Mapping[str, int]:
        """How many texts of each split are longer than L."""
        return {name: part.cut_short for name, part in self.splits.items()}

    def split(self, name: SplitName) -> TextSplit:
        return self.splits[name]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 hex over every token and class, and what tokens stand for."""
        words = [word.encode("utf-8", "surrogatepass") + b"\0" for word in self.words]
        parts = [self.splits[name] for name in SPLIT_NAMES]
        tensors = (tensor for part in parts for tensor in (part.flat, part.starts, part.targets))
        return sha256_of((self.labels, self.length), chain(words, (tensor.numpy().tobytes() for tensor in tensors)))

    def facts(self) -> dict[str, Any]:
        return {
            "source": self.origin,
            **self.reading,
            "classes": list(self.labels),
            "tokens": len(self.words),
            "first_tokens": list(self.words[:12]),
            "length": self.length,
            "splits": {name: self._split_facts(self.splits[name]) for name in SPLIT_NAMES},
            "empty": sum(not text.strip() for part in self.splits.values() for text in part.texts),
            "how_it_is_cut": list(self.notes),
        }

    def _split_facts(self, part: TextSplit) -> dict[str, Any]:
        median, most_of_them = np.quantile(part.uncut.numpy(), (0.5, 0.95), method="higher").tolist()
        return {
            "items": len(part),
            "per_class": torch.bincount(part.targets, minlength=self.classes).tolist(),
            "repeated": len(part) - len({sameness(text) for text in part.texts}),
            "mean_tokens": round(float(part.lengths.double().mean()), 2),
            "median_tokens": median,
            "tokens_of_95_percent": most_of_them,
            "most_tokens": int(part.uncut.max()),
            "unknown_share": round(float((part.flat == self.unknown).double().mean()), 4),
            "cut_short": part.cut_short,
            "cut_share": round(part.cut_short / len(part), 4),
        }
