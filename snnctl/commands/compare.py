"""Holding trained runs side by side, over paired seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snnctl.commands.listener import NOBODY, Listener
from snnctl.compare import comparison
from snnctl.compare.page import report
from snnctl.report.saving import prepare, write


def compare(
    runs: Sequence[Path | str],
    metrics: Sequence[str] = (),
    against: str | None = None,
    out: Path | str = Path("compare"),
    *,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """Groups of runs that differ in their seed alone, and paired differences between them; nothing is run again.

    Args:
        runs: run directories, or folders that hold some.
        metrics: `test/accuracy`, `energy/TABLE` and so on; none: the task's first on test.
        against: the reference group: its name, one of its key=value, or a glob; None: that of the first run.

    Returns:
        See `snnctl.compare.tables.document`.

    Raises:
        DiagnosticError: as `snnctl.compare.comparison.compare`.
    """
    folder = Path(out)
    found = comparison.compare([Path(run) for run in runs], metrics, against)
    listener.warn(found.warnings)
    prepare(folder)
    with listener.work() as tell:
        return write(report(found), folder, listener.call, tell)
