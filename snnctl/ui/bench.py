"""Measurements: progress while they run, and a table per case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from snnctl.ui.console import progress
from snnctl.ui.words import duration, figure, size

if TYPE_CHECKING:
    from snnctl.bench.suite import Progress as Stand

# Name, narrowest width, justification: the tables of all cases line up.
_COLUMNS = (
    ("engine", 12, "left"),
    ("prec.", 5, "left"),
    ("median ms", 9, "right"),
    ("time / ours", 11, "right"),
    ("saved", 8, "right"),
    ("peak", 8, "right"),
    ("rate", 11, "right"),
)
_REFRESHES_PER_SECOND = 5


@contextmanager
def follow(console: Console, *, shown: bool) -> Iterator[Callable[[Stand], None]]:
    """A callback that draws a bar on a terminal, and elsewhere writes a line per case."""
    if not shown:
        yield lambda _: None
    elif console.is_terminal:
        with _bar(console) as tell:
            yield tell
    else:
        yield _Lines(console).tell


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._forecast_told = False

    def tell(self, stand: Stand) -> None:
        if stand.stage == "trying" and stand.done == 0:
            self._write(f"trying {stand.total:.0f} case{'s' * (stand.total != 1)} once")
        elif stand.stage == "timing" and not self._forecast_told:
            self._forecast_told = True
            self._write(forecast(stand))
        elif stand.stage == "done":
            self._write(f"{stand.text}, left {duration(stand.seconds_left or 0.0)}")

    def _write(self, text: str) -> None:
        self._console.print(escape(text), soft_wrap=True)


def forecast(stand: Stand) -> str:
    """How long it will take, as a sentence."""
    return f"about {duration(stand.seconds_left or 0.0)} to go; Ctrl-C shows what has been measured by then"


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[Stand], None]]:
    texts = ("{task.percentage:>3.0f}%", "[key]left[/] {task.fields[left]}")
    # Drawn when told and not by a thread of its own, which would take time from what is measured.
    with progress(console, *texts, auto_refresh=False) as drawing:
        bar = drawing.add_task("", total=None, left="-")
        told, drawn = False, 0.0

        def tell(stand: Stand) -> None:
            nonlocal told, drawn
            if stand.stage == "timing" and not told:
                told = True
                console.print(forecast(stand))
            elif stand.stage == "timing" and perf_counter() - drawn < 1 / _REFRESHES_PER_SECOND:
                return
            drawn = perf_counter()
            text = f"trying {stand.text}" if stand.stage == "trying" else stand.text
            drawing.update(
                bar, description=text, completed=stand.done, total=stand.total, left=duration(stand.seconds_left)
            )
            drawing.refresh()

        yield tell


def show_bench(console: Console, document: Mapping[str, Any]) -> None:
    """Rows of each case, then the notes."""
    rows: Sequence[Mapping[str, Any]] = document["rows"]
    ratios = {(*_key(r), r["against"], r["precision"]): r["ratio"] for r in document["ratios"]}
    for key in dict.fromkeys(_key(row) for row in rows):
        of_case = [row for row in rows if _key(row) == key]
        name, shape, passes = key
        first = of_case[0]
        console.print(
            f"[bold]{escape(name)}[/]  {escape(str(list(shape)))}  {passes}  "
            f"[dim]{first['rounds']} rounds, threads {first['threads']}[/]",
            soft_wrap=True,
        )
        console.print(_table(of_case, ratios))
        console.print()
    facts = document["environment"]
    versions = "  ".join(f"{name} {found}" for name, found in document["peers"].items() if found)
    console.print(f"{escape(facts['processor'])}, {facts['cores']} cores  torch {facts['torch']}  {versions}".rstrip())
    console.print(f"allocator {document['allocator']}")
    for note in document["notes"]:
        console.print(f"[dim]note:[/] {escape(note)}")


def _key(row: Mapping[str, Any]) -> tuple[str, tuple[int, ...], str]:
    return row["case"], tuple(row["shape"]), row["pass"]


def _table(rows: Sequence[Mapping[str, Any]], ratios: Mapping[Any, float]) -> Table:
    made = Table(box=None, pad_edge=False, header_style="dim")
    for name, width, justify in _COLUMNS:
        made.add_column(name, min_width=width, justify=justify)  # type: ignore[arg-type]
    fastest = min(row["median_ms"] for row in rows)
    for row in rows:
        ratio = ratios.get((*_key(row), row["engine"], row["precision"]))
        made.add_row(
            f"[key]{row['engine']}[/]",
            row["precision"],
            f"[good]{_ms(row['median_ms'])}[/]" if row["median_ms"] == fastest else _ms(row["median_ms"]),
            "" if ratio is None else f"{ratio:.2f}x",
            size(row["saved_bytes"]),
            size(row["peak_bytes"]),
            _rate(row.get("rates", [])),
        )
    return made


def _ms(value: float) -> str:
    return f"{value:,.1f}" if value >= 100 else figure(value, 3)


def _rate(rates: Sequence[float]) -> str:
    """One rate, or the lowest and the highest of several layers."""
    if not rates:
        return ""
    low, high = min(rates), max(rates)
    return f"{low:.3f}" if len(rates) == 1 else f"{low:.3f}-{high:.3f}"
