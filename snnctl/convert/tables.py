"""A conversion as a document, notes and tables."""

from __future__ import annotations

from typing import Any

from snnctl.convert.convert import Converted
from snnctl.energy.count.counts import twin_bits
from snnctl.report.page import Table
from snnctl.report.tables import csv_text

# Above this many times the clipped share on the calibration data, and this share more, the split is said to go higher.
MORE, FEW = 2.0, 0.005


def notes(found: Converted) -> list[str]:
    """What a reader should know of the run's own bits and steps."""
    chosen = found.chosen
    width = twin_bits(chosen.steps, chosen.highest)
    said = [
        f"Over {chosen.steps} step{'s' if chosen.steps > 1 else ''} spikes of {chosen.bits} "
        f"bit{'s' if chosen.bits > 1 else ''} tell apart {chosen.levels + 1} levels, as {width} bits do."
    ]
    if chosen.steps == 1 and chosen.bits > 1:
        said.append(
            f"At T = 1, without a leak, this network is a quantised non-spiking network of {chosen.bits} bits: "
            "nothing in it depends on time."
        )
    if found.quantised is not None and found.quantised != chosen.levels:
        trained, here = found.quantised, chosen.levels
        said.append(f"The network was trained with {trained} levels and has {here} here, so that answers may differ.")
    higher = [
        f"`{one.name}` {other.clipped:.2%} (calibration {one.clipped:.2%})"
        for one, other in zip(found.layers, found.layers_on_split, strict=True)
        if other.clipped > MORE * one.clipped + FEW
    ]
    if higher:
        said.append(
            f"On {found.split} activations go higher than on the {found.calibrated_on:,} samples of train that were "
            f"calibrated on; above the top are: {', '.join(higher)}. More samples, or method `max`, clip less."
        )
    return said


def document(found: Converted) -> dict[str, Any]:
    """What `--json` prints: `run`, `metrics`, `twin_differences`, `table`; of layers `{name, top, relative, clipped}`,
    as `layers` on the calibration data and as `layers_on_split` on the split that is reported.
    """
    own = found.cells[0]
    return {
        "run": str(found.run.path),
        "name": found.name,
        "split": found.split,
        "bits": found.chosen.bits,
        "steps": found.chosen.steps,
        "twin_bits": twin_bits(found.chosen.steps, found.chosen.highest),
        "metrics": {f"{found.split}/{name}": value for name, value in own.metrics.items()},
        "twin": {f"{found.split}/{name}": value for name, value in found.source.items()},
        "twin_differences": own.different,
        "table": [
            {
                "bits": cell.bits,
                "steps": cell.steps,
                found.metric: cell.metrics[found.metric],
                "different": cell.different,
                "mean_rate": cell.mean_rate,
                "joules": next(iter(cell.costs.values()), None),  # under the first table
                "costs": dict(cell.costs),
            }
            for cell in found.cells
        ],
        "calibrated_on": {"split": "train", "samples": found.calibrated_on},
        "layers": [vars(layer) for layer in found.layers],
        "layers_on_split": [vars(layer) for layer in found.layers_on_split],
        "bias_corrections": found.corrected,
        "notes": notes(found),
    }


def tables(found: Converted) -> dict[str, str]:
    """File name -> CSV text: a row per number of bits and steps, and one per layer."""
    energies = (f"joules:{name}" for name in found.cells[0].costs)
    head = ("bits", "steps", found.metric, "different", "mean_rate", *energies)
    names = (
        "layer",
        "top",
        "relative_error",
        "clipped",
        f"relative_error_on_{found.split}",
        f"clipped_on_{found.split}",
    )
    listed = (
        (one.name, one.top, one.relative, one.clipped, other.relative, other.clipped)
        for one, other in zip(found.layers, found.layers_on_split, strict=True)
    )
    return {"conversion.csv": csv_text(head, _rows(found)), "layers.csv": csv_text(names, listed)}


def _rows(found: Converted) -> list[tuple[Any, ...]]:
    return [
        (one.bits, one.steps, one.metrics[found.metric], one.different, one.mean_rate, *one.costs.values())
        for one in found.cells
    ]


def cells_table(found: Converted) -> Table:
    energies = (f"nJ per sample, {name}" for name in found.cells[0].costs)
    head = ("bits", "steps", found.metric, "answers that differ", "spikes per neuron and step", *energies)
    rows = [(str(bits), *cells[:4], *(joules * 1e9 for joules in cells[4:])) for bits, *cells in _rows(found)]
    return Table(head, rows)


def layers_table(found: Converted) -> Table:
    shown = [
        f"{what}, {on}" for on in ("calibration", found.split) for what in ("relative error", "share above the top")
    ]
    head = ("layer", "top", *shown, "mean change of bias")
    rows = [
        (one.name, one.top, one.relative, one.clipped, other.relative, other.clipped, found.corrected.get(one.name))
        for one, other in zip(found.layers, found.layers_on_split, strict=True)
    ]
    return Table(head, rows)
