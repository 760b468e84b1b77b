"""The recipes that ship with snnctl: inside the wheel, or beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snnctl.recipe.source import parse_yaml, read_file


def shipped_folder() -> Path:
    package = Path(__file__).resolve().parents[1]
    inside = package / "shipped_recipes"
    return inside if inside.is_dir() else package.parent / "recipes"


def shipped_paths() -> dict[str, Path]:
    """Name -> file of each; the name is the path below the folder without `.yaml`. No file is read."""
    folder = shipped_folder()
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.yaml"))}


def shipped_recipes() -> list[dict[str, Any]]:
    """`{name, summary, path}` of each, by name."""
    rows = []
    for name, path in shipped_paths().items():
        values = parse_yaml(read_file(path), str(path)).values
        rows.append({"name": name, "summary": values.get("summary", ""), "path": str(path)})
    return rows
