"""Writing a run in another format, read back and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snnctl.commands.listener import NOBODY, Listener
from snnctl.core.choices import ExportFormat
from snnctl.export import export as formats
from snnctl.finished import open_run


def export(
    run: Path | str,
    format: ExportFormat = "nir",
    *,
    out: Path | None = None,
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """Write the best weights of a run; what the format cannot express is refused by name.

    Args:
        out: the file; None: `RUN/export/network.FORMAT`.

    Returns:
        `{file, format, bytes, compared_samples, worst_difference, different_predictions, ...}`.

    Raises:
        DiagnosticError: as `snnctl.finished.open_run` and `snnctl.export.export.export`.
    """
    opened = open_run(run, allow_plugins=allow_plugins, warn=listener.warn)
    path = out or opened.folder.path / "export" / f"network.{format.removesuffix('-step')}"
    return formats.export(opened, format, path).document()
