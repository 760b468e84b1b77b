"""Groups of runs that differ in nothing but their seed, and which of them may stand side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from snnctl.compare.collect import Run
from snnctl.compare.recipes import (
    ABSENT,
    COSMETIC,
    differing,
    followers,
    identity,
    is_number,
    names,
    shown,
    told,
    within,
)
from snnctl.compare.statistics import Spread
from snnctl.core.diagnostic import Diagnostic, DiagnosticError

SKIP = "skip_alone"  # stands among the baselines of a run, and is the network's own
# What changes the inputs that a network learns from, and neither its targets nor the windows that are scored.
_FREE_DATA = ("data.augment", "data.calendar")


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed alone, by seed."""

    name: str  # the keys that tell it from the other groups, with their values
    keys: dict[str, Any]  # the same keys; a group without such a key has no entry
    runs: list[Run]  # one per seed, at least one

    @property
    def seeds(self) -> list[int]:
        return [run.seed for run in self.runs]

    def spread(self, metric: str) -> Spread | None:
        """Over the runs that have it; None if none has."""
        return Spread.of(run.value(metric) for run in self.runs)

    def skip_alone(self, metric: str) -> Spread | None:
        """What the networks' non-spiking path reaches by itself; None where there is none, or it was not measured."""
        return Spread.of(run.baseline(SKIP, metric) for run in self.runs)

    @property
    def parameters(self) -> int:
        return int(self.runs[0].results["parameters"])

    @property
    def mean_rate(self) -> float | None:
        """Spikes per neuron and step, mean over runs; None for what does not spike."""
        found = Spread.of(run.results["spikes"]["mean_rate"] for run in self.runs)
        return None if found is None or not self.runs[0].results.get("spiking", True) else found.mean

    @property
    def training_seconds(self) -> float | None:
        found = Spread.of(run.results.get("training_seconds") for run in self.runs)
        return None if found is None else found.mean


@dataclass(frozen=True)
class Grouping:
    groups: list[Group]  # in the order in which they are shown
    first: Group  # the one that the first run belongs to
    keys: list[str]  # what their names tell
    differing: list[str]  # every key in which they differ
    followers: dict[str, str]  # keys that the names leave out, with the key that they change with
    warnings: list[Diagnostic]  # U484 for each seed that occurs twice in a group


def grouped(runs: Sequence[Run]) -> Grouping:
    """Runs that differ in their seed alone together; groups told by numbers in numerical order, others as they came."""
    ignored = (*COSMETIC, *_tied(runs), *_other_names(runs))
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(identity(_without_seed(run), ignored), []).append(run)
    warnings: list[Diagnostic] = []
    members = [_one_per_seed(group, warnings) for group in found.values()]
    flats = [
        {key: value for key, value in _without_seed(group[0]).items() if not within(key, ignored)} for group in members
    ]
    own = told(flats)
    groups = [
        Group(title, {key: flat.get(key, ABSENT) for key in keys}, group)
        for title, keys, flat, group in zip(
            names(flats, [str(group[0].results["name"]) for group in members]), own, flats, members, strict=True
        )
    ]
    apart = differing(flats)
    keys = [key for key in apart if any(key in some for some in own)]
    return Grouping(ordered(groups, keys), groups[0], keys, apart, followers(flats), warnings)


def _without_seed(run: Run) -> dict[str, Any]:
    """Paths of runs over seeds hold the seed (`.../seed-3`); they are the same in the sense of a group."""
    part = f"seed-{run.seed}"
    return {
        key: "/".join("seed-*" if piece == part else piece for piece in value.split("/")) if _path(value) else value
        for key, value in run.flat.items()
    }


def _path(value: Any) -> bool:
    return isinstance(value, str) and os.path.isabs(value)


def _tied(runs: Sequence[Run]) -> list[str]:
    """Seeds of the data that follow the run's own: null, or the same number in every run."""
    keys = dict.fromkeys(key for run in runs for key in run.flat if key.startswith("data.") and key.endswith("seed"))
    return [key for key in keys if all(run.flat.get(key) in (None, run.seed) for run in runs)]


