"""The recipes that ship with snnctl: inside the wheel, or beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snnctl.recipe.source import parse_yaml, read_file


def shipped_folder() -> Path:
    """Where the recipes lie."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "shipped_recipes"
    return inside if inside.is_dir() else package.parent / "recipes"


def shipped_recipes() -> list[dict[str, Any]]:
    """`{name, summary, path}` of each, by name; the name is the path below the folder without `.yaml`."""
    folder = shipped_folder()
    rows = []
    for path in sorted(folder.rglob("*.yaml")):
        values = parse_yaml(read_file(path), str(path)).values
        name = path.relative_to(folder).with_suffix("").as_posix()
        rows.append({"name": name, "summary": values.get("summary", ""), "path": str(path)})
    return rows
