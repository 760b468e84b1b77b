"""An analysis of positions in numbers and sentences: the document, what follows from it, CSV of all that is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

import numpy as np

from snnctl.inspect.positions import codes, theory
from snnctl.inspect.positions.collect import SHUFFLES, Analysis, Trained, oscillator
from snnctl.inspect.positions.encoding import Encoding
from snnctl.inspect.positions.sensitivity import Cell
from snnctl.report.tables import csv_text, matrix, mean_and_sd


def document(found: Analysis) -> dict[str, Any]:
    """The public document, but for the files."""
    first = found.encodings[0]
    return {
        "name": found.name,
        "steps": first.steps,
        "tokens": first.tokens,
        "encodings": {encoding.name: encoding.summary() for encoding in found.encodings},
        "sensitivity": [vars(cell) for cell in found.cells],
        "theory": {
            "title": theory.TITLE,
            "neurons": found.theory_neurons,
            "length": len(found.integrations[0].error),
            "step": theory.STEP,
            "methods": [
                {"method": one.method, "base": one.base, "max_error": one.worst, "wrong_bits": one.wrong}
                for one in found.integrations
            ],
        },
        "trained": None if found.trained is None else _trained(found.trained),
        "sentences": sentences(found),
        "notes": found.notes,
    }


def _trained(found: Trained) -> dict[str, Any]:
    removed = {score.layer: score for score in found.probe_removed}
    layers = [
        {**asdict(score), "accuracy_removed": removed[score.layer].accuracy if score.layer in removed else None}
        for score in found.probe
    ]
    return {
        "split": found.split,
        "headline": found.headline,
        "probe": {
            "features": "spike counts over T",
            "chance": found.chance,
            "fitted_samples": found.fitted,
            "tested_samples": found.tested,
            "layers": layers,
        },
        "attention": [
            {"layer": one.layer, "samples": found.attention_samples, "by_distance": one.by_distance[0].tolist()}
            for one in found.attention
        ],
        "disturbance": [
            {"kind": one.kind, "metrics": {name: mean_and_sd(values) for name, values in one.values.items()}}
            for one in found.disturbance
        ],
        "sentences": sentences_of_trained(found),
        "notes": found.notes,
    }


def sentences(found: Analysis) -> dict[str, list[str]]:
    """Encoding -> what is to be said about it."""
    said = {encoding.name: sentences_of(encoding) for encoding in found.encodings}
    own = oscillator(found.encodings)
    if own is not None:
        said[own.name] += _sentences_of_grid(own, found.cells)
    return said


def sentences_of(encoding: Encoding) -> list[str]:
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
        said.append(f"The code is real: rows count as equal when they agree to {codes.TOLERANCE:g}.")
    if not encoding.binary:
        said.append("What passes it is no longer binary.")
    return said


def _sentences_of_grid(encoding: Encoding, cells: Sequence[Cell]) -> list[str]:
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


def sentences_of_trained(found: Trained) -> list[str]:
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


def tables(found: Analysis) -> dict[str, str]:
    """File name -> CSV text."""
    summaries = [{"encoding": e.name, **e.summary()} for e in found.encodings]
    head = [key for key in summaries[0] if key != "position"]
    made = {
        "comparison.csv": csv_text(head, ([summary[key] for key in head] for summary in summaries)),
        "collisions.csv": csv_text(
            ("encoding", "length", "unique", "collisions"),
            (
                [encoding.name, m, *counts]
                for encoding in found.encodings
                for m, counts in enumerate(np.column_stack(encoding.growth).tolist(), 1)
            ),
        ),
    }
    for encoding in found.encodings:
        made |= _of_encoding(encoding)
    cells = [vars(cell) for cell in found.cells]
    made["sensitivity.csv"] = csv_text(list(cells[0]), (list(cell.values()) for cell in cells))
    each = found.integrations
    head = ["p", *(f"{what}_{one.method}_base{one.base:g}" for one in each for what in ("error", "wrong_bits"))]
    columns = np.column_stack([part for one in each for part in (one.error, one.wrong_bits)])
    made["theory.csv"] = csv_text(head, ([p, *line] for p, line in enumerate(columns.tolist())))
    if found.sweep is not None:
        rows = ([base, n, value] for (base, n), value in sorted(found.sweep.values.items()))
        made["sweep.csv"] = csv_text(("base", "neurons", found.sweep.metric), rows)
    if found.trained is not None:
        made |= _of_trained(found.trained)
    return made


def _of_encoding(encoding: Encoding) -> dict[str, str]:
    name = encoding.slug
    found = {f"code-{name}.csv": matrix(encoding.code, "p", "k")}
    if encoding.membrane is not None:
        found[f"membrane-{name}.csv"] = matrix(encoding.membrane, "p", "k")
        frequency, amplitude = codes.spectrum(encoding.membrane)
        head = ["cycles_per_position", *(f"k{k}" for k in range(encoding.neurons))]
        rows = np.column_stack((frequency, amplitude)).tolist()
        found[f"spectrum-{name}.csv"] = csv_text(head, rows)
    if encoding.neurons:
        pairs: dict[str, Any] = {"dot": encoding.dot, "cosine": encoding.cosine}
        if encoding.kind != "real":
            pairs["hamming"] = encoding.hamming
        distances: list[Any] = []
        for kind, values in pairs.items():
            found[f"{kind}-{name}.csv"] = matrix(values, "p", "p")
            distances += codes.by_distance(values)
        head = ["distance", *(f"{kind}_{part}" for kind in pairs for part in ("mean", "sd"))]
        rows = [[d, *line] for d, line in enumerate(np.column_stack(distances).tolist())]
        found[f"similarity-{name}.csv"] = csv_text(head, rows)
        found[f"neurons-{name}.csv"] = _neurons(encoding)
    if encoding.bias is not None:
        found[f"bias-{name}.csv"] = matrix(encoding.bias, "i", "j")
    return found


def _neurons(encoding: Encoding) -> str:
    none = [None] * encoding.neurons
    rates: Any = none if encoding.rates is None else encoding.rates.tolist()
    omegas: Any = none if encoding.omegas is None else encoding.omegas.tolist()
    measured: Any = none
    if encoding.membrane is not None:
        measured = codes.peaks(*codes.spectrum(encoding.membrane)).tolist()
    rows = []
    for k, (rate, omega, peak) in enumerate(zip(rates, omegas, measured, strict=True)):
        state = "" if not encoding.constant[k] else "constant"
        if state and encoding.kind == "spikes":
            state = "always on" if encoding.always_on[k] else "always off"
        period = 2 * np.pi / omega if omega else None
        rows.append([k, rate, state, omega, period, peak, 1 / peak if peak else None])
    head = ("k", "firing_rate", "constant", "omega", "period", "peak_frequency", "peak_period")
    return csv_text(head, rows)


def _of_trained(found: Trained) -> dict[str, str]:
    made = {}
    if found.probe:
        removed = {score.layer: score for score in found.probe_removed}
        head = ("layer", "channels", "accuracy", "mean_error", "accuracy_removed", "mean_error_removed", "chance")
        rows = []
        for one in found.probe:
            other = removed.get(one.layer)
            without = (None, None) if other is None else (other.accuracy, other.mean_error)
            rows.append([one.layer, one.channels, one.accuracy, one.mean_error, *without, found.chance])
        made["probe.csv"] = csv_text(head, rows)
    if found.attention:
        lines = [
            [one.layer, d, mean, sd]
            for one in found.attention
            for d, (mean, sd) in enumerate(np.column_stack(one.by_distance).tolist())
        ]
        made["attention.csv"] = csv_text(("layer", "distance", "mean", "sd"), lines)
        for each in found.attention:
            made[f"attention-{each.layer}.csv"] = matrix(each.matrix, "i", "j")
    if found.disturbance:
        metrics = [
            [one.kind, name, number, value]
            for one in found.disturbance
            for name, several in one.values.items()
            for number, value in enumerate(several)
        ]
        made["disturbance.csv"] = csv_text(("position", "metric", "repeat", "value"), metrics)
    return made
