"""The page of a backtest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from snnctl.backtest.figures import by_step, coverage, forecasts, over_time
from snnctl.backtest.measures import DEFINITIONS
from snnctl.backtest.study import Found
from snnctl.backtest.tables import document, halves_table, metrics_table, series_table, tables
from snnctl.report.page import Page, Section, Table
from snnctl.report.saving import Report

DOCUMENT = "backtest.json"
BEGUN = 0.96  # the share of the work that is done before there is a report


def report(found: Found) -> Report:
    """Document, tables and page."""
    made = document(found)
    return Report(made, partial(tables, found, made), partial(page, found, made), DOCUMENT, begun=BEGUN)


def page(found: Found, made: Mapping[str, Any]) -> Page:
    """What stands on it."""
    head = found.head
    lead = (
        f"{head['windows']:,} windows, {head['step_size']} rows apart, {found.fitted.horizon} steps ahead each; "
        f"cutoffs from {head['first_cutoff']} to {head['last_cutoff']}. {head['how']}"
    )
    sections = [
        Section("By step", [by_step(found, made)]),
        Section("Over time", [over_time(found, made)]),
    ]
    halves = halves_table(found, made)
    if halves is not None:
        sections.append(Section("Bands", [coverage(found, made)], band_words(found), [halves]))
    sections.append(Section("Forecasts", [forecasts(found)]))
    sections.append(Section("By series and column", (), (), [series_table(found, made)]))
    words = [(name, DEFINITIONS[name]) for name in made["definitions"]]
    sections.append(Section("Definitions", (), [season_words(found)], [Table(("measure", "what it is"), words)]))
    return Page(f"Backtest: {head['name']}", lead, sections, {}, sentences(found), [metrics_table(found, made)])


def sentences(found: Found) -> list[str]:
    """What has to be said beside the figures."""
    said = [str(note) for note in found.head["notes"]]
    return [*said, *(f"{name} is left out: {reason}." for name, reason in found.omitted.items())]


def season_words(found: Found) -> str:
    """What MASE is divided by."""
    if found.season > 1:
        return f"The season of MASE is {found.season} rows."
    return "There is no season, so MASE is divided by the error of the last value (a season of 1 row)."


def band_words(found: Found) -> list[str]:
    """What bands are, and are not."""
    count = found.head["band_windows"]
    return [
        f"A band of step h is made of the errors at h of the last {count:,} windows whose row h had come by then, "
        "of the same series and column; those of statistical methods are their own.",
        "Bands are per step: that a whole path lies within them is rarer.",
        "Errors of windows that overlap are alike, so that coverage is less sure than their number says.",
    ]
