"""Cost tables: what an operation costs, as small YAML files that people copy and edit.

To make your own, copy a shipped file from snnctl/energy/price/tables, change numbers, and pass its path in place of a
name. Every physical constant is written with where it comes from, and is refused without:

    mac_pj: {value: 4.6, source: "fp32 multiply 3.7 + add 0.9, 45 nm (Horowitz, ISSCC 2014)"}

Widths, depths and choices are plain values. A table has either an `arithmetic` section (`fixed` or `int_scaled`),
with `memory` (`flat`, `lemaire`) and `movement` (`mesh`) where wanted, or a `device` section alone. Energies are in
picojoules (`_pj`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import Field, ValidationError

from snnctl.core.annotations import members
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, choices
from snnctl.energy.price.rules import RuleName
from snnctl.energy.price.sections import Constant, Device, Fixed, Flat, IntScaled, Lemaire, Mesh, NoMemory, Part
from snnctl.recipe.explain import Finding, Owner, explain, plain, shown
from snnctl.recipe.slots import Validation
from snnctl.recipe.source import KeyPath, parse_yaml, path_text, read_file

FOLDER = Path(__file__).parent / "tables"


class _Head(Part):
    schema_: Literal[1] = Field(alias="schema", description="version of the table format; this snnctl reads 1")
    name: Annotated[str, MinLen(1)] = Field(description="names the table in reports")
    summary: str = Field("", description="one line for people")
    rule: RuleName = Field("bitplane", description="what a spike is charged unless the user says otherwise")
    arithmetic: Any = Field(None, description="prices of operations: model fixed or int_scaled")
    memory: Any = Field(None, description="prices of memory: model none, flat or lemaire")
    movement: Any = Field(None, description="prices of data on the way: model mesh")
    device: Any = Field(None, description="a whole device in place of all other sections")


_SECTIONS: dict[str, dict[str, type[Part]]] = {
    "arithmetic": {"fixed": Fixed, "int_scaled": IntScaled},
    "memory": {"none": NoMemory, "flat": Flat, "lemaire": Lemaire},
    "movement": {"mesh": Mesh},
    "device": {},  # of one form alone
}


@dataclass(frozen=True)
class Table:
    """A validated cost table."""

    # name, summary, rule: as in the file
    name: str
    rule: RuleName
    summary: str = ""
    # arithmetic, memory, movement, device: its sections; None where absent
    arithmetic: Fixed | IntScaled | None = None
    memory: Flat | Lemaire | None = None
    movement: Mesh | None = None
    device: Device | None = None
    file: str = ""  # where it was read from

    def constants(self) -> list[SourcedValue]:
        """Every constant with its source, in the order of the file format."""
        return [
            SourcedValue(f"{section}.{name}", constant.value, constant.source)
            for section in _SECTIONS
            for name, constant in getattr(self, section) or ()
            if isinstance(constant, Constant)
        ]


@dataclass(frozen=True)
class SourcedValue:
    """A constant of a table: dotted key, value, source."""

    key: str
    value: float
    source: str


def table_names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_table(name_or_path: str | Path) -> Table:
    """A shipped table by name, or any by the path of its .yaml file.

    Raises:
        DiagnosticError: U460 unknown name; R1xx not readable as YAML; R2xx, R302 what is wrong in it, all at once.
    """
    text = str(name_or_path)
    if not (isinstance(name_or_path, Path) or any(mark in text for mark in "/\\.~")):
        if text not in table_names():
            help = f"{choices(text, table_names())}; or the path of a .yaml file"
            raise DiagnosticError(Diagnostic("U460", facts={"text": text}, help=help))
        return load_table(FOLDER / f"{text}.yaml")
    path = Path(name_or_path).expanduser()
    try:
        return read_table(read_file(path), str(path))
    except DiagnosticError as error:
        raise DiagnosticError(_about_tables(d) for d in error.diagnostics) from None


_HELP = {
    "R101": "shipped tables go by name: {names}",
    "R102": "a cost table is a few lines of numbers",
    "R106": "begin with `schema: 1`, or copy one of the shipped tables: {names}",
}


def _about_tables(problem: Diagnostic) -> Diagnostic:
    """What the reader of recipes says, in words that fit a table."""
    if not problem.code.startswith("R1"):
        return problem
    help = problem.help.replace("recipe", "cost table")
    if problem.code in _HELP:
        help = _HELP[problem.code].format(names=", ".join(table_names()))
    return replace(problem, message=problem.message.replace("recipe", "cost table"), help=help)


def read_table(text: str, file: str = "<text>") -> Table:
    """As `load_table`, from text."""
    check = Validation(parse_yaml(text, file))
    raw = check.source.values
    head = _checked(check, _Head, raw, (), "a cost table")
    parts: dict[str, Any] = {}
    for section in _SECTIONS:
        if raw.get(section) is not None:
            parts[section] = _section(check, section, raw[section])
    if "device" not in parts and "arithmetic" not in parts:
        help = "write `arithmetic: {model: fixed, ...}`"
        check.add("R302", "a cost table needs `arithmetic` or `device`", (), on_key=True, help=help)
    for section in parts if "device" in parts else ():
        if section != "device":
            message = f"`device` already includes `{section}`"
            check.add("R302", message, (section,), on_key=True, help="remove one of the two")
    if check.problems or not isinstance(head, _Head):
        raise DiagnosticError(sorted(check.problems, key=lambda d: (d.line, d.column)))
    if isinstance(parts.get("memory"), NoMemory):
        del parts["memory"]
    return Table(head.name, head.rule, head.summary, file=file, **parts)


def _section(check: Validation, section: str, value: Any) -> Part | None:
    models = _SECTIONS[section]
    known = f"known models: {', '.join(models)}" if models else ""
    if not isinstance(value, dict):
        message = f"`{section}` must be a mapping{' with `model`' if models else ''}, got {shown(value)}"
        check.add("R203", message, (section,), help=known)
        return None
    if not models:
        return _checked(check, Device, value, (section,), f"`{section}`")
    name = value.get("model")
    if not isinstance(name, str) or name not in models:
        if "model" not in value:
            check.add("R202", f"`{section}` has no `model`", (section,), on_key=True, help=known)
        else:
            help = choices(name, models) if isinstance(name, str) else known
            check.add("R205", f"unknown model {shown(name)} of `{section}`", (section, "model"), help=help)
        return None
    return _checked(check, models[name], value, (section,), f"{section} model `{name}`")


def _checked(check: Validation, model: type[Part], given: dict[str, Any], path: KeyPath, name: str) -> Part | None:
    docs = {info.alias or key: info.description or "" for key, info in model.model_fields.items()}
    try:
        return model.model_validate_json(json.dumps(given))
    except ValidationError as error:
        for found in explain(error, given, Owner(path, name, members(model), docs)):
            told = _without_source(found, check.source.values) or found
            check.add(told.code, told.message, told.path, on_key=told.on_key, help=told.help, label=told.label)
        return None


def _without_source(found: Finding, values: Any) -> Finding | None:
    """The commonest mistake in its own words: a bare number, or a number whose source is left out."""
    here = values
    for part in found.path:
        here = here.get(part) if isinstance(here, dict) else None
    name = f"`{path_text(found.path)}`"
    if found.code == "R203" and "mapping of value, source" in found.message:
        if isinstance(here, int | float) and not isinstance(here, bool):
            help = f'write {{value: {plain(here)}, source: "where it comes from"}}'
            return Finding("R207", f"{name} has no source", found.path, help=help)
    elif found.code == "R202" and found.message.startswith("missing key `source`"):
        return Finding("R207", f"{name} has no source", found.path, True, 'add source: "where it comes from"')
    elif found.path[-1:] == ("source",) and here in (None, ""):
        return Finding("R207", f"{name} is empty", found.path, help="say where the number comes from")
    return None
