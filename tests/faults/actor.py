"""A command in a process of its own, and what can be done to it. Forked from a process that has imported everything:
that leaves each call its own signals, limits, streams and exit code, and takes away the seconds of importing torch."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from stage import environment

Stdout = Literal["kept", "closed", "full"]
_MODULES = (
    "snnctl.cli.app", "snnctl.commands.convert", "snnctl.commands.data", "snnctl.commands.predict",
    "snnctl.commands.stats", "snnctl.commands.sweep", "snnctl.commands.train", "optuna", "optuna.storages.journal",
    "snnctl.data.series.component", "snnctl.tasks.forecasting", "snnctl.backbones.spike_mlp", "torch",
    "snnctl.neurons.kernels.compiled",
)  # fmt: skip


def import_everything() -> None:
    """Before the first call: forked processes have it then."""
    import importlib

    for name in _MODULES:
        importlib.import_module(name)


class Actor:
    """One call.

    Args:
        folder: where it runs.
        arguments: of `snnctl`.
        mark: by which its processes are found.
        before: called in the process before the command: limits, other users.
        stdout: kept for `answer`, closed, or a device that is always full.
        without: variables of the environment that it lacks.
    """

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str],
        mark: str,
        before: Callable[[], None] = lambda: None,
        stdout: Stdout = "kept",
        without: Sequence[str] = (),
    ) -> None:
        self.folder, self.mark = folder, mark
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        self._told = tempfile.TemporaryFile()  # noqa: SIM115
        self.code: int | None = None
        self.begun = time.monotonic()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._play(arguments, before, stdout, without)
            finally:
                os._exit(99)

    def _play(
        self, arguments: Sequence[str], before: Callable[[], None], stdout: Stdout, without: Sequence[str]
    ) -> None:
        os.setsid()
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(environment(self.folder, self.mark))
        for name in without:
            os.environ.pop(name, None)
        tempfile.tempdir = None
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open("/dev/full", os.O_WRONLY) if stdout == "full" else self._said.fileno(), 1)
        os.dup2(self._told.fileno(), 2)
        if stdout == "closed":
            os.close(1)
        sys.argv = ["snnctl", *arguments]
        if stdout == "closed":
            sys.stdout = None  # as the interpreter has it then
        else:
            sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        signal.signal(signal.SIGINT, signal.default_int_handler)
        before()
        from snnctl.__main__ import main

        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        for stream in (sys.stdout, sys.stderr):
            try:
                if stream is not None:
                    stream.flush()
            except Exception:
                code = 120  # as the interpreter does
        os._exit(code)

    def send(self, number: int) -> None:
        """A signal, if it still runs."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> int | None:
        """Its exit code, negative for a signal; None if it still runs."""
        until = time.monotonic() + seconds
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() >= until:
                break
            else:
                time.sleep(0.01)
        return self.code

    def answer(self) -> dict[str, Any]:
        """The document that it printed last; {} if none."""
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        with suppress(ValueError, IndexError):
            return dict(json.loads(lines[-1]))
        return {}

    def errors(self) -> str:
        """The end of what it told on stderr."""
        self._told.seek(0)
        return self._told.read().decode("utf-8", "replace").strip()[-2000:]

    def codes(self) -> list[str]:
        """Codes of its errors."""
        return [one["code"] for one in self.answer().get("diagnostics", []) if one["severity"] == "error"]

    def close(self) -> None:
        """Forget what it said."""
        self._said.close()
        self._told.close()


def alive(mark: str, sessions: Sequence[int]) -> list[int]:
    """Processes that carry the mark, or belong to a session of an actor."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError, ValueError):
            status = Path(entry.path, "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            if status[0] == "Z":
                continue
            marked = f"SNNCTL_FAULT={mark}\0".encode() in Path(entry.path, "environ").read_bytes()
            if marked or int(status[3]) in sessions:
                found.append(int(entry.name))
    return found
