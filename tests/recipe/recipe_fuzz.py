"""Damages shipped recipes and overrides, and checks them: each ends in a verdict, within limits of time and memory.

    python tests/recipe/recipe_fuzz.py --count 2000 --seed 0
    python tests/recipe/recipe_fuzz.py --seed 0 --only 17

What case `number` of a seed is depends on these two alone, so that a failure can be looked into again (`--only`) and a
long run can go on where it ended (`--first`). Recipes are checked in one process through the function that `validate`
calls, each under a limit of computing time; the process has a limit of memory. What is not in order is told as one
line: the number, what was done, and the last line of the traceback, or "hangs".
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # snnctl, where it is not installed

from snnctl.commands.validate import validate
from snnctl.core.diagnostic import DiagnosticError
from snnctl.recipe.resolve import dump_yaml
from snnctl.recipe.shipped import shipped_paths
from snnctl.recipe.source import parse_yaml, read_file

SECONDS = 2.0  # of computing that a verdict may take
_MEMORY = 1_500_000_000  # bytes that all verdicts of a process may take
_ODD = (
    *(None, True, False, "", "x", "...", "none", "null", "~", "lif", "cpg", ".inf", "\x07", "\ud7ff", "a" * 5000),
    *(0, 1, -1, 2, 3, 7, 16, 10**4, 10**6, 10**9, 2**31, 2**63 - 1, 2**63, 10**30, -(10**12), 10**399),
    *(0.0, -0.0, 0.5, 1.0, 1.5, -2.5, 1e-300, 1e300, float("inf"), float("-inf"), float("nan")),
    *(
        [],
        {},
        [1],
        [[]],
        {"type": "lif"},
        {"type": None},
        {"a": {"b": 1}},
        [10**9] * 9,
        list(range(500)),
        "[" * 40,
        "&a *a",
    ),
)
_TEXT = (
    "\0",
    "\t",
    "\x85",
    "\ufeff",
    "\u2028",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a ",
    "!!int ",
    "'",
    '"',
    "|",
    "\n---\n",
    "<<: ",
)


@dataclass(frozen=True)
class Outcome:
    """How the check of one case ended.

    Args:
        number: of the case.
        what: was done to which recipe.
        ends: codes of diagnostics; a failure is put into words.
        bad: whether it is a failure.
        seconds: of computing.
    """

    number: int
    what: str
    ends: tuple[str, ...]
    bad: bool
    seconds: float


@cache
def recipes() -> dict[str, tuple[str, dict[str, Any]]]:
    """Name -> text and values of the shipped recipes."""
    texts = {name: read_file(path) for name, path in sorted(shipped_paths().items())}
    return {name: (text, parse_yaml(text, name).values) for name, text in texts.items()}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where all values stand, containers too."""
    if path:
        yield path
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from leaves(child, (*path, key))


def case(seed: int, number: int) -> tuple[str, str | None, list[str], list[str]]:
    """What case `number` of `seed` is: what is done, the text of a recipe or None for a shipped one, sets, unsets."""
    random = Random(f"{seed} {number}")
    name = random.choice(sorted(recipes()))
    text, values = recipes()[name]
    kind = random.choices(("value", "override", "text", "path"), (5, 5, 3, 1))[0]
    if kind == "text":
        return f"{name} text", _garbled(random, text), [], []
    places = list(leaves(values))
    if kind == "value":
        changed = deepcopy(values)
        done = []
        for _ in range(random.choice((1, 1, 2, 4))):
            place, value = random.choice(places), random.choice(_ODD)
            try:
                here = changed
                for part in place[:-1]:
                    here = here[part]
                here[place[-1]] = value
                done.append(f"{place}={value!r:.60}")
            except (LookupError, TypeError):
                continue
        return f"{name} {' '.join(done)}", dump_yaml(changed), [], []
    sets, unsets = [], []
    for _ in range(random.choice((1, 1, 2, 3))):
        key = _path(random, random.choice(places))
        if kind == "path":
            key = random.choice(
                (key * random.choice((2, 500, 20_000)), key[::-1], f"{key}[{random.choice(_ODD)}]", f".{key}.")
            )
        if random.random() < 0.2:
            unsets.append(key)
        else:
            value = random.choice(_ODD)
            written = json.dumps(value) if random.random() < 0.5 else str(value)
            sets.append(f"{key}={written.replace('Infinity', '.inf').replace('NaN', '.nan')}")
    return f"{name} --set {sets!r:.150} --unset {unsets!r:.80}", None, [f"\0{name}", *sets], unsets


