"""`snnctl data`: fetch, verify and inspect data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from snnctl.cli.options import Set, Unset, folder, one_of
from snnctl.cli.session import Session
from snnctl.core.choices import ReadAs
from snnctl.core.diagnostic import Diagnostic, DiagnosticError

app = typer.Typer(no_args_is_help=True, help="Prepare and inspect data.")


def _complete(incomplete: str) -> list[str]:
    from snnctl.data.kinds import known_names

    return [name for name in known_names() if name.startswith(incomplete)]


@app.command("prep")
def prep(
    ctx: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(help="Known names, or recipes whose data is meant.", autocompletion=_complete),
    ],
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A local file instead of a download.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of text files given by --from: latin-1, cp1252, utf-16, ...")
    ] = None,
    cache: Annotated[Path | None, folder("Where prepared data lies.")] = None,
) -> int:
    """Get named data ready: fetch or copy, verify, convert into the cache, write a manifest with checksums."""
    session: Session = ctx.obj
    if from_ is not None and len(names) > 1:
        raise DiagnosticError(Diagnostic("U430", help="prepare the others in calls of their own"))
    from snnctl.commands.data import prepare

    found = prepare(names, brought=from_, encoding=encoding, cache=cache, listener=session)
    rows = [each.document() for each in found]

    def show(console: Any, _: Any) -> None:
        for each, row in zip(found, rows, strict=True):
            console.print(f"[bold]{each.name}[/] {each.status}: {each.words}  [dim]{each.path}[/]", soft_wrap=True)
            console.print(f"  licence: {row['licence']}" + (f"; {each.note}" if each.note else ""), soft_wrap=True)

    return session.answer({"prepared": rows}, show)


@app.command("info")
def info(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(help="A recipe, a file or folder of any kind, or a known name.", autocompletion=_complete),
    ],
    read_as: Annotated[
        ReadAs | None,
        one_of("as", ReadAs, "What a file or folder is read as, where its first bytes do not tell.", code="U434"),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw the data into this file (.png or .svg).")
    ] = None,
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
) -> int:
    """Show how data was understood: kind, warnings, rows, columns, gaps, dates, splits, classes, statistics, leaks.

    Of a file, --set data.KEY=VALUE tries a key of the data before a recipe has it.
    """
    session: Session = ctx.obj
    from snnctl.commands.data import describe
    from snnctl.ui.data import show_data

    found = describe(what, set_, unset, read_as=read_as, plot=plot, listener=session)
    return session.answer({"data": found}, show_data)
