"""A process that trains for another ends with it, however that ends: it saves, and can be gone on with.

The one who waits holds the writing end of a pipe, which the system closes when it ends, whatever ended it; at the
other end is the standard input of the one who trains. That works on every system, and no process id can be mistaken.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping

ENDING = 120.0  # seconds that one whose parent died may take for its step and to save

_WATCHED = "SNNCTL_ENDS_WITH_STDIN"
_watching = False


def watched(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that is to end when its standard input, a pipe (`STDIN`), does."""
    return {**environment, _WATCHED: "1"}


STDIN = subprocess.PIPE


def watch_parent() -> None:
    """Ask this process to end (SIGTERM) as soon as the one that started it has, if it was started so."""
    global _watching  # one process has one parent
    if os.environ.pop(_WATCHED, "") != "1":  # popped: processes that this one starts have a parent of their own
        return
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # what a plug-in reads must not wait for ever
    os.close(nothing)
    _watching = True

    def watch() -> None:
        while os.read(pipe, 1):
            pass
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def parent_is_watched() -> bool:
    """Whether this process ends with the one that started it."""
    return _watching
