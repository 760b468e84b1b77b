"""`snnctl data`: fetch, verify and inspect data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from snnctl.cli.options import Set, Unset, folder
from snnctl.cli.session import Session
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
    cache: Annotated[Path | None, folder("Where prepared data lies.")] = None,
) -> int:
    """Get named data ready: fetch or copy, verify, convert into the cache, write a manifest with checksums."""
    session: Session = ctx.obj
    if from_ is not None and len(names) > 1:
        raise DiagnosticError(Diagnostic("U430", help="prepare the others in calls of their own"))
    from snnctl.commands.data import prepare

    found = prepare(names, brought=from_, cache=cache, listener=session)
    rows = [each.document() for each in found]

    def show(console: Any, _: Any) -> None:
        for each, row in zip(found, rows, strict=True):
            console.print(f"[bold]{each.name}[/] {each.status}: {each.words}  [dim]{each.path}[/]", soft_wrap=True)
            console.print(f"  licence: {row['licence']}" + (f"; {each.note}" if each.note else ""), soft_wrap=True)

    return session.answer({"prepared": rows}, show)


@app.command("info")
def info(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(help="A recipe, a data file, or a known name.", autocompletion=_complete)],
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
) -> int:
    """Show what data holds: rows, columns, gaps, dates, splits in rows and windows, statistics, leaks."""
    session: Session = ctx.obj
    from snnctl.commands.data import describe
    from snnctl.ui.tables import show_data

    return session.answer({"data": describe(what, set_, unset)}, show_data)
