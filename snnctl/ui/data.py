"""What `data info` found: what was read and as what, warnings, then facts, whatever their nesting, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.console import table
from snnctl.ui.diagnostics import show_data_warnings
from snnctl.ui.words import duration, figure, size

_MOST_ROWS = 24
_MOST_ITEMS = 12
_MOST_REST = 2  # facts of a split that stand in its line; more get a table
_EMPTY = '""'
_SHORT = 64  # letters of a mapping that still stands in one line


def show_data(console: Console, document: Mapping[str, Any]) -> None:
    """As what it was read, what is odd in it, and its facts.

    Args:
        document: `data` as `snnctl.commands.data.describe` makes it: facts of any kind of data, those of plug-ins too.
    """
    facts = dict(document["data"])
    _show_kind(console, facts.pop("read_as", None))
    show_data_warnings(console, facts.pop("warnings", ()), "found odd:")
    plot = facts.pop("plot", None)
    below: list[tuple[str, Any]] = []
    shown = table("", "")
    for key, value in facts.items():
        name = f"[key]{escape(key.replace('_', ' '))}[/]"
        if key == "splits" and _nested(value):
            told = {str(split): _cut(cut) for split, cut in value.items()}
            aside = any(len(rest) > _MOST_REST for _, rest in told.values())
            for split, (said, rest) in told.items():
                shown.add_row(f"[key]{escape(split)}[/]", escape(said if aside else said + _rest(rest)))
            if aside:
                below.append((key, {split: rest for split, (_, rest) in told.items()}))
        elif key == "dates" and isinstance(value, Mapping) and {"first", "last", "step_seconds"} <= set(value):
            shown.add_row(name, escape(_dates(value)))
        elif _nested(value) or (isinstance(value, Mapping) and len(_plain(value)) > _SHORT * 2):
            below.append((key, value))
        elif key == "bytes" and isinstance(value, int):
            shown.add_row(name, size(value))
        else:
            shown.add_row(name, escape(_plain(value)))
    console.print(shown)
    _show_classes(console, facts)
    for key, value in below:
        _show_table(console, key, value)
    if plot is not None:
        console.print(f"\n[key]picture[/] {escape(str(plot))}", soft_wrap=True)


def _show_kind(console: Console, found: Mapping[str, Any] | None) -> None:
    if not found:
        return
    kind = found["kind"] or "data of a plug-in"
    console.print(f"read as [bold]{escape(kind)}[/] ({escape(found['component'])}): {escape(found['reason'])}")
    if found["also"]:
        words = " or ".join(f"--as {word}" for word in found["also"])
        console.print(f"[bold yellow]it may be something else[/]: {words} reads it so")


def _nested(value: Any) -> bool:
    """A table: a mapping of mappings, or a list of them."""
    inner = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return bool(inner) and all(isinstance(each, Mapping) for each in inner)


def _dates(value: Mapping[str, Any]) -> str:
    """`2016-07-01 to 2018-06-26, a row every 1 h`, and whatever else is said."""
    first, last = (str(value[end]).removesuffix("T00:00:00") for end in ("first", "last"))
    others = f", {value['other_steps']:,} steps differ" if value.get("other_steps") else ""
    told = {"first", "last", "step_seconds", "other_steps"}
    more = "".join(f"; {key.replace('_', ' ')} {_plain(each)}" for key, each in value.items() if key not in told)
    return f"{first} to {last}, a row every {duration(value['step_seconds'])}{others}{more}"


def _cut(split: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A split in words (windows of a series, sequences of a video, items with classes), and what else is said of it."""
    left = dict(split)
    if {"windows", "rows", "first_row"} <= set(split):
        said = f"{left.pop('windows'):,} windows in {left.pop('rows'):,} rows from row {left.pop('first_row'):,}"
    elif "sequences" in split:
        said = f"{left.pop('sequences'):,} sequences"
        others = ", ".join(f"{_plain(value)} {key.replace('_', ' ')}" for key, value in left.items())
        return said + (f" of {others}" if others else ""), {}
    elif "items" in split:
        said = f"{left.pop('items'):,} items"
        if "per_class" in split:
            said += f", by class: {_plain(left.pop('per_class'))}"
        if {"mean_tokens", "unknown_share", "cut_short"} <= set(split):
            mean, unknown, cut = (left.pop(key) for key in ("mean_tokens", "unknown_share", "cut_short"))
            said += f"; {mean} tokens each, {unknown:.1%} unknown, {cut:,} cut"
    else:
        return _plain(split), {}
    return said, left


