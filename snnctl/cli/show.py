"""`snnctl show`: a component's equation and knobs, or a recipe with every default filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import NoPlugins, PluginFiles, Set, Unset, complete_component, complete_name, load_plugins
from snnctl.cli.session import Session


def show(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(help="A component's name or kind, or a recipe file.", autocompletion=complete_component),
    ],
    name: Annotated[str, typer.Argument(help="The name, if the kind came first.", autocompletion=complete_name)] = "",
    origins: Annotated[bool, typer.Option("--origins", help="For a recipe: where each value comes from.")] = False,
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
    plugin: PluginFiles = [],  # noqa: B006
    no_plugins: NoPlugins = False,
) -> int:
    """Show a component (`snnctl show neuron lif`) or a resolved recipe (`snnctl show recipe.yaml --origins`)."""
    session: Session = ctx.obj
    load_plugins(plugin)
    if name or not (Path(what).suffix in (".yaml", ".yml") or Path(what).is_file()):
        from snnctl.commands.components import show_component as shown
        from snnctl.ui.tables import show_component

        document = shown(what, name)
        return session.answer(document, lambda console: show_component(console, document))
    from snnctl.commands import recipes
    from snnctl.recipe import load_recipe
    from snnctl.ui.tables import show_origins

    recipe = load_recipe(what, set_, unset, allow_plugins=not no_plugins)
    session.warn(recipe.warnings)
    if origins:
        rows = recipes.origins(recipe)
        found = {"recipe": recipe.values, "origins": rows}
        return session.answer(found, lambda console: show_origins(console, rows))
    # Not through the console, which would wrap long lines.
    return session.answer({"recipe": recipe.values}, lambda console: print(recipe.to_yaml(), end="", file=console.file))
