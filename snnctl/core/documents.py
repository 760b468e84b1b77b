"""Documents that any JSON reader can read."""

from __future__ import annotations

from typing import Any


def finite(value: Any) -> Any:
    """The same document with NaN and infinities, which JSON does not know, as None; tuples become lists."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
