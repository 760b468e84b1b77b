"""`snnctl schema`: JSON Schema of a recipe, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import PluginFiles, load_plugins
from snnctl.cli.session import Session


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
    from snnctl.commands.recipes import write
    from snnctl.recipe.describe import json_schema

    found = json_schema()
    text = json.dumps(found, indent=1) + "\n"
    if out is None:
        return session.answer({"json_schema": found}, lambda console: print(text, end="", file=console.file))
    write(out, text, parents=False)
    return session.answer({"file": str(out)}, lambda console: console.print(str(out), soft_wrap=True, markup=False))
