"""How base and number of neurons change what a CPG code tells apart, and sweeps that others have measured."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.inspect.positions import codes
from snnctl.positions import CPG

NEURONS = (10, 20, 40, 64)
BASES = (100.0, 1000.0, 10000.0)


@dataclass(frozen=True)
class Cell:
    """One point of the grid; the fields mean what they mean in the summary of an encoding."""

    base: float
    neurons: int
    length: int
    unique: int
    collisions: int
    longest_prefix: int
    unique_tokens: int
    constant_neurons: int
    firing_rate: float


def grid(steps: int, tokens: int, index: str = "TL", threshold: float = 0.8) -> list[Cell]:
    """Statistics of CPG codes over `NEURONS` x `BASES` for T = `steps`, L = `tokens`."""
    steps = steps if index == "TL" else 1
    found = []
    for neurons, base in product(NEURONS, BASES):
        code = CPG(neurons=neurons, base=base, threshold=threshold).code(steps * tokens).double().numpy()
        ids = codes.row_ids(code)
        unique, pairs = codes.growth(ids)
        one = Cell(
            base=base,
            neurons=neurons,
            length=len(code),
            unique=int(unique[-1]),
            collisions=int(pairs[-1]),
            longest_prefix=codes.longest_free_prefix(ids),
            unique_tokens=int(codes.row_ids(codes.stacked_tokens(code, steps)).max()) + 1,
            constant_neurons=int(codes.constant_columns(code).sum()),
            firing_rate=float(code.mean()),
        )
        found.append(one)
    return found


@dataclass(frozen=True)
class Sweep:
    """A measured metric over base and neurons."""

    metric: str  # name of its column
    values: dict[tuple[float, int], float]  # (base, neurons) -> mean over the rows that have both


def read_sweep(path: Path) -> Sweep:
    """A CSV file with columns `base`, `neurons` and one for the metric; repeated points are averaged.

    Raises:
        DiagnosticError: U454, the file cannot be read, lacks a column or holds what is no number.
    """
    help = "columns: base,neurons,<metric>, one row per point"

    def refused(message: str, line: int = 0) -> DiagnosticError:
        return DiagnosticError(Diagnostic("U454", message, file=str(path), line=line, help=help))

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows: list[dict[Any, Any]] = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise refused(f"sweep cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not rows:
        raise refused("sweep has no rows")
    missing = [name for name in ("base", "neurons") if name not in rows[0]]
    metrics = [name for name in rows[0] if name not in ("base", "neurons", None)]
    if missing or not metrics:
        raise refused(f"sweep has no column `{missing[0] if missing else '<metric>'}`")
    values: dict[tuple[float, int], list[float]] = {}
    for line, row in enumerate(rows, 2):
        try:
            point = float(row["base"]), int(row["neurons"])
            values.setdefault(point, []).append(float(row[metrics[0]]))
        except (TypeError, ValueError):
            raise refused("a row of the sweep is no numbers", line) from None
    return Sweep(metrics[0], {point: fmean(found) for point, found in values.items()})
