"""The pipeline from text to a resolved recipe: read, overrides, plug-ins, schema and slots, cross-field rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.signature import knobs
from snnctl.core.training import Train
from snnctl.recipe.overrides import apply_overrides, listed
from snnctl.recipe.plugins import Plugin, load_plugin
from snnctl.recipe.rules import RULES
from snnctl.recipe.scalars import plain_scalar
from snnctl.recipe.schema import SLOTS, Energy
from snnctl.recipe.slots import Validation
from snnctl.recipe.source import KeyPath, Source, decode, parse_yaml, read_file


@dataclass(frozen=True)
class Recipe:
    """A validated recipe with every default filled in.

    Args:
        values: plain values; component sections are `{type, knobs...}`.
        source: the values as read, with line and column of each.
        plugins: plug-in files that were loaded.
        warnings: what the reader should know, e.g. dropped knobs.
    """

    values: dict[str, Any]
    source: Source
    plugins: tuple[Plugin, ...] = ()
    warnings: tuple[Diagnostic, ...] = field(default=())

    @property
    def name(self) -> str:
        """Names the run directory."""
        return str(self.values["name"])

    @property
    def train(self) -> Train:
        """The typed training section."""
        return Train.model_validate(self.values["train"], strict=False)

    @property
    def energy(self) -> Energy:
        """The typed section for energy estimates; the default one for runs made before there was one."""
        return Energy.model_validate(self.values.get("energy", {}), strict=False)

    def to_yaml(self) -> str:
        """The resolved recipe, itself runnable."""
        return dump_yaml(self.values)

    def seeded(self, seed: int) -> Recipe:
        """The same under another seed."""
        return replace(self, values={**self.values, "train": {**self.values["train"], "seed": seed}})

    @property
    def plugin_files(self) -> tuple[tuple[str, str], ...]:
        """Path and SHA-256 hex of each plug-in file."""
        return tuple((plugin.path, plugin.sha256) for plugin in self.plugins)

    def digest(self) -> str:
        """SHA-256 hex of the resolved values; the same for the same experiment."""
        return hashlib.sha256(json.dumps(self.values, sort_keys=True).encode()).hexdigest()

    def origin(self, path: KeyPath) -> str:
        """Where the value at `path` comes from: `line 12`, the override, or `default`."""
        if path not in self.source.items:
            return "default"
        mark = self.source.items[path]
        return mark.override or f"line {mark.line}"

    def leaves(self) -> Iterator[tuple[KeyPath, Any]]:
        """Every value that is not a mapping, with its path."""
        return _leaves(self.values, ())

    def problem(self, code: str, message: str, path: KeyPath, help: str = "", **how: Any) -> Diagnostic:
        """A diagnostic located at the value of `path`; `how` else it is told, see `Validation.add`."""
        collector = Validation(self.source)
        collector.add(code, message, path, help=help, **how)
        return collector.problems[0]


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    else:
        yield path, value


def load_recipe(
    path: Path | str, sets: Sequence[str] = (), unsets: Sequence[str] = (), *, allow_plugins: bool = True
) -> Recipe:
    """Read, edit, validate and resolve a recipe file.

    Raises:
        DiagnosticError: everything that is wrong, at once.
    """
    path = Path(path)
    return read_recipe(read_file(path), str(path), sets, unsets, folder=path.parent, allow_plugins=allow_plugins)


def read_recipe(
    text: str | bytes,
    file: str,
    sets: Sequence[str] = (),
    unsets: Sequence[str] = (),
    *,
    folder: Path | None = None,
    allow_plugins: bool = True,
) -> Recipe:
    """As `load_recipe`, from text; `folder` is what relative paths in it are relative to."""
    if isinstance(text, bytes):
        text = decode(text, file)
    source = parse_yaml(text, file)
    warnings = apply_overrides(source, listed("sets", sets), listed("unsets", unsets))
    base = folder or Path()
    check = Validation(source)
    plugins = _load_plugins(source, base, allow_plugins, check)
    plugin_missing = bool(check.problems)
    values = check.recipe()
    if not check.problems:
        _absolute_paths(values, source, base)
        for rule in RULES:
            for where, message, help in rule(values):
                check.add("R302", message, where, help=help)
    if check.problems:
        # What a plug-in that failed would have registered is not unknown.
        unknown = [d for d in check.problems if plugin_missing and d.code == "R200"]
        left = [d for d in check.problems if d not in unknown]
        problems = [replace(d, notes=(*d.notes, _unchecked(unknown))) if d.code == "R127" else d for d in left]
        raise DiagnosticError(sorted(problems, key=lambda d: (d.file != file, d.line, d.column)))
    return Recipe(values, source, plugins, tuple(warnings))


def _unchecked(unknown: Sequence[Diagnostic]) -> str:
    """What a check leaves open while a plug-in does not run."""
    places = ", ".join(f"`{d.path}`" for d in unknown)
    return f"not checked: {places + ', ' if places else ''}rules across keys, data, shapes"


def _load_plugins(source: Source, folder: Path, allowed: bool, check: Validation) -> tuple[Plugin, ...]:
    listed = source.values.get("plugins", [])
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        return ()  # the schema says what is wrong with it
    if listed and not allowed:
        check.add("R123", "the recipe names plug-ins, and --no-plugins is given", ("plugins",))
        return ()
    found = []
    for index, item in enumerate(listed):
        path = ("plugins", index)
        try:
            plugin = load_plugin(_resolve(item, source, path, folder))
        except DiagnosticError as error:
            mark = source.value_mark(path)
            named = mark.override or f"{mark.file}:{mark.line}:{mark.column}"
            for problem in error.diagnostics:
                if problem.file:
                    check.problems.append(replace(problem, notes=(*problem.notes, f"the plug-in is named at {named}")))
                else:
                    check.add(problem.code, problem.message, path, help=problem.help)
            continue
        found.append(plugin)
        listed[index] = plugin.path
    return tuple(found)


def _resolve(text: str, source: Source, path: KeyPath, folder: Path) -> Path:
    """An absolute path: relative to the recipe, or to the working directory if it came with `--set`."""
    start = Path() if source.value_mark(path).override else folder
    return (start / Path(text).expanduser()).resolve()


def components(values: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], KeyPath]]:
    """Every component of a resolved recipe, nested ones too: its kind, its `{type, knobs...}`, where it stands."""
    for section, kind in SLOTS.items():
        yield from _components(kind, values[section], (section,))


def _components(kind: str, config: dict[str, Any], path: KeyPath) -> Iterator[tuple[str, dict[str, Any], KeyPath]]:
    yield kind, config, path
    for knob in knobs(REGISTRIES[kind].get(config["type"])):
        if knob.slot is not None and config[knob.name] is not None:
            yield from _components(knob.slot.kind, config[knob.name], (*path, knob.name))


def _absolute_paths(values: dict[str, Any], source: Source, folder: Path) -> None:
    for kind, config, path in components(values):
        for knob in knobs(REGISTRIES[kind].get(config["type"])):
            text = config[knob.name]
            if knob.path is not None and isinstance(text, str) and text not in knob.path.known:
                config[knob.name] = str(_resolve(text, source, (*path, knob.name), folder))
    start = values["train"]["init_from"]
    if start is not None:
        values["train"]["init_from"] = str(_resolve(start, source, ("train", "init_from"), folder))


class _Dumper(yaml.SafeDumper):
    """Writes text so that our reader (YAML 1.2) reads it back as text."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None if isinstance(plain_scalar(value), str) else "'"
    if not value.isprintable():
        style = '"'  # the only one that keeps every line break, such as U+0085
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
_Dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]


def dump_yaml(values: Any) -> str:
    """Plain values as YAML that `parse_yaml` reads back unchanged."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
