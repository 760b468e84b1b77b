"""CSV of everything that is drawn, so that others can draw it anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A CSV file; floats as short as reads back the same, whole ones without a point."""
    lines = [",".join(_quoted(name) for name in head)]
    lines += [",".join(map(_cell, row)) for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return _quoted(str(value))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n') else text


def matrix(values: np.ndarray[Any, Any], corner: str, columns: str) -> str:
    """A matrix with its row number in the first column and `columns` numbered in the head."""
    head = [corner, *(f"{columns}{i}" for i in range(values.shape[1]))]
    return csv_text(head, ([row, *line] for row, line in enumerate(values.tolist())))
