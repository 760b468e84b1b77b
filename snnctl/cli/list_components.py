"""`snnctl list`: which components there are."""

from __future__ import annotations

from typing import Annotated

import typer

from snnctl.cli.options import PluginFiles, complete_kind, load_plugins
from snnctl.cli.session import Session


def list_components(
    ctx: typer.Context,
    kind: Annotated[
        str | None, typer.Argument(help="A kind, e.g. neuron, or recipes.", autocompletion=complete_kind)
    ] = None,
    glob: Annotated[str, typer.Argument(help="Only names that match, e.g. 'l*'.")] = "*",
    plugin: PluginFiles = [],  # noqa: B006
) -> int:
    """List components by kind, with one line each; `snnctl list recipes` lists the shipped recipes."""
    session: Session = ctx.obj
    load_plugins(plugin)
    if kind in ("recipe", "recipes"):
        return answer_recipes(session, glob)
    from snnctl.commands import components
    from snnctl.ui.tables import show_components

    rows = components.list_components(kind, glob)
    return session.answer({"components": rows}, lambda console: show_components(console, rows))


def answer_recipes(session: Session, glob: str) -> int:
    """List the shipped recipes."""
    from snnctl.commands.recipes import list_recipes
    from snnctl.ui.tables import show_recipes

    rows = list_recipes(glob)
    return session.answer({"recipes": rows}, lambda console: show_recipes(console, rows))
