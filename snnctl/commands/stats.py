"""What the spikes of a run look like, and its time constants; those of several runs pooled over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from snnctl.commands.listener import NOBODY, Listener
from snnctl.compare.collect import finished, run_folders
from snnctl.compare.groups import grouped
from snnctl.core.choices import SplitName, refuse_other
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.finished import FinishedRun, open_run
from snnctl.inspect.activity.collect import survey
from snnctl.inspect.activity.page import report
from snnctl.inspect.activity.tables import document
from snnctl.inspect.time_constants import page as tau_page
from snnctl.inspect.time_constants.collect import TauSurvey, run_taus
from snnctl.report.saving import prepare, write


def stats(
    run: Path | str,
    split: SplitName = "val",
    samples: int | None = None,
    layers: Sequence[str] = (),
    tau: bool = False,
    out: Path | None = None,
    *,
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """Rates, silent and saturated neurons, rasters, membranes, classes, health of a run.

    Args:
        samples: at most so many, evenly spread; None: all.
        layers: patterns of layers to draw as rasters; none: up to six.
        tau: also the time constants by depth, against those before training, with a test whether they rise.
        out: where files go; None: `RUN/stats`.

    Returns:
        See `snnctl.inspect.activity.tables`; a network that does not spike leaves no files.

    Raises:
        DiagnosticError: U471, nothing has a time constant; as `survey`.
    """
    refuse_other("split", split, get_args(SplitName))
    opened = open_run(run, allow_plugins=allow_plugins, warn=listener.warn)
    place = out or opened.folder.path / "stats"
    with listener.work() as tell:
        tell("data", 0.0)
        taus = _survey([opened]) if tau else None
        spiking = opened.experiment.network.spikes
        if spiking:
            prepare(place)
        chosen = layers if spiking else ()
        found = survey(opened, split=split, samples=samples, layers=chosen, tell=tell)
        if spiking:
            return write(report(found, taus), place, listener.call, tell)
        return {**document(found), "files": []}


def pooled_taus(
    runs: Sequence[Path],
    out: Path = Path("stats"),
    *,
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """The time constants of runs that differ in their seed alone, each with its best weights.

    Args:
        runs: run directories, or folders that hold some.

    Raises:
        DiagnosticError: U473, they differ in more than their seed; as `stats`.
    """
    found, left_out = finished(run_folders(runs))
    grouping = grouped(found)
    listener.warn([*left_out, *grouping.warnings])
    if len(grouping.groups) > 1:
        message = f"these runs differ in more than their seed: {', '.join(grouping.differing)}"
        help = "time constants are pooled over seeds; name the runs of one group: " + "; ".join(
            group.name for group in grouping.groups
        )
        raise DiagnosticError(Diagnostic("U473", message, path=grouping.differing[0], help=help))
    chosen = grouping.first.runs
    prepare(out)
    with listener.work() as tell:
        said: set[tuple[str, tuple[str, ...]]] = set()

        def told_once(found: Sequence[Diagnostic]) -> None:
            new = [one for one in found if (one.code, one.notes) not in said]
            said.update((one.code, one.notes) for one in new)
            listener.warn(new)

        def opened() -> Iterator[FinishedRun]:
            for number, run in enumerate(chosen):
                tell(f"run {run.path}", 0.6 * number / len(chosen))
                yield open_run(run.folder.path, allow_plugins=allow_plugins, warn=told_once)

        return write(tau_page.report(_survey(opened())), out, listener.call, tell)


def _survey(runs: Iterable[FinishedRun]) -> TauSurvey:
    found, name, dt_ms = [], "", 0.0
    for run in runs:
        name, dt_ms = run.experiment.name, run.experiment.network.signals["encoder"].dt_ms
        found.append(run_taus(run))
    return TauSurvey(name, dt_ms, found)
