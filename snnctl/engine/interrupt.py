"""Signals that ask a run to stop: it finishes its step, saves, and can be resumed."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class StopRequest:
    """Context in which SIGINT, SIGTERM and SIGUSR1 set `wanted` instead of ending the process.

    A second SIGINT ends it at once, as people expect of Ctrl-C twice.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            names = ("SIGINT", "SIGTERM", "SIGUSR1")  # Windows has no SIGUSR1
            for number in [getattr(signal, name) for name in names if hasattr(signal, name)]:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.wanted and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.wanted = True
