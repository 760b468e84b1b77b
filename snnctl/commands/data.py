"""Getting data ready, and looking into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from snnctl.commands.listener import NOBODY, Listener
from snnctl.core.catalog import DATA
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, warnings_of
from snnctl.data.cache import Progress, caching_in
from snnctl.data.kinds import KINDS, kind_of
from snnctl.data.prepare import Prepared
from snnctl.recipe import load_recipe

_RECIPES = (".yaml", ".yml")
_SHIPPED = "builtin"  # of data that is made rather than read
_OF_A_RECIPE = ("window", "horizon", "splits", "scaler", "window_norm", "calendar_features", "leaks")


def prepare(
    names: Sequence[str], *, brought: Path | None = None, cache: Path | None = None, listener: Listener = NOBODY
) -> list[Prepared]:
    """Fetch or copy named data, verify it, convert it into the cache, write a manifest with checksums.

    Args:
        names: known ones, or recipes (.yaml) whose data is meant.
        brought: a local file in place of a download.
        cache: where prepared data lies; None: the usual place.

    Raises:
        DiagnosticError: D1xx, it cannot be had, or is not what it should be; U431, a recipe needs no preparation.
    """
    found: list[Prepared] = []
    with caching_in(cache):
        for name in names:
            with listener.transfer(name) as progress:
                if name.endswith(_RECIPES):
                    found += _of_recipe(name, brought, progress)
                else:
                    found.append(kind_of(name).prepare(name, brought, progress))
    return found


def describe(what: str, sets: Sequence[str] = (), unsets: Sequence[str] = ()) -> dict[str, Any]:
    """Data: rows, columns, gaps, dates, splits in rows and windows, statistics, leaks, warnings of the reader.

    Args:
        what: a recipe (.yaml), a data file, or a known name. Of the latter two nothing is said that is for a recipe to
            say: how it is cut and scaled.
        sets, unsets: changes of a recipe.

    Raises:
        DiagnosticError: U432, changes without a recipe; as the data's `load`.
    """
    if what.endswith(_RECIPES):
        from snnctl.build import load_data  # torch is not needed to look into a file

        data = load_data(load_recipe(what, sets, unsets))
        return {"source": what, **data.describe(), "warnings": [one.to_json() for one in warnings_of(data)]}
    if sets or unsets:
        raise DiagnosticError(Diagnostic("U432"))
    kind = next((kind for kind in KINDS if kind.info and what in kind.known), None)
    data = DATA.get("timeseries")(source=what, window=1, horizon=1).load() if kind is None else kind.look_into(what)
    facts = {key: value for key, value in data.describe().items() if key not in _OF_A_RECIPE}
    return {"source": what, **facts, "warnings": [one.to_json() for one in warnings_of(data)]}


def _of_recipe(recipe: str, brought: Path | None, progress: Progress | None) -> list[Prepared]:
    """What the data of a recipe needs: of moving digits maybe images and videos."""
    from snnctl.build import make
    from snnctl.data.base import DataSource

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
    raise DiagnosticError(Diagnostic("U431", facts={"recipe": recipe, "how": how}, help=help))
