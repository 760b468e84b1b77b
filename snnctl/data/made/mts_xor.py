"""The `mts_xor` data component: the multi-time-scale XOR, a class at every step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor

from snnctl.core.catalog import DATA
from snnctl.core.choices import SplitName
from snnctl.core.seeds import run_seed, stream_seed
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import takes_knobs
from snnctl.data.base import Batch, Dataset, DataSource, Targeted
from snnctl.data.cache import sha256_of
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.made.anew import FittedMade

Bits = npt.NDArray[np.bool_]
_BLOCK = 1024  # items drawn at once


@dataclass(frozen=True)
class XorRule:
    """The constants of the task.

    Args:
        channels: C, even; the first half carries the slow bit, the second half the fast ones.
        slow: steps of the slow bit, from step 0.
        windows: fast bits.
        silent, coding: steps of a window without and with its bit, in this order.
        low, high: probability of a spike per channel and step where the bit is 0 or 1.
        noise: probability of a spike anywhere, OR-ed with the signal.
    """

    channels: int
    slow: int
    windows: int
    silent: int
    coding: int
    low: float
    high: float
    noise: float

    @property
    def window(self) -> int:
        """Steps of one window."""
        return self.silent + self.coding

    @property
    def steps(self) -> int:
        """T."""
        return self.slow + self.windows * self.window

    @cached_property
    def scored(self) -> Bits:
        """[T], the coding steps: those at which the answer can be known."""
        step = np.arange(self.steps) - self.slow
        found: Bits = (step >= 0) & (step % self.window >= self.silent)
        return found

    def targets(self, slow: Bits, fast: Bits) -> npt.NDArray[np.int64]:
        """[N, T] from the slow bits [N] and the fast bits [N, windows]: 0 at first, then the XOR all through a window.

        The silent steps of a window bear its answer, too, before anything can be known of it.
        """
        found = np.zeros((len(slow), self.steps), np.int64)
        found[:, self.slow :] = (slow[:, None] ^ fast).repeat(self.window, axis=1)
        return found

    def draw(self, items: int, seed: int) -> tuple[Bits, Bits, Bits]:
        """Spikes [N, T, C], slow bits [N] and fast bits [N, windows]: a pure function of its arguments."""
        random = np.random.default_rng(seed)
        slow = random.random(items) < 0.5
        fast = random.random((items, self.windows)) < 0.5
        spikes = np.empty((items, self.steps, self.channels), np.bool_)
        half = self.channels // 2
        for first in range(0, items, _BLOCK):
            rows = slice(first, min(first + _BLOCK, items))
            rate = np.zeros((rows.stop - first, self.steps, 2), np.float32)
            rate[:, : self.slow, 0] = np.where(slow[rows, None], self.high, self.low)
            rate[:, self.slow :, 1] = np.where(fast[rows], self.high, self.low).repeat(self.window, axis=1)
            rate[:, self.slow :, 1] *= self.scored[self.slow :]
            shape = (*rate.shape[:2], self.channels)
            signal = random.random(shape, np.float32) < rate.repeat((half, self.channels - half), axis=2)
            spikes[rows] = signal | (random.random(shape, np.float32) < self.noise)
        return spikes, slow, fast

    def threshold(self, trials: int) -> float:
        """How many spikes in so many draws speak for a 1 as much as for a 0."""
        low, high = (1 - (1 - rate) * (1 - self.noise) for rate in (self.low, self.high))
        against = math.log((1 - low) / (1 - high))
        return trials * against / (against + math.log(high / low))

    def decode(self, spikes: Tensor) -> Tensor:
        """Scores [B, T, 2] of spikes [B, T, C], as good as they can be: counts since a bit began, against thresholds.

        It knows when bits begin and looks at nothing later than the step itself.
        """
        half = self.channels // 2
        slow = spikes[:, : self.slow, :half].sum((1, 2)) > self.threshold(self.slow * half)
        counts = spikes[:, self.slow :, half:].sum(2).unflatten(1, (self.windows, self.window))[:, :, self.silent :]
        trials = torch.arange(1, self.coding + 1, device=spikes.device) * (self.channels - half)
        unit = self.threshold(1)
        fast = counts.cumsum(2) > trials * unit
        answer = torch.zeros(spikes.shape[:2], dtype=torch.bool, device=spikes.device)
        answer[:, torch.from_numpy(self.scored).to(spikes.device)] = (fast ^ slow[:, None, None]).flatten(1)
        return torch.stack((~answer, answer), 2).to(torch.float32)


@dataclass(frozen=True)
class XorSplit(Targeted):
    """Items by index.

    Args:
        spikes: [N, T, C] bool.
        targets: [N, T] int64.
        scored: [T] bool, steps that are scored.
    """

    spikes: Tensor
    targets: Tensor
    scored: Tensor

    def batch(self, indices: Tensor) -> Batch:
        """The items at `indices` (int64 [B]).

        Shape:
            inputs [B, T, 1, C] float32 in {0, 1}, targets [B, T] int64, observed [B, T]: the steps that are scored.
        """
        # Whole rows are copied at once, which indexing does value by value. Then steps first in memory, as networks run
        # over them: moved while a spike is one byte, by eights if they fit.
        targets = self.targets.index_select(0, indices)
        spikes = self.spikes.view(torch.uint8).index_select(0, indices)
        words = spikes if spikes.shape[2] % 8 else spikes.view(torch.int64)
        moved = words.transpose(0, 1).contiguous().view(torch.uint8).float()
        return Batch(moved.transpose(0, 1).unsqueeze(2), targets, self.scored.expand(targets.shape))


@dataclass(frozen=True)
class XorData(Dataset):
    """What a check needs, and the items once they are asked for.

    Args:
        rule: the constants.
        sizes: items in each split.
        seed: of all three.
        dt_ms: what a step lasts.
    """

    rule: XorRule
    sizes: Mapping[str, int]
    seed: int
    dt_ms: float
    leaks: tuple[str, ...] = ()

    classes: ClassVar[int] = 2
    class_names: ClassVar[tuple[str, ...]] = ("0", "1")

    @property
    def input_signal(self) -> SignalSpec:
        """Binary spikes that bring their own T."""
        return SignalSpec(0, 1, self.rule.channels, kind="spikes", frames=self.rule.steps, dt_ms=self.dt_ms)

    @property
    def fitted(self) -> FittedMade:
        """What a trained model keeps of it."""
        return FittedMade(self.class_names, self.rule.steps, self.rule.channels, spikes=True, dt_ms=self.dt_ms)

    def split(self, name: SplitName) -> XorSplit:
        """The part called `train`, `val` or `test`, drawn when first asked for."""
        if name not in self._made:
            stream = stream_seed(self.seed, "data", SPLIT_NAMES.index(name))
            spikes, slow, fast = self.rule.draw(self.sizes[name], stream)
            targets = torch.from_numpy(self.rule.targets(slow, fast))
            self._made[name] = XorSplit(torch.from_numpy(spikes), targets, torch.from_numpy(self.rule.scored))
        return self._made[name]

    @cached_property
    def _made(self) -> dict[str, XorSplit]:
        return {}

    def ceiling(self, inputs: Tensor) -> Tensor:
        """Scores [B, T, 2] of a decoder that knows how the data were made; see `XorRule.decode`."""
        return self.rule.decode(inputs.squeeze(2))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 hex over every spike and class."""
        parts = (self.split(name) for name in SPLIT_NAMES)
        tensors = (tensor for part in parts for tensor in (part.spikes, part.targets))
        return sha256_of((self.rule, self.dt_ms), (tensor.numpy().tobytes() for tensor in tensors))

    def facts(self) -> dict[str, Any]:
        """Classes are those of scored steps, rates are spikes per channel and step."""
        rule, splits, rates = self.rule, {}, {}
        for name in SPLIT_NAMES:
            part = self.split(name)
            counted = torch.bincount(part.targets[:, part.scored].flatten(), minlength=2)
            splits[name] = {"items": len(part), "per_class": counted.tolist()}
            rates[name] = round(float(part.spikes.float().mean()), 4)
        return {
            "steps": rule.steps,
            "scored_steps": int(rule.scored.sum()),
            "dt_ms": self.dt_ms,
            "channels": rule.channels,
            "classes": 2,
            "seed": self.seed,
            "spikes_per_step": rates,
            "splits": splits,
        }


