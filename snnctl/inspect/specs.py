"""Components that are named on a command line, and names that tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.recipe.slots import Validation
from snnctl.recipe.source import Mark, Source, parse_value


def component_of(kind: str, text: str, number: int) -> tuple[dict[str, Any], str]:
    """`cpg`, `{type: cpg, neurons: 40}` or `cpg: {neurons: 40}`, validated as the slot of a recipe is.

    It was given as the option `--kind` for the `number`th time, from 1.

    Returns:
        `{type, knobs...}`, and what to name in a diagnostic.

    Raises:
        DiagnosticError: R1xx it is not YAML, R2xx and R3xx as for that slot of a recipe.
    """
    label = f"--{kind} {text} (no. {number})"
    value = parse_value(text, label)
    if isinstance(value, dict) and "type" not in value and len(value) == 1:
        ((name, inner),) = value.items()
        if (isinstance(inner, dict) and "type" not in inner) or inner is None:
            value = {"type": name, **(inner or {})}
    source = Source("", text, {kind: value})
    source.items[()] = Mark(override=label)
    validation = Validation(source)
    config = validation.component(kind, value, (kind,))
    if validation.problems:
        raise DiagnosticError(validation.problems)
    return config, label


def components_of(kind: str, texts: Sequence[str]) -> list[tuple[dict[str, Any], str]]:
    """All of them, as `component_of`; what is wrong with any is reported at once."""
    found: list[tuple[dict[str, Any], str]] = []
    problems: list[Diagnostic] = []
    for number, text in enumerate(texts, 1):
        try:
            found.append(component_of(kind, text, number))
        except DiagnosticError as error:
            problems += error.diagnostics
    if problems:
        raise DiagnosticError(problems)
    return found


def names_of(configs: Sequence[dict[str, Any]]) -> list[str]:
    """The type, with those knobs in which encodings of the same type differ."""
    names = []
    for config in configs:
        alike = [other for other in configs if other["type"] == config["type"]]
        differing = [key for key in config if any(other.get(key) != config[key] for other in alike)]
        names.append(" ".join([config["type"], *(f"{key}={_plain(config[key])}" for key in differing)]))
    return names


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
