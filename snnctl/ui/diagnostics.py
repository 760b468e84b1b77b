"""Diagnostics on a terminal: message, place, the line itself underlined, what to do; and verdicts on health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from snnctl.core.diagnostic import Diagnostic, ExitCode, printable

_COLOURS = {"error": "bold red", "warning": "bold yellow"}
_LONGEST_LINE = 160
_LONGEST_TEXT = 1000
_MOST = 20  # a broken file can give thousands, and the first ones matter


def render(console: Console, diagnostics: Sequence[Diagnostic], code: ExitCode | None = None) -> None:
    """Print each diagnostic, then how many errors there were and the exit code."""
    for diagnostic in diagnostics[:_MOST]:
        console.print(_text(diagnostic), soft_wrap=True)
    if len(diagnostics) > _MOST:
        console.print(Text(f"and {len(diagnostics) - _MOST} more; --json lists all", "dim"), soft_wrap=True)
    errors = sum(d.severity == "error" for d in diagnostics)
    if code is not None and code != ExitCode.INTERRUPTED and errors:
        count = f"{errors} error{'s' if errors > 1 else ''}"
        console.print(Text(f"{count} (exit {int(code)})", "dim"), soft_wrap=True)


def show_data_warnings(console: Console, found: Sequence[Mapping[str, Any]], title: str = "found odd:") -> None:
    """What data found odd, the weightiest first, and what to do about each.

    Args:
        found: JSON forms of diagnostics.
        title: the line above, where there are any.
    """
    if found:
        console.print(f"[bold yellow]{title}[/]")
    for warning in found[:_MOST]:
        place = f" [dim]({escape(warning['path'])})[/]" if warning["path"] else ""
        console.print(f"[bold yellow]warning\\[{warning['code']}][/]: {escape(warning['message'])}{place}")
        for kind, text in [*(("note", note) for note in warning.get("notes", ())), ("help", warning["help"])]:
            if text:
                console.print(f"   [blue]=[/] [bold]{kind}:[/] {escape(printable(text, _LONGEST_TEXT))}")
    if len(found) > _MOST:
        console.print(f"[dim]and {len(found) - _MOST} more; --json lists all[/]")


def show_verdicts(console: Console, verdicts: Sequence[Mapping[str, Any]]) -> None:
    """What is wrong with each layer, in order, and below each run of like cases what to try.

    Args:
        verdicts: JSON forms of `snnctl.measure.health.verdicts`.
    """
    for help_text, alike in groupby(verdicts, lambda verdict: verdict["help"]):
        for verdict in alike:
            console.print(f"[bold yellow]{verdict['code']}[/] {escape(verdict['message'])}", soft_wrap=True)
        console.print(f"     [dim]= help:[/] {escape(help_text)}", soft_wrap=True)


def _text(diagnostic: Diagnostic) -> Text:
    colour = _COLOURS[diagnostic.severity]
    text = Text()
    text.append(f"{diagnostic.severity}[{diagnostic.code}]", colour)
    text.append(f": {diagnostic.message}\n", "bold")
    margin = " " * max(3, len(str(diagnostic.line)) + 1)
    if diagnostic.place():
        text.append(f"{margin[:-1]}--> ", "blue").append(f"{printable(diagnostic.place(), _LONGEST_TEXT)}\n")
    line = _source_line(diagnostic)
    if line is not None:
        number = str(diagnostic.line).rjust(len(margin) - 1)
        text.append(f"{margin}|\n{number} | ", "blue").append(f"{line}\n")
        text.append(f"{margin}| ", "blue").append(" " * cell_len(line[: diagnostic.column - 1]))
        text.append("^" * max(1, min(diagnostic.length, len(line) - diagnostic.column + 1)), colour)
        text.append(f" {diagnostic.label}".rstrip() + "\n", colour)
    for kind, content in [*(("note", note) for note in diagnostic.notes), ("help", diagnostic.help)]:
        if content:
            shown = printable(content, _LONGEST_TEXT)
            text.append(f"{margin}= ", "blue").append(f"{kind}: ", "bold").append(f"{shown}\n")
    text.rstrip()
    return text


def _source_line(diagnostic: Diagnostic) -> str | None:
    """The line in the file, if it can be shown: not for stdin, not for data junk, not for very long lines."""
    if not diagnostic.line or not diagnostic.column or diagnostic.file == "<stdin>":
        return None
    try:
        with Path(diagnostic.file).open(encoding="utf-8-sig", errors="strict") as file:
            for number, line in enumerate(file, 1):
                if number == diagnostic.line:
                    shown = line.rstrip("\r\n").replace("\t", " ")
                    return shown if len(shown) <= _LONGEST_LINE and shown.isprintable() else None
    except (OSError, UnicodeDecodeError):
        pass
    return None
