"""`snnctl convert`: a trained non-spiking network becomes a spiking one."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import NoPlugins
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError

METHODS = ("max", "percentile", "mse", "local")
OFFSETS = ("none", "bias")
SPLITS = ("test", "val", "train")


def convert(
    ctx: typer.Context,
    run: Annotated[
        Path, typer.Argument(metavar="RUN|RECIPE", help="A trained non-spiking run; a recipe is trained first.")
    ],
    bits: Annotated[int, typer.Option(metavar="B", min=1, max=8, help="Bits of a spike.")] = 4,
    steps: Annotated[int, typer.Option(metavar="T", min=1, help="Steps.")] = 1,
    calibration: Annotated[
        str, typer.Option(metavar="|".join(METHODS), help="How thresholds of rectifiers are found.")
    ] = "mse",
    percentile: Annotated[float, typer.Option(min=50, max=100, help="For that calibration.")] = 99.9,
    samples: Annotated[int, typer.Option(metavar="N", min=1, help="Of train, to calibrate on.")] = 512,
    offset: Annotated[
        str, typer.Option(metavar="|".join(OFFSETS), help="bias: correct each layer's bias on the same data.")
    ] = "bias",
    table_bits: Annotated[
        str, typer.Option(metavar="B,B,...", help="Further bits for the table.", show_default=False)
    ] = "",
    table_steps: Annotated[
        str, typer.Option(metavar="T,T,...", help="Further steps for the table.", show_default=False)
    ] = "",
    energy: Annotated[
        int, typer.Option(metavar="N", min=0, help="Samples to estimate the energy of each row on; 0: none.")
    ] = 0,
    costs: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,NAME|FILE...]", help="Cost tables for that; else the recipe's.", show_default=False
        ),
    ] = None,
    split: Annotated[str, typer.Option(metavar="|".join(SPLITS), help="What is measured on.")] = "test",
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Parent of run directories.")] = Path("runs"),
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The new run's directory itself.", show_default=False)
    ] = None,
    no_plugins: NoPlugins = False,
) -> int:
    """Convert a non-spiking network: neurons that integrate take the place of its activations.

    The result is a run like any other. Weights stay as they are; spikes of B bits over T steps stand for the
    activations. What cannot be converted is named before any work is done.
    """
    session: Session = ctx.obj
    for option, value, allowed in (
        ("calibration", calibration, METHODS),
        ("offset", offset, OFFSETS),
        ("split", split, SPLITS),
    ):
        if value not in allowed:
            raise DiagnosticError(Diagnostic("U408", f"--{option} must be {' or '.join(allowed)}, got `{value}`"))
    every_bits, every_steps = _numbers("--table-bits", table_bits, 8), _numbers("--table-steps", table_steps, None)
    from snnctl.convert.convert import Settings
    from snnctl.convert.convert import convert as convert_run
    from snnctl.convert.page import report
    from snnctl.convert.spiking import Wanted
    from snnctl.energy.price.table import load_table
    from snnctl.engine.run_dir import RunDir
    from snnctl.recipe import load_recipe
    from snnctl.report.saving import write
    from snnctl.ui.convert import show_conversion
    from snnctl.ui.report import follow

    settings = Settings(calibration, percentile, samples, offset, energy, costs)  # type: ignore[arg-type]
    more = [Wanted(b, t) for b in every_bits or [bits] for t in every_steps or [steps]]
    trained = _trained(session, run, runs, no_plugins) if run.suffix in (".yaml", ".yml") else RunDir.open(run)
    recipe = load_recipe(trained.recipe, allow_plugins=not no_plugins)
    for name in (costs or "").split(","):
        if name.strip():
            load_table(name.strip())  # a typo is told before the work
    with follow(session.console, shown=not (session.json or session.quiet)) as tell:
        found = convert_run(
            recipe, trained, Wanted(bits, steps), more, settings, parent=runs, out=out, split=split, tell=tell
        )
        document = write(report(found), found.run.path / "conversion", f"snnctl {shlex.join(sys.argv[1:])}", tell)
    return session.answer(document, lambda console: show_conversion(console, document))


def _numbers(option: str, text: str, most: int | None) -> list[int]:
    """Whole numbers from 1, separated by commas."""
    try:
        found = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = [0]
    if any(number < 1 or (most is not None and number > most) for number in found):
        bound = "from 1" if most is None else f"from 1 to {most}"
        raise DiagnosticError(Diagnostic("U492", f"{option} takes whole numbers {bound}, got `{text}`"))
    return found


def _trained(session: Session, path: Path, runs: Path, no_plugins: bool):  # type: ignore[no-untyped-def]
    """Train the recipe's non-spiking network; what cannot be converted is refused before."""
    from snnctl.build import build
    from snnctl.cli.train import train_recipe
    from snnctl.convert.support import refuse_unsupported
    from snnctl.engine.run_dir import RunDir
    from snnctl.recipe import load_recipe

    recipe = load_recipe(path, ["model.spiking=false"], allow_plugins=not no_plugins)
    refuse_unsupported(recipe, build(recipe).network)
    found = train_recipe(session, recipe, runs)
    if found["status"] == "interrupted":
        help = f"snnctl train --resume {found['run']}, then snnctl convert {found['run']}"
        raise DiagnosticError(Diagnostic("U493", "training was interrupted; nothing is converted yet", help=help))
    return RunDir(Path(found["run"]))
