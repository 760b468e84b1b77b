"""The page of a conversion: its metric over steps and bits, and the error of each layer."""

from __future__ import annotations

from functools import partial

from snnctl.convert.convert import Converted
from snnctl.convert.tables import cells_table, document, layers_table, notes, tables
from snnctl.report.drawing import legend_below, look, names_beside, plots
from snnctl.report.page import Page, Section
from snnctl.report.saving import Report
from snnctl.report.style import BLUE, GREY, Drawn, picture, short


def report(found: Converted) -> Report:
    """All of it, ready for `snnctl.report.saving.write`."""
    made, csv = document(found), partial(tables, found)
    return Report(made, csv, partial(page, found), "conversion.json", "conversion.html", begun=0.95)


def page(found: Converted) -> Page:
    """What stands on it."""
    reference = found.source[found.metric]
    pictures = [over_steps(found)] if len(found.cells) > 1 else []
    return Page(
        title=f"Conversion: {found.name}",
        lead=f"{found.metric} of the non-spiking network on {found.split}: {reference:.4f}.",
        sections=[
            Section("Bits and steps", pictures, notes(found), [cells_table(found)]),
            Section("Layers", [by_layer(found)], (), [layers_table(found)]),
        ],
    )


@picture("over_steps", "Over steps and bits")
def over_steps(found: Converted) -> Drawn:
    metric, cells, reference = found.metric, found.cells, found.source[found.metric]
    figure, axes = plots(8.4, 4.2, f"{found.name}: {metric} after conversion")
    for number, bits in enumerate(sorted({cell.bits for cell in cells})):
        line = sorted((c.steps, c.metrics[metric]) for c in cells if c.bits == bits)
        axes.plot(*zip(*line, strict=True), **look(number), marker="o", label=f"{bits} bit{'s' if bits > 1 else ''}")
    axes.axhline(reference, color=GREY, linestyle="--", linewidth=1)
    beside = axes.get_yaxis_transform()  # right of the axes, where no line runs through it
    axes.text(1.01, reference, "non-spiking", transform=beside, va="center", color=GREY, fontsize=8.5)
    steps = sorted({cell.steps for cell in cells})
    axes.set_xscale("log", base=2)
    axes.set_xticks(steps, [str(step) for step in steps])
    axes.minorticks_off()
    axes.set(xlabel="steps T", ylabel=metric)
    axes.legend(title="spikes of")
    dashed = "dashed: the network it was made of."
    return figure, f"{metric} of the converted network over steps, by bits of a spike; {dashed}"


@picture("by_layer", "By layer")
def by_layer(found: Converted) -> Drawn:
    errors, others = found.layers, found.layers_on_split
    figure, (left, right) = plots(8.4, 1.8 + 0.4 * len(errors), f"{found.name}: error by layer", 1, 2, sharey=True)
    places = range(len(errors))
    for rows, shift, colour, label in (
        (errors, -0.2, GREY, "calibration (train)"),
        (others, 0.2, BLUE, f"{found.split} split"),
    ):
        at = [place + shift for place in places]
        left.barh(at, [row.relative for row in rows], height=0.36, color=colour, label=label)
        right.barh(at, [100 * row.clipped for row in rows], height=0.36, color=colour, label=label)
    legend_below(figure, (left, right), 2)
    names_beside(left, [short(error.name, 40) for error in errors])
    left.set(xlabel="root mean square error, relative")
    right.set(xlabel="activations above the top, %")
    return figure, (
        "How far the mean over steps of each layer's spikes is from the activation in its place, and how many of the "
        "activations are larger than the neurons can say: on the calibration data, and on the split that is reported."
    )
