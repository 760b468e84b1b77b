"""What every diagnostic code stands for, from the one table `codes.toml`: its text, why it happens, the way out.

Codes: R1xx syntax, R2xx schema, R3xx cross-field, R4xx shapes of a recipe; Dxxx data; Exxx a run; Uxxx usage.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Code:
    """One entry of the table.

    Args:
        code: stable identifier ("R201").
        text: the message, with {names} of facts; or what all messages of this code have in common.
        cause: why it happens.
        way_out: what to do.
    """

    code: str
    text: str
    cause: str
    way_out: str


@cache
def codes() -> Mapping[str, Code]:
    """Code -> what it stands for, in the order of the table."""
    table = tomllib.loads(files("snnctl.core").joinpath("codes.toml").read_text(encoding="utf-8"))
    return {code: Code(code, **entry) for code, entry in table.items()}


def message_of(code: str, facts: Mapping[str, object]) -> str:
    """The text of `code` with its names filled in; "" for a code that the table does not have (a plug-in's own).

    Raises:
        KeyError: a fact is missing that the text names.
    """
    known = codes().get(code)
    return known.text.format_map(facts) if known is not None else ""
