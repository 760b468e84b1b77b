"""Texts and their labels side by side, as they were read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# A source is one part that nobody has cut yet, or has parts of its own.
WHOLE = "whole"


@dataclass(frozen=True)
class Texts:
    """Texts and labels side by side.

    Args:
        texts: as they stand in the source; an empty one counts as a text.
        labels: as they stand there, one each.
        order: labels in the order of the classes, where the source says so.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    order: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: list[int]) -> Texts:
        """The items at `indices`."""
        return Texts(tuple(self.texts[i] for i in indices), tuple(self.labels[i] for i in indices), self.order)


Parts = Mapping[str, Texts]  # WHOLE alone, or some of train, val and test


def joined(parts: list[Texts]) -> Texts:
    """All items of `parts`, one part after the other."""
    return Texts(
        tuple(text for part in parts for text in part.texts),
        tuple(label for part in parts for label in part.labels),
        next((part.order for part in parts if part.order), ()),
    )


def sameness(text: str) -> str:
    """What two texts have in common if they are the same but for blanks and case."""
    return " ".join(text.split()).casefold()
