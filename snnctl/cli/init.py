"""`snnctl init`: copy a shipped recipe to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.list_components import answer_recipes
from snnctl.cli.session import Session


def init(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A shipped recipe; without it they are listed.", show_default=False)] = "",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; default: its own name, here.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> int:
    """Copy a shipped recipe into the working directory, ready to edit."""
    session: Session = ctx.obj
    if not name:
        return answer_recipes(session, "*")
    from snnctl.commands.recipes import copy_recipe

    made = copy_recipe(name, out, force=force)
    target = made["file"]
    return session.answer(
        made, lambda console: console.print(f"{target}\nnext: snnctl train {target}", soft_wrap=True, markup=False)
    )
