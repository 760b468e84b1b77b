"""Runs that train at the same time: each is a `snnctl train` of its own, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol

from snnctl.core.choices import Device
from snnctl.core.diagnostic import Diagnostic, ExitCode
from snnctl.core.identity import accepts_changes
from snnctl.core.memory import no_memory
from snnctl.core.trust import trusts_all
from snnctl.engine.interrupt import StopRequest
from snnctl.engine.parent import STDIN, watched
from snnctl.engine.run_dir import RunDir

if TYPE_CHECKING:
    from snnctl.recipe import Recipe

_LOOK_EVERY = 0.25  # seconds
_LAST_WORDS = 400  # letters of what a process said that ended without a document


@dataclass(frozen=True)
class Job:
    """One run to train."""

    label: str  # what people call it: `seed 3`
    out: Path  # its run directory
    arguments: tuple[str, ...]  # of `snnctl train`, but for `--out` and `--json`
    epochs: int  # that it trains at most
    watched: str  # the metric that chooses its weights

    @classmethod
    def of(
        cls, recipe: Recipe, seed: int, label: str, out: Path, arguments: Sequence[str], *, continue_: bool = False
    ) -> Job:
        """To train a recipe under a seed; with `continue_` what lies in `out` is gone on with."""
        seeded = (*arguments, "--set", f"train.seed={seed}", *["--continue"] * continue_)
        return cls(label, out, seeded, recipe.train.epochs, recipe.train.early_stop.metric)

    def progress(self) -> tuple[int, float | None]:
        """Epochs that are done, and the watched metric after the last of them."""
        records = RunDir(self.out).metrics()
        return len(records), records[-1].get(self.watched) if records else None


def train_arguments(
    recipe: Path | str,
    sets: Sequence[str] = (),
    unsets: Sequence[str] = (),
    *,
    device: Device = "auto",
    continue_: bool = False,
    tensorboard: bool = False,
    stop_after: int | None = None,
    allow_plugins: bool = True,
) -> tuple[str, ...]:
    """The arguments of `snnctl train` that runs which belong together share."""
    changes = [part for option, texts in (("--set", sets), ("--unset", unsets)) for t in texts for part in (option, t)]
    flags = ["--continue"] * continue_ + ["--tensorboard"] * tensorboard + ["--device", device]
    stop = [] if stop_after is None else ["--stop-after", str(stop_after)]
    plugins = ["--no-plugins"] * (not allow_plugins) + ["--trust-plugins"] * trusts_all()
    accept = ["--accept-changes"] * accepts_changes()
    return (str(recipe), *changes, *flags, *stop, *plugins, *accept)


@dataclass(frozen=True)
class Ended:
    """How a job's process ended."""

    job: Job  # the job
    # stopped = asked to end before there was anything to save; given_up = its source wanted no more of it
    state: Literal["done", "interrupted", "stopped", "given_up", "failed"]
    # of one that is done; of one that was interrupted or given up, what stands for them
    results: dict[str, Any] = field(default_factory=dict)
    code: ExitCode = ExitCode.DONE  # its exit code
    said: tuple[Diagnostic, ...] = ()  # errors of one that failed

    @property
    def complaints(self) -> list[Diagnostic]:
        """What it said, with its label."""
        return [replace(one, message=f"{self.job.label}: {one.message}") for one in self.said]


class Source(Protocol):
    """Where jobs come from."""

    @property
    def waiting(self) -> int:
        """How many are still to come, as far as it is known."""

    def take(self) -> Job | None:
        """The next job; None while, or as soon as, there is none."""

    def wants(self, job: Job) -> bool:
        """Whether a running job shall go on; asked again and again. One that shall not saves and ends."""

    def ended(self, found: Ended) -> None:
        """A job has ended; what comes next may follow from it."""


class View(Protocol):
    """What is told of jobs that train together."""

    def look(self, running: Sequence[Job], waiting: int) -> None:
        """Called again and again: the jobs that train now, and how many have not begun."""

    def ended(self, found: Ended) -> None:
        """A job's process has ended."""

    def close(self) -> None:
        """Nothing more is to come."""


class Listed:
    """Jobs that are known beforehand, in their order."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = deque(jobs)

    @property
    def waiting(self) -> int:
        return len(self._jobs)

    def take(self) -> Job | None:
        return self._jobs.popleft() if self._jobs else None

    def wants(self, job: Job) -> bool:
        return True

    def ended(self, found: Ended) -> None:
        """Nothing follows from it."""


@dataclass
class _Child:
    job: Job
    said: IO[bytes]
    process: subprocess.Popen[bytes]
    unwanted: bool = False
    told: bool = False  # to end


def threads_each(jobs: int) -> int:
    """Threads for each of `jobs` processes: OMP_NUM_THREADS, else so many that together they have one per core."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked):
        return int(asked)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // jobs)