def _path(random: Random, place: tuple[Any, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    return text if random.random() < 0.9 else f"{text}.{random.choice(('type', 'tau', 'steps', 'x', 'spike'))}"


def _garbled(random: Random, text: str) -> str:
    for _ in range(random.choice((1, 2, 8))):
        at = random.randrange(len(text) + 1)
        match random.randrange(5):
            case 0:
                text = text[:at] + random.choice(_TEXT) + text[at:]
            case 1:
                text = text[:at] + text[at + random.randrange(1, 40) :]
            case 2:
                text = text[:at] + random.choice(_TEXT) * random.choice((1, 30, 3000)) + text[at:]
            case 3:
                start = random.randrange(len(text) + 1)
                text = text[:at] + text[start : start + random.randrange(200)] + text[at:]
            case _:
                digits = [i for i, one in enumerate(text) if one.isdigit()]
                at = random.choice(digits) if digits else 0
                text = (
                    text[:at] + random.choice(("9" * 9, "9" * 500, ".inf", "-", "e9", ".", "_", "x")) + text[at + 1 :]
                )
    return text


class _OverTimeError(BaseException):
    """Not an `Exception`, which what is checked may catch."""


def one(seed: int, number: int, folder: Path, *, verbose: bool = False) -> Outcome:
    """Damage, check, tell."""
    what, text, sets, unsets = case(seed, number)
    recipe = ""
    if text is None:
        recipe, sets = sets[0][1:], sets[1:]
    else:
        file = folder / "recipe.yaml"
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        recipe = str(file)
    trace = ""
    begin = time.process_time()
    before = signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, 10 * SECONDS)  # what takes longer than SECONDS is told with how long
    try:
        found = validate(recipe, sets, unsets)
        json.dumps(found.to_json())
        ends: tuple[str, ...] = tuple(sorted({one.code for one in found.diagnostics})) or ("ok",)
    except DiagnosticError as error:
        ends = tuple(sorted({one.code for one in error.diagnostics}))
    except _OverTimeError:
        ends, trace = ("hangs",), traceback.format_exc()
    except Exception as error:
        ends, trace = (f"{type(error).__name__}: {str(error)[:150]}",), traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)
    seconds = time.process_time() - begin
    if seconds > SECONDS and not trace:
        ends, trace = (f"takes {seconds:.1f} s to say {', '.join(ends)}",), "too slow"
    if verbose:
        print(what, *ends, trace, sep="\n")
    return Outcome(number, what, ends, bool(trace), seconds)


def _stop(*_: Any) -> None:
    raise _OverTimeError


def warm_up() -> None:
    """Check every shipped recipe once: what is loaded the first time counts for none of the cases."""
    for name in recipes():
        validate(name)


def run(seed: int, numbers: Sequence[int], *, told: bool = False) -> list[Outcome]:
    """The outcomes of some cases, in order.

    Args:
        told: whether failures and progress are printed as they come.
    """
    found: list[Outcome] = []
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            found.append(one(seed, number, Path(folder)))
            if told and found[-1].bad:
                print(f"{seed} {number} {found[-1].what!r}: {'; '.join(found[-1].ends)}", flush=True)
            if told and len(found) % 1000 == 0:
                print(f"{len(found)} of {len(numbers)}, {time.monotonic() - begin:.0f} s, {_peak()}", flush=True)
    return found


def _peak() -> str:
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9:.2f} GB at most"


def main() -> int:
    """Exit code 1 if there was a failure."""
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--count", type=int, default=2000)
    parse.add_argument("--first", type=int, default=0, help="number of the first case")
    parse.add_argument("--seed", type=int, default=0)
    parse.add_argument("--only", type=int, help="check one case, and show its traceback")
    given = parse.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    warm_up()
    if given.only is not None:
        with tempfile.TemporaryDirectory() as folder:
            return int(one(given.seed, given.only, Path(folder), verbose=True).bad)
    found = run(given.seed, range(given.first, given.first + given.count), told=True)
    ends = Counter(end if len(end) <= 4 else "failure" for outcome in found for end in outcome.ends)
    print("ends:", ", ".join(f"{end} {count}" for end, count in ends.most_common()))
    bad = sum(outcome.bad for outcome in found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{len(found)} cases, {bad} failures, slowest {max(one.seconds for one in found):.2f} s, {_peak()}")
    return int(bad > 0 or peak > _MEMORY)


if __name__ == "__main__":
    sys.exit(main())
