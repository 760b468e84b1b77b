"""What a plan that is known ahead is worth: the load that follows it is forecast with a fraction of the error."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snnctl.cli.app import run

RECIPE = """
schema: 1
name: known_ahead
task: {type: forecasting, baselines: [last_value, ridge]}
data: {type: timeseries, source: ./plan.csv, window: 48, horizon: 12, targets: [load], known: [plan]}
encoder: {type: repeat, steps: 4}
model: {type: spike_mlp}
readout: {type: flatten_linear}
optim: {type: adamw, lr: 2.0e-3}
schedule: {type: cosine}
train: {epochs: 8, batch_size: 32, seed: 1}
"""


@pytest.mark.slow
@pytest.mark.parametrize("effect", [lambda k: 3 * k, lambda k: 3 * np.abs(k)], ids=["linear", "bent"])
def test_a_fifth_of_the_error(
    effect: Callable[[np.ndarray], np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    plan = rng.normal(size=2000)  # drawn anew every hour: nothing but itself tells it
    load = effect(plan) + 20 + 0.3 * rng.normal(size=2000)
    rows = ((dt.datetime(2020, 1, 1) + i * dt.timedelta(hours=1), plan[i], load[i]) for i in range(2000))
    Path("plan.csv").write_text("date,plan,load\n" + "".join(f"{t},{k:.4f},{y:.4f}\n" for t, k, y in rows))
    Path("plan.yaml").write_text(RECIPE)
    scores = []
    for change in ([], ["--unset", "data.known"]):
        assert run(["train", "plan.yaml", *change, "--json"]) == 0
        scores.append(json.loads(capsys.readouterr().out)["metrics"]["test/mse"])
    assert scores[0] < scores[1] / 5
