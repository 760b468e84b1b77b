"""One fault after the other: a command, a drawn fault at a drawn moment, what must hold, the same command again."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from actor import Actor, Stdout, alive
from stage import Command, damage, epochs_saved, leftovers, outcome

PATIENCE = 300.0  # seconds for a command, on a machine that has much else to do
ENDING = 90.0  # seconds for processes whose parent died

SIGNALS = {
    "SIGKILL": (signal.SIGKILL,),
    "SIGTERM": (signal.SIGTERM,),
    "SIGINT": (signal.SIGINT,),
    "SIGINT twice": (signal.SIGINT, signal.SIGINT),
    "SIGHUP": (signal.SIGHUP,),
    "SIGUSR1": (signal.SIGUSR1,),
}
RESOURCES = ("disk full", "ulimit -f", "ulimit -v", "read-only", "stdout full")
HARMLESS = ("no HOME", "stdout closed")
Act = Callable[..., Actor]
_DISK = "out"  # what lies on the disk that fills


@dataclass
class Reference:
    """What a command leaves when nothing happens, and how long it takes."""

    outcome: dict[str, str]
    seconds: float
    bytes: int


@dataclass
class Tally:
    """What has been played."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


class Play:
    """A stage and its references.

    Args:
        folder: for everything.
        inputs: a folder with recipe, data and trained runs, which each case gets a copy of.
        seed: of what is drawn.
    """

    def __init__(self, folder: Path, inputs: Path, seed: int) -> None:
        self.folder, self.inputs, self.draw = folder, inputs, random.Random(seed)
        self.tally = Tally()
        self.mounts = _can_mount(folder / "try")
        self._references: dict[str, Reference] = {}
        self._number = 0
        if not self.mounts:
            self.tally.skipped["disk full, read-only"] = "mounting a file system is not allowed here"

    def kinds(self, command: Command) -> list[str]:
        """What can happen to a command."""
        found = [*SIGNALS, "ulimit -f", "ulimit -v", "stdout full", *HARMLESS, "two at once"]
        if self.mounts:
            found += ["disk full", "read-only"]
        if command.many:
            found += ["child killed", "SIGKILL"]  # the second one: gone on with at once
        if "--search" in command.arguments:
            found.append("torn journal")
        return found

    def reference(self, command: Command) -> Reference:
        """Made once, without a fault."""
        if command.name not in self._references:
            with self._case() as (case, mark):
                actor = Actor(case, [*command.arguments, "--json"], mark)
                code = actor.wait(PATIENCE)
                seconds = time.monotonic() - actor.begun
                if code != 0:
                    raise SystemExit(f"{command.name} without a fault: exit {code}\n{actor.answer()}\n{actor.errors()}")
                size = sum(path.stat().st_size for path in (case / "out").rglob("*") if path.is_file())
                self._references[command.name] = Reference(outcome(case, command), seconds, size)
                actor.close()
        return self._references[command.name]

    def fault(self, command: Command, kind: str) -> None:
        """One fault; complaints go to the tally."""
        reference = self.reference(command)
        self.tally.counts[command.name, kind] += 1
        said: list[str] = []
        with self._case() as (case, mark):
            sessions: list[int] = []

            def act(**more: object) -> Actor:
                actor = Actor(case, [*command.arguments, "--json"], mark, **more)  # type: ignore[arg-type]
                sessions.append(actor.pid)
                return actor

            what = _SCENES.get(kind, _signalled)(self, command, kind, case, act, reference, said)
            if said:
                what += "; the command was not given again"
            else:
                self._again(command, case, act, reference, said)
                _ended(mark, sessions, said)
                said += [f"left behind: {name}" for name in leftovers(case)]
                if kind in ("disk full", "read-only"):
                    subprocess.run(["umount", case / _DISK], check=False)
            for one in said:
                self.tally.complaints.append(f"{command.name}, {kind} ({what}): {one}")
            for pid in alive(mark, sessions):
                os.kill(pid, signal.SIGKILL)
            if kind in ("disk full", "read-only"):
                subprocess.run(["umount", "-q", "-l", case / _DISK], check=False)

    def _again(self, command: Command, case: Path, act: Act, reference: Reference, said: list[str]) -> None:
        before = epochs_saved(case)
        if command.name == "convert" and (case / "out" / "converted").exists():  # whole, and no run is overwritten
            _compare(outcome(case, command), reference.outcome, said)
            return
        actor = act()
        code = actor.wait(PATIENCE)
        if code is None:
            said.append("given again, it does not end")
            return
        if code != 0:
            said.append(f"given again, it ends with {code}: {actor.codes()} {actor.answer()} {actor.errors()}")
            return
        said += _lost(before, epochs_saved(case))
        said += damage(case)
        _compare(outcome(case, command), reference.outcome, said)
        actor.close()

    @contextmanager
    def _case(self) -> Iterator[tuple[Path, str]]:
        self._number += 1
        case = self.folder / "case"  # always the same name: paths stand in results
        shutil.rmtree(case, ignore_errors=True)
        shutil.copytree(self.inputs, case)
        for name in ("home", "temporary", "out"):
            (case / name).mkdir(exist_ok=True)
        yield case, f"{os.getpid()}-{self._number}"
        shutil.rmtree(case, ignore_errors=True)


