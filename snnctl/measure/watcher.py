"""What watches a network does so inside a `with` block, and leaves nothing behind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, Self


class Watcher(ABC):
    """A context manager over all that a measurement attaches to a network; it may be entered again once it was left."""

    _attached: ExitStack | None = None

    @abstractmethod
    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        """What to enter, in order: the handles of hooks, which end them, or other blocks."""

    def __enter__(self) -> Self:
        if self._attached is not None:
            raise RuntimeError(f"this {type(self).__name__} is already attached")
        with ExitStack() as stack:
            for watch in self._watches():
                stack.enter_context(watch)
            self._attached = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._attached is not None:
            self._attached.close()
        self._attached = None
