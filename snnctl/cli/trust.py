"""`snnctl trust`: which plug-in files may run on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.session import Session


def trust(
    ctx: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(help="Plug-in files (.py) to approve, as they are now.")] = None,
    remove: Annotated[
        list[str], typer.Option("--remove", metavar="FILE|SHA256", help="Withdraw an approval. Repeatable.")
    ] = [],  # noqa: B006
    list_: Annotated[bool, typer.Option("--list", help="List what is approved.")] = False,
) -> int:
    """Approve plug-in files: what a recipe or a run names is run only if its very content was approved here.

    A file named with --plugin needs no approval. Without arguments, all that is approved is listed.
    """
    session: Session = ctx.obj
    from snnctl.commands.trust import trust as trusted
    from snnctl.ui.trust import show_trusted

    return session.answer(trusted(files or (), remove, every=list_), show_trusted)
