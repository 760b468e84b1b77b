"""Many windows in constant memory and fast; and nothing is loaded in vain before the first answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd
import pytest
import torch
from serving.forecast_runs import wave, write

import snnctl
from snnctl.serving.windows import Asked


def python(code: str, *arguments: object) -> list[str]:
    """What a process of its own prints."""
    call = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fast")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        return snnctl.train(write(folder, "plain"), out=folder / "run", device="cpu").run


LOADED = """
import sys
from snnctl.cli.app import run
run(["predict", sys.argv[1], "--quiet", "--device", "cpu"])
print(*(name for name in ("matplotlib", "torchvision", "datasets", "h5py", "sklearn", "optuna") if name in sys.modules))
"""


def test_nothing_is_loaded_that_forecasts_do_not_need(run: Path) -> None:
    assert python(LOADED, run) == []


START = """
import sys, time
begun = time.process_time()
import torch
loaded = time.process_time()
from snnctl.cli.app import run
run(["predict", sys.argv[1], "--quiet", "--device", "cpu"])
print(loaded - begun, time.process_time() - loaded)
"""


@pytest.mark.slow
@pytest.mark.skipif(bool(sys.dont_write_bytecode), reason="every start would compile snnctl anew")
def test_it_starts_within_a_second_of_torch(tmp_path: Path) -> None:
    run = snnctl.train("quickstart", train__epochs=1, out=tmp_path / "run", device="cpu").run
    python(START, run)  # compiled files are written
    torchs, ours = zip(*(map(float, python(START, run)) for _ in range(3)), strict=True)
    # Seconds of the processor, which others may keep busy; on a slow machine torch is slow too.
    assert min(ours) < max(1.0, 0.5 * min(torchs))


@pytest.mark.slow
def test_ten_thousand_windows_against_one_by_one(tmp_path: Path) -> None:
    """In one process, interleaved: at least three times the rate of a loop over single windows."""
    model = snnctl.train("quickstart", train__epochs=1, out=tmp_path / "run", device="cpu").load(device="cpu")
    rows = 10_000 + model.fitted.window - 1
    stamps = pd.date_range("1900-01-06", periods=rows, freq="7D")
    frame = pd.DataFrame({"date": stamps, "co2": 300 + 20 * np.sin(np.arange(rows) / 8)})
    forecast = model.forecast(_table(model, frame), Asked(every=True))
    assert len(forecast.ends) == 10_000
    window = torch.randn(1, model.fitted.window, 1)
    each, together = [], []
    for _ in range(5):
        begun = perf_counter()
        with torch.no_grad():
            for _ in range(200):
                model.network(window)
        each.append((perf_counter() - begun) / 200)
        begun = perf_counter()
        for _ in forecast.tables():
            pass
        together.append((perf_counter() - begun) / 10_000)
    assert median(each) / median(together) > 3


def _table(model: object, frame: pd.DataFrame) -> object:
    from snnctl.serving.frames import table_of

    return table_of(frame, model.fitted)  # type: ignore[attr-defined]


PEAK = """
import resource, sys
from contextlib import contextmanager
from snnctl.commands.listener import Listener
from snnctl.commands.predict import predict

class Watch(Listener):
    def warn(self, diagnostics):
        pass

    @contextmanager
    def work(self):
        def tell(text, done):
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        yield tell

peaks = []
predict(sys.argv[1], sys.argv[2], sys.argv[3], every=True, device="cpu", listener=Watch())
print(peaks[0] // 1024, peaks[-1] // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_windows(run: Path, tmp_path: Path) -> None:
    """Between the first batch and the last nothing is kept; before the first the rows are read."""
    rows = 500_000
    frame = pd.DataFrame({"date": pd.date_range("1800-01-01", periods=rows, freq="h")})
    frame = frame.assign(a=np.tile(wave(rows // 1000), 1000), b=10 * np.tile(wave(rows // 1000), 1000))
    frame.to_csv(tmp_path / "rows.csv", index=False)
    first, last = map(int, python(PEAK, run, tmp_path / "rows.csv", tmp_path / "forecast.csv"))
    assert last - first < 64  # MiB, while 180 are written
