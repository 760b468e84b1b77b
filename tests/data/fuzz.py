"""Damages small samples of every format and reads them: each ends in a result or in a diagnostic.

    python tests/data/fuzz.py --count 2000 --seed 0 --keep FOLDER
    python tests/data/fuzz.py --seed 0 --only 17 --keep FOLDER

What mutation `number` of a seed is depends on these two alone, so that a failure can be looked into again (`--only`)
and a long run can go on where it ended (`--first`). Readers run in a process of their own, with limits of time and of
memory, through the functions that the commands call. What is not in order is told as one line: the number, the file,
and the last line of the traceback, "hangs", or "dies" with the signal.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # snnctl, where it is not installed

from fuzz_mutations import mutated
from fuzz_samples import SAMPLES, Sample

from snnctl.core.catalog import DATA
from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.cache import caching_in

_SECONDS = 10.0  # of computing that reading one file may take
_PATIENCE = 120.0  # seconds until one that waits for something is ended; a first one has libraries to load
_CACHED = 0.1  # of mutations damage what lies in the cache
_CASES = 500  # that one process reads
_MEMORY = 1 << 30  # bytes that it may take, beyond what the libraries have
_SUFFIXES = (".csv", ".csv.gz", ".txt", ".npy", ".npz", ".parquet", ".h5", ".tar", ".tar.gz", ".json", ".png", ".bin")


@dataclass(frozen=True)
class Outcome:
    """How reading one damaged file ended.

    Args:
        number: of the mutation.
        file: sample, and the file of it that is damaged.
        ends: codes of diagnostics, or "read", one for every way of reading; a failure is put into words.
        bad: whether one is a failure.
        noise: warnings that Python gave on the way.
    """

    number: int
    file: str
    ends: tuple[str, ...]
    bad: bool
    noise: tuple[str, ...] = ()


def sample_of(seed: int, number: int) -> Sample:
    """What mutation `number` of `seed` damages."""
    return Random(f"{seed} {number} of").choice(SAMPLES)


def lay_out(seed: int, number: int, sound: Path, folder: Path) -> tuple[Sample, Path, str]:
    """Mutation `number` of `seed`, in `folder`.

    Args:
        sound: where undamaged samples are kept from one call to the next.

    Returns:
        The sample, where it lies now, and the file that was damaged.
    """
    random, sample = Random(f"{seed} {number}"), sample_of(seed, number)
    kept = sound / sample.key.replace(":", "-")
    if not kept.exists():
        kept.mkdir(parents=True)
        sample.write(kept / sample.name)
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    place = folder / sample.name
    cached = random.random() < _CACHED and _taken_in(sample, place)
    files = sorted(path for path in (folder / ".cache" if cached else folder).rglob("*") if path.is_file())
    file = random.choice(files)
    file.write_bytes(mutated(random, file.name, file.read_bytes()))
    if not cached and random.random() < 0.03:
        renamed = file.with_name(file.name.split(".")[0] + random.choice(_SUFFIXES))
        os.replace(file, renamed)
        place = renamed if place == file else place
        file = renamed
    return sample, place, f"{sample.key} {file.relative_to(folder)}"


def _taken_in(sample: Sample, place: Path) -> bool:
    """Read the sound sample, so that what is damaged lies in the cache, if there is anything."""
    with caching_in(place.parent / ".cache"):
        for component, knobs in sample.uses:
            _end(DATA.get(component)(source=str(place), **knobs).load)
    return any(path.is_file() for path in (place.parent / ".cache").rglob("*"))


def read(sample: Sample, place: Path, *, more: bool = True) -> Iterator[tuple[str, str]]:
    """Every way of reading a sample, and how it ends: "read", a code, or a failure in words, with its traceback.

    Args:
        more: whether by `data info`, which is told nothing, and as files of named sets, too.
    """
    for component, knobs in sample.uses:
        made = DATA.get(component)(source=str(place), **knobs)
        yield _end(lambda made=made: _probed(made.probe()))
        yield _end(lambda made=made: _loaded(made.load()))
        if component == "timeseries":
            yield _end(lambda: _validated(place))
    if not more:
        return
    if sample.uses:
        yield _end(lambda: _described(place))
    for name in sample.brought:
        yield _end(lambda name=name: _brought(name, place))


def _probed(found: Any) -> None:
    _ = found.input_signal, found.leaks, [str(one) for one in found.warnings]


def _loaded(found: Any) -> None:
    import torch

    _probed(found)
    json.dumps(found.describe(), default=str)
    for name in ("train", "val", "test"):
        part = found.split(name)
        part.batch(torch.arange(min(len(part), 3)))


def _described(place: Path) -> None:
    from snnctl.commands.data import describe

    describe(str(place))


def _validated(place: Path) -> None:
    from snnctl.commands.validate import validate

    recipe = Path(__file__).parents[2] / "recipes" / "quickstart.yaml"
    validate(recipe, [f"data.source={place}", "data.window=6", "data.horizon=2"])


def _brought(name: str, place: Path) -> None:
    from snnctl.commands.data import prepare

    prepare([name], brought=place)


def _end(call: Any) -> tuple[str, str]:
    try:
        call()
    except DiagnosticError as error:
        for one in error.diagnostics:
            json.dumps(one.to_json())
        code = error.diagnostics[0].code
        return (code, "") if error.exit_code in (2, 3) else (f"exit {error.exit_code} of {code}", str(error))
    except Exception as error:
        at = next((f for f in reversed(traceback.extract_tb(error.__traceback__)) if "snnctl" in f.filename), None)
        place = f"{Path(at.filename).name}:{at.lineno} " if at else ""
        return f"{place}{type(error).__name__}: {str(error)[:150]}", traceback.format_exc()
    return "read", ""


def one(seed: int, number: int, sound: Path, *, keep: Path | None = None, verbose: bool = False) -> Outcome:
    """Damage, read, tell."""
    folder = Path(tempfile.mkdtemp(prefix=f"{number}-", dir=sound.parent))
    try:
        sample, place, file = lay_out(seed, number, sound, folder)
        with warnings.catch_warnings(record=True) as noise, caching_in(folder / ".cache"):
            warnings.simplefilter("always")
            ends = list(read(sample, place))
        bad = any(trace for _, trace in ends)
        if verbose:
            print(file, *(trace or end for end, trace in ends), sep="\n")
        if keep is not None and (bad or verbose):
            shutil.copytree(folder, keep / f"{seed}-{number}", ignore=lambda *_: [".cache"], dirs_exist_ok=True)
        said = tuple(sorted({f"{Path(w.filename).name}:{w.lineno} {str(w.message)[:60]}" for w in noise}))
        return Outcome(number, file, tuple(end for end, _ in ends), bad, said)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _serve(seed: int, keep: Path | None) -> None:
    """Answer numbers on stdin with outcomes on stdout, within the limit of memory."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    with tempfile.TemporaryDirectory() as place:
        one(seed, 0, Path(place) / "sound")  # imports what is needed
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for line in sys.stdin:
            signal.setitimer(signal.ITIMER_PROF, _SECONDS)  # ends the process, even out of a library
            found = one(seed, int(line), Path(place) / "sound", keep=keep)
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            answers.write(json.dumps([found.number, found.file, found.ends, found.bad, found.noise]) + "\n")
            answers.flush()


