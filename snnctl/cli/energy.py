"""`snnctl energy`: what a run's network computes, and what that would cost."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import NoPlugins
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError

SPLITS = ("train", "val", "test")
RULES = ("event", "bitplane", "unary", "allbits", "mac", "dense_mac")


def _complete_costs(incomplete: str) -> Iterator[str]:
    from snnctl.energy.price.table import table_names

    yield from (name for name in table_names() if name.startswith(incomplete.rsplit(",", 1)[-1]))


def energy(
    ctx: typer.Context,
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="Run directory.", show_default=False)] = None,
    costs: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,NAME|FILE...]",
            help="Cost tables: shipped names or YAML files, the first is the headline; else the recipe's"
            " (horowitz45_fp32,lemaire45).",
            autocompletion=_complete_costs,
            show_default=False,
        ),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(RULES), help="How a spike is charged; else as the table says.", show_default=False
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(SPLITS), help="Which part of the data; else the recipe's (test).", show_default=False
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Samples to count on; else the recipe's (256).", show_default=False),
    ] = None,
    norms: Annotated[str, typer.Option(metavar="folded|counted", help="Norms behind layers with weights.")] = "folded",
    stem: Annotated[
        str, typer.Option(metavar="run|once|steps", help="Layers whose input is the same at each step.")
    ] = "run",
    padding: Annotated[str, typer.Option(metavar="exact|counted", help="Taps on padding.")] = "exact",
    neurons: Annotated[str, typer.Option(metavar="counted|omitted", help="Updates of neurons.")] = "counted",
    elementwise: Annotated[
        str, typer.Option(metavar="counted|omitted", help="Biases, pooling, residual and other additions.")
    ] = "counted",
    zeros: Annotated[str, typer.Option(metavar="charged|skipped", help="Real inputs that are zero.")] = "charged",
    checkpoint: Annotated[
        str, typer.Option(metavar="best|last", help="Which weights; best falls back on last.")
    ] = "best",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where files go; else RUN/energy.", show_default=False)
    ] = None,
    list_costs: Annotated[bool, typer.Option("--list-costs", help="Show the cost tables and leave.")] = False,
    show_costs: Annotated[
        str | None,
        typer.Option(
            "--show-costs", metavar="NAME", help="Print one table's YAML, to copy and edit.", show_default=False
        ),
    ] = None,
    no_plugins: NoPlugins = False,
) -> int:
    """Estimate energy: every operation of the network on real samples, priced, beside its non-spiking twins.

    Nothing is assumed of the network: operations are counted where torch dispatches them, spikes by what made them.
    """
    session: Session = ctx.obj
    if list_costs or show_costs is not None:
        return _tables(session, show_costs)
    given = {
        "rule": (rule, (*RULES, None)),
        "split": (split, (*SPLITS, None)),
        "norms": (norms, ("folded", "counted")),
        "stem": (stem, ("run", "once", "steps")),
        "padding": (padding, ("exact", "counted")),
        "neurons": (neurons, ("counted", "omitted")),
        "elementwise": (elementwise, ("counted", "omitted")),
        "zeros": (zeros, ("charged", "skipped")),
        "checkpoint": (checkpoint, ("best", "last")),
    }
    for option, (value, allowed) in given.items():
        if value not in allowed:
            message = f"--{option} must be {', '.join(a for a in allowed if a)}, got `{value}`"
            raise DiagnosticError(Diagnostic("U408", message))
    if run is None:
        help = "snnctl energy RUN, or snnctl energy --list-costs"
        raise DiagnosticError(Diagnostic("U461", "name a run directory", help=help))
    from snnctl.build import build
    from snnctl.energy.estimate import estimate
    from snnctl.energy.price.bill import Options
    from snnctl.energy.price.table import load_table
    from snnctl.energy.show.page import report
    from snnctl.engine.checkpoint import WEIGHTS, load_weights
    from snnctl.engine.run_dir import RunDir
    from snnctl.engine.runtime import Runtime
    from snnctl.engine.train import changed_data
    from snnctl.recipe import load_recipe
    from snnctl.report.saving import write
    from snnctl.ui.energy import show_energy
    from snnctl.ui.report import follow

    folder = RunDir.open(run)
    recipe = load_recipe(folder.recipe, allow_plugins=not no_plugins)
    own = recipe.energy
    names = [name.strip() for name in (costs or own.costs).split(",") if name.strip()]
    if not names:
        raise DiagnosticError(Diagnostic("U408", "--costs names no table", help="snnctl energy --list-costs"))
    tables = [load_table(name) for name in dict.fromkeys(names)]
    with follow(session.console, shown=not (session.json or session.quiet)) as tell:
        tell("data", 0.0)
        experiment = build(recipe)
        changed = changed_data(experiment, folder)
        if changed is not None:
            session.warn([replace(changed, severity="warning", help="")])
        weights = folder.best if checkpoint == "best" and (folder.best / WEIGHTS).exists() else folder.last
        experiment.network.to(Runtime.of(recipe.train).device)
        load_weights(weights, experiment.network)
        found = estimate(
            experiment,
            recipe,
            tables,
            Options(rule or own.rule, norms, stem, padding, neurons, elementwise, zeros),  # type: ignore[arg-type]
            split=split or own.split,
            samples=samples or own.samples,
            facts={"run": str(folder.path), "checkpoint": weights.name},
            tell=tell,
        )
        document = write(report(found), out or folder.path / "energy", f"snnctl {shlex.join(sys.argv[1:])}", tell)
    return session.answer(document, lambda console: show_energy(console, document))


def _tables(session: Session, name: str | None) -> int:
    """The shipped tables as a list, or one as YAML."""
    from snnctl.energy.price.table import load_table, table_names
    from snnctl.ui.energy import show_tables

    if name is not None:
        table = load_table(name)
        text = Path(table.file).read_text(encoding="utf-8")
        return session.answer(
            {"table": table.name, "yaml": text}, lambda console: console.out(text, highlight=False, end="")
        )
    rows = [
        {
            "name": table.name,
            "summary": table.summary,
            "rule": table.rule,
            "constants": [vars(constant) for constant in table.constants()],
        }
        for table in map(load_table, table_names())
    ]
    return session.answer({"tables": rows}, lambda console: show_tables(console, rows))
