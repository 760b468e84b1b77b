"""What `snnctl predict` does with a classifier, or with a network that continues videos."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, get_args

from snnctl.commands.listener import Listener
from snnctl.core.choices import SplitName, refuse_other
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.files import write_bytes, writing
from snnctl.core.owned import scratch
from snnctl.data.anew import NewItems
from snnctl.data.texts.anew import FittedTexts
from snnctl.serving.classifier import Classifier
from snnctl.serving.continuer import FORMATS, Ahead, Continuer, write_frames
from snnctl.serving.files import check_suffix, rows_of, write_forecast
from snnctl.serving.vote import Vote

_STDIN = "-"
_PICTURES = (".gif", ".png", ".svg")
_DRAWN = 6  # clips


def predict_items(
    model: Classifier | Continuer,
    run: Path | str,
    input: Path | str | None,
    output: Path | None,
    plot: Path | None,
    *,
    split: SplitName | None,
    top: int,
    skip_bad: bool,
    most: int,
    listener: Listener,
) -> dict[str, Any]:
    """Predict items.

    Args:
        input: a file or folder of any form that training takes; - is stdin, of texts alone: a text on each line, or
            JSON lines or a CSV with the column of texts.
        output: of classes a table (.csv, .parquet, .jsonl), of videos frames (.npy, .npz).
        plot: of videos a moving picture (.gif), or a strip (.png, .svg).
        split: in place of `input`, a split of the run's own data.
        top, skip_bad: see `snnctl.serving.classifier.Classifier.predict`.
        most: rows that the document holds.

    Returns:
        `run` and `checkpoint` (lists of several runs), `task`, `items`, `rows`, `left_out` (`{item, reason}` each),
        `how_it_is_read`, `predictions` (the first rows), `output` and `plot`, files or None; of classes `classes` and
        `predicted` (how often each), of videos `frames_in` and `frames_out`.

    Raises:
        DiagnosticError: as `Classifier.predict` and `Continuer.predict`; U504 options that do not go together, U505 a
            file of another format, U453 one that cannot be written, U510 nothing is given.
    """
    if split is not None:
        refuse_other("split", split, get_args(SplitName))
    if input is None and split is None:
        help = "bring items with --input, or name a split of the run's own data: --split test"
        raise DiagnosticError(Diagnostic("U510", help=help))
    if input is not None and split is not None:
        raise DiagnosticError(Diagnostic("U504", "--split stands beside --input", help="leave one of them out"))
    head: dict[str, Any] = {
        "run": list(model.names) if isinstance(model, Vote) else str(run),
        "checkpoint": [one.facts for one in model.members] if isinstance(model, Vote) else model.facts,
        "task": model.recipe.values["task"]["type"],
    }
    given: Any = _stdin(model) if str(input) == _STDIN else None if input is None else Path(input)
    if isinstance(model, Classifier):
        found = _classes(model, given, output, plot, split, top, skip_bad, most, listener)
    else:
        found = _frames(model, given, output, plot, split, top, skip_bad, most, listener)
    files = {name: None if path is None else str(path) for name, path in (("output", output), ("plot", plot))}
    return head | found | files


def _classes(
    model: Classifier,
    given: Any,
    output: Path | None,
    plot: Path | None,
    split: SplitName | None,
    top: int,
    skip_bad: bool,
    most: int,
    listener: Listener,
) -> dict[str, Any]:
    if plot is not None:
        help = "snnctl eval RUN --examples N draws single items of a classifier"
        raise DiagnosticError(Diagnostic("U504", "--plot draws forecasts and videos, not classes", help=help))
    if output is not None:
        check_suffix(output)
    first: list[dict[str, Any]] = []
    rows = 0
    with listener.work() as tell:
        found = model.classify(given, split=split, top=top, skip_bad=skip_bad, tell=tell)

        def kept() -> Iterator[dict[str, Any]]:
            nonlocal rows
            for table in found.tables():
                first.extend(islice(rows_of(table), most - len(first)))
                rows += len(table["item"])
                yield table

        if output is not None:
            write_forecast(output, kept())
        else:
            deque(kept(), maxlen=0)
    return {
        "classes": list(model.classes),
        "items": found.stand.items,
        "rows": rows,
        "predicted": found.per_class,
        "left_out": [{"item": name, "reason": reason} for name, reason in found.stand.left_out],
        "how_it_is_read": list(found.how),
        "predictions": first,
    }


def _frames(
    model: Continuer,
    given: Any,
    output: Path | None,
    plot: Path | None,
    split: SplitName | None,
    top: int,
    skip_bad: bool,
    most: int,
    listener: Listener,
) -> dict[str, Any]:
    if top != 2:
        raise DiagnosticError(Diagnostic("U504", "--top tells classes, and the run continues videos"))
    if output is not None:
        check_suffix(output, FORMATS)
    if plot is not None:
        check_suffix(plot, _PICTURES)
    first: list[dict[str, Any]] = []
    drawn: list[Ahead] = []
    with listener.work() as tell:
        found = model.continued(given, split=split, skip_bad=skip_bad, tell=tell)

        def kept() -> Iterator[Ahead]:
            for batch in found.batches():
                rows = zip(batch.names, batch.spikes.tolist(), strict=True)
                first.extend({"item": name, "spikes": spikes} for name, spikes in islice(rows, most - len(first)))
                if plot is not None and sum(len(one.names) for one in drawn) < _DRAWN:
                    drawn.append(batch)
                yield batch

        if output is not None:
            write_frames(output, kept())
        else:
            deque(kept(), maxlen=0)
    if plot is not None:
        _draw(drawn, plot, model.recipe.name)
    return {
        "frames_in": model.frames_in,
        "frames_out": model.frames_out,
        "items": found.stand.items,
        "rows": found.stand.items,
        "left_out": [{"item": name, "reason": reason} for name, reason in found.stand.left_out],
        "how_it_is_read": list(found.how),
        "predictions": first,
    }


def _draw(drawn: list[Ahead], path: Path, name: str) -> None:
    import numpy as np

    from snnctl.inspect.predictions.ahead import moving_ahead, strip_ahead
    from snnctl.report.style import render

    names = [one for batch in drawn for one in batch.names][:_DRAWN]
    seen = np.concatenate([batch.seen for batch in drawn])[:_DRAWN]
    ahead = np.concatenate([batch.frames for batch in drawn])[:_DRAWN]
    if path.suffix.lower() == ".gif":
        data = moving_ahead(seen, ahead)
    else:
        png, svg = render(strip_ahead(seen, ahead, names, f"{name}: what follows"))
        data = png if path.suffix.lower() == ".png" else svg
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)


def _stdin(model: Classifier | Continuer) -> NewItems:
    """Texts on stdin; raises U504 where items are none."""
    fitted = model.fitted
    if not isinstance(fitted, FittedTexts):
        message = "- takes texts from stdin, and the run takes others"
        raise DiagnosticError(Diagnostic("U504", message, help="name a file or a folder with --input"))
    raw = sys.stdin.buffer.read()
    with scratch() as folder:
        path = folder / f"stdin{_ending(raw, fitted)}"
        path.write_bytes(raw)
        try:
            return fitted.of_file(path, lines=path.suffix == ".txt")
        except DiagnosticError as error:
            told = [_at_stdin(one, path) for one in error.diagnostics]
            raise DiagnosticError(told, error.exit_code) from error


def _at_stdin(one: Diagnostic, path: Path) -> Diagnostic:
    from dataclasses import replace

    return replace(one, file="stdin" if one.file == str(path) else one.file, path="")


def _ending(raw: bytes, fitted: FittedTexts) -> str:
    """What texts on stdin are: JSON lines, a table whose first row names the column of texts, or lines."""
    line = raw.lstrip()[:65536].split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    if line.startswith("{"):
        try:
            return ".jsonl" if isinstance(json.loads(line), dict) else ".txt"
        except ValueError:
            return ".txt"
    for mark, ending in ((",", ".csv"), (";", ".csv"), ("\t", ".tsv")):
        cells = [cell.strip().strip('"') for cell in line.split(mark)]
        if fitted.names_texts(cells):
            return ending
    return ".txt"
