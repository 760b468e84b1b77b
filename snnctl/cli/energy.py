"""`snnctl energy`: what a run's network computes, and what that would cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from snnctl.cli.options import NoPlugins, folder, one_of
from snnctl.cli.session import Session
from snnctl.core.choices import Checkpoint, Counted, Norms, Padding, RuleName, SplitName, Stem, Zeros
from snnctl.core.diagnostic import Diagnostic, DiagnosticError


def _one_of(option: str, choice: Any, help: str) -> Any:
    return one_of(option, choice, help, between=", ")


def _complete_costs(incomplete: str) -> Iterator[str]:
    from snnctl.energy.price.table import table_names

    yield from (name for name in table_names() if name.startswith(incomplete.rsplit(",", 1)[-1]))


def energy(
    ctx: typer.Context,
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="Run directory.")] = None,
    costs: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,NAME|FILE...]",
            help="Cost tables: shipped names or YAML files, the first is the headline; else the recipe's"
            " (horowitz45_fp32,lemaire45).",
            autocompletion=_complete_costs,
        ),
    ] = None,
    rule: Annotated[
        RuleName | None, _one_of("rule", RuleName, "How a spike is charged; else as the table says.")
    ] = None,
    split: Annotated[
        SplitName | None,
        _one_of("split", SplitName, "Which part of the data; else the recipe's (test)."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Samples to count on; else the recipe's (256)."),
    ] = None,
    norms: Annotated[Norms, _one_of("norms", Norms, "Norms behind layers with weights.")] = "folded",
    stem: Annotated[Stem, _one_of("stem", Stem, "Layers whose input is the same at each step.")] = "run",
    padding: Annotated[Padding, _one_of("padding", Padding, "Taps on padding.")] = "exact",
    neurons: Annotated[Counted, _one_of("neurons", Counted, "Updates of neurons.")] = "counted",
    elementwise: Annotated[
        Counted, _one_of("elementwise", Counted, "Biases, pooling, residual and other additions.")
    ] = "counted",
    zeros: Annotated[Zeros, _one_of("zeros", Zeros, "Real inputs that are zero.")] = "charged",
    checkpoint: Annotated[
        Checkpoint, _one_of("checkpoint", Checkpoint, "Which weights; best falls back on last.")
    ] = "best",
    out: Annotated[Path | None, folder("Where files go; else RUN/energy.")] = None,
    list_costs: Annotated[bool, typer.Option("--list-costs", help="Show the cost tables and leave.")] = False,
    show_costs: Annotated[
        str | None,
        typer.Option("--show-costs", metavar="NAME", help="Print one table's YAML, to copy and edit."),
    ] = None,
    no_plugins: NoPlugins = False,
) -> int:
    """Estimate energy: every operation of the network on real samples, priced, beside its non-spiking twins.

    Nothing is assumed of the network: operations are counted where torch dispatches them, spikes by what made them.
    """
    session: Session = ctx.obj
    if list_costs or show_costs is not None:
        return _tables(session, show_costs)
    if run is None:
        help = "snnctl energy RUN, or snnctl energy --list-costs"
        raise DiagnosticError(Diagnostic("U461", help=help))
    from snnctl.commands import energy as commands
    from snnctl.energy.price.bill import Options
    from snnctl.ui.energy import show_energy

    options = Options(rule, norms, stem, padding, neurons, elementwise, zeros)
    document = commands.energy(
        run, options, costs, split, samples, checkpoint, out, allow_plugins=not no_plugins, listener=session
    )
    return session.answer(document, show_energy)


def _tables(session: Session, name: str | None) -> int:
    """The shipped tables as a list, or one as YAML."""
    from snnctl.commands import energy as commands
    from snnctl.ui.energy import show_tables

    if name is not None:
        return session.answer(
            commands.cost_table(name), lambda console, table: console.out(table["yaml"], highlight=False, end="")
        )
    return session.answer({"tables": commands.cost_tables()}, show_tables)
