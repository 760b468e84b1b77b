"""`snnctl data`: fetch, verify and inspect data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnctl.cli.options import Set, Unset
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError

if TYPE_CHECKING:
    from snnctl.data.cache import Progress
    from snnctl.data.prepare import Prepared

app = typer.Typer(no_args_is_help=True, help="Prepare and inspect data.")

_RECIPES = (".yaml", ".yml")
_SHIPPED = "builtin"  # of data that is made rather than read
_OF_A_RECIPE = ("window", "horizon", "splits", "scaler", "window_norm", "calendar_features", "leaks")


def _complete(incomplete: str) -> list[str]:
    from snnctl.data.kinds import known_names

    return [name for name in known_names() if name.startswith(incomplete)]


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
    from snnctl.data.cache import caching_in
    from snnctl.data.kinds import kind_of
    from snnctl.ui.transfer import transfer

    found: list[Prepared] = []
    with caching_in(cache):
        for name in names:
            with transfer(session.console, name, shown=not (session.json or session.quiet)) as progress:
                if name.endswith(_RECIPES):
                    found += _of_recipe(name, from_, progress)
                else:
                    found.append(kind_of(name).prepare(name, from_, progress))
        rows = [each.document() for each in found]

    def show(console: Any) -> None:
        for each, row in zip(found, rows, strict=True):
            console.print(f"[bold]{each.name}[/] {each.status}: {each.words}  [dim]{each.path}[/]", soft_wrap=True)
            console.print(f"  licence: {row['licence']}" + (f"; {each.note}" if each.note else ""), soft_wrap=True)

    return session.answer({"prepared": rows}, show)


def _of_recipe(recipe: str, brought: Path | None, progress: Progress | None) -> list[Prepared]:
    """What the data of a recipe needs: of moving digits maybe images and videos."""
    from snnctl.build import make
    from snnctl.data.base import DataSource
    from snnctl.data.kinds import kind_of
    from snnctl.recipe import load_recipe

    data = load_recipe(recipe).values["data"]
    component = make("data", data)
    # A plug-in that is no `DataSource` has nothing to prepare.
    found = component.prepare(progress, brought) if isinstance(component, DataSource) else ()
    if found:
        return [replace(each, name=each.name or recipe) for each in found]
    source = str(data.get("source", _SHIPPED))
    if source != _SHIPPED and "/" not in source and "\\" not in source:
        return [kind_of(source).prepare(source, brought, progress)]
    how = f"makes its data `{data['type']}` itself" if source == _SHIPPED else f"reads the file `{source}` as it is"
    help = "snnctl data info RECIPE looks into it"
    raise DiagnosticError(Diagnostic("U431", f"`{recipe}` {how}; nothing to prepare", help=help))


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

    if what.endswith(_RECIPES):
        from snnctl.build import load_data
        from snnctl.recipe import load_recipe

        facts = load_data(load_recipe(what, set_, unset)).describe()
    else:
        if set_ or unset:
            raise DiagnosticError(Diagnostic("U432", "--set and --unset change a recipe; none is given"))
        facts = _look_into(what)
    document = {"source": what, **facts}
    return session.answer({"data": document}, lambda console: show_data(console, document))


def _look_into(what: str) -> dict[str, Any]:
    """Facts of a known name or a file, without those that are for a recipe to say: how it is cut and scaled."""
    from snnctl.core.catalog import DATA
    from snnctl.data.kinds import KINDS

    kind = next((kind for kind in KINDS if kind.info and what in kind.known), None)
    data = DATA.get("timeseries")(source=what, window=1, horizon=1).load() if kind is None else kind.look_into(what)
    return {key: value for key, value in data.describe().items() if key not in _OF_A_RECIPE}
