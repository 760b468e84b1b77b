"""The tiny experiment on data that has something to say: once when probed, and one thing more when it is read whole."""

from __future__ import annotations

from pathlib import Path

from engine.tiny_runs import RECIPE, write_recipe

PLUGIN = '''\
from dataclasses import replace

from snnctl.core.catalog import DATA
from snnctl.core.diagnostic import Diagnostic
from snnctl.data.base import DataSource
from snnctl.data.series.component import TimeSeries


def saying(found, *said):
    return replace(found, warnings=said)


HEAD = Diagnostic("D209", "stamps were sorted", severity="warning", path="data.source", help="sort them")
WHOLE = Diagnostic("D210", "3 rows were put in", severity="warning", path="data.window", file="rows.csv", line=7)


@DATA.register("odd")
class Odd(TimeSeries):
    """A series that was found odd.

    Args:
        source: file.
        window: rows of the past.
        horizon: rows to forecast.
    """

    rules = staticmethod(DataSource.rules)

    def __init__(self, *, source: str, window: int, horizon: int) -> None:
        super().__init__(source=source, window=window, horizon=horizon)

    def probe(self):
        return saying(super().probe(), HEAD)

    def load(self):
        return saying(super().load(), HEAD, WHOLE)
'''


def odd_recipe(folder: Path) -> Path:
    """The recipe, its series and the plug-in in `folder`."""
    (folder / "odd.py").write_text(PLUGIN, encoding="utf-8")
    data = f"data: {{type: odd, source: {folder / 'series.csv'}, window: 12, horizon: 2}}"
    lines = [data if line.startswith("data:") else line for line in RECIPE.splitlines()]
    return write_recipe(folder, "\n".join([*lines, "plugins: [./odd.py]", ""]))
