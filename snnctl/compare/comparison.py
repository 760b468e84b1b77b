"""What a comparison holds, and how it is made of folders: groups, the reference, paired differences, baselines once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from snnctl.compare.collect import Run, finished, run_folders
from snnctl.compare.groups import SKIP, Group, Grouping, grouped, refuse_strangers
from snnctl.compare.recipes import ABSENT, differing, in_short, shown, title_of, within
from snnctl.compare.statistics import FEW, Paired, Spread
from snnctl.core.better import ENERGY, better_direction
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, said_of_data

_FEW_KEYS = 2


@dataclass(frozen=True)
class Pair:
    """One group against its reference in one metric, both by name."""

    group: str
    against: str
    metric: str
    found: Paired


@dataclass(frozen=True)
class Comparison:
    grouping: Grouping  # the groups in order, and what tells them apart
    metrics: list[str]  # names with their split: `test/accuracy`; at least one
    # the group that the others are held against; several where each of the others has one of its own
    references: list[Group]
    pairs: list[Pair]  # for each metric and each other group that shares a seed with its reference
    baselines: dict[str, dict[str, Spread]]  # name -> metric -> its values, one per seed
    warnings: list[Diagnostic] = field(default_factory=list)  # what was left out or passed over
    notes: list[str] = field(default_factory=list)  # what a reader has to know

    @property
    def groups(self) -> list[Group]:
        return self.grouping.groups

    @property
    def runs(self) -> list[Run]:
        return [run for group in self.groups for run in group.runs]

    @property
    def against(self) -> str:
        """The reference in short, or what the references have in common."""
        first, *others = [group.keys for group in self.references]
        if not others:
            return self.label(self.references[0])
        common = {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
        return in_short(common, self.grouping.keys) or "their references"

    @property
    def varied(self) -> str:
        """The key with the most values; the last of equals, which varies fastest. Empty for a single group."""
        values = {key: len({shown(group.keys.get(key)) for group in self.groups}) for key in self.grouping.keys}
        return max(reversed(values), key=lambda key: values[key], default="")

    @property
    def usual(self) -> dict[str, Any]:
        """Where groups differ in many keys: values that more than half of them share, which labels leave out."""
        if len(self.grouping.keys) <= _FEW_KEYS:
            return {}
        found = {}
        for key in self.grouping.keys:
            values = [group.keys[key] for group in self.groups if key in group.keys]
            for value in values:
                if key != self.varied and values.count(value) > len(self.groups) / 2:
                    found[key] = value
        return found

    @property
    def unless_named(self) -> str:
        """`usual` in words: `spiking=true, readout=mean_linear`."""
        return in_short(self.usual, self.grouping.keys)

    def label(self, group: Group) -> str:
        """Its name with short keys and without what is usual: `delta=-500`."""
        usual = self.usual
        telling = {key: value for key, value in group.keys.items() if usual.get(key, ABSENT) != value}
        return in_short(telling, self.grouping.keys) or group.name


def compare(paths: Sequence[Path], metrics: Sequence[str] = (), against: str | None = None) -> Comparison:
    """Read runs, group them, and hold the groups against one of them.

    Args:
        paths: run directories, or folders that hold some.
        metrics: `test/accuracy`, or `accuracy` for the same, or `energy/horowitz45_fp32`; none takes the headline of
            the first run.
        against: which group is the reference, see `chosen`; None takes the first run's. Where several match, each other
            group is held against the one that it differs from in the fewest keys.

    Raises:
        DiagnosticError: U480 and U481 no runs, U483 they cannot be compared, U485 unknown metric, U486 unknown or
            ambiguous reference, U488 energies that were estimated in different ways.
    """
    runs, left_out = finished(run_folders(paths))
    refuse_strangers(runs)
    grouping = grouped(runs)
    named = _metrics(runs, metrics)
    references = [grouping.first] if against is None else chosen(grouping, against)
    pairs = [
        Pair(group.name, other.name, metric, found)
        for metric in named
        for group, other in _partners(grouping, references)
        if (found := _paired(group, other, metric)) is not None
    ]
    kept = [run for group in grouping.groups for run in group.runs]
    _refuse_other_prices(kept, named)
    warnings = [*left_out, *grouping.warnings, *_without_value(kept, named)]
    made = Comparison(grouping, named, references, pairs, _baselines(kept, named), warnings)
    return replace(made, notes=_notes(made))


def chosen(grouping: Grouping, pattern: str) -> list[Group]:
    """The groups that `pattern` means: their name or label, one of their `key=value`, or a glob over name and label.

    Of keys the last words will do: `delta=0` for `model.hierarchy.delta=0`.

    Raises:
        DiagnosticError: U486, no group.
    """
    glob = pattern.replace("[", "[[]")  # lists stand in names; only * and ? are wild

    def ends(group: Group) -> bool:  # `delta=0` means `model.hierarchy.delta=0`, and not `model.subdelta=0`
        parts = (f".{title_of(key)}={shown(value)}" for key, value in group.keys.items())
        return any(part.endswith(f".{pattern}") for part in parts)

    def both(group: Group) -> list[str]:
        return [group.name, in_short(group.keys, grouping.keys)]

    for found in (
        [group for group in grouping.groups if pattern in both(group)],
        [group for group in grouping.groups if ends(group)],
        [group for group in grouping.groups if any(fnmatchcase(name, glob) for name in both(group))],
    ):
        if found:
            return found
    help = "groups: " + "; ".join(group.name for group in grouping.groups)
    raise DiagnosticError(Diagnostic("U486", f"no group matches `{pattern}`", help=help))


def _partners(grouping: Grouping, references: Sequence[Group]) -> list[tuple[Group, Group]]:
    """Each group with the reference that it differs from in the fewest keys; U486 where that is not one."""
    pairs = []
    for group in grouping.groups:
        if any(group is one for one in references):
            continue
        apart = [
            sum(group.keys.get(key, ABSENT) != one.keys.get(key, ABSENT) for key in grouping.keys) for one in references
        ]
        nearest = [one for one, keys in zip(references, apart, strict=True) if keys == min(apart)]
        if len(nearest) > 1:
            message = f"{len(nearest)} groups match --against and are equally near to `{group.name}`"
            help = "name one of " + "; ".join(one.name for one in nearest)
            raise DiagnosticError(Diagnostic("U486", message, help=help))
        pairs.append((group, nearest[0]))
    return pairs


def _metrics(runs: Sequence[Run], wanted: Sequence[str]) -> list[str]:
    known = [name for name in runs[0].metrics if all(name in run.metrics for run in runs[1:])]
    wanted = wanted or [runs[0].headline]
    split = runs[0].results["split"]
    named = list(dict.fromkeys(name if "/" in name else f"{split}/{name}" for name in wanted))
    anywhere = {name for run in runs for name in run.metrics}
    for name in named:
        if name not in anywhere:
            help = f"they have {', '.join(known)}"
            if name.startswith(f"{ENERGY}/"):
                help += "; `snnctl energy RUN --costs NAME` estimates energies"
            raise DiagnosticError(Diagnostic("U485", f"these runs have no metric `{name}`", help=help))
        if name.endswith("/loss") and (keys := _losses_differ(runs)):
            message = f"`{name}` is not the same quantity in these runs, which differ in {', '.join(keys)}"
            raise DiagnosticError(Diagnostic("U485", message, path=keys[0], help="name another --metric"))
    return named


def _refuse_other_prices(runs: Sequence[Run], metrics: Sequence[str]) -> None:
    """U488 where energies were estimated in different ways, naming what was decided otherwise."""
    for metric in metrics:
        split, _, table = metric.partition("/")
        if split != ENERGY:
            continue
        ways = dict.fromkeys(run.priced(table) for run in runs if table in run.costs)
        if len(ways) > 1:
            first, other, *_ = ways
            apart = tuple(
                f"{sign} {one}"
                for sign, way, rest in (("-", first, other), ("+", other, first))
                for one in way
                if one not in rest
            )
            message = f"`{metric}` was not estimated in the same way in all of these runs"
            help = "run `snnctl energy` on them with the same options"
            raise DiagnosticError(Diagnostic("U488", message, notes=apart, help=help))


def _losses_differ(runs: Sequence[Run]) -> list[str]:
    keys = differing([run.flat for run in runs])
    return [key for key in keys if within(key, ("task",)) and not within(key, ("task.metrics", "task.baselines"))]


def _without_value(runs: Sequence[Run], metrics: Sequence[str]) -> list[Diagnostic]:
    found = []
    for metric in metrics:
        missing = tuple(run.path for run in runs if run.value(metric) is None)
        if missing:
            message = f"{len(missing)} of {len(runs)} runs have no `{metric}`, and are left out of it"
            found.append(Diagnostic("U487", message, severity="warning", notes=missing))
    return found


def _paired(group: Group, reference: Group, metric: str) -> Paired | None:
    found = {}
    theirs = {run.seed: run.value(metric) for run in reference.runs}
    for run in group.runs:
        own, other = run.value(metric), theirs.get(run.seed)
        if own is not None and other is not None:
            found[run.seed] = own - other
    return Paired(tuple(found), tuple(found.values()), better_direction(metric)) if found else None


def _baselines(runs: Sequence[Run], metrics: Sequence[str]) -> dict[str, dict[str, Spread]]:
    """One value per seed: groups of one seed have met the same data, so any of them will do."""
    found: dict[str, dict[str, Spread]] = {}
    for name in dict.fromkeys(name for run in runs for name in run.results["baselines"] if name != SKIP):
        for metric in metrics:
            by_seed: dict[int, float] = {}
            for run in runs:
                value = run.baseline(name, metric)
                if value is not None:
                    by_seed.setdefault(run.seed, value)
            if by_seed:
                found.setdefault(name, {})[metric] = Spread(tuple(by_seed[seed] for seed in sorted(by_seed)))
    return found


def _test_set(found: Comparison) -> list[str]:
    """How far an accuracy would lie from its own mean on other test sets as large as this one."""
    first = found.runs[0]
    items, metric = first.results.get("items"), f"{first.results['split']}/accuracy"
    if not items or metric not in found.metrics or first.flat.get("task.type") != "classification":
        return []
    best = max(one.mean for group in found.groups if (one := group.spread(metric)) is not None)
    error = math.sqrt(best * (1 - best) / items)
    return [f"one standard error of an accuracy of {best:.3f} on {items:,} items is {error:.4f}: less is no gain"]


def _notes(found: Comparison) -> list[str]:
    notes = [f"{title_of(key)} changes with {title_of(one)}" for key, one in found.grouping.followers.items()]
    if any(pair.found.preliminary for pair in found.pairs):
        notes.append(f"preliminary: fewer than {FEW} paired seeds")
    known = {*(pair.group for pair in found.pairs), *(group.name for group in found.references)}
    apart = [group.name for group in found.groups if group.name not in known]
    if apart:
        notes.append(f"no seed in common with the reference: {'; '.join(apart)}")
    if len(found.groups) > 2 and any(metric.startswith("test/") for metric in found.metrics):
        notes.append("a group picked from several by its test metric is chosen on test; --metric val/... picks without")
    notes += _test_set(found)
    leaks = dict.fromkeys(leak for run in found.runs for leak in run.results["leaks"])
    said = said_of_data(run.results for run in found.runs)
    return [*notes, *(f"leaky: {leak}" for leak in leaks), *(f"data: {one['message']} ({one['code']})" for one in said)]
