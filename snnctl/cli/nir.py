"""`snnctl nir`: files of NIR, whoever wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import NoPlugins, Set, Unset, folder, one_of, words
from snnctl.cli.session import Session
from snnctl.core.choices import Channels, NirReset, NirWriter, SplitName
from snnctl.core.diagnostic import ExitCode

app = typer.Typer(no_args_is_help=True, help="Check and rewrite files of NIR for the simulators that read them.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A file of NIR.")]
OfFile = Annotated[
    float | None,
    typer.Option("--dt", metavar="SECONDS", min=1e-9, help="Of a step that it was written for; else what it says."),
]


@app.command("check")
def check(
    ctx: typer.Context,
    file: File,
    dt: OfFile = None,
    evidence: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Inputs and spikes to replay; else those beside the file.")
    ] = None,
    verify: Annotated[
        str, typer.Option(metavar="READER,...", help="Installed simulators to run on the evidence's inputs.")
    ] = "",
) -> int:
    """Say what each known simulator makes of a file: reads, refuses, or changes in silence, and why.

    No simulator is needed for that. Evidence beside the file is replayed by NIR's own equations, spike by spike. The
    exit code is 1 where spikes differ from the evidence.
    """
    session: Session = ctx.obj
    from snnctl.commands import nir as commands
    from snnctl.ui.nir import show_check

    found = commands.check(file, dt, evidence, words(verify))
    return session.answer(found, show_check, ExitCode.DONE if found["proven"] else ExitCode.CHECK_FAILED)


@app.command("convert")
def convert(
    ctx: typer.Context,
    file: File,
    reader: Annotated[str, typer.Option("--for", metavar="READER", help="snntorch, spikingjelly, norse or sinabs.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The new file; else FILE.READER.nir.")] = None,
    dt: OfFile = None,
) -> int:
    """Write a file again in a form that one simulator takes as it is; what it means stays.

    Where no form of it suits that simulator, nothing is written and the reason told.
    """
    session: Session = ctx.obj
    from snnctl.commands import nir as commands
    from snnctl.ui.nir import show_rewritten

    return session.answer(commands.convert(file, reader, out, dt), show_rewritten)


def import_file(
    ctx: typer.Context,
    file: File,
    data: Annotated[
        Path, typer.Option("--data", metavar="RECIPE", help="Whose data, task and encoder the network is used with.")
    ],
    written_by: Annotated[
        NirWriter | None,
        one_of("written-by", NirWriter, "Whose conventions the file follows; else NIR's own equations."),
    ] = None,
    dt: OfFile = None,
    reset: Annotated[
        NirReset | None, one_of("reset", NirReset, "What a spike does, which files of other programs do not tell.")
    ] = None,
    channels: Annotated[
        Channels | None,
        one_of("channels", Channels, "How a flat input runs through its channels; else as the file says."),
    ] = None,
    split: Annotated[
        SplitName, one_of("split", SplitName, "What is measured on.", order=("test", "val", "train"))
    ] = "test",
    sets: Set = [],  # noqa: B006
    unsets: Unset = [],  # noqa: B006
    runs: Annotated[Path, folder("Parent of run directories.")] = Path("runs"),
    out: Annotated[Path | None, folder("The new run's directory itself.")] = None,
    no_plugins: NoPlugins = False,
) -> int:
    """Make a run of a file of NIR, whoever wrote it: eval, stats, energy, export and predict work on it.

    Programs mean different things by the same file: time constants times dt, another reset, firing at the threshold.
    --written-by undoes that, so that the spikes are those of the program's own network. What has no counterpart is
    named before anything is written.
    """
    session: Session = ctx.obj
    from snnctl.commands import nir as commands
    from snnctl.ui.nir import show_imported

    given = (file, data, written_by, dt, reset, channels, split, runs, out, sets, unsets)
    found = commands.import_file(*given, allow_plugins=not no_plugins, listener=session)
    return session.answer(found, show_imported)
