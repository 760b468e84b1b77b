"""`snnctl validate`: everything that is wrong with recipes, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import NoPlugins, Set, Unset
from snnctl.cli.session import Session
from snnctl.core.diagnostic import ExitCode, exit_code_of


def validate(
    ctx: typer.Context,
    files: Annotated[list[str], typer.Argument(help="Recipe files; - reads one from stdin.")],
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
    no_plugins: NoPlugins = False,
    load_data: Annotated[bool, typer.Option("--data", help="Also read the data whole, not only its head.")] = False,
) -> int:
    """Check recipes: syntax, names, types, bounds, rules across keys, data, shapes. Reports every error at once."""
    session: Session = ctx.obj
    from rich.markup import escape

    from snnctl.commands import validate as commands

    given = (file if file == "-" else Path(file) for file in files)
    found = [commands.validate(file, set_, unset, allow_plugins=not no_plugins, load_data=load_data) for file in given]
    every = [one for file in found for one in file.diagnostics]
    code = exit_code_of(every)
    if session.json:
        session.diagnostics += every
        return session.answer({"files": [file.to_json() for file in found]}, lambda *_: None, code)
    for file in found:
        if file.ok and not session.quiet:
            session.out.print(f"[good]ok[/]  {escape(file.file)}", soft_wrap=True)
    session.warn([one for one in every if one.severity == "warning"])
    errors = [one for one in every if one.severity == "error"]
    return session.fail(errors, code) if errors else int(ExitCode.DONE)
