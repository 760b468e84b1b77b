"""Texts as tokens: what a network is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from snnctl.core.choices import SplitName
from snnctl.core.shapes import SignalSpec
from snnctl.data.base import Batch, Labelled, Targeted
from snnctl.data.cache import sha256_of
from snnctl.data.cuts import SPLIT_NAMES


@dataclass(frozen=True)
class TextSplit(Targeted):
    """Texts of one split, by index.

    Args:
        texts: as they were read.
        flat: [total] int32, the tokens of all texts one after the other.
        starts: [N + 1] int64, where each text begins in `flat`.
        targets: [N] int64.
    """

    texts: tuple[str, ...] = field(repr=False)
    flat: Tensor
    starts: Tensor
    targets: Tensor

    @property
    def lengths(self) -> Tensor:
        """[N] int64, tokens of each text."""
        return self.starts.diff()

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
        cut_short: how many texts of each split are longer than that.
        notes: how splits were made.
        leaks: texts that stand in two splits.
    """

    origin: str
    splits: Mapping[str, TextSplit]
    words: tuple[str, ...] = field(repr=False)
    labels: tuple[str, ...]
    length: int
    cut_short: Mapping[str, int]
    notes: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.labels

    @property
    def input_signal(self) -> SignalSpec:
        return SignalSpec(0, self.length, len(self.words), kind="tokens", ragged=True, words=self.words)

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
            "classes": list(self.labels),
            "tokens": len(self.words),
            "first_tokens": list(self.words[:12]),
            "length": self.length,
            "splits": {
                name: {
                    "items": len(part),
                    "per_class": torch.bincount(part.targets, minlength=self.classes).tolist(),
                    "mean_tokens": round(float(part.lengths.double().mean()), 2),
                    "unknown_share": round(float((part.flat == 1).double().mean()), 4),
                    "cut_short": self.cut_short[name],
                }
                for name in SPLIT_NAMES
                for part in (self.splits[name],)
            },
            "empty": sum(not text.strip() for part in self.splits.values() for text in part.texts),
            "how_it_is_cut": list(self.notes),
        }
