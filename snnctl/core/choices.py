"""Closed choices that recipes, commands and Python share: each is one word of a few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, did_you_mean

SplitName = Literal["train", "val", "test"]
# Which of a run's weights; the last stand in where none was the best.
Checkpoint = Literal["best", "last"]
# cpu keeps off accelerators; auto takes what is there.
Device = Literal["auto", "cpu"]
# How layers that spikes drive run: on floating-point numbers, on whole ones, or as binary planes and compared.
Execution = Literal["float", "integer", "bitplane"]
ExportFormat = Literal["nir", "onnx-step", "safetensors", "bundle"]

# What a file or folder is read as; the folder of `snnctl.data` that does it.
ReadAs = Literal["series", "texts", "images", "events", "video"]

# Of a conversion: how thresholds of rectifiers are found, and whether biases are corrected on the same data.
Calibration = Literal["max", "percentile", "mse", "local"]
Offset = Literal["none", "bias"]

# Of an energy estimate: see `snnctl.energy.price.bill.Options`.
RuleName = Literal["event", "bitplane", "unary", "allbits", "mac", "dense_mac"]
Norms = Literal["folded", "counted"]
Stem = Literal["run", "once", "steps"]
# Taps on padding: cost nothing, or as rate x dense operations.
Padding = Literal["exact", "counted"]
Counted = Literal["counted", "omitted"]
# Real inputs that are zero: multiplied like all others, or skipped.
Zeros = Literal["charged", "skipped"]


def refuse_other(name: str, word: object, words: Sequence[str], *, code: str = "U408", between: str = " or ") -> None:
    """Refuse a word that is none of `words`: from the command line and from Python alike.

    Raises:
        DiagnosticError: `code`, with the words that there are and the nearest of them.
    """
    if not isinstance(word, str) or word not in words:
        message = f"{name} must be {between.join(words)}, got `{word}`"
        raise DiagnosticError(Diagnostic(code, message, help=did_you_mean(str(word), words)))
