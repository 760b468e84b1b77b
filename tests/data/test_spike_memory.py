"""Recordings stay sparse until they are binned: reading a set takes a fraction of the memory of its bins."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

ITEMS, SPIKES, UNITS, STEPS = 2000, 8000, 700, 100
READ = """
import resource, sys
import torch
from snnctl.data.events.component import EventSpikes

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

torch.set_num_threads(1)
data = EventSpikes(source=sys.argv[1], by="class")
before, items, spikes = peak(), 0, 0.0
data = data.load()
for name in ("train", "val", "test"):
    split = data.split(name)
    for first in range(0, len(split), 64):
        batch = split.batch(torch.arange(first, min(first + 64, len(split)))).inputs
        items, spikes = items + len(batch), spikes + float(batch.sum())
print(items, spikes, peak() - before)
"""


@pytest.mark.slow
def test_two_thousand_recordings_of_the_size_of_shd(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    with h5py.File(tmp_path / "words_train.h5", "w") as file:
        group = file.create_group("spikes")
        times = group.create_dataset("times", (ITEMS,), dtype=h5py.vlen_dtype(np.float16))
        units = group.create_dataset("units", (ITEMS,), dtype=h5py.vlen_dtype(np.uint16))
        for item in range(ITEMS):
            times[item] = np.sort(random.random(SPIKES) * 0.9).astype(np.float16)
            units[item] = random.integers(0, UNITS, SPIKES).astype(np.uint16)
        file["labels"] = random.integers(0, 20, ITEMS).astype(np.uint16)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", READ, str(tmp_path / "words_train.h5")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    items, spikes, grown = (float(number) for number in done.stdout.split())
    assert items == ITEMS
    assert spikes == ITEMS * SPIKES
    dense = ITEMS * STEPS * UNITS * 4
    assert grown < dense / 2, f"{grown / 1e6:.0f} MB, and all bins together take {dense / 1e6:.0f} MB"
