"""`snnctl show`: a component's equation and knobs, or a recipe with every default filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from snnctl.cli.options import NoPlugins, PluginFiles, Set, Unset, complete_component, load_plugins
from snnctl.cli.session import Session
from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, choices
from snnctl.core.docs import read_doc


def show(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(help="A component's name or kind, or a recipe file.", autocompletion=complete_component),
    ],
    name: Annotated[
        str, typer.Argument(help="The name, if the kind came first.", autocompletion=complete_component)
    ] = "",
    origins: Annotated[bool, typer.Option("--origins", help="For a recipe: where each value comes from.")] = False,
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
    plugin: PluginFiles = [],  # noqa: B006
    no_plugins: NoPlugins = False,
) -> int:
    """Show a component (`snnctl show neuron lif`) or a resolved recipe (`snnctl show recipe.yaml --origins`)."""
    session: Session = ctx.obj
    load_plugins(plugin)
    if not name and (Path(what).suffix in (".yaml", ".yml") or Path(what).is_file()):
        return _recipe(session, Path(what), origins, set_, unset, no_plugins)
    kind, component = _find(what, name)
    return _component(session, kind, component)


def _find(what: str, name: str) -> tuple[str, str]:
    if name:
        if what not in REGISTRIES:
            raise DiagnosticError(Diagnostic("U409", f"unknown kind `{what}`", help=choices(what, REGISTRIES)))
        if name not in REGISTRIES[what]:
            known = REGISTRIES[what].names()
            raise DiagnosticError(Diagnostic("U410", f"unknown {what} `{name}`", help=choices(name, known)))
        return what, name
    homes = [kind for kind, registry in REGISTRIES.items() if what in registry]
    if len(homes) == 1:
        return homes[0], what
    if homes:
        help = ", ".join(f"snnctl show {kind} {what}" for kind in homes)
        raise DiagnosticError(Diagnostic("U411", f"`{what}` is the name of several components", help=help))
    every = sorted({n for registry in REGISTRIES.values() for n in registry.names()})
    near = choices(what, every) if what not in REGISTRIES else f"snnctl list {what}"
    raise DiagnosticError(Diagnostic("U410", f"no component is called `{what}`", help=near))


def _component(session: Session, kind: str, name: str) -> int:
    from snnctl.recipe.describe import knob_rows, paste_ready
    from snnctl.ui.tables import show_component

    component = REGISTRIES[kind].get(name)
    doc = read_doc(component)
    document: dict[str, Any] = {
        "kind": kind,
        "name": name,
        "summary": doc.summary,
        "details": doc.details,
        "equation": doc.equation,
        "shape": doc.shape,
        "reference": doc.source,
        "source": REGISTRIES[kind].source(name),
        "knobs": knob_rows(component),
        "yaml": paste_ready(kind, name),
    }
    return session.answer(document, lambda console: show_component(console, document))


def _recipe(session: Session, file: Path, origins: bool, set_: list[str], unset: list[str], no_plugins: bool) -> int:
    from snnctl.recipe import load_recipe
    from snnctl.recipe.source import path_text
    from snnctl.ui.tables import show_origins

    recipe = load_recipe(file, set_, unset, allow_plugins=not no_plugins)
    session.warn(recipe.warnings)
    rows = [{"path": path_text(path), "value": value, "origin": recipe.origin(path)} for path, value in recipe.leaves()]
    document: dict[str, Any] = {"recipe": recipe.values}
    if origins:
        document["origins"] = rows
        return session.answer(document, lambda console: show_origins(console, rows))
    # Not through the console, which would wrap long lines.
    return session.answer(document, lambda console: print(recipe.to_yaml(), end="", file=console.file))
