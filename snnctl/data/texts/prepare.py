"""Getting a named set of texts ready: fetched by `datasets` or copied, verified, its labels brought to known names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snnctl.data.cache import Progress
from snnctl.data.cuts import SPLIT_WORDS
from snnctl.data.prepare import Prepared, Status, reported
from snnctl.data.problems import data_error
from snnctl.data.texts.known import KNOWN, KnownTexts
from snnctl.data.texts.parts import WHOLE, Parts, Texts
from snnctl.data.texts.readers.files import TextOptions, numbered, read_place
from snnctl.data.texts.store import STORE, write_texts


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


def prepare(
    name: str, source: Path | None = None, *, progress: Progress | None = None, encoding: str = "utf-8"
) -> Prepared:
    """Make the set `name` ready; returns at once when a sound copy is in the cache.

    Args:
        name: one of `KNOWN`.
        source: a file or folder to read; None = fetch it with `datasets`.
        encoding: of files that are brought.
        progress: without effect: `datasets` does not tell.

    Raises:
        DiagnosticError: D101 no such file, D107 not the expected texts, D108 not to be had, D104 no room in the cache.
    """
    known = KNOWN[name]
    found = STORE.sound(name, verify=True)
    status: Status = "ready"
    if found is None:
        status = "prepared"
        origin = str(source or known.hub)
        parts = fetch(known) if source is None else read_place(source, TextOptions(encoding=encoding))
        named = {part: _named(texts, known, origin) for part, texts in parts.items()}
        sizes = {part: len(texts) for part, texts in named.items()}
        if known.sizes and sizes != dict(known.sizes):
            has, wants = f"the texts are {_words(sizes)}", _words(known.sizes)
            raise known.not_genuine(has, wants, origin, path="data.source", them="them")
        found = write_texts(name, named, origin)
    return reported(STORE.path(name), found, known, name, status)


def _named(part: Texts, known: KnownTexts, source: str) -> Texts:
    """The labels by name: numbers count the names, and names stay."""
    by_number = {str(i): name for i, name in enumerate(known.labels)} | {name: name for name in known.labels}
    short = {name[:3]: name for name in known.labels if len({n[:3] for n in known.labels}) == len(known.labels)}
    by_number |= {key: name for key, name in short.items() if key not in by_number}  # pos, neg
    strange = sorted({label for label in part.labels if label not in by_number})
    if strange:
        shown = ", ".join(f"`{label}`" for label in numbered(strange[:5]))
        help = "to use these texts all the same, give their path as `data.source`"
        raise data_error("D107", f"labels {shown} are none of `{known.name}`", file=source, help=help)
    return Texts(part.texts, tuple(by_number[label] for label in part.labels), known.labels)


def _words(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,}" + ("" if name == WHOLE else f" {name}") for name, count in sizes.items())