Scene = Callable[[Play, Command, str, Path, Act, Reference, list[str]], str]


def _lost(before: dict[str, int], after: dict[str, int]) -> list[str]:
    lost = {name: n for name, n in before.items() if after.get(name, -1) < n}
    return [f"{name}: {n} epochs were saved, {after.get(name)} now" for name, n in lost.items()]


def _compare(found: dict[str, str], wanted: dict[str, str], said: list[str]) -> None:
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            said.append(f"{name} differs from a run without a fault ({found.get(name)}, {wanted.get(name)})")


def _ended(mark: str, sessions: list[int], said: list[str]) -> None:
    until = time.monotonic() + ENDING
    while left := alive(mark, sessions):
        if time.monotonic() > until:
            said.append(f"processes left: {left}")
            return
        time.sleep(0.1)


def _signalled(
    play: Play,
    command: Command,
    kind: str,
    case: Path,
    act: Act,
    reference: Reference,
    said: list[str],
) -> str:
    moment = play.draw.uniform(0.0, 1.05) * reference.seconds
    waits = play.draw.random() < 0.5
    actor = act()
    actor.wait(moment)
    saved = epochs_saved(case)
    sent = SIGNALS[kind]
    for number in sent:
        actor.send(number)
        time.sleep(play.draw.uniform(0.0, 0.3) if len(sent) > 1 else 0.0)
    code = actor.wait(PATIENCE)
    allowed = {0, -signal.SIGKILL} if kind == "SIGKILL" else {0, 75}
    if kind != "SIGKILL" and moment < 0.3:
        allowed.add(-sent[0])  # before it listened
    if code not in allowed:
        said.append(f"exit {code}, not one of {sorted(allowed)}: {actor.codes()} {actor.errors()}")
    orphans = kind == "SIGKILL" and command.many
    if waits or not orphans:
        _ended(actor.mark, [actor.pid], said)
        said += damage(case)
        said += _lost(saved, epochs_saved(case))
    more = ", at once again" if orphans and not waits else ""
    return f"after {moment:.2f} of {reference.seconds:.2f} s, exit {code}{more}"


def _judge(actor: Actor, code: int | None, kind: str, said: list[str]) -> None:
    if code == 0:
        return
    known = {"E412", "E403"} if kind == "ulimit -v" else {"E412"}
    found = set(actor.codes())
    if code != 4 or (kind != "stdout full" and not (found and found <= known)):
        said.append(f"exit {code}, {sorted(found)}: {actor.answer().get('diagnostics')} {actor.errors()}")


def _on_disk(
    play: Play,
    command: Command,
    kind: str,
    case: Path,
    act: Act,
    reference: Reference,
    said: list[str],
) -> str:
    disk = case / _DISK
    room = 4096 * play.draw.randint(1, max(2, int(1.3 * reference.bytes / 4096)))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", disk], check=True)
    if kind == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    actor = act()
    code = actor.wait(PATIENCE)
    _judge(actor, code, kind, said)
    if kind == "read-only" and code == 0:
        said.append("exit 0, and nothing can have been written")
    said += damage(case)
    subprocess.run(["mount", "-o", "remount,rw,size=64m", disk], check=True)
    return f"{room} bytes of about {reference.bytes}, exit {code}"


