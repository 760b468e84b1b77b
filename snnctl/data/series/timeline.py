"""A series over time for people: as it was read, in its own units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from snnctl.core.choices import SplitName
from snnctl.data.series.series import Floats, Times


@dataclass(frozen=True)
class Timeline:
    """Columns over time, before they are scaled and filled.

    Args:
        values: [N, C], NaN where missing.
        columns: C names.
        splits: name -> (first row, row behind the last one).
        times: [N] datetime64, ascending; None where rows are counted.
        roles: column -> target (the default), past or known.
        units: column -> unit, where one is known.
        scaled: whether the values are those that a network sees, in place of the data's own.
    """

    values: Floats
    columns: tuple[str, ...]
    splits: Mapping[SplitName, tuple[int, int]]
    times: Times | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    scaled: bool = False

    @property
    def gaps(self) -> list[int]:
        """Rows before which the time step is over half as long again as is usual."""
        if self.times is None or len(self.times) < 3:
            return []
        steps = np.diff(self.times).astype(np.int64)
        usual = float(np.median(steps))
        return [int(row) + 1 for row in np.flatnonzero(steps > 1.5 * usual)] if usual > 0 else []
