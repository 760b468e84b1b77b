"""Single items in numbers: the document, CSV, and the tables of the page, for classes and for videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from snnctl.inspect.predictions.collect import NETWORK, Example, Predictions, Sequences
from snnctl.measure.video import VideoMetrics
from snnctl.report.page import Cell, Table
from snnctl.report.tables import csv_text

ARRAYS = "sequences.npz"


def document(found: Predictions | Sequences) -> dict[str, Any]:
    """As `--json` prints it; pictures and frames are left out."""
    if isinstance(found, Predictions):
        return {
            "classes": list(found.names),
            "confusion": found.confusion.tolist(),
            "per_class": found.per_class,
            "examples": [_example(one) for one in found.examples],
        }
    return {
        "frames_in": found.seen,
        "frames_out": found.predicted.shape[1],
        "per_frame": found.curves,
        "examples": _sequences(found),
    }


def _example(one: Example) -> dict[str, Any]:
    facts = {key: value for key, value in vars(one).items() if key != "shown"}
    return {**facts, "right": one.right, "text": one.shown if isinstance(one.shown, str) else None}


def _sequences(found: Sequences) -> list[dict[str, Any]]:
    metrics = list(found.curves[NETWORK])
    lines = []
    for number, index in enumerate(found.indices.tolist()):
        meter = VideoMetrics(metrics, found.predicted.shape[1], found.frames.shape[2:4])  # type: ignore[arg-type]
        predicted, target = (
            torch.from_numpy(part[number : number + 1]).flatten(2, 3)
            for part in (found.predicted, found.frames[:, found.seen :])
        )
        meter.update(predicted, target)
        lines.append({"index": index, "spikes": int(found.spikes[number]), **meter.compute()})
    return lines


def tables(found: Predictions | Sequences, examples: Sequence[dict[str, Any]]) -> dict[str, str | bytes]:
    """File name -> CSV text, or arrays; `examples` as the document has them."""
    if isinstance(found, Predictions):
        rows = ([name, *line] for name, line in zip(found.names, found.confusion.tolist(), strict=True))
        columns = ("index", "target", "predicted", "confidence", "target_confidence", "spikes", "right", "text")
        return {
            "confusion.csv": csv_text(["class", *found.names], rows),
            "examples.csv": csv_text(columns, ([line[key] for key in columns] for line in examples)),
        }
    metrics = list(found.curves[NETWORK])
    lines = (
        [who, found.seen + 1 + frame, *(values[metric][frame] for metric in metrics)]
        for who, values in found.curves.items()
        for frame in range(found.predicted.shape[1])
    )
    return {
        ARRAYS: found.to_bytes(),
        "per_frame.csv": csv_text(["model", "frame", *metrics], lines),
        "examples.csv": csv_text(["index", "spikes", *metrics], (list(line.values()) for line in examples)),
    }


def classes_table(found: Predictions) -> Table:
    """A row per class."""
    rows: list[list[Cell]] = [
        [name, int(count), *(found.per_class[key][k] for key in ("recall", "precision", "f1"))]
        for k, (name, count) in enumerate(zip(found.names, found.confusion.sum(1), strict=True))
    ]
    return Table(("class", "items", "recall", "precision", "F1"), rows)


def texts_table(found: Predictions) -> Table | None:
    """A row per text; None where items are no texts."""
    rows = [
        (
            one.shown,
            found.names[one.target],
            found.names[one.predicted] + ("" if one.right else " (wrong)"),
            f"{one.confidence:.1%}",
            one.spikes,
        )
        for one in found.examples
        if isinstance(one.shown, str)
    ]
    return Table(("text", "class", "predicted", "confidence", "spikes"), rows) if rows else None


def sequences_table(examples: Sequence[dict[str, Any]]) -> Table:
    """A row per sequence."""
    head = ("sequence", *list(examples[0])[1:])
    return Table(head, [(str(line["index"]), *list(line.values())[1:]) for line in examples])
