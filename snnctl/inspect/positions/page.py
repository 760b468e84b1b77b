"""The page of an analysis of positional encodings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snnctl.report.page import Cell, Page, Section, Table

_COLUMNS = (
    ("length", "rows"),
    ("neurons", "neurons"),
    ("unique", "distinct codes"),
    ("collisions", "colliding pairs"),
    ("longest_prefix", "longest prefix without collision"),
    ("unique_tokens", "tokens told apart"),
    ("tokens", "of tokens L"),
    ("constant_neurons", "constant neurons"),
    ("firing_rate", "firing rate"),
)


def page(document: Mapping[str, Any], sections: Sequence[Section]) -> Page:
    """What stands on it.

    Args:
        document: as `Analysis.document`, with `provenance`.
        sections: in order.
    """
    rows: list[list[Cell]] = [
        [name, *(_cell(facts[key]) for key, _ in _COLUMNS)] for name, facts in document["encodings"].items()
    ]
    return Page(
        title=f"Positional encoding: {document['name']}",
        lead=(
            f"T = {document['steps']} steps, L = {document['tokens']} tokens. A row p of a code belongs to "
            f"one token at one step (index TL) or to one token (index L)."
        ),
        sections=sections,
        provenance=document["provenance"],
        sentences=document["notes"],
        tables=[Table(["encoding", *(title for _, title in _COLUMNS)], rows)],
    )


def _cell(value: float | None) -> Cell:
    return f"{value:.3f}" if isinstance(value, float) else value
