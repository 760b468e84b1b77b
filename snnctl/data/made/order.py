"""The `order` data component: sequences of the same symbols whose class is their order alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from annotated_types import Ge
from torch import Tensor

from snnctl.core.catalog import DATA
from snnctl.core.choices import SplitName
from snnctl.core.seeds import stream_seed
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.data.base import Batch, Dataset, DataSource, Targeted
from snnctl.data.cache import sha256_of
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.made.anew import FittedMade

Rule = Literal["first", "after"]
Tokens = npt.NDArray[np.int64]


def special_symbols(rule: str, classes: int) -> int:
    """How many symbols have a role: one mark per class, and the cue of `after`."""
    return classes + (rule == "after")


def order_class(tokens: Tokens, classes: int, rule: Rule) -> Tokens:
    """The class of each sequence [N, L] -> [N], read off the places of its marks 0..K-1."""
    places = (tokens[:, None, :] == np.arange(classes + 1)[:, None]).argmax(axis=2)
    marks, cue = places[:, :classes], places[:, classes:]
    return (marks if rule == "first" else (marks - cue) % tokens.shape[1]).argmin(axis=1)


@dataclass(frozen=True)
class OrderSplit(Targeted):
    """Sequences and their classes, by index.

    Args:
        tokens: [N, L] int64, which symbol stands where.
        targets: [N] int64.
        codes: [C, C] float32, the code of each symbol.
        noise: [N, L, C] float32 added to the codes, or None.
    """

    tokens: Tensor
    targets: Tensor
    codes: Tensor
    noise: Tensor | None = None

    def batch(self, indices: Tensor) -> Batch:
        """The items at `indices` (int64 [B]).

        Shape:
            inputs [B, L, C], targets [B].
        """
        inputs = self.codes[self.tokens[indices]]
        if self.noise is not None:
            inputs = inputs + self.noise[indices]
        return Batch(inputs, self.targets[indices])


@dataclass(frozen=True)
class OrderData(Dataset):
    """What a check of a recipe needs to know, and the sequences once they are asked for.

    Args:
        rule: which order is the class.
        length: L.
        symbols: C, one channel each.
        classes: K.
        sizes: items in each split.
        seed: the seed of the set.
        noise: standard deviation.
    """

    rule: Rule
    length: int
    symbols: int
    classes: int
    sizes: Mapping[str, int]
    seed: int
    noise: float
    leaks: tuple[str, ...] = ()

    @property
    def input_signal(self) -> SignalSpec:
        return SignalSpec(steps=0, length=self.length, features=self.symbols)

    @property
    def fitted(self) -> FittedMade:
        """What a trained model keeps of it; its classes have numbers."""
        return FittedMade(tuple(map(str, range(self.classes))), self.length, self.symbols, spikes=False)

    @property
    def multiset(self) -> Tokens:
        """[L] the symbols that every sequence is made of: those with a role once, the fillers in turn."""
        special = special_symbols(self.rule, self.classes)
        fillers = np.arange(self.length - special) % (self.symbols - special)
        return np.concatenate((np.arange(special), special + fillers))

    def split(self, name: SplitName) -> OrderSplit:
        """The sequences of `name`; item i has class i mod K."""
        return self._splits[name]

    @cached_property
    def _splits(self) -> dict[str, OrderSplit]:
        order = np.random.default_rng(stream_seed(self.seed, "data", 0))
        jitter = np.random.default_rng(stream_seed(self.seed, "data", 1))
        seen: set[bytes] = set()
        codes = torch.eye(self.symbols)
        made: dict[str, OrderSplit] = {}
        for name in SPLIT_NAMES:
            targets = np.arange(self.sizes[name]) % self.classes
            tokens = self._draw(order, targets, seen)
            noise = None
            if self.noise:
                drawn = jitter.normal(0.0, self.noise, (*tokens.shape, self.symbols))
                noise = torch.from_numpy(drawn.astype(np.float32))
            made[name] = OrderSplit(torch.from_numpy(tokens), torch.from_numpy(targets), codes, noise)
        return made

    def _draw(self, random: np.random.Generator, targets: Tokens, seen: set[bytes]) -> Tokens:
        """Sequences [N, L] of the wanted classes, none of which is in `seen`; they are entered there."""
        tokens = np.empty((len(targets), self.length), dtype=np.int64)
        left = np.arange(len(targets))
        while len(left):
            drawn = random.permuted(np.tile(self.multiset, (len(left), 1)), axis=1)
            # Turning the marks round moves a sequence to the wanted class, and no sequence gets likelier by it.
            turn = targets[left] - order_class(drawn, self.classes, self.rule)
            drawn = np.where(drawn < self.classes, (drawn + turn[:, None]) % self.classes, drawn)
            fresh = np.empty(len(drawn), bool)
            for i, row in enumerate(drawn):
                fresh[i] = row.tobytes() not in seen
                seen.add(row.tobytes())
            tokens[left[fresh]] = drawn[fresh]
            left = left[~fresh]
        return tokens

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 hex over every input and class."""
        parts = [self.split(name) for name in SPLIT_NAMES]
        tensors = (tensor for part in parts for tensor in (part.tokens, part.targets, part.noise))
        pieces = (tensor.numpy().tobytes() for tensor in tensors if tensor is not None)
        return sha256_of((self.rule, self.length, self.symbols, self.classes), pieces)

    def facts(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "length": self.length,
            "symbols": self.symbols,
            "classes": self.classes,
            "noise": self.noise,
            "splits": {
                name: {"items": len(part), "per_class": torch.bincount(part.targets, minlength=self.classes).tolist()}
                for name in SPLIT_NAMES
                for part in (self.split(name),)
            },
        }


