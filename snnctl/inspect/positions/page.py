"""The page of an analysis of positions: a trained network, encodings side by side and one by one, and their theory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from snnctl.inspect.positions.collect import Analysis
from snnctl.inspect.positions.figures import code, comparison, network
from snnctl.inspect.positions.tables import document, sentences, sentences_of_trained, tables
from snnctl.report.page import Cell, Page, Section, Table
from snnctl.report.saving import Report

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


def report(found: Analysis) -> Report:
    knobs = {encoding.name: encoding.config for encoding in found.encodings}
    made, csv, told = document(found), partial(tables, found), ("tables", "figures")
    return Report(made, csv, lambda: page(found, sections(found)), "summary.json", "index.html", knobs, told=told)


def page(found: Analysis, parts: Sequence[Section]) -> Page:
    """What stands on it: the figures of merit, and `parts` in order."""
    first = found.encodings[0]
    rows: list[list[Cell]] = []
    for encoding in found.encodings:
        facts = encoding.summary()
        values = (facts[key] for key, _ in _COLUMNS)
        rows.append([encoding.name, *(f"{value:.3f}" if isinstance(value, float) else value for value in values)])
    return Page(
        title=f"Positional encoding: {found.name}",
        lead=(
            f"T = {first.steps} steps, L = {first.tokens} tokens. A row p of a code belongs to "
            f"one token at one step (index TL) or to one token (index L)."
        ),
        sections=parts,
        sentences=found.notes,
        tables=[Table(["encoding", *(title for _, title in _COLUMNS)], rows)],
    )


def sections(found: Analysis) -> list[Section]:
    """The pictures in the order of the page."""
    words, trained = sentences(found), found.trained
    together = [comparison.side_by_side(found.encodings), comparison.collisions(found.encodings)]
    swept = [comparison.sensitivity(found.cells), *([] if found.sweep is None else [comparison.sweep(found.sweep)])]
    own = [one for one in found.integrations if one.base == found.integrations[0].base]
    parts = []
    if trained is not None:
        parts.append(Section("The trained network", network.pictures(trained), sentences_of_trained(trained)))
    return [
        *parts,
        Section("Encodings side by side", together),
        *(Section(encoding.name, code.pictures(encoding), words[encoding.name]) for encoding in found.encodings),
        Section("Base and neurons", swept),
        Section("Where the code comes from", [comparison.theory(own, found.theory_neurons)]),
    ]
