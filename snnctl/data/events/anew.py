"""New recordings for a trained model: how spikes become bins, and recordings from files, folders and arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.shapes import SignalSpec
from snnctl.data.anew import Fitted, NewItem, NewItems, are_paths, files_of, labels_of, names_of, place, whole_numbers
from snnctl.data.base import Batch
from snnctl.data.events.binning import Binning
from snnctl.data.events.readers import gestures
from snnctl.data.events.readers.files import SUFFIXES, read_recording, sensor_of
from snnctl.data.events.readers.fsdd import DIGITS, clip_of, read_wav
from snnctl.data.events.readers.hdf5 import SUFFIXES as HDF5
from snnctl.data.events.readers.hdf5 import hdf5_source
from snnctl.data.events.readers.recording import Recording, Size, refuse_outside
from snnctl.data.events.store import FRONT_END
from snnctl.data.events.times import Clock
from snnctl.data.folders import files_below
from snnctl.data.problems import data_error, data_warning

Spikes = tuple[Any, Any]  # times [S] in seconds of float16 or float32, and units [S]
_WAV = (".wav",)
_SOME, _NEARLY_ALL = 0.05, 0.95  # shares of spikes that are left out
_EXAMPLES = 3


@dataclass(frozen=True)
class Source:
    """One recording: where it lies, and how it is read.

    Args:
        path: of its file.
        name, label: see `NewItem`.
        cut: the piece of a long recording; None = all of it.
    """

    path: Path
    name: str
    label: str = ""
    cut: gestures.Row | None = None

    def read(self) -> Recording:
        """The recording, in the order of time."""
        return read_recording(self.path) if self.cut is None else self.cut.of(_long_one(self.path))


@lru_cache(maxsize=1)
def _long_one(path: Path) -> Recording:
    """A recording of several pieces, which follow each other."""
    return read_recording(path)


@dataclass(frozen=True)
class Brought:
    """Recordings that were given.

    Args:
        items: gives them in order.
        count: how many.
        labelled: whether classes are told.
    """

    items: Callable[[], Iterator[Source]]
    count: int
    labelled: bool = False


def brought(given: Path | Sequence[Path | str], classes: Sequence[str], others: tuple[str, ...] = ()) -> Brought:
    """Recordings at a path, or at several.

    Args:
        others: endings of further files that are taken.

    Raises:
        DiagnosticError: D101 nothing is there, D105 a file of no known kind, D222 a folder without recordings.
    """
    if isinstance(given, Path) and place(given).is_dir():
        return _below(place(given), classes, others)
    paths = [given] if isinstance(given, Path) else list(given)
    found = [Source(place(path), Path(path).name if isinstance(given, Path) else str(path)) for path in paths]
    for one in found:
        if not one.path.is_file() or one.path.suffix.lower() not in (*SUFFIXES, *others):
            help = f"it reads {', '.join((*SUFFIXES, *others))}, and folders of them"
            message = f"`{one.path.name}` is not of a kind that is read"
            raise data_error("D105", message, file=one.path, path="", help=help)
    return Brought(lambda: iter(found), len(found))


def _below(folder: Path, classes: Sequence[str], others: tuple[str, ...]) -> Brought:
    files = files_below(folder)
    table = gestures.tables_of(files, folder) or gestures.named_after(files, SUFFIXES)
    if table:
        rows = [(name, label) for part in table.values() for name, label in part]
        labels = dict(rows)
        numbered = [(name, number) for number, (name, _) in enumerate(rows)]

        def pieces() -> Iterator[Source]:
            for path, group in gestures.grouped(folder, numbered):
                for row in group:
                    name = rows[row.label][0]
                    yield Source(path, name, labels[name], row if row.cut is not None else None)

        return Brought(pieces, len(rows), labelled=True)
    named = files_of(folder, (*SUFFIXES, *others), "recordings", classes)
    found = [Source(*one) for one in named]
    return Brought(lambda: iter(found), len(found), bool(found[0].label))


@dataclass(frozen=True, eq=False)
class FittedSpikes(Fitted):
    """How recordings became bins.

    Args:
        class_names: of the classes.
        binning: how spikes become [T, C].
        clock: how times are read where formats do not say.
        size: of the sensor as the recipe has it; None = as the file says.
        sensor: of the recordings of training; None where units fire.
        sound: whether the set was made of sound, by snnctl's own front end.
        dt_ms: what the network is told that a bin lasts.
    """

    class_names: tuple[str, ...]
    binning: Binning
    clock: Clock
    size: Size | None
    sensor: Size | None
    sound: bool
    dt_ms: float

    kind: ClassVar[str] = "recordings"

    @property
    def input_signal(self) -> SignalSpec:
        return spike_signal(self.binning, self.dt_ms)

    def values(self) -> dict[str, Any]:
        return {
            "classes": list(self.class_names),
            "binning": asdict(self.binning),
            "clock": asdict(self.clock),
            "size": None if self.size is None else list(self.size),
            "sensor": None if self.sensor is None else list(self.sensor),
            "sound": self.sound,
            "front_end": asdict(FRONT_END) if self.sound else None,
            "dt_ms": self.dt_ms,
        }

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> FittedSpikes:
        binning, clock = Binning(**values["binning"]), Clock(**values["clock"])
        numbers = (binning.steps, binning.units, binning.channels, binning.levels)
        sound = bool(values["sound"])
        if not all(type(one) is int and one >= 1 for one in numbers) or not binning.max_time > 0:
            raise ValueError(f"no binning: {binning}")
        if binning.bins not in ("equal", "published") or binning.pool not in ("sum", "subsample"):
            raise ValueError(f"no binning: {binning}")
        size, sensor = (None if values[name] is None else whole_numbers(values[name]) for name in ("size", "sensor"))
        if any(one is not None and len(one) != 2 for one in (size, sensor)):
            raise ValueError(f"sizes of the sensor are {size} and {sensor}")
        if sound and values["front_end"] != asdict(FRONT_END):
            raise ValueError("its sound went through another front end than the one of this snnctl")
        return cls(names_of(values["classes"]), binning, clock, size, sensor, sound, float(values["dt_ms"]))  # type: ignore[arg-type]

    def new(self, given: Any) -> NewItems:
        """New recordings, read as those of training.

        Args:
            given: a recording in any format that training reads, a folder of them (in folders called after classes, or
                not), a list of their paths, or an HDF5 file in the layout of SHD, with or without labels; for a model
                of spoken digits also .wav.

        Raises:
            DiagnosticError: D1xx and D2xx, it cannot be read; D310, it is of another shape.
        """
        doubts = _Late(self.binning)
        if isinstance(given, Path) and place(given).suffix.lower() in HDF5:
            return self._hdf5(place(given), doubts)
        if not isinstance(given, Path) and not are_paths(given):
            message = "recordings are given as paths of files"
            raise DiagnosticError(Diagnostic("D310", message, help="a path, or a list of paths"))
        found = brought(given, self.class_names, _WAV if self.sound else ())

        def items() -> Iterator[NewItem]:
            for one in found.items():
                label = one.label
                if not label and self.sound and (clip := clip_of(one.path)) is not None:
                    label = DIGITS[clip.digit]

                def read(one: Source = one) -> Spikes:
                    return doubts.seen(self._spikes(one), one.name)

                yield NewItem(one.name, read, label)

        clips = self.sound and all(clip_of(one.path) is not None for one in found.items())
        return NewItems(items(), found.count, found.labelled or clips, (), doubts.told)

    def _hdf5(self, path: Path, doubts: _Late) -> NewItems:
        source = hdf5_source(path, self.clock, labelled=False)
        named = any(not name.isdecimal() for name in source.classes)
        names = source.classes if named else self.class_names

        def items() -> Iterator[NewItem]:
            for part in source.parts:
                number = 0
                for block in part.items():
                    ends = np.cumsum(block.lengths)
                    labels = labels_of(block.labels, len(block.labels), names, path)
                    for first, end, label in zip(ends - block.lengths, ends, labels, strict=True):
                        name = f"{part.name}/{number}" if len(source.parts) > 1 else str(number)
                        times, units = block.times[first:end], block.units[first:end]

                        def read(times: Any = times, units: Any = units, name: str = name) -> Spikes:
                            return doubts.seen(self._known(times, units, name, path), name)

                        yield NewItem(name, read, label)
                        number += 1

        return NewItems(items(), sum(part.count for part in source.parts), bool(source.classes), (), doubts.told)

    def _spikes(self, one: Source) -> Spikes:
        path = one.path
        if path.suffix.lower() in _WAV:
            sound, rate = read_wav(path)
            # The noise of the first clip of training: a prediction is the same whatever else is in the folder.
            times, units = FRONT_END.spikes(sound, rate)
            return times.astype(np.float16), units
        recording = one.read()
        tick, _ = self.clock.tick(recording.t, recording.tick)
        times = self.clock.seconds(recording.t, tick).astype(np.float32)
        if (times < 0).any():
            raise data_error("D227", f"a time in `{one.name}` is negative", file=path, path="")
        if recording.unit is not None:
            if self.sensor is not None:
                message = f"`{one.name}` has units that fire, and the model takes events of pixels"
                raise DiagnosticError(Diagnostic("D310", message, file=str(path)))
            return self._known(times, recording.unit, one.name, path)
        sensor = sensor_of(recording, path, self.size) or self.sensor
        if self.sensor is None or sensor is None or sensor != self.sensor:
            own = "none" if sensor is None else f"{sensor[0]} x {sensor[1]} pixels"
            wanted = "spikes of units" if self.sensor is None else f"a sensor of {self.sensor[0]} x {self.sensor[1]}"
            message = f"`{one.name}` is of a sensor of {own}, and the model takes {wanted}"
            raise DiagnosticError(Diagnostic("D310", message, file=str(path)))
        refuse_outside(recording, sensor, one.name, path)
        return times, (recording.y * sensor[1] + recording.x) * 2 + recording.p

    def _known(self, times: Any, units: Any, name: str, path: Path) -> Spikes:
        """Spikes of units that training has seen room for; raises D310."""
        if len(units) and not 0 <= int(units.min()) <= int(units.max()) < self.binning.units:
            odd = int(units.max()) if int(units.max()) >= self.binning.units else int(units.min())
            message = f"unit {odd} fires in `{name}`, and the model knows units 0 to {self.binning.units - 1}"
            raise DiagnosticError(Diagnostic("D310", message, file=str(path)))
        return times, units

    def batch(self, contents: Sequence[Spikes]) -> Batch:
        """Spikes of recordings as counts [B, T, 1, C]."""
        binning = self.binning
        found = np.zeros((len(contents), binning.steps * binning.channels), np.float32)
        for row, (times, units) in zip(found, contents, strict=True):
            binning.add(row, times, units)
        inputs = torch.from_numpy(found).view(len(contents), binning.steps, 1, binning.channels)
        return Batch(inputs, torch.zeros(len(contents), dtype=torch.int64))


def spike_signal(binning: Binning, dt_ms: float) -> SignalSpec:
    """Spikes, or counts of them, that bring their own T."""
    kind = {"kind": "spikes", "levels": binning.levels, "frames": binning.steps, "dt_ms": dt_ms}
    return SignalSpec(0, 1, binning.channels, **kind)  # type: ignore[arg-type]


@dataclass
class _Late:
    """Spikes that no bin takes, counted while recordings go by."""

    binning: Binning
    recordings: int = 0
    spikes: int = 0
    late: int = 0
    silent: int = 0
    long: list[str] = field(default_factory=list)

    def seen(self, spikes: Spikes, name: str) -> Spikes:
        """The same spikes."""
        times, _ = spikes
        late = int((times.astype(np.float64) >= self.binning.max_time).sum())
        self.recordings += 1
        self.spikes += len(times)
        self.silent += not len(times)
        self.late += late
        if late > _SOME * len(times):
            self.long.append(name)
        return spikes

    def told(self) -> list[Diagnostic]:
        """What is odd; raises D251 where nearly all spikes are left out."""
        found, share = [], self.late / max(self.spikes, 1)
        if self.long:
            shown = ", ".join(f"`{name}`" for name in self.long[:_EXAMPLES])
            more = f" and {len(self.long) - _EXAMPLES:,} more" if len(self.long) > _EXAMPLES else ""
            message = (
                f"{share:.0%} of the spikes lie at {self.binning.max_time:g} s or later, where the model sees nothing:"
                f" {len(self.long):,} of {self.recordings:,} recordings are longer ({shown}{more})"
            )
            help = "cut them, or train with a longer `data.max_time`; are times in the unit of training?"
            if share > _NEARLY_ALL:
                raise data_error("D251", message, path="", help=help)
            found.append(data_warning("D250", message, path="", help=help))
        if self.silent:
            message = f"{self.silent:,} of {self.recordings:,} recordings hold no events"
            found.append(data_warning("D254", message, path="", help="leave them out"))
        return found
