"""What has come of a sweep: every point over its seeds, in the order of validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from snnctl.core.better import better_when
from snnctl.core.diagnostic import said_of_data
from snnctl.engine.run_dir import RunDir
from snnctl.measure.seeds import summarise
from snnctl.sweep.jobs import Ended, Job

DOCUMENT = "sweep.json"


@dataclass
class Tried:
    """A point and its runs."""

    label: str  # of the point
    changes: Mapping[str, Any]  # recipe path -> value
    watched: str  # the metric on validation by which its weights were chosen: `val/mse`
    mode: Literal["min", "max"]  # whether a smaller or a larger value of it is better
    jobs: Mapping[int, Job]  # its runs, by seed
    ended: dict[int, Ended] = field(default_factory=dict)  # those that have ended, by seed

    @property
    def seeds(self) -> list[int]:
        return list(self.jobs)

    def note(self, found: Ended) -> None:
        """A run has ended; nothing happens if it is another point's."""
        for seed, job in self.jobs.items():
            if job.out == found.job.out:
                self.ended[seed] = found

    @property
    def done(self) -> list[dict[str, Any]]:
        """Results in the order of seeds."""
        return [self.ended[seed].results for seed in self.seeds if self._state(seed) == "done"]

    def _state(self, seed: int) -> str:
        return self.ended[seed].state if seed in self.ended else "waiting"

    @property
    def status(self) -> str:
        """`done` if all seeds are; else what is in the way. A point that was given up waits for none of its seeds."""
        states = [self._state(seed) for seed in self.seeds]
        order = ("given_up", "failed", "interrupted", "stopped", "waiting")
        return next((state for state in order if state in states), "done")

    @property
    def score(self) -> float | None:
        """The mean of the watched metric over the seeds, at the epochs that were kept; None unless all are done."""
        values = [best_value(Path(results["run"]), self.watched) for results in self.done]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if self.status == "done" and len(known) == len(self.seeds) else None

    def document(self) -> dict[str, Any]:
        """As it stands in the public document."""
        done = self.done
        names = [name for name in (done[0]["metrics"] if done else {}) if all(name in one["metrics"] for one in done)]
        watched = [best_value(Path(one["run"]), self.watched) for one in done]
        metrics = {self.watched: summarise(watched)} if done else {}
        metrics |= {name: summarise([one["metrics"][name] for one in done]) for name in names}
        return {
            "name": self.label,
            "changes": dict(self.changes),
            "status": self.status,
            "seeds": self.seeds,
            "runs": [one["run"] for one in done],
            "metrics": metrics,
            "parameters": done[0]["parameters"] if done else None,
            "mean_rate": _mean([one["spikes"]["mean_rate"] for one in done]),
            "training_seconds": _mean([one["training_seconds"] for one in done]),
        }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def best_value(run: Path, metric: str) -> float | None:
    """A metric on validation at the epoch whose weights were kept."""
    value = RunDir(run).kept_epoch().get(metric)
    return float(value) if isinstance(value, int | float) else None


def ranked(points: Sequence[Tried]) -> list[Tried]:
    """The best on validation first, then those without a value in their own order.

    Points that watch another metric than the first stand in their own order too: the two cannot be compared.
    """
    first = points[0]
    scored = [one for one in points if one.watched == first.watched and one.score is not None]
    scored.sort(key=lambda one: one.score or 0.0, reverse=first.mode == "max")
    return scored + [one for one in points if one not in scored]


def status_of(points: Sequence[Tried]) -> str:
    """`done`, or what is most in the way of it."""
    states = {one.status for one in points}
    if states & {"interrupted", "stopped", "waiting"}:
        return "interrupted"
    return "failed" if "failed" in states else "done"


def document(points: Sequence[Tried], out: Path, kind: Literal["grid", "search"]) -> dict[str, Any]:
    """The public document.

    - `out`, `kind` (grid, search), `status` (done, interrupted, failed); `watched`, the metric on validation that ranks
      points, and `headline`, the first on test that is known to be better one way;
    - the command adds `refused`, how many suggestions of a search were no valid recipe, and of a grid `compare`;
    - `data_warnings`, what the data of its runs found odd, each thing once;
    - `best`, the name of the first point, or null; `baselines: {name: {metric: value}}`, of its first run;
    - `points: [{name, changes, status, seeds, runs, metrics: {name: {mean, sd, values}}, parameters, mean_rate,
      training_seconds}]`, best first.
    """
    order = ranked(points)
    return {
        "out": str(out),
        "kind": kind,
        "status": status_of(points),
        "watched": points[0].watched,
        "headline": next((headline(one.done[0]) for one in order if one.done), None),
        "best": order[0].label if order[0].score is not None else None,
        "baselines": next((one.done[0]["baselines"] for one in order if one.done), {}),
        "data_warnings": said_of_data(results for one in order for results in one.done),
        "points": [one.document() for one in order],
    }


def headline(results: Mapping[str, Any]) -> str:
    """The first test metric that is not the loss, and that is known to be better one way."""
    names = [name for name in results["metrics"] if not name.endswith("/loss")]
    return next((name for name in names if better_when(name.partition("/")[2])), names[0])
