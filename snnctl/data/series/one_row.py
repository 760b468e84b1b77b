"""One row of a stream: its cells read as those of a table of training are, or refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.missing import LARGEST
from snnctl.data.series.readers.numerals import MISSING_WORDS, Marks, decimal_mark, is_number, numbers_of
from snnctl.data.series.series import Floats
from snnctl.data.series.stamps import NONE, Stamps
from snnctl.data.series.table import Table
from snnctl.data.series.time_columns import find_time

_SHOWN = 5


@dataclass(frozen=True)
class Row:
    """What a row says.

    Args:
        series: which it belongs to; "" where there is one alone.
        stamps: its stamp; None where training had none.
        values: [C + P] in the data's own units, targets and past covariates; NaN where one is missing.
    """

    series: str
    stamps: Stamps | None
    values: Floats


def refused(reason: str, help: str) -> DiagnosticError:
    """D320: a row of a stream that cannot be used."""
    return DiagnosticError(Diagnostic("D320", facts={"reason": reason}, help=help))


class RowReader:
    """Reads rows as training read its table.

    Args:
        fitted: what training remembers of its data.
    """

    def __init__(self, fitted: FittedSeries) -> None:
        self._fitted = fitted
        self.names = fitted.columns + fitted.past
        self._wanted = (*fitted.time, *fitted.id, *self.names)
        self._missing = MISSING_WORDS | set(fitted.options.missing_marks)
        self._zero = np.array([fitted.missing == "zero_is_missing"] * fitted.channels + [False] * len(fitted.past))

    def read(self, cells: Mapping[str, Any]) -> Row:
        """A row.

        Args:
            cells: name -> text as in a file, or a number; None is a missing value.

        Raises:
            DiagnosticError: D320 columns are not there, a cell is no number, a value is infinite or missing where
                training allowed none; D245 and D249, the stamp cannot be read.
        """
        lacking = [name for name in self._wanted if name not in cells]
        if lacking:
            shown = ", ".join(f"`{name}`" for name in lacking[:_SHOWN]) + (", ..." if len(lacking) > _SHOWN else "")
            there = ", ".join([*map(str, cells)][:20])
            raise refused(f"{shown} of training not there", f"call columns as in training; there are: {there}")
        series = self._series(cells) if self._fitted.id else ""
        stamps = self._stamps(cells) if self._fitted.time else None
        return Row(series, stamps, self._values(cells))

    def _values(self, cells: Mapping[str, Any]) -> Floats:
        given = [cells[name] for name in self.names]
        texts = [cell for cell in given if isinstance(cell, str)]
        decimal = self._fitted.options.decimal
        if decimal is None and any("," in text for text in texts):
            try:
                decimal = decimal_mark(texts)
            except ValueError as error:
                raise refused(f"numbers can be read in two ways: {error}", "write a point for decimals") from None
        marks = Marks(decimal, self._missing)
        values = np.empty(len(given))
        for place, (name, cell) in enumerate(zip(self.names, given, strict=True)):
            values[place] = self._number(name, cell, marks)
        values[self._zero & (values == 0.0)] = math.nan
        if (np.abs(values) > LARGEST).any():
            name = self.names[int(np.argmax(np.abs(values) > LARGEST))]
            raise refused(f"`{name}` is infinite or beyond float32", "leave it empty where it is not known")
        if self._fitted.missing == "refuse" and np.isnan(values[: self._fitted.channels]).any():
            name = self.names[int(np.argmax(np.isnan(values)))]
            raise refused(f"`{name}` is missing, and training allowed no missing values", "complete it")
        return values

    def _number(self, name: str, cell: Any, marks: Marks) -> float:
        if cell is None:
            return math.nan
        if isinstance(cell, str):
            try:
                return float(cell) if "_" not in cell and marks.decimal != "," else _written(cell, marks)
            except ValueError:
                pass
            try:
                return _written(cell, marks)
            except ValueError:
                raise refused(
                    f"`{name}` is not a number: `{cell[:30]}`", "leave it empty where it is missing"
                ) from None
        try:
            return float(cell)
        except (TypeError, ValueError, OverflowError):
            raise refused(f"`{name}` is not a number: `{str(cell)[:30]}`", "give a number, or null") from None

    def _stamps(self, cells: Mapping[str, Any]) -> Stamps:
        names, texts, numbers = self._fitted.time, {}, {}
        for name in names:
            cell = cells[name]
            if isinstance(cell, str) and not (is_number(cell) and math.isfinite(float(cell))):
                texts[name] = np.array([cell.strip()], object)
            elif isinstance(cell, str | int | float):
                numbers[name] = float(cell)
            else:  # a date of Python, NumPy or pandas
                texts[name] = np.array(["" if cell is None else str(cell)], object)
        table = Table(names, tuple(numbers), np.array([[*numbers.values()]]), texts, origin="the stream")
        stamps = find_time(table, names, self._fitted.format, set())[1]
        if stamps is None or stamps.local[0] == NONE:
            raise refused("it has no stamp", "every row of this run has one")
        return stamps

    def _series(self, cells: Mapping[str, Any]) -> str:
        given = [cells[name] for name in self._fitted.id]
        if any(cell is None or not str(cell).strip() for cell in given):
            raise refused("it names no series", "every row of a panel does")
        plain = "/".join(str(cell).strip() for cell in given)
        if plain in self._fitted.parts:
            return plain
        # 7 and 7.0 are one series where the column of training held numbers.
        return "/".join(f"{float(cell):.15g}" if is_number(str(cell)) else str(cell).strip() for cell in given)


def _written(cell: str, marks: Marks) -> float:
    values, bad = numbers_of([cell], marks)
    if bad >= 0:
        raise ValueError(cell)
    return float(values[0])
