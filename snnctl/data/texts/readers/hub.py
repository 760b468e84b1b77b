"""Fetching a named set through the `datasets` library."""

from __future__ import annotations

from typing import Any

from snnctl.data.problems import data_error
from snnctl.data.splits import SPLIT_WORDS
from snnctl.data.texts.known import KnownTexts
from snnctl.data.texts.source import WHOLE, Parts, Texts


def fetch(known: KnownTexts) -> Parts:
    """The set's parts, downloaded or from the library's own cache.

    Raises:
        DiagnosticError: D108 it cannot be had, D107 it is not what it should be.
    """
    import datasets

    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        found = datasets.load_dataset(known.hub)
    except Exception as error:  # the library and those below it raise of every kind: network, hub, file formats
        reason = " ".join(str(error).split()) or type(error).__name__
        help = (
            f"with a network, run: {known.command}; or bring a copy: {known.command} --from PATH"
            " (a clone of that repository, or a folder of train, validation and test)"
        )
        message = f"the texts `{known.name}` ({known.hub}) cannot be had: {reason}"
        raise data_error("D108", message, help=help) from error
    finally:
        if shown:
            datasets.enable_progress_bars()
    parts = {SPLIT_WORDS.get(name, name): _part(split, known) for name, split in found.items()}
    return {WHOLE: parts["train"]} if set(parts) == {"train"} else parts


def _part(split: Any, known: KnownTexts) -> Texts:
    text, label = known.text, known.label
    for column in (text, label):
        if column not in split.column_names:
            columns = ", ".join(split.column_names)
            message = f"`{known.hub}` has no column `{column}`; it has {columns}"
            raise data_error("D107", message, help="it has changed; give a copy's path as `data.source`")
    return Texts(tuple(str(t or "") for t in split[text]), tuple(str(value) for value in split[label]))