def _rest(left: Mapping[str, Any]) -> str:
    return "".join(f"; {key.replace('_', ' ')} {_plain(value)}" for key, value in left.items())


def _show_classes(console: Console, facts: Mapping[str, Any]) -> None:
    """Items of each class in each split, where names or numbers do not fit into the line of a split."""
    splits = facts.get("splits")
    if not _nested(splits) or not isinstance(splits, Mapping):
        return
    counts = {name: split["per_class"] for name, split in splits.items() if "per_class" in split}
    first = next(iter(counts.values()), None)
    if isinstance(first, Mapping):
        names = [str(name) for name in first]
        columns = {split: list(each.values()) for split, each in counts.items()}
    else:
        names = _class_names(facts)
        columns = {split: list(each) for split, each in counts.items()}
    wordless = all(name == str(number) for number, name in enumerate(names))
    if not names or any(len(column) != len(names) for column in columns.values()):
        return
    if wordless and len(names) <= _MOST_ITEMS:
        return
    rows = [
        (f"[key]{escape(name or _EMPTY)}[/]", *(f"{column[i]:,}" for column in columns.values()))
        for i, name in enumerate(names[:_MOST_ROWS])
    ]
    console.print()
    console.print(table("class", *(f">{escape(split)}" for split in columns), rows=rows))
    _show_rest(console, len(names), "classes")


def _class_names(facts: Mapping[str, Any]) -> list[str]:
    for key in ("class_names", "classes"):
        if isinstance(facts.get(key), list | tuple):
            return [str(name) for name in facts[key]]
    return []


def _show_table(console: Console, key: str, value: Any) -> None:
    """A mapping of mappings or a list of them: a row each, and columns for all that any of them says."""
    rows = list(value.items()) if isinstance(value, Mapping) else list(enumerate(value, 1))
    console.print()
    if not _nested(value):
        shown = [(f"[key]{escape(str(name))}[/]", escape(_plain(each))) for name, each in rows[:_MOST_ROWS]]
        console.print(table(escape(key.replace("_", " ")), "", rows=shown))
    else:
        columns = list(dict.fromkeys(column for _, row in rows for column in row))
        right = {column for column in columns if any(_is_number(row.get(column)) for _, row in rows)}
        head = [f">{escape(c.replace('_', ' '))}" if c in right else escape(c.replace("_", " ")) for c in columns]
        title = "column" if key == "statistics" else key.replace("_", " ")
        lines = (
            (f"[key]{escape(str(name))}[/]", *(escape(_cell(row.get(column))) for column in columns))
            for name, row in rows[:_MOST_ROWS]
        )
        console.print(table(escape(title), *head, rows=lines))
    _show_rest(console, len(rows), "columns" if key == "statistics" else "")


def _show_rest(console: Console, count: int, what: str) -> None:
    if count > _MOST_ROWS:
        console.print(f"[dim]and {count - _MOST_ROWS:,} more {what}".rstrip() + "; --json lists all[/]")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    return figure(value) if isinstance(value, float) else _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        words = [f"{key} {_plain(item)}" for key, item in islice(value.items(), _MOST_ITEMS)]
        return "  ".join(words) + (" ..." if len(value) > _MOST_ITEMS else "") or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        words = [_plain(item) for item in value[:_MOST_ITEMS]]
        return ", ".join(words) + (" ..." if len(value) > _MOST_ITEMS else "") or "none"
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value) or _EMPTY
