"""Finding everything that is wrong with recipes, before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snnctl.commands.given import VALUES, Changes, RecipeLike, changes, read
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode, exit_code_of
from snnctl.recipe import read_recipe
from snnctl.recipe.overrides import listed
from snnctl.recipe.plugins import plugins_for_now
from snnctl.recipe.source import MAX_BYTES


@dataclass(frozen=True)
class Validated:
    """One file, and what was found in it: errors and warnings, each with its place."""

    file: str
    diagnostics: tuple[Diagnostic, ...]

    @property
    def ok(self) -> bool:
        """Whether it can run."""
        return not any(one.severity == "error" for one in self.diagnostics)

    def to_json(self) -> dict[str, Any]:
        """`{file, ok, diagnostics}`."""
        return {"file": self.file, "ok": self.ok, "diagnostics": [one.to_json() for one in self.diagnostics]}


def validate(
    recipe: RecipeLike,
    sets: Changes = (),
    unsets: Sequence[str] = (),
    *,
    allow_plugins: bool = True,
    load_data: bool = False,
    **overrides: Any,
) -> Validated:
    """Check syntax, names, types, bounds, rules across keys, data, shapes; every error at once.

    Args:
        recipe: a file, the name of a shipped recipe, or the values of one; `-` reads one from stdin.
        sets: changes of the recipe, as `--set` takes them or as values by path; `unsets` as `--unset`.
        allow_plugins: whether the recipe may name plug-in files.
        load_data: also read the data whole, not only its head.
        overrides: further changes, with `__` for the dot: `train__epochs=2`.

    Returns:
        What is wrong with the recipe is told, not raised.

    Raises:
        DiagnosticError: R115 and R116 changes of another form, U530 a keyword that names nothing.

    Example:
        >>> snnctl.validate("quickstart").ok
        True
        >>> found = snnctl.validate("quickstart", train__epoch=2)
        >>> found.ok, [(one.code, one.help) for one in found.diagnostics]
        (False, [('R201', 'did you mean `epochs`?  ...')])
    """
    sets, unsets = changes(sets, overrides, validate), listed("unsets", unsets)
    name = "<stdin>" if recipe == "-" else VALUES if isinstance(recipe, Mapping) else str(recipe)
    found: list[Diagnostic] = []
    with plugins_for_now():
        try:
            if recipe == "-":
                raw = sys.stdin.buffer.read(MAX_BYTES + 1)  # one more than is read tells that there is more
                loaded = read_recipe(raw, name, sets, unsets, allow_plugins=allow_plugins)
            else:
                loaded = read(recipe, sets, unsets, allow_plugins=allow_plugins)
            found += loaded.warnings
            from snnctl.build import build, check, data_warnings  # torch is for recipes that can be read

            said = check(loaded)
            found += said
            if load_data and exit_code_of(said) == ExitCode.DONE:
                whole = data_warnings(loaded, build(loaded).data)
                found += [one for one in whole if one not in said]
        except DiagnosticError as error:
            found += error.diagnostics
    return Validated(name, tuple(one.at(name) for one in found))
