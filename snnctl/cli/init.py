"""`snnctl init`: copy a shipped recipe to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.list_components import _recipes
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, choices


def init(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A shipped recipe; without it they are listed.", show_default=False)] = "",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; default: its own name, here.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> int:
    """Copy a shipped recipe into the working directory, ready to edit."""
    session: Session = ctx.obj
    if not name:
        return _recipes(session, "*")
    from snnctl.recipe.shipped import shipped_paths

    shipped = shipped_paths()
    wanted = name.removesuffix(".yaml")
    found = [n for n in shipped if n == wanted or n.split("/")[-1] == wanted]
    if not found:
        raise DiagnosticError(
            Diagnostic("U415", f"no recipe called `{name}` ships with snnctl", help=choices(wanted, list(shipped)))
        )
    source = shipped[found[0]]
    target = out or Path(source.name)
    if target.exists() and not force:
        raise DiagnosticError(Diagnostic("U416", f"`{target}` exists", help="--force overwrites it, --out renames"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise DiagnosticError(Diagnostic("U417", f"`{target}` cannot be written: {error.strerror}")) from error
    return session.answer(
        {"recipe": found[0], "file": str(target)},
        lambda console: console.print(f"{target}\nnext: snnctl train {target}", soft_wrap=True, markup=False),
    )
