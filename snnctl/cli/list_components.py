"""`snnctl list`: which components there are."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Annotated, Any

import typer

from snnctl.cli.options import PluginFiles, complete_kind, load_plugins
from snnctl.cli.session import Session
from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, choices
from snnctl.core.docs import read_doc


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
        return _recipes(session, glob)
    if kind is not None and kind not in REGISTRIES:
        if kind.rstrip("s") in REGISTRIES:
            kind = kind.rstrip("s")
        else:
            help = choices(kind, [*REGISTRIES, "recipes"])
            raise DiagnosticError(Diagnostic("U409", f"unknown kind `{kind}`", help=help))
    rows: list[dict[str, Any]] = []
    for name in [kind] if kind else REGISTRIES:
        registry = REGISTRIES[name]
        rows += [
            {
                "kind": name,
                "name": component,
                "summary": read_doc(registry.get(component)).summary,
                "source": registry.source(component),
            }
            for component in registry.names()
            if fnmatch(component, glob)
        ]
    from snnctl.ui.tables import show_components

    return session.answer({"components": rows}, lambda console: show_components(console, rows))


def _recipes(session: Session, glob: str) -> int:
    from snnctl.recipe.shipped import shipped_recipes
    from snnctl.ui.tables import show_recipes

    rows = [row for row in shipped_recipes() if fnmatch(row["name"], glob)]
    return session.answer({"recipes": rows}, lambda console: show_recipes(console, rows))
