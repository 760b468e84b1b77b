"""Getting data ready, and looking into it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from snnctl.commands.listener import NOBODY, Listener
from snnctl.core.choices import ReadAs, SplitName, refuse_other
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, did_you_mean, warnings_of
from snnctl.core.files import write_atomically, writing
from snnctl.core.shapes import ShapeError
from snnctl.data.base import DataSource
from snnctl.data.cache import Progress, caching_in
from snnctl.data.kinds import KINDS, kind_called, kind_of, known_names
from snnctl.data.prepare import Prepared
from snnctl.data.problems import data_error
from snnctl.data.recognise import Guess, recognise
from snnctl.recipe import load_recipe
from snnctl.recipe.overrides import apply_overrides, listed
from snnctl.recipe.slots import Validation
from snnctl.recipe.source import Mark, Source

_RECIPES = (".yaml", ".yml")
_KNOWN = "a known name"
_SHIPPED = "builtin"  # of data that is made rather than read
_CUTS = {"window", "horizon", "split"}  # who sets one of them wants to see what it does
_OF_A_RECIPE = ("window", "horizon", "splits", "scaler", "window_norm", "calendar_features", "leaks")


def prepare(
    names: Sequence[str],
    *,
    brought: Path | None = None,
    encoding: str | None = None,
    cache: Path | None = None,
    listener: Listener = NOBODY,
) -> list[Prepared]:
    """Fetch or copy named data, verify it, convert it into the cache, write a manifest with checksums.

    Args:
        names: known ones, or recipes (.yaml) whose data is meant.
        brought: a local file in place of a download.
        encoding: of text files that are brought.
        cache: where prepared data lies; None: the usual place.

    Raises:
        DiagnosticError: D1xx, it cannot be had, or is not what it should be; U431, a recipe needs no preparation;
            U433, an encoding without text files that are brought.
    """
    found: list[Prepared] = []
    with caching_in(cache):
        for name in names:
            with listener.transfer(name) as progress:
                if name.endswith(_RECIPES):
                    found += _of_recipe(name, brought, progress)
                else:
                    found.append(kind_of(name).prepare(name, brought, progress, encoding))
    return found


def describe(
    what: str,
    sets: Sequence[str] = (),
    unsets: Sequence[str] = (),
    *,
    read_as: ReadAs | None = None,
    plot: Path | None = None,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """What data holds and how it was understood: kind, warnings, rows, columns, gaps, dates, splits, statistics, leaks.

    Args:
        what: a recipe (.yaml), a file or folder of any kind, or a known name. Of the latter nothing is said that is for
            a recipe to say, such as windows of a series, unless `sets` says it.
        sets, unsets: changes of a recipe; of others, `data.KEY=VALUE` sets keys of the data component.
        read_as: the kind of a file, where its name and its first bytes do not tell.
        plot: a picture of the data, .png or .svg.

    Returns:
        What the data says of itself, with `read_as` ({kind, component, reason, also}), `warnings`, and `plot`.

    Raises:
        DiagnosticError: U432 a change without a recipe, U434 to U436 the options, U437 nothing can be drawn, U453 the
            picture cannot be written, D101 there is nothing, D105 its kind is not clear; as the data's `load`.
    """
    if plot is not None and plot.suffix.lower() not in (".png", ".svg"):
        raise DiagnosticError(Diagnostic("U436", facts={"file": plot}))
    if read_as is not None:
        refuse_other("--as", read_as, get_args(ReadAs), code="U434")
    data, found, unsaid = _look(what, sets, unsets, read_as, listener, windows=plot is not None)
    facts = {key: value for key, value in _facts(data).items() if key not in unsaid}
    warnings = [one.to_json() for one in warnings_of(data)]
    document = {"source": what, "read_as": found, "warnings": warnings, **facts}
    if plot is None:
        return document
    from snnctl.inspect.data import draw

    word = found["component"] if what.endswith(_RECIPES) else found["kind"]
    _write(draw(data, f"{Path(what).name or what}, read as {word}"), plot)
    return {**document, "plot": str(plot)}


def _look(
    what: str,
    sets: Sequence[str],
    unsets: Sequence[str],
    read_as: ReadAs | None,
    listener: Listener,
    *,
    windows: bool,
) -> tuple[Any, dict[str, Any], set[str]]:
    """The data, what it was read as and why, and which of its facts are not to be told."""
    if what.endswith(_RECIPES):
        from snnctl.build import load_data

        _refuse_as(what, read_as, "a recipe")
        recipe = load_recipe(what, sets, unsets)
        component = recipe.values["data"]["type"]
        kind = next((kind.folder for kind in KINDS if component in kind.components), "")
        return load_data(recipe), _read_as(kind, component, "the recipe says so"), set()
    if unsets:
        raise DiagnosticError(Diagnostic("U432", facts={"given": f"--unset {unsets[0]}", "what": what}))
    known = next((kind for kind in KINDS if what in kind.known), None)
    if known is not None:
        _refuse_as(what, read_as, "a known name")
        guess = Guess(known.folder, _KNOWN)
        if known.info and not sets and not windows:
            return known.look_into(what), _read_as(known.folder, known.components[0], guess.reason), set()
    else:
        guess = _guess(what, read_as)
    kind_of_it = kind_called(guess.kind)
    place = what if guess.source is None else str(guess.source)
    section = {"type": guess.component or kind_of_it.components[0], "source": _as_path(place, what), **kind_of_it.least}
    config, given = _configured(section, sets, what)
    found = _read_as(guess.kind, config["type"], guess.reason, guess.also)
    unsaid = set() if given & _CUTS else set(_OF_A_RECIPE) - given
    return _loaded(config, what, guess, listener), found, unsaid if guess.kind == "series" else set()


def _refuse_as(what: str, read_as: ReadAs | None, kind: str) -> None:
    """`--as` is for files; raises U435."""
    if read_as is not None:
        raise DiagnosticError(Diagnostic("U435", facts={"what": what, "kind": kind}))


def _guess(what: str, read_as: ReadAs | None) -> Guess:
    """What a path is read as: as it is told, else as its name and first bytes tell."""
    path = Path(what if "\0" in what else os.path.expanduser(what))  # that of Path fails for a user who is not there
    if not what or not os.path.exists(path):  # likewise for a name too long
        near = did_you_mean(path.name.split(".")[0], known_names())
        help = f"{near}  known names: {', '.join(known_names())}".strip()
        raise data_error("D101", f"no file or folder `{what}`, nor a known name", file=what, path="", help=help)
    if read_as is None:
        return recognise(path)
    try:
        guess = recognise(path)
    except DiagnosticError:
        return Guess(read_as, "--as says so")
    return Guess(read_as, "--as says so", component=guess.component if guess.kind == read_as else "")


def _as_path(place: str, what: str) -> str:
    """A path that a recipe would not take for a name."""
    return place if place == what in known_names() or any(mark in place for mark in "/\\.~") else f"./{place}"


def _configured(section: dict[str, Any], sets: Sequence[str], what: str) -> tuple[dict[str, Any], set[str]]:
    """The section `data` as a recipe would have it, resolved, and the keys that were set.

    Raises:
        DiagnosticError: U432 a key of another section, R1xx and R2xx as of a recipe.
    """
    sets = listed("sets", sets)
    source = Source("", "", {"data": section})
    source.items[()] = Mark(override=f"what {what} is read as")
    for given in sets:
        path, _, _ = given.partition("=")
        if not path.strip().startswith("data.") or path.strip() == "data.source":
            raise DiagnosticError(Diagnostic("U432", facts={"given": f"--set {given}", "what": what}))
    apply_overrides(source, sets, ())
    validation = Validation(source)
    config = validation.component("data", source.values["data"], ("data",))
    if validation.problems:
        raise DiagnosticError(validation.problems)
    return config, {given.partition("=")[0].strip().split(".")[1] for given in sets}


def _loaded(config: dict[str, Any], what: str, guess: Guess, listener: Listener) -> Any:
    """The data; taking it into the cache is shown. Errors say what it was read as, and which key can be set here."""
    from snnctl.build import make

    try:
        component = make("data", config)
        if guess.reason != _KNOWN and isinstance(component, DataSource):
            with listener.transfer(what) as progress:
                component.prepare(progress)
        return component.load()
    except ShapeError as error:
        help = error.help or f"--set data.{error.knob}=VALUE" * bool(error.knob)
        raise DiagnosticError(Diagnostic("R401", error.message, path=f"data.{error.knob}", help=help)) from error
    except DiagnosticError as error:
        raise DiagnosticError([_settable(problem, guess) for problem in error.diagnostics]) from error


def _settable(problem: Diagnostic, guess: Guess) -> Diagnostic:
    """With what it was read as, and where a key of the data is to blame, how to set it without a recipe."""
    notes = list(problem.notes)
    if guess.reason != _KNOWN:
        others = "".join(f"; --as {kind} reads it otherwise" for kind in guess.also[:1])
        notes.append(f"read as {guess.kind}: {guess.reason}{others}")
    if problem.path.startswith("data.") and problem.path != "data.source":
        notes.append(f"without a recipe: --set {problem.path}=VALUE")
    return replace(problem, notes=tuple(notes))


def _read_as(kind: str, component: str, reason: str, also: Sequence[str] = ()) -> dict[str, Any]:
    return {"kind": kind, "component": component, "reason": reason, "also": list(also)}


def _facts(data: Any) -> dict[str, Any]:
    """What data says of itself; of a plug-in that says nothing, what its batches are."""
    for name in ("describe", "facts"):
        if hasattr(data, name):
            return dict(getattr(data, name)())
    sizes = {name: {"items": len(data.split(name))} for name in get_args(SplitName)}
    return {"inputs": data.input_signal.describe(), "splits": sizes}


def _write(picture: Any, path: Path) -> None:
    """As PNG or SVG, as the name ends; raises U453 and E412."""
    from snnctl.report.style import render

    png, svg = render(picture)

    def write(temporary: Path) -> None:
        temporary.write_bytes(png if path.suffix.lower() == ".png" else svg)

    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, write)


def _of_recipe(recipe: str, brought: Path | None, progress: Progress | None) -> list[Prepared]:
    """What the data of a recipe needs: of moving digits maybe images and videos."""
    from snnctl.build import make

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
