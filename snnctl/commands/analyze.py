"""Analysing parts by themselves: what positional encodings tell apart, how far gradients of neurons reach back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnctl.commands.listener import NOBODY, Listener
from snnctl.core.choices import SplitName
from snnctl.finished import open_run
from snnctl.inspect.gradients import page as gradients_page
from snnctl.inspect.gradients.collect import Setting, parse_neurons, study
from snnctl.inspect.positions import page as positions_page
from snnctl.inspect.positions.collect import analyse, measure
from snnctl.inspect.positions.encoding import Encoding
from snnctl.inspect.positions.sensitivity import read_sweep
from snnctl.inspect.positions.subject import make_encodings, of_positions, of_recipe, of_run, parse_specs
from snnctl.recipe import load_recipe
from snnctl.report.saving import prepare, write


@dataclass(frozen=True)
class Analysed:
    """What has come of an analysis: its document, and the encoding that stands first in it."""

    document: dict[str, Any]
    first: Encoding


def analyze_pe(
    subject: Path | None = None,
    positions: Sequence[str] = (),
    sets: Sequence[str] = (),
    unsets: Sequence[str] = (),
    length: int | None = None,
    steps: int | None = None,
    out: Path | None = None,
    sweep: Path | None = None,
    network: bool = True,
    split: SplitName = "val",
    samples: int = 256,
    *,
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

    Raises:
        DiagnosticError: as `parse_specs` and `read_sweep`.
    """
    wanted = parse_specs(positions)
    swept = None if sweep is None else read_sweep(sweep)
    run = None
    if subject is None:
        found = of_positions(wanted, length, steps)
    elif subject.suffix not in (".yaml", ".yml"):
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
        return Analysed(write(positions_page.report(analysis), out or found.out, listener.call, tell), encodings[0])


def analyze_neuron(
    neurons: Sequence[str] = (),
    setting: Setting = Setting(),  # noqa: B008  # a frozen value
    *,
    out: Path = Path("lags"),
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """Products of dU[t+1]/dU[t] against the lag, under noise.

    Args:
        neurons: `stc_lif`, `stc_lif: {circuit: temporal}` and so on; none: LIF, IF and STC.
        setting: what the neurons are put under.

    Returns:
        See `snnctl.inspect.gradients.tables`.

    Raises:
        DiagnosticError: as `parse_neurons` and `study`.
    """
    wanted, notes = parse_neurons(neurons)
    prepare(out)
    with listener.work() as tell:
        return write(gradients_page.report(study(wanted, setting, notes, tell)), out, listener.call, tell)