@DATA.register("mts_xor")
class MtsXor(DataSource):
    """Multi-time-scale XOR: spikes whose class at every step is the XOR of a slow bit and the fast bit of the moment.

    The first half of the channels fires during the first `slow` steps at a rate that tells the slow bit, the other half
    in each of `windows` windows that follow, after `silent` steps without signal. A network has to keep the slow bit to
    the end and to tell apart fast bits that follow each other. Bits are equally likely. The three splits are drawn from
    seeds of their own and stay the same over epochs.

    Equation:
        P(spike) = 1 - (1 - r) (1 - noise),   r = high where the bit is 1, low where it is 0, 0 where there is none
        target[t] = 0 for t < slow, else slow bit XOR fast bit of the window, its silent steps included
        scored[t] = whether t is a coding step

    Args:
        train, val, test: items in each split, >= 1 (10240 = 20 batches of 512 as published).
        channels: C, even, >= 2.
        slow: steps of the slow bit, >= 1.
        windows: fast bits, >= 1.
        silent, coding: steps of a window before its bit, >= 0, and with it, >= 1 (T = slow + windows * both = 100).
        low, high: rate per channel and step of a 0 and a 1, 0 <= low < high <= 1.
        noise: rate of background spikes, 0 <= noise < 1.
        dt_ms: what a step lasts, in milliseconds, > 0.
        seed: of the items, >= 0; null = the run's own seed, so that every seed has items of its own, as published.

    Shape:
        inputs [B, T, 1, C] in {0, 1}, targets [B, T], observed [B, T]: the scored steps.

    Source: Zheng et al. 2024, Nat. Commun. 15:277 (the task); Moro et al. 2024, arXiv 2407.18838 (these constants).
    """

    gives: ClassVar[Literal["step_classes"]] = "step_classes"

    @takes_knobs
    def __init__(
        self,
        *,
        train: Annotated[int, Ge(1)] = 10240,
        val: Annotated[int, Ge(1)] = 1024,
        test: Annotated[int, Ge(1)] = 1024,
        channels: Annotated[int, Ge(2)] = 40,
        slow: Annotated[int, Ge(1)] = 10,
        windows: Annotated[int, Ge(1)] = 6,
        silent: Annotated[int, Ge(0)] = 5,
        coding: Annotated[int, Ge(1)] = 10,
        low: Annotated[float, Ge(0.0), Lt(1.0)] = 0.2,
        high: Annotated[float, Gt(0.0), Le(1.0)] = 0.6,
        noise: Annotated[float, Ge(0.0), Lt(1.0)] = 0.01,
        dt_ms: Annotated[float, Gt(0.0)] = 10.0,
        seed: Annotated[int, Ge(0)] | None = None,
    ) -> None:
        rule = XorRule(channels, slow, windows, silent, coding, low, high, noise)
        sizes = {"train": train, "val": val, "test": test}
        self._data = XorData(rule, sizes, run_seed() if seed is None else seed, dt_ms)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Both halves are alike, and rates tell the bits apart."""
        if knobs["channels"] % 2:
            yield "channels", "`channels` must be even: half for the slow bit, half for the fast ones"
        if knobs["low"] >= knobs["high"]:
            yield "high", "`high` must be above `low`, or the spikes tell nothing"

    def load(self) -> XorData:
        """The items; they are drawn when first asked for, and a check asks for none."""
        return self._data
