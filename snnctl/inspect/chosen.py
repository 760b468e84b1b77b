"""Which of many layers, channels, places and samples are looked at, and what layers are called over a panel."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

import numpy as np
from torch import Tensor

from snnctl.core.diagnostic import Diagnostic, DiagnosticError

Item = TypeVar("Item")

PANELS = 24  # of one figure: more are not looked at


def spread(count: int, most: int) -> list[int]:
    """At most `most` of 0..count-1, evenly spread, the first and the last among them."""
    return list(range(count)) if count <= most else np.linspace(0, count - 1, most).round().astype(int).tolist()


def chosen_channels(rates: Tensor, most: int) -> list[int]:
    """At most `most` channels, evenly spread over the ranks of their `rates` [C]; the busiest first.

    So silent and busy ones are seen in the proportion in which there are.
    """
    ranked = rates.argsort(descending=True, stable=True).tolist()
    return [ranked[i] for i in spread(len(ranked), most)]


def chosen_layers(names: Sequence[str], patterns: Sequence[str], most: int) -> list[str]:
    """The layers that match any pattern (`*`, `?`, `[...]`); without patterns at most `most`, evenly spread.

    Raises:
        DiagnosticError: U470, a pattern that no layer matches.
    """
    if not patterns:
        return [names[i] for i in spread(len(names), most)]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            help = f"layers: {', '.join(names)}"
            raise DiagnosticError(Diagnostic("U470", facts={"pattern": pattern}, help=help))
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def shown_name(name: str, most: int = 30) -> str:
    """A layer without the word that all of them end in; of a long name the end, which tells layers apart."""
    name = name.removesuffix(".neuron").removeprefix("backbone.")
    if len(name) <= most:
        return name
    end = name[1 - most :]
    return f"…{end[end.find('.') + 1 :]}"


def some(items: Sequence[Item]) -> tuple[list[Item], str]:
    """At most `PANELS` of them, evenly spread, and a remark for the caption if that is not all."""
    chosen = [items[i] for i in spread(len(items), PANELS)]
    return chosen, "" if len(chosen) == len(items) else f" {len(chosen)} of {len(items)} layers are shown."