class Reader:
    """The process that reads; begun anew when it had to be ended."""

    def __init__(self, seed: int, keep: Path | None = None) -> None:
        self._command = [sys.executable, __file__, "--serve", "--seed", str(seed)]
        self._command += ["--keep", str(keep)] if keep is not None else []
        self._process: subprocess.Popen[str] | None = None
        self._asked = 0

    def ask(self, number: int) -> Outcome:
        """The outcome of one mutation; where the process dies it is asked again, since others may have ended it."""
        found = self._ask(number)
        return self._ask(number) if found.ends[0].startswith("dies") else found

    def _ask(self, number: int) -> Outcome:
        if self._asked == _CASES:
            self.close()
        process = self._process or self._begin()
        self._asked += 1
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], _PATIENCE)
        line = process.stdout.readline() if ready else ""
        if line:
            number, file, ends, bad, noise = json.loads(line)
            return Outcome(number, file, tuple(ends), bad, tuple(noise))
        self.close(kill=not ready)
        hangs = process.returncode == -signal.SIGPROF or not ready
        return Outcome(number, "", ("hangs" if hangs else f"dies with {process.returncode}",), True)

    def _begin(self) -> subprocess.Popen[str]:
        own = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        pipe, self._asked = subprocess.PIPE, 0
        self._process = subprocess.Popen(
            self._command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=os.environ | own
        )
        return self._process

    def close(self, *, kill: bool = False) -> None:
        """End the process."""
        if self._process is not None:
            if kill:
                self._process.kill()
            self._process.communicate()
            self._process = None


def run(seed: int, numbers: Sequence[int], keep: Path | None = None, *, told: bool = False) -> list[Outcome]:
    """The outcomes of some mutations, in order.

    Args:
        keep: folder that failures are copied into.
        told: whether failures and progress are printed as they come.
    """
    reader, found, begin = Reader(seed, keep), [], time.monotonic()
    try:
        for number in numbers:
            found.append(reader.ask(number))
            if told and found[-1].bad:
                print(f"{seed} {number} {found[-1].file}: {'; '.join(found[-1].ends)}", flush=True)
            if told and len(found) % 100 == 0:
                print(f"{len(found)} of {len(numbers)}, {time.monotonic() - begin:.0f} s", flush=True)
    finally:
        reader.close()
    return found


def main() -> int:
    """Exit code 1 if there was a failure."""
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--count", type=int, default=2000)
    parse.add_argument("--first", type=int, default=0, help="number of the first mutation")
    parse.add_argument("--seed", type=int, default=0)
    parse.add_argument("--only", type=int, help="read one mutation in this process, and show its tracebacks")
    parse.add_argument("--keep", type=Path, help="folder that damaged files are copied into")
    parse.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parse.parse_args()
    if given.serve:
        _serve(given.seed, given.keep)
        return 0
    if given.only is not None:
        with tempfile.TemporaryDirectory() as place:
            return int(one(given.seed, given.only, Path(place) / "sound", keep=given.keep, verbose=True).bad)
    found = run(given.seed, range(given.first, given.first + given.count), given.keep, told=True)
    ends = Counter(end if len(end) <= 4 else "failure" for outcome in found for end in outcome.ends)
    noise = {said: outcome.number for outcome in found for said in outcome.noise}
    print("ends:", ", ".join(f"{end} {count}" for end, count in ends.most_common()))
    for said, number in sorted(noise.items()):
        print(f"Python warned in {number}: {said}")
    bad = sum(outcome.bad for outcome in found)
    print(f"{len(found)} mutations, {bad} failures")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
