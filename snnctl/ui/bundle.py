"""A run as one archive, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.core.diagnostic import printable
from snnctl.ui.words import size

_LONGEST_LINE = 10_000


def show_bundled(console: Console, document: Mapping[str, Any]) -> None:
    """The file, how it is known again, and what is done with it."""
    file, card = escape(document["file"]), document["card"]
    console.print(f"[bold]{file}[/]  {size(document['bytes'])}", soft_wrap=True)
    console.print(f"SHA-256 {document['sha256']}", soft_wrap=True)
    console.print(
        f"read back: {len(document['members'])} members as their digests say, {document['tensors']} tensors equal "
        "to the run's bit for bit"
    )
    lacking = [
        *([] if card["licence"] else ["a licence (--license)"]),
        *([] if card["energy"] else ["energy (--costs, or `snnctl energy` before)"]),
    ]
    if lacking:
        console.print(f"its card states no {' and no '.join(lacking)}", soft_wrap=True)
    for plugin in card["plugins"]:
        text = f"it needs the plug-in {escape(plugin['name'])}, which it does not carry: hand that on too"
        console.print(text, soft_wrap=True)
    console.print(
        f"\n[dim]snnctl show {file} prints the card, snnctl predict {file} --input FILE uses it[/]", soft_wrap=True
    )


def show_card(console: Console, document: Mapping[str, Any]) -> None:
    """The card as it stands in the bundle."""
    # Not through the console, which would wrap its tables; and nothing in it reaches the terminal but text.
    for line in document["text"].splitlines():
        print(printable(line, _LONGEST_LINE), file=console.file)
    print(f"- This file: SHA-256 `{document['sha256']}`; every member is as its manifest says", file=console.file)
