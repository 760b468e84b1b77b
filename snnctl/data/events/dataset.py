"""Recordings as batches: gathered by index, augmented in training, binned on the fly; sparse until then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic
from snnctl.core.shapes import SignalSpec
from snnctl.data.base import Batch, Chosen, Labelled
from snnctl.data.cuts import SPLIT_NAMES, Indices, Splits, class_counts, cut_fingerprint
from snnctl.data.events.anew import FittedSpikes, spike_signal
from snnctl.data.events.augment import SpikeAugment, Spikes, blend
from snnctl.data.events.binning import Binning
from snnctl.data.events.store import STORE, UNKNOWN, Recordings, SpikeManifest
from snnctl.data.events.times import check_times, odd_recordings, told
from snnctl.data.repeats import Repeats, repeats

_CHUNK = 1 << 22  # spikes looked at in one go
# Recordings and spikes of each part that are looked at, and how many where there is a doubt.
_FIRST_LOOK, _CLOSER_LOOK = (6, 1 << 18), (1 << 13, 1 << 20)


@dataclass(frozen=True)
class SpikeSplit(Chosen):
    """One split: recordings of one part, by index.

    Args:
        part: all recordings of the part.
        chosen: which of them are in the split.
        binning: how they become [T, C].
        augment: what training batches go through.
    """

    part: Recordings
    chosen: Indices
    binning: Binning
    augment: SpikeAugment

    @property
    def labels(self) -> Any:
        """[N] classes."""
        return self.part.labels[self.chosen]

    def batch(self, indices: Tensor) -> Batch:
        """The items at `indices` (int64 [B]) as they are.

        Shape:
            inputs [B, T, 1, C] float32, targets [B] int64.
        """
        rows = self.chosen[indices.numpy()]
        return self._binned(rows, self._raw)

    def training_batch(self, indices: Tensor, seed: int, epoch: int) -> Batch:
        """The items at `indices` augmented, whatever the epoch."""
        if self.augment == SpikeAugment():
            return self.batch(indices)
        rows, augment = self.chosen[indices.numpy()], self.augment
        random = np.random.default_rng(seed)
        blended, by = augment.blended(len(rows), random), augment.distance(random)
        others = dict(zip(rows[blended].tolist(), self._of_their_class(rows[blended], random).tolist(), strict=True))

        def changed(row: int) -> tuple[Any, Any]:
            spikes = self._spikes(row)
            if row in others:
                spikes = blend(spikes, self._spikes(others[row]), random)
            return augment.changed(spikes, self.binning.units, self.binning.max_time, by, random)

        return self._binned(rows, changed)

    def _raw(self, row: int) -> tuple[Any, Any]:
        piece = slice(int(self.part.starts[row]), int(self.part.starts[row + 1]))
        return np.asarray(self.part.times[piece]), np.asarray(self.part.units[piece])

    def _spikes(self, row: int) -> Spikes:
        times, units = self._raw(row)
        return Spikes(times.astype(np.float64), units.astype(np.int64))

    def _of_their_class(self, rows: Any, random: np.random.Generator) -> Any:
        """For each row a random one of the split with the same class, itself included."""
        labels = self.part.labels
        found = np.empty_like(rows)
        for label in np.unique(labels[rows]):
            mine = labels[rows] == label
            found[mine] = random.choice(self._by_class[int(label)], int(mine.sum()))
        return found

    @cached_property
    def _by_class(self) -> dict[int, Any]:
        return {int(label): self.chosen[self.labels == label] for label in np.unique(self.labels)}

    def _binned(self, rows: Any, spikes_of: Callable[[int], tuple[Any, Any]]) -> Batch:
        # Recording by recording: what one of them needs stays in the processor's cache.
        binning = self.binning
        found = np.zeros((len(rows), binning.steps * binning.channels), np.float32)
        for number, row in enumerate(rows.tolist()):
            binning.add(found[number], *spikes_of(row))
        inputs = torch.from_numpy(found).view(len(rows), binning.steps, 1, binning.channels)
        return Batch(inputs, torch.from_numpy(self.part.labels[rows]))


@dataclass(frozen=True)
class SpikeData(Labelled):
    """A set of labelled recordings, cut.

    Args:
        manifest: of the set.
        parts: its recordings.
        cut: split -> (part, indices).
        binning: how they become [T, C].
        augment: of training batches.
        dt_ms: what the network is told that a bin lasts.
        odd: what is odd about the recordings.
        fitted: what a trained model keeps of them.
    """

    manifest: SpikeManifest
    parts: Mapping[str, Recordings]
    cut: Splits
    binning: Binning
    augment: SpikeAugment
    dt_ms: float
    odd: tuple[Diagnostic, ...] = ()
    leaks: tuple[str, ...] = ()
    fitted: FittedSpikes | None = None

    @cached_property
    def repeats(self) -> Repeats:
        """Recordings that stand in two splits."""
        parts = {name: part.each for name, part in self.parts.items()}
        return repeats(parts, self.cut, "recordings", STORE.path(self.manifest.key))

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        return (*self.odd, *self.repeats.warnings(self.manifest.origin))

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.manifest.classes)

    @property
    def input_signal(self) -> SignalSpec:
        """Spikes, or counts of them, that bring their own T."""
        return spike_signal(self.binning, self.dt_ms)

    def split(self, name: SplitName) -> SpikeSplit:
        part, indices = self.cut[name]
        return SpikeSplit(self.parts[part], indices, self.binning, self.augment)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 hex over the recordings, the splits and the binning."""
        return cut_fingerprint((self.manifest.classes, self.manifest.checksums(), self.binning), self.cut)

    def speakers(self, name: str) -> list[str]:
        """Who speaks in a split, by name where they have one; empty where nobody is known."""
        part, indices = self.cut[name]
        found = [int(number) for number in np.unique(self.parts[part].speakers[indices]) if number != UNKNOWN]
        names = self.manifest.speakers
        return [names[number] if number < len(names) else str(number) for number in found]

    def late(self) -> int:
        """How many spikes lie at `max_time` or later, and are left out."""
        return sum(
            int((np.asarray(part.times[first : first + _CHUNK], np.float64) >= self.binning.max_time).sum())
            for part in self.parts.values()
            for first in range(0, len(part.times), _CHUNK)
        )

    def facts(self) -> dict[str, Any]:
        manifest, binning, total = self.manifest, self.binning, sum(self.manifest.spikes.values())
        recordings, late = sum(manifest.parts.values()), self.late()
        return {
            "origin": manifest.origin,
            "format": manifest.format,
            "classes": self.classes,
            "class_names": list(manifest.classes),
            "parts": dict(manifest.parts),
            "units": binning.units,
            "spikes": total,
            "recordings": recordings,
            "spikes_per_recording": round(total / recordings, 1),
            **told(manifest.found),
            "last_spike_seconds": manifest.seconds,
            "left_out_after_max_time": late,
            "share_left_out": round(late / max(total, 1), 4),
            "steps": binning.steps,
            "channels": binning.channels,
            "bins": binning.bins,
            "bin_ms": round(binning.bin_ms, 3),
            "dt_ms": round(self.dt_ms, 3),
            "splits": class_counts({name: part.labels for name, part in self.parts.items()}, self.cut, self.classes),
            "repeated": self.repeats.facts(),
            "speakers": {name: self.speakers(name) for name in SPLIT_NAMES},
            "licence": manifest.licence or "unknown",
            "bytes": manifest.bytes,
        }


