"""What Python gives where the shell gives text: a recipe as file, name or values; changes as texts or values."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, choices, did_you_mean
from snnctl.core.owned import scratch
from snnctl.recipe import Recipe, load_recipe, read_recipe
from snnctl.recipe.overrides import listed
from snnctl.recipe.resolve import dump_yaml
from snnctl.recipe.schema import RecipeModel
from snnctl.recipe.shipped import shipped_paths
from snnctl.recipe.source import path_text

RecipeLike = Path | str | Mapping[str, Any]
# Texts as `--set` takes them ("train.epochs=2"), or values by their path ({"train.epochs": 2}).
Changes = Sequence[str] | Mapping[str, Any]

VALUES = "<recipe>"
_KEYS = frozenset(info.alias or name for name, info in RecipeModel.model_fields.items())


def read(
    recipe: RecipeLike, sets: Sequence[str] = (), unsets: Sequence[str] = (), *, allow_plugins: bool = True
) -> Recipe:
    """The recipe that is meant.

    Args:
        recipe: a file; as text also the name of a shipped one, where no such file is there; or its values, whose
            relative paths begin in the working directory.
        sets, unsets: changes, as `--set` and `--unset` take them.

    Raises:
        DiagnosticError: as `snnctl.recipe.load_recipe`; R116, a value that no recipe can hold.
    """
    if isinstance(recipe, Mapping):
        text = dump_yaml(plain(recipe, ()))
        return read_recipe(text, VALUES, sets, unsets, folder=Path(), allow_plugins=allow_plugins)
    return load_recipe(file_of(recipe), sets, unsets, allow_plugins=allow_plugins)


def file_of(recipe: Path | str) -> Path:
    """The file of a recipe: itself, or that of the shipped one that a text names where no such file is there.

    Raises:
        DiagnosticError: R101, it is neither.
    """
    path = Path(recipe)
    if isinstance(recipe, Path) or path.suffix in (".yaml", ".yml") or path.exists():
        return path
    shipped = shipped_paths()
    if recipe not in shipped:
        message = f"`{recipe}` is neither a file nor a shipped recipe"
        help = f"{did_you_mean(recipe, shipped)}  `snnctl list recipes` shows them".strip()
        raise DiagnosticError(Diagnostic("R101", message, help=help))
    return shipped[recipe]


@contextmanager
def as_file(recipe: RecipeLike, resolved: Recipe) -> Iterator[Path]:
    """A recipe that another process can read; of values, one that is there for as long as it is needed."""
    if not isinstance(recipe, Mapping):
        yield file_of(recipe)
        return
    with scratch() as folder:
        path = folder / f"{resolved.name}.yaml"
        path.write_text(resolved.to_yaml(), encoding="utf-8")
        yield path


def changes(sets: Changes, keywords: Mapping[str, Any], function: Callable[..., Any]) -> list[str]:
    """Changes as `--set` takes them, those by keyword last.

    Args:
        sets: texts, or values by path.
        keywords: values by path, with `__` for the dot: `train__epochs=2`.
        function: whose keywords they are not; a slip of the pen is compared with its names.

    Raises:
        DiagnosticError: R115, one text; R116, a value that no recipe can hold; U530, a keyword that names no key.
    """
    named = {name.replace("__", "."): value for name, value in keywords.items()}
    for name in keywords:
        if "__" not in name and name not in _KEYS:
            known = [one for one in inspect.signature(function).parameters if one not in ("overrides", "recipe")]
            help = f"{choices(name, known)}; a key of the recipe is written train__epochs=2"
            raise DiagnosticError(Diagnostic("U530", facts={"function": function.__name__, "name": name}, help=help))
    if isinstance(sets, Mapping):
        return [_text(path, value) for path, value in {**sets, **named}.items()]
    return [*listed("sets", sets), *(_text(path, value) for path, value in named.items())]


def _text(path: str, value: Any) -> str:
    """A change as `--set` takes it. JSON is YAML, where no letter is one that YAML does not print."""
    written = json.dumps(plain(value, (path,)), ensure_ascii=False)
    return f"{path}=" + "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in written)


def plain(value: Any, path: tuple[str | int, ...]) -> Any:
    """Plain values: mappings, lists, texts, numbers, truths and None; paths become texts, tuples lists.

    Args:
        path: where it stands.

    Raises:
        DiagnosticError: R116, it is something else.
    """
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {str(key): plain(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, (*path, number)) for number, item in enumerate(value)]
    if isinstance(value, Path):
        return str(value)
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        value = value.item()
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    facts = {"path": path_text(path) or "the recipe", "value": f"{value!r:.40} ({type(value).__name__})"}
    raise DiagnosticError(Diagnostic("R116", facts=facts))
