"""Units in which energies are written for people, from J to pJ; nothing is computed here."""

from __future__ import annotations

_UNITS = ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ"), (1e-12, "pJ"))


def unit_of(joules: float) -> tuple[float, str]:
    """The largest unit in which a figure is at least 1: its size in joules, and its name."""
    return next(((size, name) for size, name in _UNITS if abs(joules) >= size), _UNITS[-1])
