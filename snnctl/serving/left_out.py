"""Paths in what is handed on: they name files that stay where they are, and tell whose machine it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, printable
from snnctl.core.signature import knobs
from snnctl.recipe import Recipe
from snnctl.recipe.resolve import components

# Stands for the folder that a file lay in; there is none of that name, so nothing is read in its place.
LEFT_OUT = "(not in the bundle)"


def named_files(values: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Sections of a resolved recipe, and their keys that name a file or folder."""
    for kind, config, _ in components(values):
        for knob in knobs(REGISTRIES[kind].get(config["type"])):
            text = config[knob.name]
            if knob.path is not None and isinstance(text, str) and text not in knob.path.known:
                yield config, knob.name


def without_paths(recipe: Recipe) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of a recipe without folders, plug-ins and weights to start from; and what stands for each path."""
    values, moved = deepcopy(recipe.values), {}
    for config, key in named_files(values):
        path = config[key]
        moved[path] = config[key] = f"{LEFT_OUT}/{Path(path).name}"
    values["plugins"] = []
    values["train"]["init_from"] = None
    costs = values["energy"]["costs"] if "energy" in values else ""
    if costs:
        values["energy"]["costs"] = ",".join(Path(name.strip()).name for name in costs.split(","))
    return values, moved


def moved_within(value: Any, moved: dict[str, str]) -> Any:
    """A JSON document in which paths that were left out are named as `without_paths` names them."""
    if isinstance(value, str):
        for path, instead in moved.items():
            value = value.replace(path, instead)
        return value
    if isinstance(value, dict):
        return {key: moved_within(item, moved) for key, item in value.items()}
    return [moved_within(item, moved) for item in value] if isinstance(value, list) else value


def refuse_paths(model: Path, bundle: Path) -> None:
    """Without new rows a model goes on where its source ends: a bundle may name no file of this machine as that.

    Nothing else that a bundle names is read: it has its weights, and a model in place of the data.

    Raises:
        DiagnosticError: U506, the model cannot be read; U541, it names a file.
    """
    try:
        document = json.loads(model.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DiagnosticError(Diagnostic("U506", file=str(bundle), facts={"reason": error})) from error
    source = document.get("source") if isinstance(document, dict) else None
    if not isinstance(source, str) or not any(mark in source for mark in "/\\.~"):
        return  # a known name; or none, which reading the model refuses
    folder, _, name = source.partition("/")
    if folder != LEFT_OUT or any(mark in name for mark in "/\\") or name == "..":
        facts = {"member": "model/model.json", "reason": f"it names a file, `{printable(source, 80)}`"}
        raise DiagnosticError(Diagnostic("U541", file=str(bundle), facts=facts))
