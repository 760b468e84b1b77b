"""What `fuzz.py` damages: one small sound file or folder, and who reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Knobs = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """One sound sample.

    Args:
        name: of the file or folder that `write` makes.
        write: makes it at a path.
        uses: (component, knobs without the source) that read it.
        brought: names of sets that `data prep NAME --from` takes it for.
    """

    name: str
    write: Callable[[Path], Any]
    uses: tuple[tuple[str, Knobs], ...] = ()
    brought: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A name that no other sample has."""
        first = self.uses[0][0] if self.uses else self.brought[0]
        return f"{first}:{self.name}"


def as_bytes(content: bytes) -> Callable[[Path], Any]:
    """Writes just these."""
    return lambda path: path.write_bytes(content)
