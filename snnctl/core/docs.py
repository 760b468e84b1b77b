"""Reading a component's docstring: summary, equation, one line per argument, shape, source.

The docstring is the only place where a knob is described; `snnctl show`, the JSON Schema and the error
messages all read it from there.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SECTIONS = ("Equation", "Args", "Shape", "Raises", "Returns", "Source", "Example")
_HEADER = re.compile(rf"^({'|'.join(SECTIONS)}):\s*(.*)$")
_ARG = re.compile(r"^(\w+(?:,\s*\w+)*):\s*(.*)$")


@dataclass(frozen=True)
class ComponentDoc:
    """The parts of a component's docstring; each is "" or empty when absent."""

    summary: str = ""
    details: str = ""
    equation: str = ""
    args: dict[str, str] = field(default_factory=dict)
    shape: str = ""
    source: str = ""


def read_doc(component: Callable[..., Any]) -> ComponentDoc:
    """Split the docstring of a class or function into its parts."""
    text = inspect.getdoc(component) or ""
    blocks: dict[str, list[str]] = {"": []}
    current = ""
    for line in text.splitlines():
        header = _HEADER.match(line)
        if header:
            current = header[1]
            blocks[current] = [header[2]] if header[2] else []
        else:
            blocks[current].append(line)
    head = "\n".join(blocks[""]).strip()
    summary, _, details = head.partition("\n\n")
    return ComponentDoc(
        summary=" ".join(summary.split()),
        details=details.strip(),
        equation=_block(blocks, "Equation"),
        args=_arguments(blocks.get("Args", [])),
        shape=_block(blocks, "Shape"),
        source=" ".join(_block(blocks, "Source").split()),
    )


def _block(blocks: dict[str, list[str]], name: str) -> str:
    return inspect.cleandoc("\n".join(["", *blocks.get(name, [])])).strip("\n")


def _arguments(lines: list[str]) -> dict[str, str]:
    args: dict[str, str] = {}
    names: list[str] = []
    for line in inspect.cleandoc("\n".join(["", *lines])).splitlines():
        start = _ARG.match(line)
        if start:
            names = [name.strip() for name in start[1].split(",")]
            args.update(dict.fromkeys(names, start[2].strip()))
        else:
            for name in names:
                args[name] = f"{args[name]} {line.strip()}".strip()
    return args
