"""Which windows are asked for: the last one, the last few, or all of a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.measure.bands import check_levels
from snnctl.serving.rows import ReadyRows, Rows


@dataclass(frozen=True)
class Asked:
    """What is to be forecast.

    Args:
        horizon: steps ahead; None = as trained. Beyond that, the forecast goes on from itself.
        last: windows that end in the last so many rows of each series; None = the last one alone.
        every: all windows.
        since, until: all windows whose last row is of these times or between them: ISO 8601, or numbers of rows.
        levels: of the bands around forecasts, in whole percent; empty = none.
    """

    horizon: int | None = None
    last: int | None = None
    every: bool = False
    since: str | None = None
    until: str | None = None
    levels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, value in (("--horizon", self.horizon), ("--last", self.last)):
            if value is not None and value < 1:
                raise DiagnosticError(Diagnostic("U504", f"{name} must be at least 1, got {value}"))
        if self.last is not None and (self.every or self.since is not None or self.until is not None):
            help = "--last takes windows from the end, --all, --from and --to those of a time"
            raise DiagnosticError(Diagnostic("U504", "--last stands beside --all, --from or --to", help=help))
        try:
            object.__setattr__(self, "levels", check_levels(self.levels) if self.levels else ())
        except ValueError as error:
            raise DiagnosticError(Diagnostic("U504", f"--intervals: {error}", help="--intervals 80,95")) from None

    @property
    def several(self) -> bool:
        """Whether more than the last window may be meant, so that each says its cutoff."""
        return self.every or self.last is not None or self.since is not None or self.until is not None


def choose(rows: ReadyRows, asked: Asked, window: int, steps: int) -> tuple[Rows, int]:
    """The last rows that chosen windows see, in order, and how many are left out since no known covariates reach.

    Args:
        steps: rows ahead that the network looks at or forecasts.

    Raises:
        DiagnosticError: D295 known covariates do not reach over the horizon, U504 a time that is none, U507 no window.
    """
    found, dropped = [], 0
    low, high = _bound(asked.since, rows, last=False), _bound(asked.until, rows, last=True)
    for number, part in enumerate(rows.parts):
        ends = np.arange(part.first + window - 1, part.last)
        borders = np.array(part.starts[1:], np.int64)
        # As in training no window, nor what follows it within the data, reaches over a hole.
        follows = np.minimum(ends + steps, part.last - 1)
        ends = ends[np.searchsorted(borders, ends - window + 1, "right") == np.searchsorted(borders, follows, "right")]
        if not asked.several or asked.last is not None:
            ends = ends[-(asked.last or 1) :]
        stamps = rows.stamps[ends]
        ends = ends[(stamps >= low) & (stamps <= high)]
        known = ends + steps < part.last + int(rows.reach[number])
        dropped += int((~known).sum())
        found.append(ends[known])
    chosen = np.concatenate(found)
    if dropped and not (asked.several and asked.last is None and len(chosen)):
        help = "bring them with --known FILE: the same columns over the rows ahead"
        raise DiagnosticError(Diagnostic("D295", f"not known ahead: {rows.lacking}", help=help))
    if not len(chosen):
        raise DiagnosticError(Diagnostic("U507", help="widen --from and --to, or bring more rows"))
    return chosen, dropped


def _bound(text: str | None, rows: ReadyRows, *, last: bool) -> int:
    """The first or the last stamp that counts: `2020-01` as a last one is the end of that month."""
    if text is None:
        limits = np.iinfo(np.int64)
        return int(limits.max if last else limits.min)
    try:
        if not rows.dated:
            return int(text)
        found = np.datetime64(text)
        if np.isnat(found):
            raise ValueError
        return (
            int((found + 1).astype("M8[us]").astype(np.int64)) - 1
            if last
            else int(found.astype("M8[us]").astype(np.int64))
        )
    except ValueError:
        kind = "a time (2020-01-31, 2020-01-31T06:00)" if rows.dated else "the number of a row, from 0"
        message = f"{'--to' if last else '--from'} takes {kind}, got `{text}`"
        raise DiagnosticError(Diagnostic("U504", message)) from None
