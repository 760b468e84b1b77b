"""Faults to the real commands, drawn; `python -m tests.faults` plays more of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are followed through /proc")


_PARENT = """
import subprocess, sys, time
from snnctl.engine.parent import STDIN, watched
import os
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=STDIN, env=watched(os.environ))
print(child.pid, flush=True)
time.sleep(60)
"""
_CHILD = """
import os, signal, sys, time
from snnctl.engine.parent import parent_is_watched, watch_parent
from snnctl.engine.interrupt import StopRequest
watch_parent()
assert parent_is_watched() and sys.stdin.read() == ""
with StopRequest() as stop:
    open(os.environ["READY"], "w").close()
    while not stop.wanted:
        time.sleep(0.01)
open(os.environ["READY"] + ".saved", "w").close()
"""


def test_a_child_saves_when_its_parent_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    environment = {**os.environ, "READY": str(ready)}
    call = [sys.executable, "-c", _PARENT, _CHILD]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        _until(ready)
        parent.send_signal(signal.SIGKILL)
    _until(tmp_path / "ready.saved")


def _until(path: Path, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} does not come"
        time.sleep(0.01)
