"""One positional encoding under analysis: its table, what belongs to it, and its figures of merit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from snnctl.inspect.positions import codes
from snnctl.inspect.positions.codes import Floats, Whole
from snnctl.positions.base import Position

# Beyond so many rows the matrices of pairs are of the first rows only: they grow with the square.
MOST_PAIRED_ROWS = 1024


@dataclass(frozen=True)
class Encoding:
    """A table of codes and what is known about it."""

    name: str  # names it in tables, figures and documents
    config: dict[str, Any]  # `{type, knobs...}` as a recipe has it
    origin: str  # where it comes from, for people ("recipe", "--position", "for comparison")
    steps: int  # T
    tokens: int  # L
    index: Literal["TL", "L"]  # "TL" gives rows p = t*L + l, "L" rows p = l
    binary: bool  # whether spikes that pass it stay binary
    code: Floats  # [M, n] float64, M = T*L or L
    membrane: Floats | None = None  # [M, n] potentials that a threshold turns into the code, or None
    threshold: float | None = None  # that threshold, or None
    omegas: Floats | None = None  # angular frequency of each neuron [n] in radians per position, or None
    bias: NDArray[np.float64] | None = None  # whole numbers [L, L] added to attention maps, or None

    @property
    def rows(self) -> int:
        return len(self.code)

    @property
    def neurons(self) -> int:
        """n, columns of the code."""
        return int(self.code.shape[1])

    @property
    def slug(self) -> str:
        """The name as part of a file name."""
        return re.sub(r"[^a-z0-9.]+", "-", self.name.lower()).strip("-.") or "encoding"

    @cached_property
    def kind(self) -> codes.Kind:
        return codes.kind_of(self.code)

    @cached_property
    def ids(self) -> Whole:
        """Which distinct code each row is, [M]."""
        return codes.row_ids(self.code)

    @cached_property
    def growth(self) -> tuple[Whole, Whole]:
        """Distinct codes and colliding pairs among the first 1 .. M rows."""
        return codes.growth(self.ids)

    @cached_property
    def stacked(self) -> Floats:
        """All codes of a token side by side [L, T*n], or [L, n] where they are the same at every step."""
        return codes.stacked_tokens(self.code, self.steps) if self.index == "TL" else self.code

    @cached_property
    def paired(self) -> Floats:
        """The rows of which pairs are compared."""
        return self.code[:MOST_PAIRED_ROWS]

    @cached_property
    def hamming(self) -> Whole:
        """Hamming distance of each two rows; not for real codes."""
        return codes.hamming(self.paired)

    @cached_property
    def dot(self) -> Floats:
        return codes.dot(self.paired)

    @cached_property
    def cosine(self) -> Floats:
        return codes.cosine(self.paired)

    @cached_property
    def rates(self) -> Floats | None:
        """Share of rows in which each neuron fires [n]; None unless the code is spikes."""
        if self.kind != "spikes" or not self.neurons:
            return None
        return np.asarray(self.code.mean(axis=0))

    @cached_property
    def always_on(self) -> NDArray[np.bool_]:
        """Which neurons [n] fire in every row."""
        return self.constant & (self.code[:1] == 1.0).any(axis=0) & (self.kind != "real")

    @cached_property
    def constant(self) -> NDArray[np.bool_]:
        """Which neurons [n] have the same value in every row: they carry nothing."""
        return codes.constant_columns(self.code)

    @cached_property
    def unique_tokens(self) -> int:
        """Tokens told apart by all their codes together, 1 .. L."""
        return len(np.unique(codes.row_ids(self.stacked)))

    @property
    def duty(self) -> float | None:
        """Long-run firing rate of an oscillator over its threshold, arccos(threshold)/pi; None without one."""
        if self.threshold is None or not -1 <= self.threshold <= 1:
            return None
        return float(np.arccos(self.threshold) / np.pi)

    def summary(self) -> dict[str, Any]:
        """The public figures; null where one makes no sense for the kind of code."""
        unique, pairs = self.growth
        on = int(self.always_on.sum())
        spikes = self.kind == "spikes"
        return {
            "length": self.rows,
            "neurons": self.neurons,
            "unique": int(unique[-1]) if self.rows else 0,
            "collisions": int(pairs[-1]) if self.rows else 0,
            "constant_neurons": int(self.constant.sum()),
            "firing_rate": None if self.rates is None else float(self.rates.mean()),
            "always_on": on if spikes else None,
            "always_off": int(self.constant.sum()) - on if spikes else None,
            "tokens": self.tokens,
            "unique_tokens": self.unique_tokens,
            "longest_prefix": codes.longest_free_prefix(self.ids),
            "longest_run": codes.longest_run(self.ids),
            "steps": self.steps,
            "index": self.index,
            "kind": self.kind,
            "compared_by": "cosine" if self.kind == "real" else "hamming",
            "tolerance": codes.TOLERANCE if self.kind == "real" else None,
            "keeps_spikes_binary": self.binary,
            "attention_bias": self.bias is not None,
            "position": self.config,
            "origin": self.origin,
        }


@torch.no_grad()
def encoding_of(
    module: Position, *, name: str, config: dict[str, Any], origin: str, steps: int, tokens: int
) -> Encoding:
    """What `module` does with T = `steps` and L = `tokens`."""
    rows = tokens * steps if module.index == "TL" else tokens
    code, bias = _floats(module.code(rows)), module.attention_bias(tokens)
    membrane = threshold = omegas = None
    oscillator: Any = module if hasattr(module, "membrane") else None
    if oscillator is not None and code.size:
        membrane, threshold = _floats(oscillator.membrane(rows)), float(oscillator.threshold)
        omegas = _omegas(_floats(oscillator.membrane(2)))
    return Encoding(
        name=name,
        config=config,
        origin=origin,
        steps=steps,
        tokens=tokens,
        index=module.index,
        binary=bool(module.binary),
        code=code,
        membrane=membrane,
        threshold=threshold,
        omegas=omegas,
        bias=None if bias is None else _floats(bias),
    )


def _floats(values: torch.Tensor) -> Floats:
    return values.detach().cpu().double().numpy()


def _omegas(membrane: Floats) -> Floats:
    """How far each pair turns from position 0 to 1, for the sine and the cosine alike; an odd last column is a sine."""
    sines, cosines = membrane[:, 0::2], membrane[:, 1::2]
    pairs = cosines.shape[1]
    angle = np.unwrap(np.arctan2(sines[:, :pairs], cosines), axis=0)
    turned = list(angle[1] - angle[0])
    if sines.shape[1] > pairs:
        turned.append(np.arcsin(np.clip(sines[1, -1], -1, 1)) - np.arcsin(np.clip(sines[0, -1], -1, 1)))
    return np.abs(np.repeat(turned, 2))[: membrane.shape[1]]
