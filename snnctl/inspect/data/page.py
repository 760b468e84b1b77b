"""Which figure is drawn of which data."""

from __future__ import annotations

from typing import Any

import torch

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.inspect.data.collect import form_of
from snnctl.inspect.data.figures import frames, pictures, sequences, series, spikes, texts, video
from snnctl.report.style import Picture

_FIGURES = {
    "series": series.figure,
    "texts": texts.figure,
    "pictures": pictures.figure,
    "frames": frames.figure,
    "spikes": spikes.figure,
    "video": video.figure,
    "sequences": sequences.figure,
}


def draw(data: Any, title: str) -> Picture:
    """The one picture of a data set, of whatever kind its signal is.

    Args:
        data: what a data component loads: `input_signal`, `split(name).batch(indices)`, and `facts()` where it has it.
        title: what stands above.

    Raises:
        DiagnosticError: U437, it gives no such batches.
    """
    try:
        form = form_of(data.input_signal, data.split("train").batch(torch.zeros(1, dtype=torch.int64)))
    except (AttributeError, IndexError, TypeError) as error:
        raise DiagnosticError(Diagnostic("U437", facts={"what": title, "why": f"{error}"})) from error
    return _FIGURES[form](data, title)
