"""Signals that ask a run to stop: it finishes its step, saves, and can be resumed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType


class Stopped(KeyboardInterrupt):
    """A request ended work that leaves nothing half done; a KeyboardInterrupt, so that no library swallows it."""


class StopRequest:
    """Context in which SIGINT, SIGTERM, SIGHUP and SIGUSR1 set `wanted` instead of ending the process.

    One that is ignored stays so, as `nohup` has it of SIGHUP. A second SIGINT ends it at once, as people expect of
    Ctrl-C twice.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._at_once = False
        self._interrupts = 0
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")  # Windows has neither of the last two
            for number in [getattr(signal, name) for name in names if hasattr(signal, name)]:
                if number != signal.SIGINT and signal.getsignal(number) == signal.SIG_IGN:
                    continue
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within, a request raises `Stopped` where it arrives; for work that can simply be done again.

        Raises:
            Stopped: also on entering, if a request came before.
        """
        self._at_once = True
        try:
            if self.wanted:
                raise Stopped
            yield
        finally:
            self._at_once = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._interrupts += number == signal.SIGINT
        if self._at_once and not self.wanted:
            self.wanted = True
            raise Stopped
        self.wanted = True
        if self._interrupts > 1:
            raise KeyboardInterrupt
