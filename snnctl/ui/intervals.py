"""How often bands around forecasts held what came, and how wide they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.console import table
from snnctl.ui.words import figure, percent

_COLUMNS = 4  # whose own widths are shown; the document has all


def show_intervals(console: Console, found: Mapping[str, Any] | None, split: str) -> None:
    """A row a level; nothing where there are no bands."""
    if not found or not found["levels"]:
        return
    own = next(iter(found["levels"].values()))["width_units"] or {}
    names = list(own)[:_COLUMNS]
    console.print(f"\n[bold]bands around the forecast: how often they held what came ({split} split)[/]")
    heads = ("within", "first half", "second half", "width, scaled", *(f"{escape(n)}, own units" for n in names))
    shown = table(">level", *(f">{name}" for name in heads))
    for level, row in found["levels"].items():
        shares = (percent(row[name], 1) for name in ("coverage", "first_half", "second_half"))
        widths = (figure((row["width_units"] or {}).get(name)) for name in names)
        shown.add_row(f"{level} %", *shares, figure(row["width"]), *widths)
    console.print(shown)
    console.print(f"[dim]{'; '.join(_notes(found, len(own) - len(names)))}[/]")


def _notes(found: Mapping[str, Any], hidden: int) -> list[str]:
    windows, horizons = found["windows"], found["independent_horizons"]
    used = f", of which {found['windows_used']:,} were used" if found["windows_used"] < windows else ""
    notes = [f"from the errors on {windows:,} validation windows{used} ({horizons} independent horizons), step by step"]
    shared = [level for level, share in found["own_series"].items() if share < 1]
    if shared:
        notes.append(f"series with too few windows share those of all ({', '.join(shared)} %)")
    if any(row["coverage"] is None for row in found["levels"].values()):
        notes.append("- where windows are too few for a level")
    if hidden > 0:
        notes.append(f"--json has the widths of {hidden} more columns")
    if found["in_sample"]:
        notes.append(f"[bold]this tells nothing of new data[/]: {found['in_sample']}")
    return notes
