"""Asking whether a plug-in file may run, and the files that may."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.core.diagnostic import printable
from snnctl.ui.console import table

_LONGEST = 500


def approves(console: Console, path: Path, content: bytes) -> bool:
    """Whether the person on the terminal lets this file run from now on; `v` shows it first, anything but `y` is no."""
    lines = content.decode("utf-8", "replace").splitlines()
    sha256 = hashlib.sha256(content).hexdigest()
    console.print(
        f"[bold yellow]plug-in[/] {escape(printable(str(path), _LONGEST))}\n"
        f"  {len(lines):,} lines of Python, SHA-256 {sha256[:12]}..., never approved on this machine;"
        " it would run with your rights.",
        soft_wrap=True,
    )
    while True:
        answer = console.input("  Run it from now on? [y]es, [v]iew, [N]o: ", markup=False).strip().lower()
        if answer not in ("v", "view"):
            return answer in ("y", "yes")
        for number, line in enumerate(lines, 1):
            console.print(f"[dim]{number:4}[/] {escape(printable(line, _LONGEST))}", soft_wrap=True)


def show_trusted(console: Console, document: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """What changed, or all that is approved."""
    for verb, style in (("approved", "good"), ("withdrawn", "bad")):
        for one in document.get(verb, ()):
            text = f"{escape(printable(one['path'], _LONGEST))}  [dim]{one['sha256'][:12]}[/]"
            console.print(f"[{style}]{verb}[/]  {text}", soft_wrap=True)
    if "plugins" not in document:
        return
    if not document["plugins"]:
        console.print("no plug-in file is approved on this machine")
        return
    rows = (
        (one["when"][:10], one["sha256"][:12], escape(printable(one["path"], _LONGEST))) for one in document["plugins"]
    )
    console.print(table("approved", "SHA-256", "path", rows=rows))
