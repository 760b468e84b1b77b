"""The page on single items: confusion and a contact sheet of classes, strips and a moving picture of videos."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from snnctl.inspect.predictions.collect import Predictions, Sequences
from snnctl.inspect.predictions.figures import confusion_picture, contact_sheet, curves_picture, moving, strips
from snnctl.inspect.predictions.tables import classes_table, document, sequences_table, tables, texts_table
from snnctl.report.page import Page, Section
from snnctl.report.saving import Report

_PER_SHEET = 3


def report(found: Predictions | Sequences) -> Report:
    made = document(found)
    examples = made["examples"]
    return Report(made, partial(tables, found, examples), partial(page, found, examples), "predictions.json")


def page(found: Predictions | Sequences, examples: Sequence[dict[str, Any]]) -> Page:
    """What stands on it; `examples` as the document has them."""
    title = f"Predictions: {found.name}"
    if isinstance(found, Predictions):
        items = f"{int(found.confusion.sum()):,} items of the {found.split} split"
        return Page(title, f"{items}; {len(found.examples)} shown, wrong ones first.", _classes(found))
    ahead, count = found.predicted.shape[1], len(found.indices)
    lead = f"{found.split} split: {ahead} frames predicted of {found.seen} that are seen; {count} sequences shown."
    return Page(title, lead, _videos(found, examples))


def _classes(found: Predictions) -> list[Section]:
    confusion = confusion_picture(found.name, found.split, found.names, found.confusion)
    sections = [Section("Confusion", [confusion], (), [classes_table(found)])]
    images = [one for one in found.examples if isinstance(one.shown, np.ndarray)]
    sheets = [contact_sheet(found.name, found.split, found.names, images)] if images else []
    texts = texts_table(found)
    if sheets or texts:
        sections.append(Section("Examples", sheets, (), [texts] if texts else ()))
    return sections


def _videos(found: Sequences, examples: Sequence[dict[str, Any]]) -> list[Section]:
    sections = [Section("From frame to frame", [curves_picture(found.name, found.split, found.seen, found.curves)])]
    numbers = range(len(found.indices))
    sheets = [
        strips(found, numbers[first : first + _PER_SHEET], f"sequences_{first // _PER_SHEET + 1}")
        for first in range(0, len(numbers), _PER_SHEET)
    ]
    if sheets:
        sections.append(Section("Sequences", sheets, (), [sequences_table(examples)], [moving(found)]))
    return sections
