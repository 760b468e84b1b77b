"""A multivariate series in memory, and the little that is known of one before it is read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class SeriesHead:
    """What can be told of a series without parsing it.

    Args:
        rows: samples in time.
        columns: names of the channels, dates excluded.
        date_column: the column read as dates, or "" when there is none.
        ignored: columns that are neither channels nor dates (row numbers).
        format: "csv", "npy", "npz", "parquet", "hdf5", "builtin" or "cache".
    """

    rows: int
    columns: tuple[str, ...]
    date_column: str = ""
    ignored: tuple[str, ...] = ()
    format: str = "csv"


@dataclass(frozen=True)
class Series:
    """Values over time; NaN is a missing value.

    Args:
        values: [N, C] float64.
        columns: C names.
        times: [N] datetime64[ms], or None when the source has no readable dates.
        origin: the file it was read from, for messages.
    """

    values: Floats
    columns: tuple[str, ...]
    times: Times | None = None
    origin: str = ""

    def fingerprint(self) -> str:
        """SHA-256 hex over shape, column names and values, whatever file format they came from.

        Values count as float32: what a model sees, and beyond the last bit in which parsers differ.
        """
        digest = hashlib.sha256(repr((self.values.shape, self.columns)).encode())
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(self.values, dtype="<f4")
        # One bit pattern for every NaN and for both zeros.
        digest.update(np.where(np.isnan(values), np.float32("nan"), values + np.float32(0)).tobytes())
        return digest.hexdigest()
