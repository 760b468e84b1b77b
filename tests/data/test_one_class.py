"""One class alone: refused in every kind of data, in the same words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.events.component import EventSpikes
from snnctl.data.texts.component import Text


def recordings(folder: Path) -> EventSpikes:
    rng = np.random.default_rng(0)
    with h5py.File(folder / "train.h5", "w") as file:
        spikes = file.create_group("spikes")
        kinds = (h5py.vlen_dtype(np.float32), h5py.vlen_dtype(np.uint16))
        times = spikes.create_dataset("times", (20,), kinds[0])
        units = spikes.create_dataset("units", (20,), kinds[1])
        for i in range(20):
            times[i], units[i] = np.sort(rng.random(30)), rng.integers(0, 8, 30)
        file["labels"] = np.zeros(20, np.int64)
    return EventSpikes(source=str(folder / "train.h5"))


def texts(folder: Path) -> Text:
    (folder / "a.tsv").write_text("".join(f"text {i}\t1\n" for i in range(20)))
    return Text(source=str(folder / "a.tsv"))


@pytest.mark.parametrize("make", [recordings, texts])
def test_one_class_alone_is_refused(make: Callable[[Path], Text | EventSpikes], tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        make(tmp_path).load()
    problem = caught.value.diagnostics[0]
    assert (caught.value.exit_code, problem.code) == (3, "D213")
    assert problem.message.startswith("all items of train have the class")
