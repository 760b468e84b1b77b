"""Finding everything that is wrong with recipes, before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode, exit_code_of
from snnctl.recipe import load_recipe, read_recipe
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
    file: Path | str,
    sets: Sequence[str] = (),
    unsets: Sequence[str] = (),
    *,
    allow_plugins: bool = True,
    load_data: bool = False,
) -> Validated:
    """Check syntax, names, types, bounds, rules across keys, data, shapes; every error at once.

    Args:
        file: a recipe; `-` reads one from stdin.
        load_data: also read the data whole, not only its head.
    """
    name = "<stdin>" if file == "-" else str(file)
    found: list[Diagnostic] = []
    with plugins_for_now():
        try:
            if file == "-":
                raw = sys.stdin.buffer.read(MAX_BYTES + 1)  # one more than is read tells that there is more
                recipe = read_recipe(raw, name, sets, unsets, allow_plugins=allow_plugins)
            else:
                recipe = load_recipe(file, sets, unsets, allow_plugins=allow_plugins)
            found += recipe.warnings
            from snnctl.build import build, check, data_warnings  # torch is for recipes that can be read

            said = check(recipe)
            found += said
            if load_data and exit_code_of(said) == ExitCode.DONE:
                read = data_warnings(recipe, build(recipe).data)
                found += [one for one in read if one not in said]
        except DiagnosticError as error:
            found += error.diagnostics
    return Validated(name, tuple(one.at(name) for one in found))
