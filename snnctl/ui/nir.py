"""What simulators make of a file of NIR, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.console import table

_VERDICTS = {"reads": "[green]reads it as it is[/]", "refuses": "[yellow]refuses[/]", "changes": "[red]changes it[/]"}


def show_check(console: Console, document: Mapping[str, Any]) -> None:
    """The document of `snnctl.commands.nir.check`."""
    kinds: dict[str, int] = {}
    for node in document["nodes"]:
        kinds[node["kind"]] = kinds.get(node["kind"], 0) + 1
    held = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    console.print(f"[bold]{escape(document['file'])}[/]  {held}", soft_wrap=True)
    said = "" if document["dt_said"] else "; the file does not say, this is a guess (--dt tells)"
    console.print(f"one step is {document['dt']:g} s{said}")
    show_readers(console, document)
    replayed = document["replayed"]
    if replayed is not None:
        same = "every one the same" if replayed["holds"] else f"[red]{replayed['differ']:,} differ[/]"
        console.print(
            f"evidence replayed: {replayed['samples']} samples, {replayed['layers']} layers, "
            f"{replayed['spikes']:,} spikes, {same}; largest difference of an output {replayed['worst']:.3g}"
        )


def show_rewritten(console: Console, document: Mapping[str, Any]) -> None:
    """The document of `snnctl.commands.nir.convert`."""
    console.print(f"[bold]{escape(document['written'])}[/]", soft_wrap=True)
    show_readers(console, document)
    console.print(f"{document['reader']}: {escape(document['call'])}, with steps of {document['dt']:g} s")


def show_readers(console: Console, document: Mapping[str, Any]) -> None:
    """What the rules say of each reader, and what those did that were run."""
    shown = table("simulator", "by the rules", "why")
    for row in document["readers"]:
        reasons = "; ".join(_reason(finding) for finding in row["findings"])
        shown.add_row(f"{row['reader']} {row['version']}", _VERDICTS[row["verdict"]], escape(reasons))
    console.print(shown)
    for each in document.get("verified", ()):
        console.print(f"run by {each['reader']} {each['version']}: {_outcome(each)}", soft_wrap=True)


def _reason(finding: Mapping[str, Any]) -> str:
    nodes: Sequence[str] = finding["nodes"]
    more = f" and {len(nodes) - 2} more" if len(nodes) > 2 else ""
    return f"{finding['reason']} ({', '.join(nodes[:2])}{more})" if nodes else finding["reason"]


def _outcome(each: Mapping[str, Any]) -> str:
    if each["failure"]:
        return f"[red]failed: {escape(each['failure'])}[/]"
    equal = "" if each["equal_answers"] is None else f"{each['equal_answers']} of {each['samples']} answers equal, "
    parted = each["first_departure"]
    where = "every spike the same" if parted is None else (
        f"spikes part first at step {parted['step'] + 1} of {parted['layer']} ({parted['spikes']}; {parted['cause']})"
    )  # fmt: skip
    return f"{equal}largest difference {each['worst_difference']:.3g}, {where}"
