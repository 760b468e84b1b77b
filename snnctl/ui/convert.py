"""A run as something else, on a terminal: converted to spikes, or exported to another format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.console import table
from snnctl.ui.nir import show_readers
from snnctl.ui.report import show_files
from snnctl.ui.words import figure, percent, size


def show_conversion(console: Console, document: Mapping[str, Any]) -> None:
    """The document of `snnctl.convert.tables`, as written."""
    metric = next(key for key in document["table"][0] if key not in _FIXED)
    split = document["split"]
    console.print(f"[bold]{escape(document['name'])}[/]: {split} split, converted")
    reference = document["twin"][f"{split}/{metric}"]
    shown = table("bits", ">steps", f">{metric}", ">answers differ", ">spikes/step", ">nJ/sample")
    shown.add_row("non-spiking", "", figure(reference), "", "", "")
    for row in document["table"]:
        joules = row["joules"]
        shown.add_row(
            str(row["bits"]),
            str(row["steps"]),
            figure(row[metric]),
            "-" if row["different"] is None else f"{row['different']:,}",
            figure(row["mean_rate"], 3),
            figure(None if joules is None else joules * 1e9),
        )
    console.print(shown)
    console.print()
    layers = (
        (
            escape(one["name"]),
            figure(one["top"], 3),
            *(text for row in (one, other) for text in (figure(row["relative"], 3), percent(row["clipped"], 2))),
        )
        for one, other in zip(document["layers"], document["layers_on_split"], strict=True)
    )
    heads = (f">{what}, {on}" for on in ("calibration", split) for what in ("error", "above top"))
    console.print(table("layer", ">top", *heads, rows=layers))
    calibrated = document["calibrated_on"]
    console.print(f"[dim]calibrated on {calibrated['samples']:,} samples of {calibrated['split']}[/]")
    for note in document["notes"]:
        console.print(f"note: {escape(note)}", soft_wrap=True)
    console.print(f"\nrun directory: {escape(document['run'])}", soft_wrap=True)
    show_files(console, document)


def show_export(console: Console, document: Mapping[str, Any]) -> None:
    """The file, and how near to the network it is."""
    console.print(f"[bold]{document['file']}[/]  {size(document['bytes'])}", soft_wrap=True)
    other = document["different_predictions"]
    answers = "" if other is None else f", {other} of the predicted classes differ"
    console.print(
        f"read back and run on {document['compared_samples']} samples of val: "
        f"largest difference {document['worst_difference']:.3g}{answers}"
    )
    if "readers" in document:
        show_readers(console, document)
    if "evidence" in document:
        beside = document["evidence"]
        text = f"{beside['samples']} samples, {beside['spikes']:,} spikes: {escape(beside['file'])}"
        console.print(f"evidence of {text}", soft_wrap=True)


_FIXED = ("bits", "steps", "different", "mean_rate", "joules", "costs")
