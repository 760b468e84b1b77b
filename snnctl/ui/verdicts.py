"""Health warnings on a terminal: advice that several layers share is given once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.markup import escape


def show_verdicts(console: Console, verdicts: Sequence[Mapping[str, Any]]) -> None:
    """What is wrong with each layer, in order, and below each run of like cases what to try.

    Args:
        verdicts: JSON forms of `snnctl.measure.health.verdicts`.
    """
    for help_text, alike in groupby(verdicts, lambda verdict: verdict["help"]):
        for verdict in alike:
            console.print(f"[bold yellow]{verdict['code']}[/] {escape(verdict['message'])}", soft_wrap=True)
        console.print(f"     [dim]= help:[/] {escape(help_text)}", soft_wrap=True)
