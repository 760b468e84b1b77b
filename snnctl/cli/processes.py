"""Several seeds at once: each is a `snnctl train` of its own, in a process of its own, on its share of the threads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from snnctl.core.diagnostic import Diagnostic, ExitCode

if TYPE_CHECKING:
    from snnctl.recipe import Recipe
    from snnctl.ui.together import SeedsView

_LOOK_EVERY = 0.25  # seconds
_LAST_WORDS = 400  # letters of what a process said that ended without a document


@dataclass(frozen=True)
class Together:
    """How all seeds ended.

    Args:
        done: results by seed.
        interrupted: what stands for the results of those that were stopped, in the order of seeds.
        failed: (seed, its diagnostics, its exit code).
    """

    done: dict[int, dict[str, Any]]
    interrupted: list[dict[str, Any]]
    failed: list[tuple[int, list[Diagnostic], ExitCode]]


@dataclass
class _Child:
    recipe: Recipe
    out: Path
    said: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    process: subprocess.Popen[bytes] | None = None

    @property
    def seed(self) -> int:
        return self.recipe.train.seed

    @property
    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    @property
    def code(self) -> int:
        assert self.process is not None
        assert self.process.returncode is not None
        return self.process.returncode


def threads_each(jobs: int) -> int:
    """Threads for each of `jobs` processes: OMP_NUM_THREADS, else so many that together they have one per core."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked):
        return int(asked)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // jobs)


def train_together(
    recipes: Sequence[Recipe], outs: Sequence[Path], arguments: Sequence[str], jobs: int, view: SeedsView | None
) -> Together:
    """Train every recipe; results lie in its folder of `outs`, as after training one by one on as many threads.

    SIGINT, SIGTERM and SIGUSR1 reach this process alone; it asks the others to save, and waits for them. A second
    SIGINT kills them: they can be resumed from their last checkpoint.

    Args:
        recipes: one per seed.
        arguments: of `snnctl train`, but for the seed and its folder.
        jobs: at once, >= 1.
        view: told what goes on.
    """
    from snnctl.engine.interrupt import StopRequest

    waiting = [_Child(recipe, out) for recipe, out in zip(recipes, outs, strict=True)]
    running: list[_Child] = []
    ended: list[_Child] = []
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads_each(jobs))}
    with StopRequest() as stop:
        try:
            asked = False
            while running or (waiting and not stop.wanted):
                while waiting and len(running) < jobs and not stop.wanted:
                    running.append(_started(waiting.pop(0), arguments, environment))
                if stop.wanted and not asked:
                    asked = True
                    _tell(running, signal.SIGTERM)
                for child in [child for child in running if child.ended]:
                    running.remove(child)
                    ended.append(child)
                    if view is not None:
                        view.ended(child.seed, child.out, child.code)
                if view is not None:
                    view.look({child.seed: child.out for child in running}, len(waiting))
                time.sleep(_LOOK_EVERY)
        except KeyboardInterrupt:
            _end(running, getattr(signal, "SIGKILL", signal.SIGTERM))
            ended += running
        except BaseException:
            _end(running, signal.SIGTERM)  # nobody is left to wait for them
            raise
        finally:
            if view is not None:
                view.close()
    return _outcome(sorted(ended, key=lambda child: outs.index(child.out)))


def _started(child: _Child, arguments: Sequence[str], environment: Mapping[str, str]) -> _Child:
    own = ["--set", f"train.seed={child.seed}", "--out", str(child.out), "--json"]
    child.process = subprocess.Popen(
        [sys.executable, "-m", "snnctl", "train", *arguments, *own],
        stdin=subprocess.DEVNULL,
        stdout=child.said,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        start_new_session=True,  # Ctrl-C on the terminal is for the one who waits
    )
    return child


def _tell(children: Sequence[_Child], number: int) -> None:
    for child in children:
        if child.process is not None and child.process.poll() is None:
            child.process.send_signal(number)


def _end(children: Sequence[_Child], number: int) -> None:
    _tell(children, number)
    for child in children:
        if child.process is not None:
            child.process.wait()


def _outcome(children: Sequence[_Child]) -> Together:
    from snnctl.engine.run_dir import RunDir
    from snnctl.engine.train import interrupted

    done, stopped, failed = {}, [], []
    for child in children:
        code = child.code
        there = (child.out / "manifest.json").is_file()
        run = RunDir(child.out)
        results = run.results() if there and code == ExitCode.DONE else None
        if results is not None:
            done[child.seed] = results
        elif there and code in (ExitCode.INTERRUPTED, -signal.SIGKILL):
            if code != ExitCode.INTERRUPTED:
                run.update_manifest(status="interrupted")
            stopped.append(interrupted(run, len(run.metrics())))
        elif code != ExitCode.INTERRUPTED:  # else it was stopped before there was anything to save
            failed.append((child.seed, *_complaint(child, code)))
        child.said.close()
    return Together(done, stopped, failed)


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
        message = f"its process ended with code {code}"
        if code < 0:
            message = f"its process was ended by signal {-code}" + (", out of memory?" if code == -9 else "")
        notes = (text[-_LAST_WORDS:],) if text else ()
        return [Diagnostic("E498", message, notes=notes)], ExitCode.TRAINING if code == -9 else ExitCode.INTERNAL
