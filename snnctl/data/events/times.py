"""Clocks of recordings: from what a file counts in to seconds, and whether these fall into the bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from snnctl.core.diagnostic import Diagnostic
from snnctl.data.events.readers.recording import Size, Tick
from snnctl.data.problems import data_error

TimeUnit = Literal["auto", "s", "ms", "us", "ns"]
Start = Literal["zero", "first"]
PER_SECOND: dict[str, float] = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_SOME, _NEARLY_ALL, _MOST = 0.05, 0.95, 0.5  # shares of events
_FEW_BINS = 8  # below these, half of the events in one is nothing odd
_MOSTLY, _IN_A_PART = 0.98, 0.125  # so many of the events within less than this part of the bins are odd
_FITS = (0.03, 12.0)  # how many times `max_time` a recording may last for its unit to be likely


@dataclass(frozen=True)
class Clock:
    """How times are read.

    Args:
        unit: what times are counted in; `auto` = what the format says, else microseconds for whole numbers and seconds
            for fractions.
        start: `zero` takes times as they are, `first` from the first event of the recording on.
    """

    unit: TimeUnit = "auto"
    start: Start = "zero"

    def tick(self, times: Any, defined: Tick = "") -> tuple[str, str]:
        """What `times` are counted in, and how that is known."""
        if self.unit != "auto":
            return self.unit, "data.time_unit"
        if defined:
            return defined, "the format"
        return ("s", "fractions are taken as seconds") if times.dtype.kind == "f" else ("us", _WHOLE)

    def seconds(self, times: Any, tick: str) -> Any:
        """float64 [S]; the offset is taken off before anything is rounded.

        Args:
            times: int64 or float64 [S], finite.
        """
        if self.start == "first" and len(times):
            times = times - times.min()
        return self.scaled(times, tick)

    @staticmethod
    def scaled(times: Any, tick: str) -> Any:
        """Ticks [S] as float64 seconds, with the offset that they have."""
        return times.astype(np.float64) if tick == "s" else times / PER_SECOND[tick]


_WHOLE = "whole numbers are taken as microseconds"


@dataclass
class Tally:
    """What is told of recordings, gathered while they are read."""

    clock: Clock
    firsts: list[float] = field(default_factory=list)  # seconds, before an offset is taken off
    spans: list[float] = field(default_factory=list)  # seconds
    counts: list[int] = field(default_factory=list)
    ticks: dict[tuple[str, str], int] = field(default_factory=dict)
    formats: dict[str, int] = field(default_factory=dict)
    size: Size | None = None
    grain: float = 0.0
    over: int = 0  # recordings whose clock started over
    fullest: list[float] = field(default_factory=list)

    def add(self, times: Any, tick: tuple[str, str], format: str, grain: float = 0.0) -> None:
        """One recording.

        Args:
            times: int64 or float64 [S], ticks.
            tick: as `Clock.tick` has it.
            grain: how far apart times are at best, ticks.
        """
        self.add_all(times, np.array([len(times)]), tick, format, grain)

    def add_all(self, times: Any, lengths: Any, tick: tuple[str, str], format: str, grain: float = 0.0) -> Any:
        """Recordings of `lengths` [n] end to end; the first time of each, in ticks [n], 0 where it is silent."""
        per = PER_SECOND[tick[0]]
        self.counts += lengths.tolist()
        self.ticks[tick] = self.ticks.get(tick, 0) + len(lengths)
        self.formats[format] = self.formats.get(format, 0) + len(lengths)
        firsts = np.zeros(len(lengths), times.dtype)
        heard = lengths > 0
        if heard.any():
            begins = (np.cumsum(lengths) - lengths)[heard]
            firsts[heard] = np.minimum.reduceat(times, begins)
            self.firsts += (firsts[heard] / per).tolist()
            self.spans += ((np.maximum.reduceat(times, begins) - firsts[heard]) / per).tolist()
            self.grain = max(self.grain, grain / per)
        return firsts

    def facts(self) -> dict[str, Any]:
        """For a manifest: plain numbers and texts."""
        told: dict[str, Any] = {
            "recordings": len(self.counts),
            "formats": dict(self.formats),
            "sensor": list(self.size) if self.size else None,
            "time_unit": " and ".join(sorted({unit for unit, _ in self.ticks})),
            "time_unit_from": "; ".join(sorted({how for _, how in self.ticks})),
            "start": self.clock.start,
            "first_seconds": spread(self.firsts),
            "lasting_seconds": spread(self.spans),
            "last_seconds": spread([first + span for first, span in zip(self.firsts, self.spans, strict=True)]),
            "events_per_recording": spread(self.counts),
            "silent": self.counts.count(0),
            "grain_seconds": self.grain,
        }
        if self.over:
            told["clock_starts_over"] = self.over
        return told | ({"fullest_frame": spread(self.fullest)} if self.fullest else {})


def told(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a `Tally` found, for `snnctl data info`: numbers by their names."""
    kept = {key: value for key, value in found.items() if key not in ("grain_seconds", "fullest_frame")}
    named = ("least", "median", "most")
    spreads = [key for key in kept if key.endswith("_seconds") or key == "events_per_recording"]
    return kept | {key: dict(zip(named, kept[key], strict=True)) for key in spreads if kept[key]}


