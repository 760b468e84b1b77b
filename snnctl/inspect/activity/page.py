"""The page of a survey: firing rates, samples and classes, rasters, membranes, circuits, time constants."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from snnctl.inspect.activity import figures
from snnctl.inspect.activity.collect import Survey
from snnctl.inspect.activity.tables import document, notes, overview, tables
from snnctl.inspect.circuits.page import sections as circuits
from snnctl.inspect.membranes.collect import MEMBRANE_SAMPLES
from snnctl.inspect.membranes.page import section as membranes
from snnctl.inspect.time_constants import page as time_constants
from snnctl.inspect.time_constants import tables as taus_in_numbers
from snnctl.inspect.time_constants.collect import TauSurvey
from snnctl.report.page import Page, Section
from snnctl.report.saving import Report


def report(found: Survey, taus: TauSurvey | None = None) -> Report:
    """All of it; `taus` of the same run get a section, tables and an entry of the document of their own."""
    made = document(found) | ({} if taus is None else {"tau": taus_in_numbers.document(taus)})

    def csv() -> dict[str, str | bytes]:
        return tables(found) | ({} if taus is None else taus_in_numbers.tables(taus))

    return Report(made, csv, partial(page, found, taus), "stats.json", begun=0.65, told=("figures",))


def page(found: Survey, taus: TauSurvey | None = None) -> Page:
    ill = [f"{verdict.code}: {verdict.message}; {verdict.help}." for verdict in found.health]
    return Page(
        title=f"Spikes: {found.name}",
        lead=(
            f"{found.samples:,} of {found.of_samples:,} samples of the {found.split} split, weights "
            f"`{found.checkpoint['path']}` of {found.run}. "
            f"Mean rate {found.totals.mean_rate:.4f} spikes per neuron and step."
        ),
        sections=[
            *(section for make in SECTIONS for section in make(found)),
            *([] if taus is None else [time_constants.section(taus)]),
        ],
        sentences=[*(ill or ["Health: no layer is silent, nearly silent or saturated."]), *notes(found)],
        tables=[overview(found)],
    )


def _rates(found: Survey) -> list[Section]:
    pictures = [figures.rates(found), figures.channel_rates(found), figures.steps(found)]
    if any(layer.spikes.levels > 1 for layer in found.layers):
        pictures.append(figures.levels(found))
    return [Section("Firing rates", pictures)]


def _samples(found: Survey) -> list[Section]:
    pictures = [figures.per_sample(found)] if found.per_sample.count else []
    if found.by_class is not None and any(layer.by_class is not None for layer in found.layers):
        pictures.append(figures.classes(found))
    return [Section("Samples and classes", pictures)] if pictures else []


def _rasters(found: Survey) -> list[Section]:
    drawn = [figures.raster(found, one) for one in found.rasters]
    more = f"{len(drawn)} of {len(found.layers)} layers; --layers PATTERN chooses others."
    return [Section("Rasters", drawn, [more] if len(drawn) < len(found.layers) else [])]


def _membranes(found: Survey) -> list[Section]:
    return [membranes(found.potentials, min(MEMBRANE_SAMPLES, found.samples))]


def _circuits(found: Survey) -> list[Section]:
    return circuits(found.circuits)


SECTIONS: tuple[Callable[[Survey], list[Section]], ...] = (_rates, _samples, _rasters, _membranes, _circuits)