def _one_per_seed(runs: Sequence[Run], told: list[Diagnostic]) -> list[Run]:
    by_seed: dict[int, list[Run]] = {}
    for run in runs:
        by_seed.setdefault(run.seed, []).append(run)
    kept = []
    for seed, same in sorted(by_seed.items()):
        newest = max(same, key=lambda run: run.age)
        kept.append(newest)
        if len(same) > 1:
            message = f"seed {seed} occurs {len(same)} times in a group; the newest is taken, `{newest.path}`"
            notes = tuple(f"left out: {run.path}" for run in same if run is not newest)
            told.append(Diagnostic("U484", message, severity="warning", notes=notes))
    return kept


def ordered(groups: Sequence[Group], keys: Sequence[str]) -> list[Group]:
    """By their keys, the one with the fewest values first; numbers by size, all else in the order of appearance."""
    seen = {key: list(dict.fromkeys(shown(g.keys.get(key, ABSENT)) for g in groups)) for key in keys}
    numeric = {key for key in keys if all(is_number(g.keys.get(key, 0)) for g in groups)}
    if not numeric:
        return list(groups)
    order = sorted(keys, key=lambda key: len(seen[key]))  # stable: as in the recipe where they have equally many

    def rank(group: Group, key: str) -> float:
        if key in numeric:
            return float(group.keys.get(key, float("-inf")))
        return seen[key].index(shown(group.keys.get(key, ABSENT)))

    return sorted(groups, key=lambda group: [rank(group, key) for key in order])


def refuse_strangers(runs: Sequence[Run]) -> None:
    """Stop where figures would stand side by side that say nothing about each other.

    Raises:
        DiagnosticError: U483, tasks or data differ; names the keys, or says that a file has changed in between.
    """
    free = (*_FREE_DATA, *_tied(runs), *_other_names(runs))
    asked = [
        {
            key: value
            for key, value in run.flat.items()
            if key == "task.type" or (within(key, ("data",)) and not within(key, free))
        }
        for run in runs
    ]
    keys = list(dict.fromkeys(key for own in told(asked) for key in own))
    if keys:
        what = "tasks" if "task.type" in keys else "data"
        message = f"runs of different {what} cannot be compared; they differ in {', '.join(keys)}"
        raise DiagnosticError(Diagnostic("U483", message, path=keys[0], notes=tuple(_where(runs, key) for key in keys)))
    for seen in _fingerprints(runs).values():
        if len(seen) > 1:
            message = "the data changed between these runs, though their recipes name the same"
            notes = tuple(f"{mark[:12]} in {path}" for mark, path in seen.items())
            raise DiagnosticError(Diagnostic("U483", message, path="data", notes=notes))


def _where(runs: Sequence[Run], key: str) -> str:
    first: dict[str, str] = {}
    for run in runs:
        first.setdefault(shown(run.flat.get(key, ABSENT)), run.path)
    return f"{key}: " + "; ".join(f"{value} in {path}" for value, path in list(first.items())[:4])


def _fingerprints(runs: Sequence[Run]) -> dict[int, dict[str, str]]:
    """Seed -> fingerprint of the data -> a run that met it; all under 0 where the data do not depend on the seed."""
    found: dict[int, dict[str, str]] = {}
    drawn = bool(_tied(runs))
    for run in runs:
        seen = found.setdefault(run.seed if drawn else 0, {})
        seen.setdefault(str(run.manifest.get("data_fingerprint")), run.path)
    return found


def _other_names(runs: Sequence[Run]) -> list[str]:
    """Keys that name the same data by other paths."""
    if any(len(seen) > 1 for seen in _fingerprints(runs).values()):
        return []
    keys = differing([run.flat for run in runs])
    return [key for key in keys if within(key, ("data",)) and all(_path(run.flat.get(key)) for run in runs)]
