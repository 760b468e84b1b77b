"""CSV files of everything that is drawn, so that others can draw it anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from snnctl.inspect.positions import codes
from snnctl.inspect.positions.encoding import Encoding
from snnctl.inspect.positions.sensitivity import Cell, Sweep
from snnctl.inspect.positions.theory import Integration
from snnctl.report.tables import csv_text, matrix


def of_encoding(encoding: Encoding) -> dict[str, str]:
    """File name -> text of the tables of one encoding."""
    name = encoding.slug
    found = {f"code-{name}.csv": matrix(encoding.code, "p", "k")}
    if encoding.membrane is not None:
        found[f"membrane-{name}.csv"] = matrix(encoding.membrane, "p", "k")
        frequency, amplitude = codes.spectrum(encoding.membrane)
        head = ["cycles_per_position", *(f"k{k}" for k in range(encoding.neurons))]
        rows = np.column_stack((frequency, amplitude)).tolist()
        found[f"spectrum-{name}.csv"] = csv_text(head, rows)
    if encoding.neurons:
        pairs: dict[str, Any] = {"dot": encoding.dot, "cosine": encoding.cosine}
        if encoding.kind != "real":
            pairs["hamming"] = encoding.hamming
        distances: list[Any] = []
        for kind, values in pairs.items():
            found[f"{kind}-{name}.csv"] = matrix(values, "p", "p")
            distances += codes.by_distance(values)
        head = ["distance", *(f"{kind}_{part}" for kind in pairs for part in ("mean", "sd"))]
        rows = [[d, *line] for d, line in enumerate(np.column_stack(distances).tolist())]
        found[f"similarity-{name}.csv"] = csv_text(head, rows)
        found[f"neurons-{name}.csv"] = _neurons(encoding)
    if encoding.bias is not None:
        found[f"bias-{name}.csv"] = matrix(encoding.bias, "i", "j")
    return found


def _neurons(encoding: Encoding) -> str:
    none = [None] * encoding.neurons
    rates: Any = none if encoding.rates is None else encoding.rates.tolist()
    omegas: Any = none if encoding.omegas is None else encoding.omegas.tolist()
    measured: Any = none
    if encoding.membrane is not None:
        measured = codes.peaks(*codes.spectrum(encoding.membrane)).tolist()
    rows = []
    for k, (rate, omega, peak) in enumerate(zip(rates, omegas, measured, strict=True)):
        state = "" if not encoding.constant[k] else "constant"
        if state and encoding.kind == "spikes":
            state = "always on" if encoding.always_on[k] else "always off"
        period = 2 * np.pi / omega if omega else None
        rows.append([k, rate, state, omega, period, peak, 1 / peak if peak else None])
    head = ("k", "firing_rate", "constant", "omega", "period", "peak_frequency", "peak_period")
    return csv_text(head, rows)


def collisions(encodings: Sequence[Encoding]) -> str:
    """Distinct codes and colliding pairs among the first m rows, for every m."""
    rows = []
    for encoding in encodings:
        unique, pairs = (part.tolist() for part in encoding.growth)
        rows += [[encoding.name, m, unique[m - 1], pairs[m - 1]] for m in range(1, encoding.rows + 1)]
    return csv_text(("encoding", "length", "unique", "collisions"), rows)


def comparison(encodings: Sequence[Encoding]) -> str:
    """The figures of merit, a row per encoding."""
    summaries = [{"encoding": e.name, **e.summary()} for e in encodings]
    head = [key for key in summaries[0] if key != "position"]
    return csv_text(head, ([summary[key] for key in head] for summary in summaries))


def sensitivity(cells: Sequence[Cell]) -> str:
    """The grid, a row per point."""
    rows = [asdict(cell) for cell in cells]
    return csv_text(list(rows[0]), (list(row.values()) for row in rows))


def sweep(found: Sweep) -> str:
    """A sweep as it is drawn."""
    rows = ([base, n, value] for (base, n), value in sorted(found.values.items()))
    return csv_text(("base", "neurons", found.metric), rows)


def theory(found: Sequence[Integration]) -> str:
    """Error and wrong bits over time, a column per base and method."""
    head = ["p", *(f"{what}_{one.method}_base{one.base:g}" for one in found for what in ("error", "wrong_bits"))]
    columns = np.column_stack([part for one in found for part in (one.error, one.wrong_bits)])
    return csv_text(head, ([p, *line] for p, line in enumerate(columns.tolist())))
