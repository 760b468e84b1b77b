"""Time constants on a page: a section, and the whole page over several runs."""

from __future__ import annotations

from functools import partial

from snnctl.inspect.time_constants import figures
from snnctl.inspect.time_constants.collect import TauSurvey
from snnctl.inspect.time_constants.ordering import spearman
from snnctl.inspect.time_constants.tables import NUMBERS, document, signed, tables, verdict
from snnctl.report.page import Cell, Page, Section, Table
from snnctl.report.saving import Report


def report(found: TauSurvey) -> Report:
    made = {"name": found.name, "runs": [run.run for run in found.runs], "tau": document(found)}
    return Report(made, partial(tables, found), partial(page, found), "tau.json", "tau.html", begun=0.6)


def page(found: TauSurvey) -> Page:
    seeds = ", ".join(str(run.seed) for run in found.runs)
    return Page(
        title=f"Time constants: {found.name}",
        lead=f"{len(found.runs)} runs that differ in their seed alone ({seeds}), neurons pooled over them.",
        sections=[section(found)],
    )


def section(found: TauSurvey) -> Section:
    """Tables, pictures and findings."""
    written = document(found)
    unit, scale = found.unit, found.scale
    head = ["stage", "neurons", f"median ({unit})", "15 %", "50 %", "85 %", "min", "max"]
    rows: list[list[Cell]] = []
    for stage in written["stages"]:
        values: list[Cell] = [stage["steps"][name] * scale for name in NUMBERS]
        before, drift = stage["initial_median_steps"], stage["drift_steps"]
        moved: list[Cell] = [None, None] if before is None else [before * scale, f"{drift * scale:+.4g}"]
        low, high = stage["at_low_share"], stage["at_high_share"]
        bounds: list[Cell] = [None if share is None else f"{share:.1%}" for share in (low, high)]
        rows.append([f"{stage['number']} {stage['name']}", stage["neurons"], *values, *moved, *bounds])
    listed = [Table([*head, "median before training", "drift", "at lower bound", "at upper bound"], rows)]
    if len(found.runs) > 1:
        titles = ["run", *(f"stage {stage['number']}" for stage in written["stages"]), "rank correlation"]
        seeds: list[list[Cell]] = [
            [f"seed {run.seed}", *(one * scale for one in run.medians), signed(spearman(run.medians))]
            for run in found.runs
        ]
        listed.append(Table(titles, seeds, f"Medians by run ({unit})"))
    return Section("Time constants", [figures.by_stage(found), figures.histograms(found)], verdict(written), listed)
