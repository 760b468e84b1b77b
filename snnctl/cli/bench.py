"""`snnctl bench`: time and memory of neurons, blocks and recipes, beside other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnctl.cli.options import NoPlugins, PluginFiles, Set, Unset, load_plugins
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode, choices

if TYPE_CHECKING:
    from snnctl.bench.timing import Case

app = typer.Typer(no_args_is_help=True, help="Measure time and memory beside other libraries.")

_QUICK_ROUNDS = 3

Threads = Annotated[int | None, typer.Option(metavar="N", min=1, help="Threads that torch may use.")]
Rounds = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Rounds per case; else as many as fit into ten seconds.")
]
Cases = Annotated[list[str], typer.Option("--case", metavar="NAME", help="Only this case. Repeatable.")]


def _complete_neuron(incomplete: str) -> list[str]:
    from snnctl.core.catalog import NEURONS

    return [name for name in NEURONS.names() if name.startswith(incomplete)]


@app.command("neurons")
def neurons(
    ctx: typer.Context,
    neuron: Annotated[
        str, typer.Option(metavar="NAME", help="A registered neuron.", autocompletion=_complete_neuron)
    ] = "lif",
    case: Cases = [],  # noqa: B006
    threads: Threads = None,
    rounds: Rounds = None,
    quick: Annotated[bool, typer.Option("--quick", help="Three rounds of a tiny case, to see that all runs.")] = False,
    plugin: PluginFiles = [],  # noqa: B006
) -> int:
    """Measure one neuron layer; for lif beside spikingjelly and snntorch, as far as they are installed."""
    session: Session = ctx.obj
    load_plugins(plugin)
    _prepare(threads)
    from snnctl.bench.neurons import SHAPES, make_neuron, neuron_cases, standard_cases
    from snnctl.core.catalog import NEURONS

    if neuron not in NEURONS:
        raise DiagnosticError(Diagnostic("U410", f"unknown neuron `{neuron}`", help=choices(neuron, NEURONS.names())))
    names = _cases(case, SHAPES) or (["tiny"] if quick else list(standard_cases(neuron)))
    try:
        make_neuron(neuron, SHAPES[names[0]])
    except ValueError as error:
        raise DiagnosticError(Diagnostic("U442", str(error), help="bench a recipe that sets them")) from error
    notes = [] if neuron == "lif" else [f"`{neuron}` is measured beside its definition only"]
    return _measure(session, neuron_cases(neuron, names), _effort(rounds, quick), notes, peers=neuron == "lif")


@app.command("blocks")
def blocks(
    ctx: typer.Context,
    case: Cases = [],  # noqa: B006
    threads: Threads = None,
    rounds: Rounds = None,
    quick: Annotated[bool, typer.Option("--quick", help="Three rounds of tiny sizes, to see that all runs.")] = False,
) -> int:
    """Measure training steps of whole blocks and networks, and a layer that streams."""
    session: Session = ctx.obj
    _prepare(threads)
    from snnctl.bench.blocks import FULL, NAMES, TINY, block_cases

    names = _cases(case, NAMES)
    return _measure(session, block_cases(names, TINY if quick else FULL), _effort(rounds, quick), [])


@app.command("recipe")
def recipe(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="RECIPE", help="Recipe file (.yaml).", show_default=False)],
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
    precision: Annotated[
        str, typer.Option(metavar="fp32,bf16", help="Precisions; else the recipe's.", show_default=False)
    ] = "",
    threads: Threads = None,
    rounds: Rounds = None,
    quick: Annotated[bool, typer.Option("--quick", help="Three rounds.")] = False,
    no_plugins: NoPlugins = False,
) -> int:
    """Measure one training step of a recipe: batch, forward, loss, backward, clip, optimiser."""
    session: Session = ctx.obj
    wanted = [part.strip() for part in precision.split(",")] if precision else []
    if set(wanted) - {"fp32", "bf16"} or len(set(wanted)) < len(wanted):
        raise DiagnosticError(
            Diagnostic(
                "U443", f"--precision must be fp32, bf16 or both, got `{precision}`", help="--precision fp32,bf16"
            )
        )
    _prepare(threads)
    from snnctl.bench.recipe import recipe_case
    from snnctl.build import build
    from snnctl.recipe import load_recipe

    loaded = load_recipe(file, set_, unset, allow_plugins=not no_plugins)
    session.warn(loaded.warnings)
    experiment = build(loaded)
    made, notes = recipe_case(loaded, experiment, wanted or [loaded.train.precision])  # type: ignore[arg-type]
    return _measure(session, [made], _effort(rounds, quick), notes)


def _cases(given: Sequence[str], known: Sequence[str] | dict[str, Any]) -> list[str]:
    for name in given:
        if name not in known:
            raise DiagnosticError(Diagnostic("U441", f"unknown case `{name}`", help=choices(name, known)))
    return list(dict.fromkeys(given))


def _prepare(threads: int | None) -> None:
    """The process as training has it, before torch is loaded where that matters."""
    from snnctl.bench import silence_native_logs

    silence_native_logs()
    from snnctl.engine.environment import keep_freed_memory

    keep_freed_memory()
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


def _effort(rounds: int | None, quick: bool) -> Any:
    from snnctl.bench.timing import Effort

    return Effort(rounds if rounds is not None or not quick else _QUICK_ROUNDS)


def _measure(session: Session, cases: list[Case], effort: Any, notes: list[str], *, peers: bool = True) -> int:
    from snnctl.bench.report import document
    from snnctl.bench.suite import run_suite
    from snnctl.ui.bench import follow, show_bench

    with follow(session.console, shown=not (session.json or session.quiet)) as tell:
        found = run_suite(cases, effort, tell)
    if found.interrupted and not found.rows:
        return session.fail([Diagnostic("E499", "interrupted; nothing was measured")], ExitCode.INTERRUPTED)
    answer = document(found, notes, peers=peers)
    code = ExitCode.INTERRUPTED if found.interrupted else ExitCode.DONE
    return session.answer(answer, lambda console: show_bench(console, answer), code)
