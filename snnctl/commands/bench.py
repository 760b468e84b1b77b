"""Measuring time and memory of neurons, blocks and recipes, beside other libraries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from snnctl.bench.blocks import FULL, NAMES, TINY, block_cases
from snnctl.bench.case import Case, Effort
from snnctl.bench.neurons import SHAPES, make_neuron, neuron_cases, standard_cases
from snnctl.bench.recipe import recipe_case
from snnctl.bench.suite import document, run_suite
from snnctl.build import build
from snnctl.commands.listener import NOBODY, Listener
from snnctl.core.catalog import NEURONS
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, choices
from snnctl.engine.environment import keep_freed_memory
from snnctl.recipe import load_recipe

_QUICK_ROUNDS = 3


def bench_neurons(
    neuron: str | Sequence[str] = "lif",
    cases: Sequence[str] = (),
    threads: int | None = None,
    rounds: int | None = None,
    quick: bool = False,
    *,
    every: bool = False,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """One neuron layer; lif beside spikingjelly and snntorch, as far as they are installed.

    Args:
        neuron: a registered name, or several.
        cases: names of shapes; none: the usual ones.
        threads: that torch may use, from now on.
        rounds: per case; None: as many as fit into ten seconds.
        quick: three rounds of a tiny case.
        every: all registered neurons; those that need knobs without a default are left out, with a note.

    Returns:
        See `snnctl.bench.suite.document`; with `interrupted: true` what had been measured by then.

    Raises:
        DiagnosticError: U410, unknown neuron; U441, unknown case; U442, the neuron needs knobs that have no default.
        KeyboardInterrupt: it was stopped before anything had been measured.
    """
    _prepare(threads)
    wanted = NEURONS.names() if every else [neuron] if isinstance(neuron, str) else list(dict.fromkeys(neuron))
    known = _known(cases, SHAPES)
    made: list[Case] = []
    notes: list[str] = []
    for name in wanted:
        if name not in NEURONS:
            raise DiagnosticError(Diagnostic("U410", f"unknown neuron `{name}`", help=choices(name, NEURONS.names())))
        names = known or (["tiny"] if quick else list(standard_cases(name)))
        try:
            tried = make_neuron(name, SHAPES[names[0]])
        except ValueError as error:
            if every:
                notes.append(f"{name} is left out: {error}")
                continue
            raise DiagnosticError(Diagnostic("U442", str(error), help="bench a recipe that sets them")) from error
        if name != "lif":
            notes.append(f"`{name}` is measured beside its definition only")
        if reason := tried.why_not_compiled(len(SHAPES[names[0]]) - 3):
            notes.append(f"`{name}` has no kernel made from its step: {reason}")
        made += neuron_cases(name, names, named=len(wanted) > 1)
    return _measure(made, _effort(rounds, quick), notes, listener, peers="lif" in wanted)


def bench_blocks(
    cases: Sequence[str] = (),
    threads: int | None = None,
    rounds: int | None = None,
    quick: bool = False,
    *,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """Training steps of whole blocks and networks, and a layer that streams; arguments as those of `bench_neurons`."""
    _prepare(threads)
    made = block_cases(_known(cases, NAMES), TINY if quick else FULL)
    return _measure(made, _effort(rounds, quick), [], listener)


def bench_recipe(
    recipe: Path | str,
    sets: Sequence[str] = (),
    unsets: Sequence[str] = (),
    precisions: Sequence[Literal["fp32", "bf16"]] = (),
    threads: int | None = None,
    rounds: int | None = None,
    quick: bool = False,
    *,
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """One training step of a recipe: batch, forward, loss, backward, clip, optimiser.

    Args:
        precisions: none: the recipe's; all others as those of `bench_neurons`.
    """
    _prepare(threads)
    loaded = load_recipe(recipe, sets, unsets, allow_plugins=allow_plugins)
    listener.warn(loaded.warnings)
    made, notes = recipe_case(loaded, build(loaded), precisions or [loaded.train.precision])
    return _measure([made], _effort(rounds, quick), notes, listener)


def _known(given: Sequence[str], known: Collection[str]) -> list[str]:
    for name in given:
        if name not in known:
            raise DiagnosticError(Diagnostic("U441", f"unknown case `{name}`", help=choices(name, known)))
    return list(dict.fromkeys(given))


def _prepare(threads: int | None) -> None:
    """The process as training has it."""
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)


def _effort(rounds: int | None, quick: bool) -> Effort:
    return Effort(rounds if rounds is not None or not quick else _QUICK_ROUNDS)


def _measure(
    cases: Sequence[Case], effort: Effort, notes: Sequence[str], listener: Listener, *, peers: bool = True
) -> dict[str, Any]:
    with listener.measuring() as tell:
        found = run_suite(cases, effort, tell)
    if found.interrupted and not found.rows:
        raise KeyboardInterrupt
    return document(found, notes, peers=peers)
