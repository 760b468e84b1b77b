"""`snnctl export`: a run in another format, read back and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from snnctl.cli.options import NoPlugins
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError

FORMATS = ("nir", "onnx-step", "safetensors")


def export(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(help="Run directory.", show_default=False)],
    format: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help="What to write.")] = "nir",
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
    if format not in FORMATS:
        raise DiagnosticError(Diagnostic("U408", f"--format must be {' or '.join(FORMATS)}, got `{format}`"))
    from snnctl.engine.run_dir import RunDir
    from snnctl.export.export import export as export_run
    from snnctl.recipe import load_recipe
    from snnctl.ui.words import size

    folder = RunDir.open(run)
    recipe = load_recipe(folder.recipe, allow_plugins=not no_plugins)
    path = out or folder.path / "export" / f"network.{format.removesuffix('-step')}"
    found = export_run(recipe, folder, format, path).document()

    def show(console: Any) -> None:
        console.print(f"[bold]{found['file']}[/]  {size(found['bytes'])}", soft_wrap=True)
        other = found["different_predictions"]
        answers = "" if other is None else f", {other} of the predicted classes differ"
        console.print(
            f"read back and run on {found['compared_samples']} samples of val: "
            f"largest difference {found['worst_difference']:.3g}{answers}"
        )

    return session.answer(found, show)
