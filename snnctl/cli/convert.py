"""`snnctl convert` and `export`: a run as something else, a spiking network or a file in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import NoPlugins, RunFolder, folder, one_of, words
from snnctl.cli.session import Session
from snnctl.core.choices import Calibration, ExportFormat, Offset, SplitName
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode


def convert(
    ctx: typer.Context,
    run: Annotated[
        Path, typer.Argument(metavar="RUN|RECIPE", help="A trained non-spiking run; a recipe is trained first.")
    ],
    bits: Annotated[int, typer.Option(metavar="B", min=1, max=8, help="Bits of a spike.")] = 4,
    steps: Annotated[int, typer.Option(metavar="T", min=1, help="Steps.")] = 1,
    calibration: Annotated[
        Calibration, one_of("calibration", Calibration, "How thresholds of rectifiers are found.")
    ] = "mse",
    percentile: Annotated[float, typer.Option(min=50, max=100, help="For that calibration.")] = 99.9,
    samples: Annotated[int, typer.Option(metavar="N", min=1, help="Of train, to calibrate on.")] = 512,
    offset: Annotated[Offset, one_of("offset", Offset, "bias: correct each layer's bias on the same data.")] = "bias",
    table_bits: Annotated[str, typer.Option(metavar="B,B,...", help="Further bits for the table.")] = "",
    table_steps: Annotated[str, typer.Option(metavar="T,T,...", help="Further steps for the table.")] = "",
    energy: Annotated[
        int, typer.Option(metavar="N", min=0, help="Samples to estimate the energy of each row on; 0: none.")
    ] = 0,
    costs: Annotated[
        str | None,
        typer.Option(metavar="NAME[,NAME|FILE...]", help="Cost tables for that; else the recipe's."),
    ] = None,
    split: Annotated[
        SplitName, one_of("split", SplitName, "What is measured on.", order=("test", "val", "train"))
    ] = "test",
    runs: Annotated[Path, folder("Parent of run directories.")] = Path("runs"),
    out: Annotated[Path | None, folder("The new run's directory itself.")] = None,
    no_plugins: NoPlugins = False,
) -> int:
    """Convert a non-spiking network: neurons that integrate take the place of its activations.

    The result is a run like any other. Weights stay as they are; spikes of B bits over T steps stand for the
    activations. What cannot be converted is named before any work is done.
    """
    session: Session = ctx.obj
    every_bits, every_steps = _numbers("--table-bits", table_bits, 8), _numbers("--table-steps", table_steps, None)
    from snnctl.commands import convert as commands
    from snnctl.convert.convert import Settings
    from snnctl.ui.convert import show_conversion

    settings = Settings(calibration, percentile, samples, offset, energy, costs)
    table = (every_bits, every_steps)
    document = commands.convert(
        run, bits, steps, settings, *table, split, runs, out, allow_plugins=not no_plugins, listener=session
    )
    return session.answer(document, show_conversion)


def export(
    ctx: typer.Context,
    run: RunFolder,
    format: Annotated[ExportFormat, one_of("format", ExportFormat, "What to write.")] = "nir",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file; else RUN/export/network.FORMAT, of a bundle NAME.snnctl there."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--license", metavar="TEXT", help="Of a bundle: stated on its card.")
    ] = None,
    costs: Annotated[
        str | None,
        typer.Option(metavar="NAME[,NAME|FILE...]", help="Of a bundle: estimate energy first, under these tables."),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="NIR with the neurons' own constants, in steps; few simulators agree on it.")
    ] = False,
    dt: Annotated[float, typer.Option(metavar="SECONDS", min=1e-9, help="Of a step in NIR.")] = 1e-4,
    verify: Annotated[
        str,
        typer.Option(
            metavar="READER,...", help="Simulators to prove NIR with; else those installed that take it; none: none."
        ),
    ] = "",
    samples: Annotated[int, typer.Option(metavar="N", min=1, help="Of val, to compare.")] = 64,
    evidence: Annotated[
        int, typer.Option(metavar="N", min=0, help="Samples whose inputs and spikes go beside the file of NIR.")
    ] = 0,
    no_plugins: NoPlugins = False,
) -> int:
    """Export a run: NIR for other simulators and hardware, one step as ONNX, its weights alone, or a bundle.

    The file is read back and run on samples of the validation split; the largest difference is told. NIR is written so
    that simulators read it alike; which do, and why others do not, is told, and those that are installed run it. What
    a format cannot express, or a reader named in --verify does not take, is refused by name before anything is
    written. The exit code is 1 where a simulator answers otherwise.

    A bundle is one archive to hand on: weights, recipe, what the run remembers of its data, and a card, without the
    data and without code. `snnctl predict BUNDLE` uses it, `snnctl show BUNDLE` prints its card.
    """
    session: Session = ctx.obj
    given = words(verify)
    if exact and (given or evidence or dt != 1e-4):
        message = "--exact writes no portable file: --dt, --verify and --evidence have no meaning with it"
        raise DiagnosticError(Diagnostic("U400", message))
    if format != "nir" and (exact or given or evidence or dt != 1e-4):
        message = f"--exact, --dt, --verify and --evidence are of NIR, and the format is {format}"
        raise DiagnosticError(Diagnostic("U400", message))
    if format == "bundle" and samples != 64:
        raise DiagnosticError(Diagnostic("U400", "--samples are those that are compared, and a bundle is not"))
    from snnctl.commands import convert as commands
    from snnctl.export.nir.export import Portable
    from snnctl.ui.bundle import show_bundled
    from snnctl.ui.convert import show_export

    readers = None if not given else () if given == ["none"] else tuple(given)
    portable = None if exact else Portable(dt, readers, evidence)
    found = commands.export(
        run, format, out, licence, costs, portable, samples, allow_plugins=not no_plugins, listener=session
    )
    code = ExitCode.DONE if found.get("proven", True) else ExitCode.CHECK_FAILED
    return session.answer(found, show_bundled if format == "bundle" else show_export, code)


def _numbers(option: str, text: str, most: int | None) -> list[int]:
    """Whole numbers from 1, separated by commas."""
    try:
        found = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = [0]
    if any(number < 1 or (most is not None and number > most) for number in found):
        bound = "from 1" if most is None else f"from 1 to {most}"
        raise DiagnosticError(Diagnostic("U492", facts={"option": option, "bound": bound, "text": text}))
    return found
