"""Settings that hold within a block, for all that is called in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

ValueT = TypeVar("ValueT")


@contextmanager
def scoped(setting: ContextVar[ValueT], value: ValueT) -> Iterator[None]:
    """Let `setting` have this value within the block, and what it had before behind it."""
    token = setting.set(value)
    try:
        yield
    finally:
        setting.reset(token)
