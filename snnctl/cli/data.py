"""`snnctl data`: fetch, verify and inspect data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from snnctl.cli.options import Set, Unset
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError

app = typer.Typer(no_args_is_help=True, help="Prepare and inspect data.")


_OF_A_RECIPE = ("window", "horizon", "splits", "scaler", "window_norm", "calendar_features", "leaks")


def _complete(incomplete: str) -> list[str]:
    from snnctl.data.known import KNOWN_NAMES

    return [name for name in KNOWN_NAMES if name.startswith(incomplete)]


@app.command("prep")
def prep(
    ctx: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(help="Known names, or recipes whose data is meant.", autocompletion=_complete),
    ],
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A local file instead of a download.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where prepared data lies.", show_default=False)
    ] = None,
) -> int:
    """Get named data ready: fetch or copy, verify, convert into the cache, write a manifest with checksums."""
    session: Session = ctx.obj
    if from_ is not None and len(names) > 1:
        raise DiagnosticError(
            Diagnostic("U430", "--from takes one name", help="prepare the others in calls of their own")
        )
    from snnctl.data.prepare import prepare
    from snnctl.ui.transfer import transfer

    rows: list[dict[str, Any]] = []
    for name in names:
        known = _source_of(name) if name.endswith((".yaml", ".yml")) else name
        with transfer(session.console, known, shown=not (session.json or session.quiet)) as progress:
            found = prepare(known, source=from_, cache=cache, progress=progress)
        rows.append({**asdict(found), "path": str(found.path)})

    def show(console: Any) -> None:
        for row in rows:
            console.print(
                f"[bold]{row['name']}[/] {row['status']}: {row['rows']:,} rows x {row['columns']} columns, "
                f"{row['missing']:,} missing  [dim]{row['path']}[/]",
                soft_wrap=True,
            )
            console.print(f"  licence: {row['licence']}" + (f"; {row['note']}" if row["note"] else ""), soft_wrap=True)

    return session.answer({"prepared": rows}, show)


def _source_of(recipe: str) -> str:
    """The named series that a recipe uses; a recipe whose data is a file needs no preparation."""
    from snnctl.recipe import load_recipe

    loaded = load_recipe(recipe)
    data = loaded.values["data"]
    if "source" not in data:
        message = f"`{recipe}` makes its data `{data['type']}` itself; nothing to prepare"
        raise DiagnosticError(Diagnostic("U431", message, help="snnctl data info RECIPE looks into it"))
    source = str(data["source"])
    if "/" in source or "\\" in source:
        message = f"`{recipe}` reads the file `{source}` as it is; nothing to prepare"
        raise DiagnosticError(Diagnostic("U431", message, help="snnctl data info RECIPE looks into it"))
    return source


@app.command("info")
def info(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(help="A recipe, a data file, or a known name.", autocompletion=_complete)],
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
) -> int:
    """Show what data holds: rows, columns, gaps, dates, splits in rows and windows, statistics, leaks."""
    session: Session = ctx.obj
    from snnctl.ui.tables import show_data

    if what.endswith((".yaml", ".yml")):
        from snnctl.build import load_data
        from snnctl.recipe import load_recipe

        data = load_data(load_recipe(what, set_, unset))
    else:
        from snnctl.core.catalog import DATA

        if set_ or unset:
            raise DiagnosticError(Diagnostic("U432", "--set and --unset change a recipe; none is given"))
        data = DATA.get("timeseries")(source=what, window=1, horizon=1).load()
    facts = data.describe()
    if not what.endswith((".yaml", ".yml")):  # how it is cut and scaled is for a recipe to say
        facts = {key: facts[key] for key in facts if key not in _OF_A_RECIPE}
    document = {"source": what, **facts}
    return session.answer({"data": document}, lambda console: show_data(console, document))
