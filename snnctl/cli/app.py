"""Wires the subcommands together and turns every failure into a diagnostic and an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from typing import Annotated

import typer

from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode
from snnctl.core.files import system_fault
from snnctl.core.identity import accepting
from snnctl.core.memory import no_memory
from snnctl.engine.interrupt import StopRequest

app = typer.Typer(
    name="snnctl",
    help="Train, evaluate and measure spiking neural networks from one recipe file.",
    epilog="Start: snnctl train recipes/quickstart.yaml    Find components: snnctl list",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: the framed one costs 0.1 s of imports
)

_CTRL_C = 130  # what typer makes of a KeyboardInterrupt

UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # click's, wherever typer keeps it


def _version(wanted: bool) -> None:
    if wanted:
        from snnctl import __version__

        typer.echo(f"snnctl {__version__}")
        raise typer.Exit


@app.callback()
def global_options(
    json: Annotated[bool, typer.Option("--json", help="Print exactly one JSON document on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no tables; failures only.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the trace of an internal error.")] = False,
    trust_plugins: Annotated[
        bool, typer.Option("--trust-plugins", help="Run plug-in files that recipes and runs name, approved or not.")
    ] = False,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes", help="Go on where data, plug-ins or files are not those that made a run; note it there."
        ),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train, evaluate and measure spiking neural networks from one recipe file.

    --json, --quiet, --debug, --trust-plugins and --accept-changes may stand anywhere on the line.
    """


def _add_commands() -> None:
    from snnctl.cli import (
        analyze,
        backtest,
        bench,
        compare,
        convert,
        data,
        energy,
        evaluate,
        lookup,
        nir,
        predict,
        stats,
        sweep,
        train,
        trust,
        validate,
    )

    commands = (
        ("train", train.train, "Train a recipe and test it beside the baselines."),
        ("sweep", sweep.sweep, "Train a recipe at many settings: a grid, or a search."),
        ("eval", evaluate.evaluate, "Measure a run on a split."),
        ("predict", predict.predict, "Forecast what follows, in the data's own units."),
        ("backtest", backtest.backtest, "Forecast from rolling origins, beside what anyone would take instead."),
        ("compare", compare.compare, "Compare trained runs over paired seeds."),
        ("stats", stats.stats, "Show the spikes of a run: rates, rasters, membranes, a page."),
        ("energy", energy.energy, "Estimate the energy of a run: counted, priced, beside its twins."),
        ("convert", convert.convert, "Turn a trained non-spiking network into a spiking one."),
        ("export", convert.export, "Write a run as NIR or as bare weights, read back and compared."),
        ("analyze-pe", analyze.analyze_pe, "Analyse positional encodings: codes, figures, a page."),
        ("analyze-neuron", analyze.analyze_neuron, "Follow gradients of untrained neurons back in time."),
        ("validate", validate.validate, "Find everything that is wrong with recipes."),
        ("trust", trust.trust, "Approve plug-in files that recipes name, list or withdraw them."),
        ("list", lookup.list_components, "List components or shipped recipes."),
        ("show", lookup.show, "Show a component, or a recipe with every default filled in."),
        ("init", lookup.init, "Copy a shipped recipe to start from."),
        ("schema", lookup.schema, "Print the JSON Schema of recipes, for editors."),
        ("doctor", lookup.doctor, "Show what this machine has and what is used of it."),
    )
    for name, function, summary in commands:
        app.command(name, short_help=summary)(function)
    app.add_typer(data.app, name="data")
    app.add_typer(bench.app, name="bench")
    app.add_typer(nir.app, name="nir")


_add_commands()


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code. Never lets an exception out."""
    left = list(arguments)
    session = Session.take(left)
    try:
        return _flushed(session, _answered(session, left))
    except OSError as error:  # what went wrong could not be told either
        return _mute(session, error)


def _answered(session: Session, left: list[str]) -> int:
    if not session.json:
        return _run(session, left)
    others = io.StringIO()  # what --help, a library or a plug-in prints must not stand beside the document
    with redirect_stdout(others):
        code = _run(session, left)
    if not session.answered:
        return session.answer({"text": others.getvalue()}, lambda *_: None, ExitCode(code))
    if code == ExitCode.DONE:
        sys.stderr.write(others.getvalue())
    return code


def _flushed(session: Session, code: int) -> int:
    """Whether what was printed has arrived is known only now: a command whose answer is lost is not done."""
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()
    return code


def _mute(session: Session, error: OSError) -> int:
    """The end of a command that cannot print: the exit code alone tells, and stderr where it can."""
    fault = system_fault(error, "standard output")
    code = ExitCode.DONE if isinstance(error, BrokenPipeError) else ExitCode.TRAINING
    with suppress(OSError, ValueError):
        if fault is not None:
            sys.stderr.write(fault.to_line() + "\n")
    for name in (
        "stdout",
        "stderr",
    ):  # else the interpreter tries once more as it ends, and exits with a code of its own
        with suppress(OSError, ValueError):
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    return int(code)


def _run(session: Session, arguments: list[str]) -> int:
    try:
        with StopRequest() as stop, stop.at_once(), session.trusting(), accepting(session.accept_changes):
            code = app(args=arguments, standalone_mode=False, obj=session, prog_name="snnctl")
        return _interrupted(session) if code == _CTRL_C else int(code or 0)
    except DiagnosticError as error:
        return session.fail(error.diagnostics, error.exit_code)
    except UsageError as error:
        help = "snnctl --help lists the commands, snnctl COMMAND --help its options"
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help
            if session.json:
                return session.fail([Diagnostic("U400", "no command given", help=help)], ExitCode.USAGE)
            sys.stderr.write(message.rstrip() + "\n")
            return int(ExitCode.USAGE)
        return session.fail([Diagnostic("U400", _plain(message), help=help)], ExitCode.USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(session)
    except BrokenPipeError:
        raise  # the reader of our output has gone; nobody is left to tell
    except Exception as error:
        fault = system_fault(error, reading=True) or no_memory(f"{type(error).__name__}: {error}")
        if fault is not None:
            return session.fail([fault], ExitCode.TRAINING)
        return _internal_error(session, error)


def _interrupted(session: Session) -> int:
    return session.fail([Diagnostic("E499", "interrupted; nothing was saved")], ExitCode.INTERRUPTED)


def _plain(message: str) -> str:
    return " ".join(message.split())


def _internal_error(session: Session, error: Exception) -> int:
    import traceback

    if session.debug:
        traceback.print_exc()
    diagnostic = Diagnostic(
        "E700",
        f"internal error: {type(error).__name__}: {_plain(str(error))[:500]}",
        help="this is a defect of snnctl; --debug shows the trace",
    )
    return session.fail([diagnostic], ExitCode.INTERNAL)