def _limited(
    play: Play,
    command: Command,
    kind: str,
    case: Path,
    act: Act,
    reference: Reference,
    said: list[str],
) -> str:
    if kind == "ulimit -f":
        number, limit = resource.RLIMIT_FSIZE, play.draw.randint(1, 60) * 1024
    else:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
        number, limit = resource.RLIMIT_AS, pages * resource.getpagesize() + (play.draw.randint(1, 300) << 20)
    actor = act(before=lambda: resource.setrlimit(number, (limit, limit)))
    code = actor.wait(PATIENCE)
    _judge(actor, code, kind, said)
    said += damage(case)
    return f"{limit} bytes, exit {code}"


def _streams(
    play: Play,
    command: Command,
    kind: str,
    case: Path,
    act: Act,
    reference: Reference,
    said: list[str],
) -> str:
    streams: dict[str, Stdout] = {"stdout closed": "closed", "stdout full": "full"}
    actor = act(stdout=streams.get(kind, "kept"), without=("HOME",) if kind == "no HOME" else ())
    code = actor.wait(PATIENCE)
    wanted = 4 if kind == "stdout full" else 0
    if code != wanted:
        said.append(f"exit {code}, not {wanted}: {actor.answer()} {actor.errors()}")
    return f"exit {code}"


def _two(
    play: Play,
    command: Command,
    kind: str,
    case: Path,
    act: Act,
    reference: Reference,
    said: list[str],
) -> str:
    first = act()
    first.wait(play.draw.uniform(0.0, 0.5) * reference.seconds)
    second = act()
    codes = (first.wait(PATIENCE), second.wait(PATIENCE))
    for actor in (first, second):
        refused = actor.code in (2, 4) and bool(actor.codes()) and set(actor.codes()) <= {"U422", "U412", "U447"}
        if actor.code != 0 and not refused:
            said.append(f"exit {actor.code}: {actor.codes()} {actor.answer()} {actor.errors()}")
    if 0 not in codes:
        said.append(f"neither was done: {codes}")
    return f"exits {codes}"


def _child(
    play: Play,
    command: Command,
    kind: str,
    case: Path,
    act: Act,
    reference: Reference,
    said: list[str],
) -> str:
    actor = act()
    actor.wait(play.draw.uniform(0.1, 0.9) * reference.seconds)
    children = [pid for pid in alive(actor.mark, []) if pid != actor.pid]
    if children:
        os.kill(play.draw.choice(children), signal.SIGKILL)
    code = actor.wait(PATIENCE)
    if code not in ({0} if not children else {0, 4, 75}):
        said.append(f"exit {code}: {actor.codes()} {actor.errors()}")
    said += damage(case)
    return f"{len(children)} children, exit {code}"


def _torn(
    play: Play,
    command: Command,
    kind: str,
    case: Path,
    act: Act,
    reference: Reference,
    said: list[str],
) -> str:
    actor = act()
    actor.wait(play.draw.uniform(0.3, 1.0) * reference.seconds)
    actor.send(signal.SIGTERM)
    actor.wait(PATIENCE)
    found = list((case / "out").rglob("search.log"))
    for path in found:
        content = path.read_bytes()
        path.write_bytes(content[: max(0, len(content) - play.draw.randint(1, 60))])
    return f"{len(found)} journals"


_SCENES: dict[str, Scene] = {
    "disk full": _on_disk,
    "read-only": _on_disk,
    "ulimit -f": _limited,
    "ulimit -v": _limited,
    "no HOME": _streams,
    "stdout closed": _streams,
    "stdout full": _streams,
    "two at once": _two,
    "child killed": _child,
    "torn journal": _torn,
}


def _can_mount(place: Path) -> bool:
    place.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, check=False
        )
    except OSError:
        return False
    if done.returncode == 0:
        subprocess.run(["umount", place], check=False)
    return done.returncode == 0
