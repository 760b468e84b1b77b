"""What a classifier says of single items, and which classes it takes for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.engine.experiment import Experiment
from snnctl.inspect.predictions.class_figures import confusion_picture, contact_sheet
from snnctl.measure.classes import ClassificationMetrics
from snnctl.measure.spikes import SpikeMeter
from snnctl.report.page import Page, Section, Table
from snnctl.report.provenance import provenance
from snnctl.report.saving import save
from snnctl.report.tables import csv_text

DOCUMENT, PAGE = "predictions.json", "report.html"


@dataclass(frozen=True)
class Example:
    """One item and what the network said of it.

    Args:
        index: in the split.
        target, predicted: classes.
        confidence: softmax of the highest score, 0..1.
        target_confidence: of the right class.
        spikes: in the whole network, of this item alone.
        shown: the text, or the picture as uint8 [H, W, C]; None where the data shows neither.
    """

    index: int
    target: int
    predicted: int
    confidence: float
    target_confidence: float
    spikes: int
    shown: str | NDArray[np.uint8] | None

    @property
    def right(self) -> bool:
        """Whether it was classified correctly."""
        return self.target == self.predicted


@dataclass(frozen=True)
class Predictions:
    """A split in the eyes of a classifier.

    Args:
        names: of the classes.
        confusion: [K, K] counts; the row is the class, the column what was predicted.
        per_class: recall, precision and F1 of each class.
        examples: wrong ones first, then by confidence.
    """

    name: str
    split: str
    names: tuple[str, ...]
    confusion: NDArray[np.int64]
    per_class: dict[str, list[float]]
    examples: tuple[Example, ...]

    def document(self) -> dict[str, Any]:
        """As `--json` prints it; pictures are left out."""
        examples = [
            {
                **{key: value for key, value in vars(e).items() if key != "shown"},
                "right": e.right,
                "text": e.shown if isinstance(e.shown, str) else None,
            }
            for e in self.examples
        ]
        return {
            "classes": list(self.names),
            "confusion": self.confusion.tolist(),
            "per_class": self.per_class,
            "examples": examples,
        }


def class_names(data: Any, classes: int) -> tuple[str, ...]:
    """Names of the classes, or their numbers where the data has none."""
    names = getattr(data, "class_names", None) or getattr(data, "labels", None)
    return tuple(map(str, names)) if names is not None else tuple(map(str, range(classes)))


@torch.no_grad()
def predictions(
    experiment: Experiment, network: nn.Module, meter: Any, split: str, wanted: int, device: torch.device
) -> Predictions:
    """Examples of a split beside what `meter` has counted on all of it.

    Args:
        network: in evaluation mode.
        meter: of the whole split.
        wanted: how many examples, drawn evenly over the split with the run's seed; each runs alone, so that its spikes
            are its own.

    Raises:
        DiagnosticError: U419, the task is no classification.
    """
    if not isinstance(meter, ClassificationMetrics):
        help = "for forecasts: results.json, and snnctl stats RUN for the spikes"
        raise DiagnosticError(Diagnostic("U419", "--examples shows items of a classification or a video", help=help))
    part = experiment.data.split(split)
    order = np.random.default_rng(experiment.train.seed).permutation(len(part))[:wanted]
    network.eval()
    found = []
    for index in order.tolist():
        batch = part.batch(torch.tensor([index])).to(device)
        with SpikeMeter(network) as spikes:
            scores = experiment.task.predict(network, batch).float()
        belief = scores.softmax(1)[0].cpu()
        target, predicted = int(batch.targets[0]), int(belief.argmax())
        count = sum(sum(level * n for level, n in enumerate(layer.histogram)) for layer in spikes.summary())
        show = getattr(part, "show", None)
        shown = None if show is None else show(index)
        found.append(Example(index, target, predicted, float(belief[predicted]), float(belief[target]), count, shown))
    found.sort(key=lambda e: (e.right, -e.confidence))
    return Predictions(
        name=experiment.name,
        split=split,
        names=class_names(experiment.data, meter.classes),
        confusion=meter.confusion.numpy(),
        per_class=meter.per_class(),
        examples=tuple(found),
    )


def write(found: Predictions, out: Path, command: str) -> dict[str, Any]:
    """Tables, pictures and a page in `out`; the document as written.

    Raises:
        DiagnosticError: U453, the folder cannot be made or written to.
    """
    pictures = [confusion_picture(found.name, found.split, found.names, found.confusion)]
    images = [e for e in found.examples if isinstance(e.shown, np.ndarray)]
    sheets = [contact_sheet(found.name, found.split, found.names, images)] if images else []
    texts = [e for e in found.examples if isinstance(e.shown, str)]
    sections = [Section("Confusion", pictures, (), [_classes_table(found)])]
    if sheets or texts:
        sections.append(Section("Examples", sheets, (), [_texts_table(found, texts)] if texts else ()))
    page = Page(
        title=f"Predictions: {found.name}",
        lead=(
            f"{int(found.confusion.sum()):,} items of the {found.split} split;"
            f" {len(found.examples)} shown, wrong ones first."
        ),
        sections=sections,
        provenance=provenance(command, {}),
    )
    head = ["class", *found.names]
    rows = ([name, *line] for name, line in zip(found.names, found.confusion.tolist(), strict=True))
    columns = ("index", "target", "predicted", "confidence", "target_confidence", "spikes", "right", "text")
    listed = ([line[key] for key in columns] for line in found.document()["examples"])
    tables = {"confusion.csv": csv_text(head, rows), "examples.csv": csv_text(columns, listed)}
    return save(out, page, tables, found.document(), page_name=PAGE, document_name=DOCUMENT)


def _classes_table(found: Predictions) -> Table:
    rows: list[tuple[str | int | float, ...]] = [
        (name, int(count), *(found.per_class[key][k] for key in ("recall", "precision", "f1")))
        for k, (name, count) in enumerate(zip(found.names, found.confusion.sum(1), strict=True))
    ]
    return Table(("class", "items", "recall", "precision", "F1"), rows)


def _texts_table(found: Predictions, examples: Sequence[Example]) -> Table:
    rows = [
        (
            str(e.shown),
            found.names[e.target],
            found.names[e.predicted] + ("" if e.right else " (wrong)"),
            f"{e.confidence:.1%}",
            e.spikes,
        )
        for e in examples
    ]
    return Table(("text", "class", "predicted", "confidence", "spikes"), rows)
