"""Estimating the energy of a run: counted, priced, beside its non-spiking twins; and the tables of costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from snnctl.commands.listener import NOBODY, Listener
from snnctl.core.choices import Checkpoint, SplitName
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.energy.estimate import estimate
from snnctl.energy.price.bill import Options
from snnctl.energy.price.table import load_table, table_names
from snnctl.energy.show.page import report
from snnctl.engine.runtime import Runtime
from snnctl.finished import open_run
from snnctl.report.saving import write


def energy(
    run: Path | str,
    options: Options = Options(),  # noqa: B008  # a frozen value
    costs: str | None = None,
    split: SplitName | None = None,
    samples: int | None = None,
    checkpoint: Checkpoint = "best",
    out: Path | None = None,
    *,
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """Count every operation of a run's network on real samples, and price it.

    Args:
        options: what is charged; without a rule, the recipe's.
        costs: tables, shipped names or YAML files separated by commas, the headline first; None: the recipe's.
        split, samples: what is counted on; None: as the recipe says.
        out: where files go; None: `RUN/energy`.

    Returns:
        See `snnctl.energy.show.tables`.

    Raises:
        DiagnosticError: U408, `costs` names no table; as `load_table`.
    """
    opened = open_run(run, checkpoint, allow_plugins=allow_plugins, warn=listener.warn)
    own = opened.recipe.energy
    names = [name.strip() for name in (costs or own.costs).split(",") if name.strip()]
    if not names:
        raise DiagnosticError(Diagnostic("U408", "--costs names no table", help="snnctl energy --list-costs"))
    tables = [load_table(name) for name in dict.fromkeys(names)]
    with listener.work() as tell:
        tell("data", 0.0)
        opened.experiment.network.to(Runtime.of(opened.recipe.train).device)
        opened.load()
        found = estimate(
            opened.experiment,
            opened.recipe,
            tables,
            replace(options, rule=options.rule or own.rule),
            split=split or own.split,
            samples=samples or own.samples,
            facts={"run": str(opened.folder.path), "checkpoint": opened.weights.name},
            tell=tell,
        )
        return write(report(found), out or opened.folder.path / "energy", listener.call, tell)


def cost_tables() -> list[dict[str, Any]]:
    """The shipped tables: `{name, summary, rule, constants}` each."""
    return [
        {
            "name": table.name,
            "summary": table.summary,
            "rule": table.rule,
            "constants": [vars(constant) for constant in table.constants()],
        }
        for table in map(load_table, table_names())
    ]


def cost_table(name: str) -> dict[str, str]:
    """One table: `{table, yaml}`.

    Raises:
        DiagnosticError: as `load_table`.
    """
    table = load_table(name)
    return {"table": table.name, "yaml": Path(table.file).read_text(encoding="utf-8")}
