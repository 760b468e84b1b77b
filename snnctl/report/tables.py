"""Numbers for others to read: CSV of everything that is drawn, arrays, a few values as mean and standard deviation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from statistics import fmean, stdev
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


def npz(arrays: Mapping[str, Any]) -> bytes:
    """Arrays under their names, compressed; read them with `numpy.load`."""
    data = BytesIO()
    np.savez_compressed(data, **{name: np.asarray(values) for name, values in arrays.items()})  # type: ignore[arg-type]
    return data.getvalue()


def mean_and_sd(values: Sequence[float]) -> dict[str, Any]:
    """`mean`, `sd` with n - 1 (0 for a single value) and `values`: what documents say of one number per seed."""
    return {"mean": fmean(values), "sd": stdev(values) if len(values) > 1 else 0.0, "values": list(values)}
