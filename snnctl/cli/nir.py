"""`snnctl nir`: files of NIR, whoever wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import words
from snnctl.cli.session import Session
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
