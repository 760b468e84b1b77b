"""The conversion report: document, tables, figures, page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snnctl.convert.convert import Converted
from snnctl.convert.figures import by_layer, over_steps
from snnctl.convert.measure import Cell
from snnctl.report.page import Page, Section, Table
from snnctl.report.provenance import provenance
from snnctl.report.saving import Tell, save
from snnctl.report.tables import csv_text

PAGE, DOCUMENT = "conversion.html", "conversion.json"


def twin_bits(bits: int, steps: int) -> int:
    """Bits of the non-spiking network with as many levels as spikes of `bits` bits have over `steps` steps."""
    return math.ceil(math.log2(steps * (2**bits - 1) + 1))


def notes(found: Converted) -> list[str]:
    """What a reader should know of the run's own bits and steps."""
    chosen = found.chosen
    width = twin_bits(chosen.bits, chosen.steps)
    said = [
        f"Over {chosen.steps} step{'s' if chosen.steps > 1 else ''} spikes of {chosen.bits} "
        f"bit{'s' if chosen.bits > 1 else ''} tell apart {chosen.levels.count + 1} levels, as {width} bits do."
    ]
    if chosen.steps == 1 and chosen.bits > 1:
        said.append(
            f"At T = 1, without a leak, this network is a quantised non-spiking network of {chosen.bits} bits: "
            "nothing in it depends on time."
        )
    if found.quantised is not None and found.quantised != chosen.levels.count:
        trained, here = found.quantised, chosen.levels.count
        said.append(f"The network was trained with {trained} levels and has {here} here, so that answers may differ.")
    return said


def document(found: Converted) -> dict[str, Any]:
    """What `--json` prints: `run`, `metrics`, `twin_differences`, `table`, `layers`."""
    own = found.cells[0]
    return {
        "run": str(found.run.path),
        "name": found.name,
        "split": found.split,
        "bits": found.chosen.bits,
        "steps": found.chosen.steps,
        "twin_bits": twin_bits(found.chosen.bits, found.chosen.steps),
        "metrics": {f"{found.split}/{name}": value for name, value in own.metrics.items()},
        "twin": {f"{found.split}/{name}": value for name, value in found.source.items()},
        "twin_differences": own.different,
        "table": [_row(cell, found.metric) for cell in found.cells],
        "layers": [vars(layer) for layer in found.layers],
        "bias_corrections": found.corrected,
        "notes": notes(found),
    }


def _row(cell: Cell, metric: str) -> dict[str, Any]:
    return {
        "bits": cell.bits,
        "steps": cell.steps,
        metric: cell.metrics[metric],
        "different": cell.different,
        "mean_rate": cell.mean_rate,
        "joules": cell.joules,
        "costs": dict(cell.costs),
    }


def write(found: Converted, out: Path, command: str, tell: Tell) -> dict[str, Any]:
    """Tables, figures and a page in `out`; the document as written.

    Raises:
        DiagnosticError: U453, the folder cannot be made or written to.
    """
    made = document(found)
    fixed = ("bits", "steps", found.metric, "different", "mean_rate")
    priced = tuple(found.cells[0].costs)
    head = (*fixed, *(f"joules:{name}" for name in priced))
    rows = [(*(row[key] for key in fixed), *(row["costs"][name] for name in priced)) for row in made["table"]]
    pictures = [over_steps(found.name, found.metric, found.cells, found.source[found.metric])]
    page = Page(
        title=f"Conversion: {found.name}",
        lead=f"{found.metric} of the non-spiking network on {found.split}: {found.source[found.metric]:.4f}.",
        sections=[
            Section(
                "Bits and steps", pictures if len(found.cells) > 1 else [], notes(found), [_cells(found, rows, priced)]
            ),
            Section("Layers", [by_layer(found.name, found.layers)], (), [_layers(found)]),
        ],
        provenance=provenance(command, {}),
    )
    names = ("layer", "top", "relative_error", "clipped")
    listed = ((one.name, one.top, one.relative, one.clipped) for one in found.layers)
    tables = {"conversion.csv": csv_text(head, rows), "layers.csv": csv_text(names, listed)}
    return save(out, page, tables, made, page_name=PAGE, document_name=DOCUMENT, tell=tell, start=0.95)


def _cells(found: Converted, rows: Sequence[tuple[Any, ...]], priced: Sequence[str]) -> Table:
    energies = (f"nJ per sample, {name}" for name in priced)
    head = ("bits", "steps", found.metric, "answers that differ", "spikes per neuron and step", *energies)
    cells = [(str(r[0]), int(r[1]), *r[2:5], *(joules * 1e9 for joules in r[5:])) for r in rows]
    return Table(head, cells)


def _layers(found: Converted) -> Table:
    head = ("layer", "top", "relative error", "share above the top", "mean change of bias")
    rows = [(one.name, one.top, one.relative, one.clipped, found.corrected.get(one.name)) for one in found.layers]
    return Table(head, rows)
