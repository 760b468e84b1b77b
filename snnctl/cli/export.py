"""`snnctl export`: a run in another format, read back and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import NoPlugins, one_of
from snnctl.cli.session import Session
from snnctl.core.choices import ExportFormat


def export(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(help="Run directory.", show_default=False)],
    format: Annotated[ExportFormat, one_of("format", ExportFormat, "What to write.")] = "nir",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file; else RUN/export/network.FORMAT.", show_default=False)
    ] = None,
    no_plugins: NoPlugins = False,
) -> int:
    """Export a run: NIR for other simulators and hardware, one step as ONNX, or its weights alone.

    The file is read back and run on samples of the validation split; the largest difference is told. What a format
    cannot express is refused by name.
    """
    session: Session = ctx.obj
    from snnctl.commands import export as commands
    from snnctl.ui.convert import show_export

    found = commands.export(run, format, out=out, allow_plugins=not no_plugins, listener=session)
    return session.answer(found, lambda console: show_export(console, found))
