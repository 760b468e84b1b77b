"""A picture of a forecast behind what came before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from snnctl.data.series.series import Floats
from snnctl.report.drawing import gridlines, sheet
from snnctl.report.style import BLUE, GREY, INK, ORANGE, Drawn, picture, short
from snnctl.serving.rows import Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from snnctl.serving.forecaster import Forecast

_MOST = 6
_HISTORY = 3  # times the window, that is drawn before a forecast


@dataclass(frozen=True)
class Lines:
    """The last forecast of one series and column.

    Args:
        name: its `unique_id`.
        times: [n] of the rows before it, and [steps] of its own.
        history: [n] values before it; NaN where none was observed.
        ahead: [steps] forecast.
        came: [steps] what was observed then; NaN where nothing was yet.
        bands: level in percent -> [2, steps], lower and upper bounds.
    """

    name: str
    times: tuple[Any, Any]
    history: Floats
    ahead: Floats
    came: Floats
    bands: Mapping[int, Floats]


class LastOnes:
    """Keeps the last forecast of each of the first few series while all of them go by."""

    def __init__(self, forecast: Forecast, window: int) -> None:
        self._forecast, self._window = forecast, window
        self._kept: dict[int, tuple[int, Floats]] = {}

    def see(self, ends: Rows, values: Floats) -> None:
        """Take note of a batch."""
        for end, part, forecast in zip(ends, self._forecast.rows.part_of(ends), values, strict=True):
            if part < _MOST:
                self._kept[int(part)] = (int(end), forecast)

    def lines(self) -> list[Lines]:
        """Those that are drawn."""
        rows, found = self._forecast.rows, []
        for part, (end, values) in sorted(self._kept.items()):
            before = np.arange(max(rows.parts[part].first, end + 1 - _HISTORY * self._window), end + 1)
            own = np.arange(end + 1, end + 1 + len(values))
            for column, name in enumerate(self._forecast.names[part]):
                times = (self._times(before), self._times(own))
                observed = rows.observed[:, column]
                ahead, halves, levels = values[:, column], self._forecast.halves, self._forecast.levels
                bands = {} if halves is None else dict(zip(levels, halves[:, part, :, column], strict=True))
                around = {level: np.stack((ahead - half, ahead + half)) for level, half in bands.items()}
                found.append(Lines(name, times, observed[before], ahead, observed[own], around))
        return found[:_MOST]

    def _times(self, rows: Rows) -> Any:
        stamps = self._forecast.rows.stamps[rows]
        return stamps.astype("M8[us]") if self._forecast.rows.dated else stamps


@picture("forecast", "{title}")
def figure(lines: Sequence[Lines], title: str) -> Drawn:
    """A panel for each."""
    made = sheet(9, 0.9 + 1.9 * max(1, len(lines)), short(title, 80))
    grid = made.subplots(len(lines), 1, squeeze=False)
    for axes, one in zip(grid[:, 0], lines, strict=True):
        _panel(axes, one)
    grid[-1, 0].set_xlabel("time, by the clock of the file" if lines[0].times[0].dtype.kind == "M" else "row")
    made.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=6)
    words = f"the last {len(lines[0].history):,} rows and {len(lines[0].ahead):,} steps ahead, in the data's own units"
    words += "; bands are of single steps" * bool(lines[0].bands)
    made.supxlabel(words, fontsize=8.5, color=GREY, x=0.01, ha="left")
    return made, words


def _panel(axes: Axes, one: Lines) -> None:
    before, own = one.times
    axes.plot(before, one.history, color=INK, lw=1.0, label="observed")
    for number, level in enumerate(sorted(one.bands, reverse=True)):
        shade = 0.14 + 0.14 * number / max(1, len(one.bands) - 1)  # the wider, the paler
        axes.fill_between(own, *one.bands[level], color=ORANGE, alpha=shade, lw=0, label=f"{level} %")
    if not np.isnan(one.came).all():
        axes.plot(own, one.came, color=BLUE, lw=1.0, label="what came")
    axes.plot(own, one.ahead, color=ORANGE, lw=1.6, marker="." if len(own) < 40 else "", label="forecast")
    axes.axvline(before[-1], color=GREY, lw=0.8, ls=(0, (2, 2)))
    axes.set_title(short(" ".join(one.name.split()), 60).replace("$", r"\$"), fontsize=9)
    axes.margins(x=0.01)
    gridlines(axes)
