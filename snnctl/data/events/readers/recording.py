"""One recording as its file has it, and what all readers of recordings share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from snnctl.data.problems import data_error

Size = tuple[int, int]  # rows and columns of a sensor
Tick = Literal["", "s", "ms", "us", "ns"]  # what times are counted in; "" = the format does not say
MOST_EVENTS = 1 << 25  # of one recording
_HALF_CLOCK = 1 << 31
MOST_TIME = 1e30  # of fractions: what is counted and taken off stays finite in float32


@dataclass(frozen=True)
class Recording:
    """Events of pixels, or spikes of units, in the order of the file.

    Args:
        t: [S] int64 or float64, in ticks.
        x, y: [S] column and row of the pixel from the upper left; None where units fire.
        p: [S] 1 where it became brighter, else 0; None where units fire.
        unit: [S] int64, which unit fired; None for pixels.
        tick: what times are counted in, where the format says so.
        size: of the sensor, where the format says so.
        grain: how far apart the times of the file are at best, ticks; 0 = exact.
        rounds: how often a clock started over, see `running_on`.
    """

    t: Any
    x: Any = None
    y: Any = None
    p: Any = None
    unit: Any = None
    tick: Tick = ""
    size: Size | None = None
    grain: float = 0.0
    rounds: int = 0

    def __len__(self) -> int:
        return len(self.t)

    def where(self, kept: Any) -> Recording:
        """Those of `kept`, a mask, a slice or indices."""
        columns = {name: getattr(self, name) for name in ("t", "x", "y", "p", "unit")}
        return replace(self, **{name: column[kept] for name, column in columns.items() if column is not None})

    def running_on(self) -> Recording:
        """With a clock of 32 bits that starts over taken on: it falls by more than half its range, and never else.

        Signed clocks of 32 bits, which fall from the highest to the lowest number, run on alike.
        """
        if self.t.dtype.kind != "i" or len(self.t) < 2:
            return self
        steps = np.diff(self.t)
        over = steps < -_HALF_CLOCK
        within = int(self.t.max()) - int(self.t.min()) < 2 * _HALF_CLOCK
        if not within or not over.any() or (over != (steps < 0)).any():
            return self
        rounds = np.concatenate(([0], np.cumsum(over)))
        return replace(self, t=self.t + rounds * 2 * _HALF_CLOCK, rounds=int(rounds[-1]))

    def ordered(self) -> Recording:
        """In the order of time; events of one time stay in the order of the file."""
        if len(self.t) < 2 or (self.t[1:] >= self.t[:-1]).all():
            return self
        return self.where(np.argsort(self.t, kind="stable"))


def whole(values: Any, path: Path) -> Any:
    """int64 [S] of a column of whole numbers.

    Raises:
        DiagnosticError: D224, they are none.
    """
    if values.dtype.kind == "f" and np.isfinite(values).all() and (np.abs(values) < 1 << 53).all():
        exact = values.astype(np.int64)
        if (exact == values).all():
            return exact
    if values.dtype.kind not in "iub":
        raise data_error("D224", f"`{path.name}` has {values.dtype} where whole numbers belong", file=path)
    if values.dtype == np.uint64 and (values >> np.uint64(63)).any():
        raise data_error("D224", f"`{path.name}` holds numbers above 2^63", file=path)
    return values.astype(np.int64)


def clocked(times: Any, path: Path) -> tuple[Any, float]:
    """Times as int64 or float64 [S], and how far apart they are at best.

    Args:
        times: [S] of any numbers.
        path: the file that they are in.

    Raises:
        DiagnosticError: D224 they are no row of numbers, D227 one is not finite, or they lie further apart than 64 bits
            tell.
    """
    if times.ndim != 1 or times.dtype.kind not in "iuf":
        message = f"`{path.name}` has times {times.dtype} {list(times.shape)}, not a row of numbers"
        raise data_error("D224", message, file=path)
    if times.dtype.kind != "f":
        exact = whole(times, path)
        refuse_far(exact, path)
        return exact, 0.0
    wide = times.astype(np.float64)
    if not (np.abs(wide) < MOST_TIME).all():
        raise data_error("D227", f"a time in `{path.name}` is no number, or beyond all", file=path)
    return wide, float(np.spacing(np.abs(times).max(initial=0)))


def refuse_far(times: Any, path: Path) -> None:
    """Times [S] int64 lie within 2^62 of each other.

    Raises:
        DiagnosticError: D227, they do not.
    """
    if len(times) and int(times.max()) - int(times.min()) >= 1 << 62:
        message = f"times in `{path.name}` go from {times.min()} to {times.max()}"
        raise data_error("D227", message, file=path, help="the file may be damaged: fetch it again")


def refuse_outside(recording: Recording, size: Size, name: str, file: Path | str) -> None:
    """Every event lies on the sensor.

    Raises:
        DiagnosticError: D224, one does not.
    """
    rows, columns = size
    x, y = recording.x, recording.y
    if len(x) and (x.max() >= columns or y.max() >= rows or min(x.min(), y.min()) < 0):
        odd = int(np.flatnonzero((x >= columns) | (y >= rows) | (x < 0) | (y < 0))[0])
        message = f"`{name}` has an event at ({x[odd]}, {y[odd]}), outside {rows} x {columns} pixels"
        raise data_error("D224", message, file=file, path="data.size", help="set `data.size` to that of the sensor")


def refuse_many(count: int, path: Path) -> None:
    """One recording holds no more events than memory has room for.

    Raises:
        DiagnosticError: D252, it does.
    """
    if count > MOST_EVENTS:
        message = f"`{path.name}` holds {count:,} events; one recording may have {MOST_EVENTS:,}"
        raise data_error("D252", message, file=path, help="cut it into recordings of one class each")
