"""The two consoles."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.theme import Theme

THEME = Theme({"good": "green", "bad": "red", "dim": "dim", "key": "cyan", "spike": "magenta"})
_PLAIN_WIDTH = 120  # without a terminal nothing is cut to 80 columns


def _console(to_stderr: bool) -> Console:
    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(stderr=to_stderr, theme=THEME, highlight=False, width=width, soft_wrap=False)


def stdout_console() -> Console:
    """For results."""
    return _console(False)


def stderr_console() -> Console:
    """For people."""
    return _console(True)
