"""Time constants in numbers and sentences: the document, its findings, and CSV tables."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from snnctl.inspect.time_constants.collect import QUANTILES, StageTaus, TauSurvey, quantile, with_initial
from snnctl.inspect.time_constants.ordering import spearman
from snnctl.report.tables import csv_text

FEW = 10  # runs below which the result is called preliminary
HYPOTHESIS = "time constants rise with depth"
NUMBERS = ("median", *QUANTILES, "min", "max")


def document(found: TauSurvey) -> dict[str, Any]:
    """The public document.

    - `unit` (`ms` or `steps`), `dt_ms` (null where the data do not say), `hypothesis`, `preliminary` (fewer than ten
      runs).
    - `stages`, pooled over runs, and `runs: [{run, seed, checkpoint, stages, spearman}]`. A stage is `{number, name,
      neurons, steps, ms, at_low_share, at_high_share, longest_steps, initial_median_steps, drift_steps}`; `steps` and
      `ms` (null without a clock) are `{median, q15, q50, q85, min, max}`, shares are of neurons whose leak is at its
      bound, `longest_steps` is the time constant at the upper bound, and drift is the median minus the initial one.
    - `spearman` of the pooled medians with depth, `mean_spearman` of those of each run, `rising` (runs whose medians
      rise strictly), `test: {statistic, p, arrangements, draws, exact}` or null for a single stage.
    """
    pooled = found.pooled
    return {
        "name": found.name,
        "unit": found.unit,
        "dt_ms": found.dt_ms or None,
        "hypothesis": HYPOTHESIS,
        "preliminary": len(found.runs) < FEW,
        "stages": [_stage(*pair, found.dt_ms) for pair in with_initial(pooled, found.initial)],
        "runs": [
            {
                "run": run.run,
                "seed": run.seed,
                "checkpoint": run.checkpoint,
                "spearman": spearman(run.medians),
                "stages": [_stage(*pair, found.dt_ms) for pair in with_initial(run.trained, run.initial)],
            }
            for run in found.runs
        ],
        "spearman": spearman([one.median for one in pooled]),
        "mean_spearman": None if found.test is None else found.test.statistic,
        "rising": sum(len(pooled) > 1 and all(a < b for a, b in pairwise(run.medians)) for run in found.runs),
        "test": None if found.test is None else {**vars(found.test), "exact": found.test.exact},
    }


def _stage(one: StageTaus, before: StageTaus | None, dt_ms: float) -> dict[str, Any]:
    neurons, quantiles = len(one.steps), {name: quantile(one.steps, share) for name, share in QUANTILES.items()}
    steps = {"median": one.median, **quantiles, "min": float(one.steps.min()), "max": float(one.steps.max())}
    return {
        "number": one.number,
        "name": one.name,
        "neurons": neurons,
        "steps": steps,
        "ms": {name: value * dt_ms for name, value in steps.items()} if dt_ms else None,
        "at_low_share": None if one.at_low is None else one.at_low / neurons,
        "at_high_share": None if one.at_high is None else one.at_high / neurons,
        "longest_steps": one.longest,
        "initial_median_steps": None if before is None else before.median,
        "drift_steps": None if before is None else one.median - before.median,
    }


def tables(found: TauSurvey) -> dict[str, str]:
    """File name -> CSV text: stages per run and over all, and the time constant of every neuron."""
    head = ("run", "seed", "stage", "name", "neurons", *(f"{name}_steps" for name in NUMBERS))
    more = (*(f"{name}_ms" for name in NUMBERS), "at_low_share", "at_high_share", "initial_median_steps")
    rows = []
    written = document(found)
    for run in (*written["runs"], {"run": "all", "seed": None, "stages": written["stages"]}):
        for stage in run["stages"]:
            ms = stage["ms"] or dict.fromkeys(NUMBERS)
            facts = [stage["at_low_share"], stage["at_high_share"], stage["initial_median_steps"], stage["drift_steps"]]
            own = [run["run"], run["seed"], stage["number"], stage["name"], stage["neurons"]]
            rows.append([*own, *stage["steps"].values(), *ms.values(), *facts])
    neurons = (
        [run.seed, stage.number, number, tau, None if before is None else float(before.steps[number])]
        for run in found.runs
        for stage, before in with_initial(run.trained, run.initial)
        for number, tau in enumerate(stage.steps.tolist())
    )
    return {
        "tau.csv": csv_text((*head, *more, "drift_steps"), rows),
        "tau_neurons.csv": csv_text(("seed", "stage", "neuron", "tau_steps", "initial_tau_steps"), neurons),
    }


def verdict(written: Mapping[str, Any]) -> list[str]:
    """The document's findings in sentences."""
    test, runs = written["test"], len(written["runs"])
    if test is None:
        return ["One stage has time constants: there is no order to test."]
    how = (
        f"all {test['arrangements']:,} arrangements counted"
        if test["exact"]
        else f"{test['draws']:,} of {test['arrangements']:.2g} arrangements drawn"
    )
    few = f"; preliminary, {runs} of {FEW} runs" if written["preliminary"] else ""
    return [
        f"Rank correlation of the median with depth: {signed(test['statistic'])} on average over {runs} runs, "
        f"{signed(written['spearman'])} for the pooled medians; they rise strictly in {written['rising']} of {runs}.",
        f"Permutation test of stage labels within runs, one-sided ({written['hypothesis']}): p = {test['p']:.2g} "
        f"({how}){few}.",
    ]


def signed(value: float | None) -> str:
    return "none" if value is None else f"{value:+.3f}"
