"""A run as something else: a network that spikes in place of one that does not, or a file in another format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from snnctl.build import build
from snnctl.commands import bundle
from snnctl.commands.listener import NOBODY, Listener
from snnctl.commands.train import How, train_one
from snnctl.convert.convert import Converted, Settings
from snnctl.convert.convert import convert as convert_run
from snnctl.convert.page import report
from snnctl.convert.spiking import Wanted
from snnctl.convert.support import refuse_unsupported
from snnctl.core.choices import ExportFormat, SplitName, refuse_other
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.energy.price.table import load_table
from snnctl.export import export as formats
from snnctl.export.nir.export import Portable
from snnctl.finished import open_run
from snnctl.recipe import load_recipe
from snnctl.report.saving import write

_REPORT = "conversion"  # folder in the run's


def convert(
    run: Path | str,
    bits: int = 4,
    steps: int = 1,
    settings: Settings = Settings(),  # noqa: B008  # a frozen value
    table_bits: Sequence[int] = (),
    table_steps: Sequence[int] = (),
    split: SplitName = "test",
    runs: Path = Path("runs"),
    out: Path | None = None,
    *,
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """Neurons that integrate take the place of a network's activations; the result is a run like any other.

    Args:
        run: a trained non-spiking run, or a recipe (.yaml), whose non-spiking network is trained first.
        bits: of a spike, 1 to 8.
        steps: T.
        settings: how thresholds are found and what is measured.
        table_bits, table_steps: further bits and steps to measure, for the table.
        split: what is measured on.
        runs: where run directories are made.
        out: the new run's directory itself.

    Returns:
        See `snnctl.convert.tables.document`.

    Raises:
        DiagnosticError: U490, it cannot be converted, before any work; E491, a layer never fires; U493, training was
            interrupted; as `load_table` and `snnctl.engine.run_dir.RunDir.create`.
    """
    more = [Wanted(b, t) for b in table_bits or [bits] for t in table_steps or [steps]]
    path = _trained(run, runs, allow_plugins, listener) if Path(run).suffix in (".yaml", ".yml") else run
    opened = open_run(path, allow_plugins=allow_plugins, warn=listener.warn)
    for name in (settings.costs or "").split(","):
        if name.strip():
            load_table(name.strip())  # a typo is told before the work
    with listener.work() as tell:
        documents: list[dict[str, Any]] = []

        def finish(found: Converted, folder: Path) -> None:
            named = found.run.path / _REPORT
            documents.append(write(report(found), folder / _REPORT, listener.call, tell, named))

        wanted = Wanted(bits, steps)
        convert_run(opened, wanted, more, settings, parent=runs, out=out, split=split, tell=tell, finish=finish)
        return documents[0]


def _trained(path: Path | str, runs: Path, allow_plugins: bool, listener: Listener) -> Path:
    """Train the recipe's non-spiking network; what cannot be converted is refused before."""
    recipe = load_recipe(path, ["model.spiking=false"], allow_plugins=allow_plugins)
    refuse_unsupported(recipe, build(recipe).network)
    found = train_one(recipe, None, How(runs), listener)
    if found["status"] == "interrupted":
        help = f"snnctl train --resume {found['run']}, then snnctl convert {found['run']}"
        raise DiagnosticError(Diagnostic("U493", help=help))
    return Path(found["run"])


def export(
    run: Path | str,
    format: ExportFormat = "nir",
    out: Path | None = None,
    licence: str | None = None,
    costs: str | None = None,
    portable: Portable | None = Portable(),  # noqa: B008  # a frozen value
    samples: int = formats.SAMPLES,
    *,
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """Write the best weights of a run; what the format cannot express is refused by name.

    Args:
        out: the file; None: `RUN/export/network.FORMAT`, of a bundle `RUN/export/NAME.snnctl`.
        licence, costs: of a bundle, see `snnctl.commands.bundle.export`.
        portable: how NIR is written for other simulators, and with which it is proven; None: in steps, unproven.
        samples: of the validation split that are compared.

    Returns:
        `{file, format, bytes, compared_samples, worst_difference, different_predictions, ...}`; of NIR also `{form,
        readers: [{reader, version, verdict, findings}], verified: [{reader, version, samples, equal_answers,
        worst_difference, first_departure, failure}], proven}`; of a bundle as `snnctl.commands.bundle.export`.

    Raises:
        DiagnosticError: U546, an option of bundles; as `snnctl.export.export.export`.
    """
    refuse_other("format", format, get_args(ExportFormat))
    if format == "bundle":
        return bundle.export(run, out, licence, costs, allow_plugins=allow_plugins, listener=listener)
    for option, given in (("--license", licence), ("--costs", costs)):
        if given is not None:
            raise DiagnosticError(Diagnostic("U546", facts={"option": option}))
    opened = open_run(run, allow_plugins=allow_plugins, warn=listener.warn)
    path = out or opened.folder.path / "export" / f"network.{format.removesuffix('-step')}"
    return formats.export(opened, format, path, samples=samples, portable=portable).document()
