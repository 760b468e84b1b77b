"""The page of a conversion."""

from __future__ import annotations

from functools import partial

from snnctl.convert.convert import Converted
from snnctl.convert.figures import by_layer, over_steps
from snnctl.convert.tables import cells_table, document, layers_table, notes, tables
from snnctl.report.page import Page, Section
from snnctl.report.saving import Report


def report(found: Converted) -> Report:
    """All of it, ready for `snnctl.report.saving.write`."""
    return Report(
        document=document(found),
        tables=partial(tables, found),
        page=partial(page, found),
        document_name="conversion.json",
        page_name="conversion.html",
        begun=0.95,
    )


def page(found: Converted) -> Page:
    """What stands on it."""
    reference = found.source[found.metric]
    pictures = [over_steps(found.name, found.metric, found.cells, reference)] if len(found.cells) > 1 else []
    return Page(
        title=f"Conversion: {found.name}",
        lead=f"{found.metric} of the non-spiking network on {found.split}: {reference:.4f}.",
        sections=[
            Section("Bits and steps", pictures, notes(found), [cells_table(found)]),
            Section("Layers", [by_layer(found.name, found.layers)], (), [layers_table(found)]),
        ],
    )