def spread(values: Sequence[float]) -> list[float]:
    """Least, median, most; nothing of nothing."""
    if not values:
        return []
    return [float(f"{value:.9g}") for value in (min(values), float(np.median(values)), max(values))]


def odd_recordings(found: Mapping[str, Any], file: str) -> list[Diagnostic]:
    """What a `Tally` found that a reader should know: silent recordings, two clocks in one set."""
    warnings = []
    if " and " in found.get("time_unit", ""):
        message = f"times are of two kinds: {found['time_unit_from']}"
        warnings.append(_warning("D253", message, file, "data.time_unit", "set `data.time_unit` to what all are in"))
    if found.get("silent"):
        message = f"{found['silent']:,} of {found['recordings']:,} recordings hold no events"
        warnings.append(_warning("D254", message, file, "data.source", "leave them out of the folder, or of the file"))
    return warnings


def check_times(
    inside: Any, late: int, early: int, max_time: float, found: Mapping[str, Any], file: str
) -> list[Diagnostic]:
    """Whether events fall into the bins, and into more than one of them.

    Args:
        inside: [T] events of each bin.
        late, early: events from `max_time` on, and before 0.
        max_time: seconds that are binned.
        found: what the `Tally` of the set found; may be empty.
        file: where the set lies.

    Raises:
        DiagnosticError: D251, nearly all lie outside, or in one bin where another unit would spread them.
    """
    kept = int(inside.sum())
    total = kept + late + early
    if not total:
        return []
    likely, words = _likely(found, max_time)
    share = (late + early) / total
    if share > _SOME:
        side = "before 0" if early > late else f"at {max_time:g} s or later"
        message = f"{share:.0%} of the events lie {side}, and are left out{_said(found)}"
        help = words or _longer(found)
        if share > _NEARLY_ALL:
            raise data_error("D251", message, file=file, path="data.time_unit", help=help)
        return [_warning("D250", message, file, "data.time_unit" if words else "data.max_time", help)]
    fullest = int(inside.max()) / kept
    if fullest > (_MOST if len(inside) >= _FEW_BINS else _NEARLY_ALL):
        message = f"{fullest:.0%} of the events fall into bin {int(inside.argmax())} of {len(inside)}{_said(found)}"
        if fullest > _NEARLY_ALL and likely:
            raise data_error("D251", message, file=file, path="data.time_unit", help=words)
        help = words or _longer(found)
        return [_warning("D250", message, file, "data.time_unit" if words else "data.max_time", help)]
    first, last = _holding(inside)
    if len(inside) >= _FEW_BINS and last - first < len(inside) * _IN_A_PART:
        bins = f"bin {first}" if first == last else f"bins {first} to {last}"
        message = f"{_MOSTLY:.0%} of the events fall into {bins} of {len(inside)}, the rest of the time is empty"
        help = words or _longer(found)
        return [_warning("D250", message + _said(found), file, "data.time_unit" if words else "data.max_time", help)]
    bin_seconds = max_time / len(inside)
    if found.get("grain_seconds", 0.0) > bin_seconds:
        apart, lasts = found["grain_seconds"], bin_seconds
        message = f"the file tells times {_time(apart)} apart at best, and a bin lasts {_time(lasts)}"
        help = "write times with their offset taken off, as float64 or as whole numbers"
        return [_warning("D255", message, file, "data.source", help)]
    return []