@DATA.register("order")
class Order(DataSource):
    """Synthetic sequences that hold the same symbols in another order, and the order is the class.

    Symbols are one-hot codes over C channels. Each sequence holds every mark 0..K-1 once, the cue K once if
    the rule has one, and fillers (all other symbols, in equal shares) in the remaining places. Classes are
    equally frequent, and no sequence stands in two splits or twice in one.

    Without noise every sequence holds exactly the same symbols, so whatever is blind to order gives one
    answer for all of them and scores 1 / K. Mind that an encoder that mixes neighbours (`conv`, `patch`
    longer than 1) is not blind to order: use `repeat`.

    The rule `first` can be solved by a linear map of the flattened input (the score of class k is minus the
    place of mark k). `after` cannot: no place of a single symbol tells anything about the class, so that the
    best linear scores are all equal and stay at 1 / K.

    Equation:
        first: class = argmin_k place of mark k
        after: class = argmin_k (place of mark k - place of the cue) mod L

    Args:
        length: L, positions, >= symbols (16: more sequences than anyone needs, seconds to train on).
        symbols: C, different symbols and channels; at least one is a filler (8).
        classes: K, >= 2 (2: whether one mark stands before the other).
        rule: first = which mark comes first; after = which mark follows the cue first, from the end on to
            the start again.
        train, val, test: items in each split, >= 1; classes differ by at most one item.
        seed: of the sequences; the run's own seed does not touch them.
        noise: standard deviation of Gaussian noise on every input, >= 0 (0 = none).

    Shape:
        inputs [B, L, C], targets [B].

    Raises:
        ShapeError: a symbol without a place, or fewer than twice as many sequences as are asked for.
    """

    gives: ClassVar[Literal["classes"]] = "classes"

    @takes_knobs
    def __init__(
        self,
        *,
        length: Annotated[int, Ge(3)] = 16,
        symbols: Annotated[int, Ge(3)] = 8,
        classes: Annotated[int, Ge(2)] = 2,
        rule: Rule = "first",
        train: Annotated[int, Ge(1)] = 2000,
        val: Annotated[int, Ge(1)] = 500,
        test: Annotated[int, Ge(1)] = 1000,
        seed: Annotated[int, Ge(0)] = 0,
        noise: Annotated[float, Ge(0.0)] = 0.0,
    ) -> None:
        sizes = {"train": train, "val": val, "test": test}
        self._data = OrderData(rule, length, symbols, classes, sizes, seed, noise)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Every symbol has a place, and there are more sequences than are asked for."""
        length, symbols = knobs["length"], knobs["symbols"]
        special = special_symbols(knobs["rule"], knobs["classes"])
        if symbols <= special:
            yield "symbols", f"`symbols` must be at least {special + 1}: {special} with a role and a filler"
        elif length < symbols:
            yield "length", "`length` must be at least `symbols`, or some symbol has no place"
        else:
            wanted = knobs["train"] + knobs["val"] + knobs["test"]
            shares = np.bincount(np.arange(length - special) % (symbols - special))
            known = math.lgamma(length + 1) - sum(math.lgamma(share + 1) for share in shares)
            # At most half of them, so that drawing one that is new never takes long.
            if math.log(2 * wanted) > known + 1e-9:
                yield (
                    "length",
                    f"there are {round(math.exp(known)):,} such sequences, and `train` + `val` + `test` may take half"
                    f" of them, not {wanted:,}; raise `length` or `symbols`",
                )

    def load(self) -> OrderData:
        """The sequences; they are drawn when first asked for, and a check asks for none."""
        return self._data
