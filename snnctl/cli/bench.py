"""`snnctl bench`: time and memory of neurons, blocks and recipes, beside other libraries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from snnctl.cli.options import NoPlugins, PluginFiles, Set, Unset, load_plugins, registered
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode

app = typer.Typer(no_args_is_help=True, help="Measure time and memory beside other libraries.")

Threads = Annotated[int | None, typer.Option(metavar="N", min=1, help="Threads that torch may use.")]
Rounds = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Rounds per case; else as many as fit into ten seconds.")
]
Cases = Annotated[list[str], typer.Option("--case", metavar="NAME", help="Only this case. Repeatable.")]


@app.command("neurons")
def neurons(
    ctx: typer.Context,
    neuron: Annotated[
        list[str],
        typer.Option(
            metavar="NAME",
            help="A registered neuron; lif if none is named. Repeatable.",
            autocompletion=registered("neuron"),
        ),
    ] = [],  # noqa: B006
    all_: Annotated[bool, typer.Option("--all", help="All registered neurons that need no knobs to be told.")] = False,
    case: Cases = [],  # noqa: B006
    threads: Threads = None,
    rounds: Rounds = None,
    quick: Annotated[bool, typer.Option("--quick", help="Three rounds of a tiny case, to see that all runs.")] = False,
    plugin: PluginFiles = [],  # noqa: B006
) -> int:
    """Measure neuron layers beside their definition, lif beside spikingjelly and snntorch too, where installed."""
    session: Session = ctx.obj
    load_plugins(plugin)
    if all_ and neuron:
        raise DiagnosticError(Diagnostic("U400", "--all and --neuron exclude each other", help="leave one out"))
    wanted, more = neuron or ["lif"], {"every": all_, "listener": session}
    return _answer(session, lambda bench: bench.bench_neurons(wanted, case, threads, rounds, quick, **more))


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
    return _answer(session, lambda bench: bench.bench_blocks(case, threads, rounds, quick, listener=session))


@app.command("recipe")
def recipe(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="RECIPE", help="Recipe file (.yaml).")],
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
    precision: Annotated[str, typer.Option(metavar="fp32,bf16", help="Precisions; else the recipe's.")] = "",
    threads: Threads = None,
    rounds: Rounds = None,
    quick: Annotated[bool, typer.Option("--quick", help="Three rounds.")] = False,
    no_plugins: NoPlugins = False,
) -> int:
    """Measure one training step of a recipe: batch, forward, loss, backward, clip, optimiser."""
    session: Session = ctx.obj
    wanted = [part.strip() for part in precision.split(",")] if precision else []
    if set(wanted) - {"fp32", "bf16"} or len(set(wanted)) < len(wanted):
        message = f"--precision must be fp32, bf16 or both, got `{precision}`"
        raise DiagnosticError(Diagnostic("U443", message, help="--precision fp32,bf16"))
    more: dict[str, Any] = {"allow_plugins": not no_plugins, "listener": session}
    return _answer(session, lambda bench: bench.bench_recipe(file, set_, unset, wanted, threads, rounds, quick, **more))


def _answer(session: Session, measure: Callable[[Any], dict[str, Any]]) -> int:
    from snnctl.bench import silence_native_logs

    silence_native_logs()  # before torch is loaded
    from snnctl.commands import bench
    from snnctl.ui.bench import show_bench

    try:
        found = measure(bench)
    except KeyboardInterrupt:
        return session.fail([Diagnostic("E499", "interrupted; nothing was measured")], ExitCode.INTERRUPTED)
    code = ExitCode.INTERRUPTED if found["interrupted"] else ExitCode.DONE
    return session.answer(found, show_bench, code)