def _holding(inside: Any) -> tuple[int, int]:
    """The first and the last bin between which `_MOSTLY` of the events lie, as many left out before as behind."""
    share = np.cumsum(inside) / max(int(inside.sum()), 1)
    left_out = (1 - _MOSTLY) / 2
    return int(np.argmax(share > left_out)), int(np.argmax(share >= 1 - left_out))


def check_frames(found: Mapping[str, Any], frames: int, file: str) -> list[Diagnostic]:
    """Whether frames of equal duration share the events."""
    fullest = found.get("fullest_frame")
    if not fullest or fullest[1] <= (_MOST if frames >= _FEW_BINS else _NEARLY_ALL):
        return []
    message = f"one of {frames} frames holds {fullest[1]:.0%} of the events of a recording, at the median"
    return [_warning("D250", message, file, "data.cut", "a single event far off does that; set `data.cut: number`")]


def _likely(found: Mapping[str, Any], max_time: float) -> tuple[bool, str]:
    """Whether another unit or start fits better, and what to set then."""
    unit = found.get("time_unit", "")
    if unit not in PER_SECOND or not found.get("lasting_seconds") or not found["lasting_seconds"][1]:
        return False, ""
    lasts, first = found["lasting_seconds"][1] * PER_SECOND[unit], found["first_seconds"][1] * PER_SECOND[unit]
    fixed = found["time_unit_from"] == "the format"
    units = [unit] if fixed else [unit, *(other for other in PER_SECOND if other != unit)]
    fitting = [other for other in units if _FITS[0] <= lasts / PER_SECOND[other] / max_time <= _FITS[1]]
    if not fitting:
        return False, ""
    best, said = fitting[0], []
    span, start = lasts / PER_SECOND[best], first / PER_SECOND[best]
    if best != unit:
        said.append(f"set `data.time_unit: {best}`: recordings last {_time(span)} then")
    if found["start"] == "zero" and (start < 0 or start > max(span, max_time / 2)):
        said.append(f"set `data.start: first`: recordings begin at {_time(start)}")
    if said and span > max_time:
        said.append(f"set `data.max_time: {float(f'{span:.2g}')}`")
    return bool(said), "; ".join(said)


def _said(found: Mapping[str, Any]) -> str:
    if not found.get("time_unit"):
        return ""
    lasting, first = found["lasting_seconds"], found["first_seconds"]
    how = found["time_unit_from"]
    how = "" if how == "data.time_unit" else f" ({how})"
    when = f", recordings begin at {_time(first[1])} and last {_time(lasting[1])}" if lasting else ""
    return f": times are {found['time_unit']}{how}{when}"


def _longer(found: Mapping[str, Any]) -> str:
    ends = found.get("last_seconds" if found.get("start") == "zero" else "lasting_seconds")
    until = f": recordings end at {_time(ends[0])} to {_time(ends[2])}, at the median {_time(ends[1])}" if ends else ""
    return f"set `data.max_time` to what they last{until}"


def _time(seconds: float) -> str:
    for unit, per in PER_SECOND.items():
        if abs(seconds) * per >= 1 or unit == "ns":
            return f"{seconds * per:,.4g} {unit}" if abs(seconds) < 1e5 else f"{seconds:.3g} s"
    return ""


def _warning(code: str, message: str, file: str, path: str, help: str) -> Diagnostic:
    return Diagnostic(code, message, severity="warning", file=file, path=path, help=help)
