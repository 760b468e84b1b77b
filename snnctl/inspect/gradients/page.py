"""The page of a study of gradients against lag."""

from __future__ import annotations

from functools import partial

from snnctl.inspect.gradients.collect import Study
from snnctl.inspect.gradients.figures import curves, membranes
from snnctl.inspect.gradients.tables import document, overview, tables
from snnctl.report.page import Page, Section
from snnctl.report.saving import Report


def report(found: Study) -> Report:
    """All of it, ready for `snnctl.report.saving.write`."""
    return Report(
        document=document(found),
        tables=partial(tables, found),
        page=partial(page, found),
        document_name="lags.json",
        knobs={one.name: one.config for one in found.neurons},
        begun=0.9,
    )


def page(found: Study) -> Page:
    """What stands on it."""
    setting, made = found.setting, document(found)
    lead = (
        f"dU[T-1] / dU[T-1-lag] of untrained neurons: {setting.channels} channels, {setting.size} x {setting.size} "
        f"positions, T = {setting.steps}, batch {setting.batch}, seeds {', '.join(map(str, setting.seeds))}. The input "
        f"current is normal noise, group-normalised, {setting.held:.0%} of its variance held over all steps."
    )
    return Page(
        title="Gradient against lag",
        lead=lead,
        sections=[Section("Curves", [curves(found), membranes(found)], made["sentences"])],
        sentences=made["notes"],
        tables=[overview(found)],
    )
