"""What a comparison holds, and its public document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from snnctl.compare.collect import Run
from snnctl.compare.groups import Group, Grouping
from snnctl.compare.recipes import ABSENT, short_keys, shown
from snnctl.compare.statistics import Paired, Spread
from snnctl.core.diagnostic import Diagnostic

_FEW_KEYS = 2
SKIP = "skip_alone"  # stands among the baselines of a run, and is the network's own


@dataclass(frozen=True)
class Pair:
    """One group against its reference in one metric, both by name."""

    group: str
    against: str
    metric: str
    found: Paired


@dataclass(frozen=True)
class Comparison:
    """Everything that was found.

    Args:
        grouping: the groups in order, and what tells them apart.
        metrics: names with their split: `test/accuracy`; at least one.
        references: the group that the others are held against; several where each of the others has one of its own.
        pairs: for each metric and each other group that shares a seed with its reference.
        baselines: name -> metric -> its values, one per seed.
        warnings: what was left out or passed over.
        notes: what a reader has to know.
    """

    grouping: Grouping
    metrics: list[str]
    references: list[Group]
    pairs: list[Pair]
    baselines: dict[str, dict[str, Spread]]
    warnings: list[Diagnostic] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def groups(self) -> list[Group]:
        """In order."""
        return self.grouping.groups

    @property
    def runs(self) -> list[Run]:
        """Of all groups."""
        return [run for group in self.groups for run in group.runs]

    @property
    def against(self) -> str:
        """The reference in short, or what the references have in common."""
        first, *others = [group.keys for group in self.references]
        if not others:
            return self.label(self.references[0])
        common = {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
        return self._short(common) or "their references"

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
        return self._short(self.usual)

    def label(self, group: Group) -> str:
        """Its name with short keys and without what is usual: `delta=-500`."""
        usual = self.usual
        return self._short({key: v for key, v in group.keys.items() if usual.get(key, ABSENT) != v}) or group.name

    def _short(self, keys: Mapping[str, Any]) -> str:
        short = short_keys(self.grouping.keys)
        return ", ".join(f"{short[key]}={shown(value)}" for key, value in keys.items())

    def document(self) -> dict[str, Any]:
        """The public document, but for the files.

        - `metrics`; `references`, names of groups, and `against`, what they have in common, in short; `keys`, what the
          names of groups tell, and `differing`, every key in which they differ.
        - `groups: [{name, label, keys, seeds, runs, parameters, mean_rate, training_seconds, metrics: {name: {n, mean,
          sd, median, min, max, values}}, skip_alone: null or as metrics}]`; `label` is the name with short
          keys and without the values of `unless_named`, which most groups share.
        - `pairs: [{group, against, metric, seeds, pairs, differences, mean, sd, ci95, better, ties, sign_p,
          preliminary}]`; a difference is the group's value minus that of `against`.
        - `baselines: {name: {metric: as above, a value per seed}}`; `notes`.
        """
        return {
            "metrics": self.metrics,
            "references": [group.name for group in self.references],
            "against": self.against,
            "unless_named": self.unless_named,
            "keys": self.grouping.keys,
            "differing": self.grouping.differing,
            "groups": [self._group(group) for group in self.groups],
            "pairs": [
                {"group": pair.group, "against": pair.against, "metric": pair.metric, **pair.found.to_json()}
                for pair in self.pairs
            ],
            "baselines": {
                name: {metric: spread.to_json() for metric, spread in scores.items()}
                for name, scores in self.baselines.items()
            },
            "notes": self.notes,
        }

    def _group(self, group: Group) -> dict[str, Any]:
        spreads = {metric: spread_of(group, metric) for metric in self.metrics}
        skips = {metric: skip_alone(group, metric) for metric in self.metrics}
        return {
            "name": group.name,
            "label": self.label(group),
            "keys": group.keys,
            "seeds": group.seeds,
            "runs": [run.path for run in group.runs],
            "parameters": group.runs[0].results["parameters"],
            "mean_rate": mean_rate(group),
            "training_seconds": training_seconds(group),
            "metrics": {metric: spread.to_json() for metric, spread in spreads.items() if spread},
            "skip_alone": {metric: spread.to_json() for metric, spread in skips.items() if spread} or None,
        }


def spread_of(group: Group, metric: str) -> Spread | None:
    """Over the runs that have it; None if none has."""
    return _spread(run.value(metric) for run in group.runs)


def skip_alone(group: Group, metric: str) -> Spread | None:
    """What the networks' non-spiking path reaches by itself; None where there is none, or it was not measured."""
    return _spread(baseline_of(run, SKIP, metric) for run in group.runs)


def mean_rate(group: Group) -> float | None:
    """Spikes per neuron and step, mean over runs; None for what does not spike."""
    found = _spread(run.results["spikes"]["mean_rate"] for run in group.runs)
    return None if found is None or not group.runs[0].results.get("spiking", True) else found.mean


def training_seconds(group: Group) -> float | None:
    """Mean over runs."""
    found = _spread(run.results.get("training_seconds") for run in group.runs)
    return None if found is None else found.mean


def _spread(values: Iterable[float | None]) -> Spread | None:
    known = tuple(float(value) for value in values if value is not None)
    return Spread(known) if known else None


def baseline_of(run: Run, name: str, metric: str) -> float | None:
    """One value of one run; None where it was not measured."""
    split, _, short = metric.partition("/")
    if split != run.results["split"]:
        return None
    return run.results["baselines"].get(name, {}).get(short)
