"""What the figures say, in sentences of people."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from snnctl.inspect.positions.codes import TOLERANCE
from snnctl.inspect.positions.collect import SHUFFLES, Analysis, Trained, oscillator
from snnctl.inspect.positions.encoding import Encoding
from snnctl.inspect.positions.sensitivity import Cell


def of_analysis(found: Analysis) -> dict[str, list[str]]:
    """Encoding -> what is to be said about it."""
    said = {encoding.name: of_encoding(encoding) for encoding in found.encodings}
    own = oscillator(found.encodings)
    if own is not None:
        said[own.name] += of_grid(own, found.cells)
    return said


def of_encoding(encoding: Encoding) -> list[str]:
    """The essential facts about one encoding."""
    if not encoding.neurons:
        reason = " (it acts on attention maps)" if encoding.bias is not None else ""
        return [f"{encoding.name} has no table of codes{reason}: there is nothing to tell positions apart by."]
    facts = encoding.summary()
    rows = "rows of T·L" if encoding.index == "TL" else "positions"
    said = []
    if facts["collisions"]:
        pairs = "1 pair of them shares" if facts["collisions"] == 1 else f"{facts['collisions']:,} pairs share"
        said.append(
            f"{encoding.name}: {facts['unique']:,} distinct codes for {facts['length']:,} {rows}; {pairs} a code. The "
            f"longest prefix without a collision has {facts['longest_prefix']:,}."
        )
    else:
        said.append(f"{encoding.name}: no two of the {facts['length']:,} {rows} share a code at this length.")
    if encoding.index == "TL" and encoding.steps > 1:
        said.append(
            f"With its {encoding.steps} codes taken together, {facts['unique_tokens']:,} of {facts['tokens']:,} tokens "
            f"can be told apart."
        )
    if encoding.kind == "spikes":
        if facts["constant_neurons"]:
            said.append(
                f"{facts['always_on']} neurons always fire and {facts['always_off']} never do:"
                f" {facts['constant_neurons']} of {encoding.neurons} carry nothing at this length."
            )
        duty = "" if encoding.duty is None else f", {encoding.duty:.3f} in the long run"
        said.append(f"A neuron fires at {facts['firing_rate']:.3f} of the positions on average{duty}.")
    if encoding.omegas is not None:
        whole = int((encoding.omegas[0::2] * encoding.rows >= 2 * np.pi).sum())
        said.append(
            f"{whole} of {(encoding.neurons + 1) // 2} pairs complete a period within {encoding.rows:,} {rows}."
        )
    if encoding.kind == "real":
        said.append(f"The code is real: rows count as equal when they agree to {TOLERANCE:g}.")
    if not encoding.binary:
        said.append("What passes it is no longer binary.")
    return said


def of_grid(encoding: Encoding, cells: Sequence[Cell]) -> list[str]:
    """Whether another base or size would tell more positions apart than this CPG does."""
    unique = int(encoding.growth[0][-1])
    same_size = [cell for cell in cells if cell.neurons == encoding.neurons and cell.unique > unique]
    if not same_size:
        return []
    best = max(same_size, key=lambda cell: cell.unique)
    return [
        f"With base {best.base:g} the same {encoding.neurons} neurons would give {best.unique:,} distinct codes and "
        f"{best.collisions:,} colliding pair{'s' * (best.collisions != 1)}."
    ]


def of_trained(found: Trained) -> list[str]:
    """What a network does with its position, and what could not be measured."""
    said = []
    by_kind = {one.kind: fmean(one.values[found.headline]) for one in found.disturbance}
    if by_kind:
        said.append(
            f"{found.headline} on {found.split}: {by_kind['undisturbed']:.4g} as trained, {by_kind['removed']:.4g} "
            f"with the position removed, {by_kind['shuffled']:.4g} shuffled (mean of {len(SHUFFLES)})."
        )
        if by_kind["undisturbed"] == by_kind["removed"] == by_kind["shuffled"]:
            said.append("Nothing changes: what the position says does not reach the output.")
    if found.probe:
        best = max(found.probe, key=lambda score: score.accuracy)
        share = f"{best.accuracy:.1%} of the tokens of unseen samples"
        if best.accuracy > 1.1 * found.chance:
            said.append(
                f"A linear probe names the position of {share} from the spikes of {best.layer}; guessing gives "
                f"{found.chance:.1%}."
            )
        else:
            said.append(
                f"A linear probe does no better than guessing in any layer: {share}, chance {found.chance:.1%}."
            )
    return said + found.notes
