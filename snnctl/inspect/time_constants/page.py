"""Time constants as a document, as tables and as a part of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from snnctl.inspect.time_constants.collect import QUANTILES, RunTaus, StageTaus, TauSurvey, quantile
from snnctl.report.page import Cell, Page, Section, Table
from snnctl.report.provenance import provenance
from snnctl.report.saving import Tell, save
from snnctl.report.tables import csv_text

PAGE, DOCUMENT = "tau.html", "tau.json"
FEW = 10  # runs below which the result is called preliminary
HYPOTHESIS = "time constants rise with depth"
_NUMBERS = ("median", *QUANTILES, "min", "max")


@dataclass(frozen=True)
class Addition:
    """What a report on something else takes in."""

    sections: Sequence[Section]
    tables: Mapping[str, str]
    document: Mapping[str, Any]


NOTHING_MORE = Addition((), {}, {})


def addition(found: TauSurvey) -> Addition:
    """The time constants of one run, for its page of spikes."""
    return Addition([section(found)], tables(found), {"tau": document(found)})


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
    initial = found.initial
    pooled = found.pooled
    return {
        "name": found.name,
        "unit": found.unit,
        "dt_ms": found.dt_ms or None,
        "hypothesis": HYPOTHESIS,
        "preliminary": len(found.runs) < FEW,
        "stages": _stages(pooled, initial, found.dt_ms),
        "runs": [
            {
                "run": run.run,
                "seed": run.seed,
                "checkpoint": run.checkpoint,
                "spearman": run.rho,
                "stages": _stages(run.trained, run.initial, found.dt_ms),
            }
            for run in found.runs
        ],
        "spearman": RunTaus("", 0, {}, pooled, None).rho,
        "mean_spearman": None if found.test is None else found.test.statistic,
        "rising": sum(_rises(run.medians) for run in found.runs),
        "test": None if found.test is None else {**vars(found.test), "exact": found.test.exact},
    }


def _rises(medians: Sequence[float]) -> bool:
    return len(medians) > 1 and all(a < b for a, b in pairwise(medians))


def _with_initial(
    trained: Sequence[StageTaus], initial: Sequence[StageTaus] | None
) -> list[tuple[StageTaus, StageTaus | None]]:
    begun: Sequence[StageTaus | None] = [None] * len(trained) if initial is None else initial
    return list(zip(trained, begun, strict=True))


def _stages(trained: Sequence[StageTaus], initial: Sequence[StageTaus] | None, dt_ms: float) -> list[dict[str, Any]]:
    return [_stage(one, before, dt_ms) for one, before in _with_initial(trained, initial)]


def _stage(one: StageTaus, before: StageTaus | None, dt_ms: float) -> dict[str, Any]:
    neurons, steps = len(one.steps), numbers(one)
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


def numbers(one: StageTaus) -> dict[str, float]:
    """Median, quantiles under their names, least and greatest, in steps."""
    quantiles = {name: quantile(one.steps, share) for name, share in QUANTILES.items()}
    return {"median": one.median, **quantiles, "min": float(one.steps.min()), "max": float(one.steps.max())}


def tables(found: TauSurvey) -> dict[str, str]:
    """File name -> CSV text: stages per run and over all, and the time constant of every neuron."""
    head = ("run", "seed", "stage", "name", "neurons", *(f"{name}_steps" for name in _NUMBERS))
    more = (*(f"{name}_ms" for name in _NUMBERS), "at_low_share", "at_high_share", "initial_median_steps")
    rows = []
    written = document(found)
    for run in (*written["runs"], {"run": "all", "seed": None, "stages": written["stages"]}):
        for stage in run["stages"]:
            ms = stage["ms"] or dict.fromkeys(_NUMBERS)
            facts = [stage["at_low_share"], stage["at_high_share"], stage["initial_median_steps"], stage["drift_steps"]]
            own = [run["run"], run["seed"], stage["number"], stage["name"], stage["neurons"]]
            rows.append([*own, *stage["steps"].values(), *ms.values(), *facts])
    neurons = (
        [run.seed, stage.number, number, tau, None if before is None else float(before.steps[number])]
        for run in found.runs
        for stage, before in _with_initial(run.trained, run.initial)
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
        f"Rank correlation of the median with depth: {_signed(test['statistic'])} on average over {runs} runs, "
        f"{_signed(written['spearman'])} for the pooled medians; they rise strictly in {written['rising']} of {runs}.",
        f"Permutation test of stage labels within runs, one-sided ({written['hypothesis']}): p = {test['p']:.2g} "
        f"({how}){few}.",
    ]


def _signed(value: float | None) -> str:
    return "none" if value is None else f"{value:+.3f}"


def section(found: TauSurvey) -> Section:
    """Tables, pictures and findings."""
    from snnctl.inspect.time_constants import figures as tau

    written = document(found)
    unit, scale = found.unit, found.scale
    head = ["stage", "neurons", f"median ({unit})", "15 %", "50 %", "85 %", "min", "max"]
    rows: list[list[Cell]] = []
    for stage in written["stages"]:
        values: list[Cell] = [stage["steps"][name] * scale for name in _NUMBERS]
        before, drift = stage["initial_median_steps"], stage["drift_steps"]
        moved: list[Cell] = [None, None] if before is None else [before * scale, f"{drift * scale:+.4g}"]
        low, high = stage["at_low_share"], stage["at_high_share"]
        bounds: list[Cell] = [None if share is None else f"{share:.1%}" for share in (low, high)]
        rows.append([f"{stage['number']} {stage['name']}", stage["neurons"], *values, *moved, *bounds])
    shown = Table([*head, "median before training", "drift", "at lower bound", "at upper bound"], rows)
    listed = [shown, _by_run(found)] if len(found.runs) > 1 else [shown]
    return Section("Time constants", [tau.by_stage(found), tau.histograms(found)], verdict(written), listed)


def _by_run(found: TauSurvey) -> Table:
    titles = [f"stage {stage.number}" for stage in found.pooled]
    rows: list[list[Cell]] = [
        [f"seed {run.seed}", *(median * found.scale for median in run.medians), _signed(run.rho)] for run in found.runs
    ]
    return Table(["run", *titles, "rank correlation"], rows, f"Medians by run ({found.unit})")


def write(found: TauSurvey, out: Path, command: str, tell: Tell) -> dict[str, Any]:
    """A report on the time constants of several runs into `out`; the document with the list of files.

    Args:
        out: made if it is missing; files of the same names are replaced.
        command: for the page, so that a reader can repeat it.
        tell: told what is being done, and which share of it is.

    Raises:
        DiagnosticError: U453, the folder cannot be made or written to.
    """
    seeds = ", ".join(str(run.seed) for run in found.runs)
    page = Page(
        title=f"Time constants: {found.name}",
        lead=f"{len(found.runs)} runs that differ in their seed alone ({seeds}), neurons pooled over them.",
        sections=[section(found)],
        provenance=provenance(command, {}),
    )
    whole = {"name": found.name, "runs": [run.run for run in found.runs], "tau": document(found)}
    return save(out, page, tables(found), whole, page_name=PAGE, document_name=DOCUMENT, tell=tell, start=0.6)
