"""Analysing positional encodings: what they tell apart, and what a trained network does with its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnctl.commands.listener import NOBODY, Listener
from snnctl.core.choices import SplitName
from snnctl.finished import open_run
from snnctl.inspect.positions.collect import analyse, measure
from snnctl.inspect.positions.encoding import Encoding
from snnctl.inspect.positions.page import report
from snnctl.inspect.positions.sensitivity import read_sweep
from snnctl.inspect.positions.subject import make_encodings, of_positions, of_recipe, of_run, parse_specs
from snnctl.recipe import load_recipe
from snnctl.report.saving import write


@dataclass(frozen=True)
class Analysed:
    """What has come of an analysis: its document, and the encoding that stands first in it."""

    document: dict[str, Any]
    first: Encoding


def analyze_pe(
    subject: Path | None = None,
    positions: Sequence[str] = (),
    *,
    length: int | None = None,
    steps: int | None = None,
    out: Path | None = None,
    sweep: Path | None = None,
    network: bool = True,
    split: SplitName = "val",
    samples: int = 256,
    sets: Sequence[str] = (),
    unsets: Sequence[str] = (),
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
) -> Analysed:
    """Codes, collisions, similarity, spectrum; for a run also attention, probe and disturbed position.

    Args:
        subject: recipe file (.yaml), run directory, or None for `positions` alone.
        positions: `cpg`, `cpg: {neurons: 10}` and so on, side by side; none beside a subject: a few usual ones.
        length, steps: tokens and time steps; None: the recipe's, else 168 and 4.
        out: where files go; None: `RUN/pe` or `pe/NAME`.
        sweep: CSV with base, neurons and a metric to draw as well.
        network, split, samples: for a run: whether its network is measured, and on what.
        sets, unsets: changes of a recipe.

    Raises:
        DiagnosticError: as `parse_specs`, `read_sweep`, `open_run` and `snnctl.build.check`; U453, `out` cannot be
            written.
    """
    wanted = parse_specs(positions)
    swept = None if sweep is None else read_sweep(sweep)
    run = None
    if subject is None:
        found = of_positions(wanted, length, steps)
    elif is_run(subject):
        run = open_run(subject, allow_plugins=allow_plugins, warn=listener.warn)
        found = of_run(run, wanted, length, steps)
    else:
        recipe = load_recipe(subject, sets, unsets, allow_plugins=allow_plugins)
        listener.warn(recipe.warnings)
        found = of_recipe(recipe, wanted, length, steps)
    encodings, notes = make_encodings(found.wanted, found.signal, found.seed)
    trained = None
    with listener.work() as tell:
        if run is not None and network:
            tell("data", 0.0)
            trained = measure(run, split=split, samples=samples, tell=tell)
        analysis = analyse(found.name, encodings, sweep=swept, trained=trained, notes=notes)
        return Analysed(write(report(analysis), out or found.out, listener.call, tell), encodings[0])


def is_run(subject: Path) -> bool:
    """Whether what is analysed is a run, and not a recipe."""
    return subject.suffix not in (".yaml", ".yml")