def odd_times(parts: Mapping[str, Recordings], binning: Binning, manifest: SpikeManifest) -> tuple[Diagnostic, ...]:
    """What is odd about the times of a set, from some recordings of each part; looked at closer where there is a doubt.

    Raises:
        DiagnosticError: D251, nearly all events fall outside or into one bin.
    """
    inside, late, early = _binned_times(parts, binning, *_FIRST_LOOK)
    total = int(inside.sum()) + late + early
    if 50 * (late + early) > total or 3 * int(inside.max()) > total:
        inside, late, early = _binned_times(parts, binning, *_CLOSER_LOOK)
    found, file = manifest.found, manifest.origin
    return (*check_times(inside, late, early, binning.max_time, found, file), *odd_recordings(found, file))


def _binned_times(
    parts: Mapping[str, Recordings], binning: Binning, recordings: int, spikes: int
) -> tuple[Any, int, int]:
    """Spikes of each bin [T], from `max_time` on, and before 0.

    Args:
        recordings, spikes: about how many of each part are looked at, at most: recordings far apart, none in part.
    """
    inside, late, early = np.zeros(binning.steps, np.int64), 0, 0
    for part in parts.values():
        share = min(1.0, recordings / max(len(part), 1), spikes / max(len(part.times), 1))
        rows, starts = range(0, len(part), max(1, round(1 / share))), part.starts
        if not rows:
            continue
        times = np.concatenate([part.times[starts[row] : starts[row + 1]] for row in rows]).astype(np.float64)
        over, under = times >= binning.max_time, times < 0
        late, early = late + int(over.sum()), early + int(under.sum())
        inside += np.bincount(binning.place(times[~(over | under)]), minlength=binning.steps)
    return inside, late, early
