"""`snnctl list`, `show`, `init`, `schema`, `doctor`: what components, recipes and this machine have to offer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import (
    NoPlugins,
    PluginFiles,
    Set,
    Unset,
    complete_component,
    complete_kind,
    complete_name,
    load_plugins,
)
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
        return _recipes(session, glob)
    from snnctl.commands import lookup
    from snnctl.ui.tables import show_components

    return session.answer({"components": lookup.list_components(kind, glob)}, show_components)


def _recipes(session: Session, glob: str) -> int:
    from snnctl.commands.lookup import list_recipes
    from snnctl.ui.tables import show_recipes

    return session.answer({"recipes": list_recipes(glob)}, show_recipes)


def show(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            help="A component's name or kind, a recipe file, or a bundle.", autocompletion=complete_component
        ),
    ],
    name: Annotated[str, typer.Argument(help="The name, if the kind came first.", autocompletion=complete_name)] = "",
    origins: Annotated[bool, typer.Option("--origins", help="For a recipe: where each value comes from.")] = False,
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
    plugin: PluginFiles = [],  # noqa: B006
    no_plugins: NoPlugins = False,
) -> int:
    """Show a component (`snnctl show neuron lif`), a resolved recipe (`snnctl show recipe.yaml --origins`) or a bundle.

    Of a bundle, as `snnctl export --format bundle` writes it, every digest is checked and its card printed.
    """
    session: Session = ctx.obj
    if not name and is_archive(what):
        from snnctl.commands.bundle import show as shown_bundle
        from snnctl.ui.bundle import show_card

        return session.answer(shown_bundle(what), show_card)
    load_plugins(plugin)
    if name or not (Path(what).suffix in (".yaml", ".yml") or Path(what).is_file()):
        from snnctl.commands.lookup import show_component as shown
        from snnctl.ui.tables import show_component

        return session.answer(shown(what, name), show_component)
    from snnctl.commands import lookup
    from snnctl.recipe import load_recipe
    from snnctl.ui.tables import show_origins

    recipe = load_recipe(what, set_, unset, allow_plugins=not no_plugins)
    session.warn(recipe.warnings)
    found = {"recipe": recipe.values}
    if origins:
        return session.answer(found | {"origins": lookup.origins(recipe)}, show_origins)
    # Not through the console, which would wrap long lines.
    return session.answer(found, lambda console, _: print(recipe.to_yaml(), end="", file=console.file))


def is_archive(what: str) -> bool:
    """Whether a file is a bundle, by its suffix or by how it begins."""
    path = Path(what)
    if not path.is_file() or path.suffix in (".yaml", ".yml"):
        return False
    with path.open("rb") as file:
        return path.suffix == ".snnctl" or file.read(4) == b"PK\x03\x04"


def init(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A shipped recipe; without it they are listed.")] = "",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; default: its own name, here.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> int:
    """Copy a shipped recipe into the working directory, ready to edit."""
    session: Session = ctx.obj
    if not name:
        return _recipes(session, "*")
    from snnctl.commands.lookup import copy_recipe

    made = copy_recipe(name, out, force=force)
    text = "{file}\nnext: snnctl train {file}".format(**made)
    return session.answer(made, lambda console, _: console.print(text, soft_wrap=True, markup=False))


def schema(
    ctx: typer.Context,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write to a file.")] = None,
    plugin: PluginFiles = [],  # noqa: B006
) -> int:
    """Print the JSON Schema of recipes; editors use it to complete and check them as they are typed.

    In VS Code (YAML extension) or any editor with yaml-language-server, begin a recipe with
    `# yaml-language-server: $schema=recipe.schema.json`.
    """
    session: Session = ctx.obj
    load_plugins(plugin)
    from snnctl.commands.lookup import write
    from snnctl.recipe.describe import json_schema

    found = json_schema()
    text = json.dumps(found, indent=1) + "\n"
    if out is None:
        return session.answer({"json_schema": found}, lambda console, _: print(text, end="", file=console.file))
    write(out, text, parents=False)
    return session.answer({"file": str(out)}, lambda console, _: console.print(str(out), soft_wrap=True, markup=False))


def doctor(ctx: typer.Context) -> int:
    """Show python, torch, devices, threads, kernels, extras and data, with what to mend."""
    session: Session = ctx.obj
    from snnctl.commands import doctor as commands
    from snnctl.ui.tables import show_doctor

    return session.answer(commands.doctor(session), show_doctor)
