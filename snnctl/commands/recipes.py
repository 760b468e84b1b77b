"""Looking up recipes: those that ship, any with every default filled in, and the schema that editors check them by."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, choices
from snnctl.recipe import Recipe, shipped
from snnctl.recipe.source import path_text


def list_recipes(glob: str = "*") -> list[dict[str, Any]]:
    """`{name, summary, path}` of each that ships and whose name matches."""
    return [row for row in shipped.shipped_recipes() if fnmatch(row["name"], glob)]


def copy_recipe(name: str, out: Path | None = None, *, force: bool = False) -> dict[str, str]:
    """Copy a shipped recipe, ready to edit: `{recipe, file}`.

    Args:
        name: as `list_recipes` gives it, or its last part.
        out: where to; None: its own name, in the working directory.
        force: overwrite an existing file.

    Raises:
        DiagnosticError: U415, no such recipe; U416, the file exists; U417, it cannot be written.
    """
    paths = shipped.shipped_paths()
    wanted = name.removesuffix(".yaml")
    found = [one for one in paths if wanted in (one, one.split("/")[-1])]
    if not found:
        message = f"no recipe called `{name}` ships with snnctl"
        raise DiagnosticError(Diagnostic("U415", message, help=choices(wanted, list(paths))))
    source = paths[found[0]]
    target = out or Path(source.name)
    if target.exists() and not force:
        raise DiagnosticError(Diagnostic("U416", f"`{target}` exists", help="--force overwrites it, --out renames"))
    write(target, source.read_text(encoding="utf-8"))
    return {"recipe": found[0], "file": str(target)}


def origins(recipe: Recipe) -> list[dict[str, Any]]:
    """`{path, value, origin}` of every value: where it comes from."""
    return [{"path": path_text(path), "value": value, "origin": recipe.origin(path)} for path, value in recipe.leaves()]


def write(target: Path, text: str, *, parents: bool = True) -> None:
    """Write a file that was asked for.

    Raises:
        DiagnosticError: U417, it cannot be written.
    """
    try:
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DiagnosticError(Diagnostic("U417", f"`{target}` cannot be written: {error.strerror}")) from error