def run_jobs(source: Source, at_once: int, view: View | None) -> list[Ended]:
    """Train what `source` gives; each result lies in its job's folder, as after training by itself.

    At most `at_once` run at the same time, >= 1. SIGINT, SIGTERM and SIGUSR1 reach this process alone; it asks the
    others to save, and waits for them. A second SIGINT kills them: they can be resumed from their last checkpoint.

    Returns:
        Every job that was begun, in the order of beginning.
    """
    running: list[_Child] = []
    begun: list[Job] = []
    found: dict[Path, Ended] = {}
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads_each(at_once))}

    def end(child: _Child) -> None:
        running.remove(child)
        ended = found[child.job.out] = _outcome(child)
        source.ended(ended)
        if view is not None:
            view.ended(ended)

    with StopRequest() as stop:
        try:
            asked = False
            while True:
                while len(running) < at_once and not stop.wanted and (job := source.take()) is not None:
                    begun.append(job)
                    running.append(_started(job, environment))
                if not running:
                    break
                if stop.wanted and not asked:
                    asked = True
                    _tell(running, signal.SIGTERM)
                for child in [child for child in running if child.process.poll() is not None]:
                    end(child)
                for child in running if not asked else ():
                    if not child.unwanted and not source.wants(child.job):
                        child.unwanted = True
                        _tell([child], signal.SIGTERM)
                if view is not None and running:
                    view.look([child.job for child in running], source.waiting)
                time.sleep(_LOOK_EVERY)
        except KeyboardInterrupt:
            _end(running, getattr(signal, "SIGKILL", signal.SIGTERM))
            for child in list(running):
                end(child)
        except BaseException:
            _end(running, signal.SIGTERM)  # nobody is left to wait for them
            raise
        finally:
            if view is not None:
                view.close()
    return [found[job.out] for job in begun]


def _started(job: Job, environment: Mapping[str, str]) -> _Child:
    said = tempfile.TemporaryFile()  # noqa: SIM115  # closed when the child has ended
    process = subprocess.Popen(
        [sys.executable, "-m", "snnctl", "train", *job.arguments, "--out", str(job.out), "--json"],
        stdin=STDIN,  # it ends when this end of the pipe does
        stdout=said,
        stderr=subprocess.STDOUT,
        env=watched(environment),
        start_new_session=True,  # Ctrl-C on the terminal is for the one who waits
    )
    return _Child(job, said, process)


def _tell(children: Sequence[_Child], number: int) -> None:
    for child in children:
        if child.process.poll() is None:
            child.told = True
            child.process.send_signal(number)


def _end(children: Sequence[_Child], number: int) -> None:
    _tell(children, number)
    for child in children:
        child.process.wait()


def _outcome(child: _Child) -> Ended:
    job, code = child.job, int(child.process.returncode)
    if child.process.stdin is not None:
        child.process.stdin.close()
    with child.said:
        run = RunDir(job.out)
        results = run.results() if code == ExitCode.DONE else None
        if results is not None:
            return Ended(job, "done", results)
        ended = code == ExitCode.INTERRUPTED or (child.told and code < 0)  # the latter before it could listen
        if run.begun and (ended or code == -signal.SIGKILL):
            if code != ExitCode.INTERRUPTED:
                run.update_manifest(status="interrupted")
            state: Literal["given_up", "interrupted"] = "given_up" if child.unwanted else "interrupted"
            return Ended(job, state, run.interrupted(len(run.metrics())), ExitCode.INTERRUPTED)
        if ended:
            return Ended(job, "stopped", code=ExitCode.INTERRUPTED)
        said, told = _complaint(child, code)
        return Ended(job, "failed", code=told, said=tuple(said))


def _complaint(child: _Child, code: int) -> tuple[list[Diagnostic], ExitCode]:
    """What a process says of its failure, or that it ended without a word."""
    child.said.seek(0)
    text = child.said.read().decode("utf-8", "replace").strip()
    try:
        document = json.loads(next(line for line in reversed(text.splitlines()) if line.startswith("{")))
        known = {one.name for one in fields(Diagnostic)}
        said = [one for one in document["diagnostics"] if one["severity"] == "error"]
        told = [Diagnostic(**{k: v for k, v in one.items() if k in known and v is not None}) for one in said]
        return told, ExitCode(document["exit_code"])
    except (ValueError, LookupError, TypeError, StopIteration):
        memory = no_memory(text)
        if memory is not None:
            return [memory], ExitCode.TRAINING
        message = f"its process ended with code {code}"
        if code < 0:
            message = f"its process was ended by signal {-code}" + (", out of memory?" if code == -9 else "")
        notes = (text[-_LAST_WORDS:],) if text else ()
        return [Diagnostic("E498", message, notes=notes)], ExitCode.TRAINING if code == -9 else ExitCode.INTERNAL
