"""Rolling origins: from which rows forecasts are made, and which of those rows a training has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.series.dataset import ForecastData
from snnctl.serving.rows import ReadyRows, Rows
from snnctl.serving.windows import Asked, choose


@dataclass(frozen=True)
class Wanted:
    """Which origins.

    Args:
        windows: so many of each series, the last of them where a whole horizon still follows; None: see `origins`.
        step: rows from one to the next.
        refit: train anew before every so many of them; 0 = never.
        history: windows whose errors make the band of an origin, at most; None: as many as validation has.
    """

    windows: int | None
    step: int
    refit: int = 0
    history: int | None = None

    def __post_init__(self) -> None:
        asked = {"--n-windows": self.windows, "--step-size": self.step, "--band-windows": self.history}
        for name, value in asked.items():
            if value is not None and value < 1:
                raise DiagnosticError(Diagnostic("U570", f"{name} must be at least 1, got {value}"))
        if self.refit < 0:
            raise DiagnosticError(Diagnostic("U570", f"--refit-every must be at least 1, got {self.refit}"))


@dataclass(frozen=True)
class Span:
    """Where the splits of one series lie: rows counted from its first. Train and val end where val and test begin."""

    val: int
    test: int
    end: int
    val_windows: int


def spans(data: ForecastData) -> dict[str, Span]:
    """Of every series, under its name."""
    found = {}
    for part, cut in zip(data.plan.parts, data.plan.cuts, strict=True):
        found[part.name] = Span(cut.val.first_row, cut.test.first_row, cut.test.last_row, cut.val.windows)
    return found


def spans_in(rows: ReadyRows, data: ForecastData) -> dict[str, Span] | None:
    """Where the splits of the training data would lie in other rows, by their stamps; None where there are none."""
    times = data.series.times
    if times is None or not rows.dated:
        return None
    trained, found = spans(data), {}
    before = {part.name: part for part in data.plan.parts}
    for part in rows.parts:
        old = before.get(part.name)
        if old is None:
            continue
        span, own = trained[part.name], rows.stamps[part.first : part.last]
        stamps = times[old.first : old.last].astype("M8[us]").astype(np.int64)
        if own[0] > stamps[span.test - 1] or own[-1] < stamps[0]:
            continue
        begins = np.searchsorted(own, [stamps[span.val], stamps[span.test - 1] + 1])
        found[part.name] = Span(int(begins[0]), int(begins[1]), len(own), span.val_windows)
    return found


@dataclass(frozen=True)
class Origins:
    """Windows by their last row, those of one series after the other.

    Args:
        ends: [n] the last row that each origin sees.
        pool: [m] all windows without a step between them, from before the first origin on: those whose errors bands
            are made of. The origins are among them.
        history: windows whose errors make the band of an origin, at most.
    """

    ends: Rows
    pool: Rows
    history: int

    @property
    def at(self) -> Rows:
        """[n] where the origins stand in `pool`."""
        return np.searchsorted(self.pool, self.ends)


def origins(rows: ReadyRows, window: int, horizon: int, wanted: Wanted, spans: Mapping[str, Span] | None) -> Origins:
    """Choose windows: by default the test split's, or all where there is no split.

    Every one is followed by a whole horizon of rows. A step is counted back from the last origin of each series.

    Args:
        spans: of the data that is forecast; None where it has no splits.

    Raises:
        DiagnosticError: U571 there are not so many; as `snnctl.serving.windows.choose`.
    """
    whole, _ = choose(rows, Asked(every=True), window, horizon)
    chosen, pooled, history = [], [], 0
    for number, part in enumerate(rows.parts):
        seen = np.flatnonzero(~np.isnan(rows.observed[part.first : part.last]).all(axis=1))
        last_row = part.first + int(seen[-1]) if len(seen) else part.first - 1
        own = whole[(rows.part_of(whole) == number) & (whole + horizon <= last_row)]
        span = None if spans is None else spans.get(part.name)
        found = own
        if wanted.windows is None and span is not None:
            found = own[(own - part.first >= span.test - 1) & (own - part.first + horizon < span.end)]
        if not len(found):
            continue
        found = found[(found[-1] - found) % wanted.step == 0]
        if wanted.windows is not None:
            if len(found) < wanted.windows:
                raise _too_few(part.name, len(found), wanted)
            found = found[-wanted.windows :]
        before = wanted.history or (span.val_windows if span is not None else _HISTORY)
        history = max(history, before)
        pooled.append(own[(own > found[0] - before - horizon) & (own <= found[-1])])
        chosen.append(found)
    if not chosen:
        raise _too_few("", 0, wanted)
    return Origins(np.concatenate(chosen), np.concatenate(pooled), history)


# Windows whose errors bands are made of, where there is no validation split that says how many.
_HISTORY = 200


def _too_few(name: str, there: int, wanted: Wanted) -> DiagnosticError:
    where = f" of series `{name}`" if name else ""
    count = "any" if wanted.windows is None else f"{wanted.windows:,}"
    message = f"the rows{where} hold {there:,} origins {wanted.step} rows apart, not {count}"
    return DiagnosticError(Diagnostic("U571", message))


def seen_in(rows: ReadyRows, ends: Rows, horizon: int, spans: Mapping[str, Span]) -> dict[SplitName, int]:
    """How many of these windows forecast rows of train, of val (and none of train), and of neither."""
    parts = rows.part_of(ends)
    first = np.array([part.first for part in rows.parts], np.int64)[parts]
    begins: npt.NDArray[np.int64] = ends + 1 - first
    nowhere = Span(0, 0, 0, 0)
    own = [spans.get(part.name, nowhere) for part in rows.parts]
    val, test = (np.array(each, np.int64)[parts] for each in ([s.val for s in own], [s.test for s in own]))
    train = int((begins < val).sum())
    held = int(((begins >= val) & (begins < test)).sum())
    return {"train": train, "val": held, "test": len(ends) - train - held}
