"""`snnctl validate`: everything that is wrong with recipes, before anything runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from snnctl.cli.options import NoPlugins, Set, Unset
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode, exit_code_of


def validate(
    ctx: typer.Context,
    files: Annotated[list[str], typer.Argument(help="Recipe files; - reads one from stdin.", show_default=False)],
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
    no_plugins: NoPlugins = False,
    load_data: Annotated[bool, typer.Option("--data", help="Also read the data whole, not only its head.")] = False,
) -> int:
    """Check recipes: syntax, names, types, bounds, rules across keys, data, shapes. Reports every error at once."""
    session: Session = ctx.obj
    from rich.markup import escape

    rows: list[dict[str, Any]] = []
    every: list[Diagnostic] = []
    for file in files:
        name = "<stdin>" if file == "-" else file
        found = [d.at(name) for d in _check(file, set_, unset, no_plugins, load_data)]
        every += found
        ok = not any(d.severity == "error" for d in found)
        rows.append({"file": name, "ok": ok, "diagnostics": [d.to_json() for d in found]})
    code = exit_code_of(every)
    if session.json:
        session.diagnostics += every
        return session.answer({"files": rows}, lambda _: None, code)
    for row in rows:
        if row["ok"] and not session.quiet:
            session.out.print(f"[good]ok[/]  {escape(row['file'])}", soft_wrap=True)
    session.warn([d for d in every if d.severity == "warning"])
    errors = [d for d in every if d.severity == "error"]
    return session.fail(errors, code) if errors else int(ExitCode.DONE)


def _check(file: str, set_: list[str], unset: list[str], no_plugins: bool, load_data: bool) -> list[Diagnostic]:
    from snnctl.recipe import load_recipe, read_recipe
    from snnctl.recipe.plugins import plugins_for_now
    from snnctl.recipe.source import MAX_BYTES

    warnings: list[Diagnostic] = []
    with plugins_for_now():
        try:
            if file == "-":
                raw = sys.stdin.buffer.read(MAX_BYTES + 1)  # one more than is read tells that there is more
                recipe = read_recipe(raw, "<stdin>", set_, unset, allow_plugins=not no_plugins)
            else:
                recipe = load_recipe(Path(file), set_, unset, allow_plugins=not no_plugins)
            warnings += recipe.warnings
            from snnctl.build import build, check

            found = check(recipe)
            if load_data and exit_code_of(found) == ExitCode.DONE:
                build(recipe)
            return warnings + found
        except DiagnosticError as error:
            return warnings + list(error.diagnostics)
