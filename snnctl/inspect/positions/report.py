"""The whole analysis as one value, and its way into a folder: tables, figures, page, summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnctl.inspect.positions import sensitivity, sentences, tables, theory
from snnctl.inspect.positions.encoding import Encoding
from snnctl.inspect.positions.page import page
from snnctl.inspect.positions.sensitivity import Cell, Sweep
from snnctl.inspect.positions.theory import Integration
from snnctl.report.page import Section
from snnctl.report.provenance import provenance
from snnctl.report.saving import Tell, prepare, save

if TYPE_CHECKING:
    from snnctl.inspect.positions.trained import Trained
    from snnctl.report.style import Picture

PAGE, SUMMARY = "index.html", "summary.json"
# Long enough for the failing method to fail, and what the golden figures are measured at.
THEORY_ROWS, MOST_THEORY_ROWS = 672, 4096
THEORY_BASES = (1000.0, 10000.0)


@dataclass(frozen=True)
class Analysis:
    """Everything that was found.

    Args:
        name: heading of the page.
        encodings: the one that was asked about first.
        cells: statistics over base and neurons at its length.
        integrations: closed form against integration; the first encoding's own base comes first.
        theory_neurons: their n.
        sweep: a measured sweep, or None.
        trained: what was measured on a trained network, or None.
        notes: what was left out, and why.
    """

    name: str
    encodings: list[Encoding]
    cells: list[Cell]
    integrations: list[Integration]
    theory_neurons: int
    sweep: Sweep | None = None
    trained: Trained | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> dict[str, list[str]]:
        """Encoding -> what is to be said about it."""
        said = {encoding.name: sentences.of_encoding(encoding) for encoding in self.encodings}
        oscillator = _oscillator(self.encodings)
        if oscillator is not None:
            said[oscillator.name] += sentences.of_grid(oscillator, self.cells)
        return said

    def document(self) -> dict[str, Any]:
        """The public document, but for the files."""
        first = self.encodings[0]
        return {
            "name": self.name,
            "steps": first.steps,
            "tokens": first.tokens,
            "encodings": {encoding.name: encoding.summary() for encoding in self.encodings},
            "sensitivity": [vars(cell) for cell in self.cells],
            "theory": {
                "title": theory.TITLE,
                "neurons": self.theory_neurons,
                "length": len(self.integrations[0].error),
                "step": theory.STEP,
                "methods": [
                    {"method": one.method, "base": one.base, "max_error": one.worst, "wrong_bits": one.wrong}
                    for one in self.integrations
                ],
            },
            "trained": None if self.trained is None else self.trained.document(),
            "sentences": self.sentences,
            "notes": self.notes,
        }


def analyse(
    name: str,
    encodings: list[Encoding],
    *,
    sweep: Sweep | None = None,
    trained: Trained | None = None,
    notes: Sequence[str] = (),
) -> Analysis:
    """Add to `encodings` what is computed beside them: the grid over base and neurons, and the integration."""
    first = encodings[0]
    own = _oscillator(encodings)
    index, threshold, neurons, base = "TL", 0.8, 40, THEORY_BASES[-1]
    if own is not None:
        index, threshold = own.index, float(own.config.get("threshold", threshold))
        neurons, base = int(own.config.get("neurons", neurons)), float(own.config.get("base", base))
    cells = sensitivity.grid(first.steps, first.tokens, index, threshold)
    length = min(max(first.steps * first.tokens, THEORY_ROWS), MOST_THEORY_ROWS)
    bases = dict.fromkeys((base, *THEORY_BASES))
    integrations = [one for each in bases for one in theory.compare(neurons, each, length, threshold)]
    return Analysis(name, encodings, cells, integrations, neurons, sweep, trained, list(notes))


def _oscillator(encodings: Sequence[Encoding]) -> Encoding | None:
    """The first that is spikes of oscillators."""
    return next((e for e in encodings if e.membrane is not None and e.omegas is not None), None)


def sections(found: Analysis) -> list[Section]:
    """The pictures in the order of the page."""
    from snnctl.inspect.positions.figures import code, comparison

    parts = []
    if found.trained is not None:
        from snnctl.inspect.positions.figures.network import pictures

        parts.append(Section("The trained network", pictures(found.trained), found.trained.sentences()))
    together = [comparison.side_by_side(found.encodings), comparison.collisions(found.encodings)]
    parts.append(Section("Encodings side by side", together, []))
    for encoding in found.encodings:
        drawn: list[Picture] = []
        if encoding.membrane is not None:
            drawn.append(code.raster(encoding))
        if encoding.neurons:
            drawn += [code.code_matrix(encoding), code.similarity(encoding)]
        if encoding.rates is not None:
            drawn.append(code.neurons(encoding))
        if encoding.omegas is not None and encoding.rows > 2:
            drawn.append(code.spectrum(encoding))
        if encoding.bias is not None:
            drawn.append(code.attention_bias(encoding))
        parts.append(Section(encoding.name, drawn, found.sentences[encoding.name]))
    swept = [comparison.sensitivity(found.cells)]
    if found.sweep is not None:
        swept.append(comparison.sweep(found.sweep))
    parts.append(Section("Base and neurons", swept, []))
    own_base = found.integrations[0].base
    own = [one for one in found.integrations if one.base == own_base]
    parts.append(Section("Where the code comes from", [comparison.theory(own, found.theory_neurons)], []))
    return parts


def write(found: Analysis, out: Path, command: str, tell: Tell = lambda *_: None) -> dict[str, Any]:
    """Write everything into `out`; the document with the list of files in it.

    Args:
        out: made if it is missing; files of the same names are replaced.
        command: for the page, so that a reader can repeat it.
        tell: told what is being done, and which share of it is.

    Raises:
        DiagnosticError: U453, the folder cannot be made or written to.
    """
    prepare(out)
    facts = provenance(command, {encoding.name: encoding.config for encoding in found.encodings})
    document = {**found.document(), "provenance": facts}
    tell("tables", 0.0)
    made = _tables(found)
    tell("figures", 0.1)
    shown = page(document, sections(found))
    return save(out, shown, made, document, page_name=PAGE, document_name=SUMMARY, tell=tell)


def _tables(found: Analysis) -> dict[str, str]:
    """File name -> CSV text."""
    made = {"comparison.csv": tables.comparison(found.encodings), "collisions.csv": tables.collisions(found.encodings)}
    for encoding in found.encodings:
        made |= tables.of_encoding(encoding)
    made |= {"sensitivity.csv": tables.sensitivity(found.cells), "theory.csv": tables.theory(found.integrations)}
    if found.sweep is not None:
        made["sweep.csv"] = tables.sweep(found.sweep)
    if found.trained is not None:
        made |= found.trained.tables()
    return made
