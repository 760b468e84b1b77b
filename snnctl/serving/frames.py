"""From a pandas frame to the table that a file of it would hold, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snnctl.data.series.fitted import FittedSeries
from snnctl.data.series.readers.arrays import of_arrow
from snnctl.data.series.table import Table
from snnctl.serving.files import at_microseconds

if TYPE_CHECKING:
    import pandas as pd

    from snnctl.serving.forecaster import Forecast

FRAME = "the frame"


def table_of(frame: pd.DataFrame, fitted: FittedSeries) -> Table:
    """The table of a frame; an index of dates stands for the column of the stamp where that is not there.

    Raises:
        DiagnosticError: D102 it has no rows, D203 no column of numbers.
    """
    import pandas as pd
    import pyarrow as pa

    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    if named:
        frame = frame.reset_index(level=named)
    if len(fitted.time) == 1 and fitted.time[0] not in frame.columns and isinstance(frame.index, pd.DatetimeIndex):
        frame = frame.rename_axis(index=fitted.time[0]).reset_index()
    used = {*fitted.time, *fitted.id, *fitted.names}
    if used <= set(frame.columns):  # else all of it, for a message that names what is there
        frame = frame[[name for name in frame.columns if name in used]]
    frame = frame.rename(columns=str)
    return of_arrow(FRAME, pa.Table.from_pandas(frame, preserve_index=False))


def frame_of(forecast: Forecast) -> pd.DataFrame:
    """All tables of a forecast as one frame; the network runs."""
    import pandas as pd

    return pd.concat([pd.DataFrame(at_microseconds(table)) for table in forecast.tables()], ignore_index=True)
