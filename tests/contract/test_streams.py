"""Every network that forecasts answers rows that come one by one as it answers all windows, whichever way it is run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from snnctl.build import assemble, load_data
from snnctl.core.catalog import BACKBONES
from snnctl.engine.runtime import Runtime
from snnctl.recipe import read_recipe
from snnctl.serving.forecaster import Forecaster

pytestmark = pytest.mark.slow  # runs are trained for each kind

ROWS, WINDOW = 40, 8
RECIPE = """\
schema: 1
name: streams
task: {{type: forecasting, metrics: [mse], baselines: [last_value]}}
data: {{type: timeseries, source: ./table.csv, window: 8, horizon: 2, split: {{train: 0.6, val: 0.2, test: 0.2}}}}
encoder: {{type: repeat, steps: 4}}
model: {model}
readout: {{type: mean_linear}}
"""
TRANSFORMER = "dim: 8, depth: 1, heads: 2, norm_gain: 2.0"
KNOBS: dict[str, str] = {
    "spikformer": TRANSFORMER,
    "ispikformer": TRANSFORMER,
    "spike_driven": TRANSFORMER,
    "qkformer": f"{TRANSFORMER}, qk_depth: 1",
    "spike_rnn": "width: 8",
    "spike_gru": "width: 8",
    "spike_tcn": "channels: 4, levels: 1",
    "spike_mlp": "width: 8, layers: 1",
    "temporal_conv": "width: 8, dilation: 1",
    "delay_mlp": "width: 8, max_delay: 2.0",
}
# Of pictures and videos.
OTHERS = {"qkformer_stages", "spike_resnet", "spike_vgg", "video_stack", "sim_vp"}
CARRIED = {"spike_rnn", "spike_gru"}


def test_the_table_names_every_backbone() -> None:
    assert {*KNOBS} | OTHERS == {*BACKBONES.builtin}


@pytest.mark.parametrize("backbone", KNOBS)
def test_answers_are_those_of_all_windows(backbone: str, tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=ROWS, freq="h")})
    frame["a"], frame["b"] = rng.normal(size=(2, ROWS)).round(3)
    frame.to_csv(tmp_path / "table.csv", index=False)
    text = RECIPE.format(model=f"{{type: {backbone}, {KNOBS[backbone]}}}")
    recipe = read_recipe(text, "streams.yaml", folder=tmp_path)
    data = load_data(recipe)
    task, network = assemble(recipe, data.fitted)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        task.predict(network.train(), data.split("train").batch(torch.arange(8)))
    forecaster = Forecaster(recipe, data.fitted, task, network, Runtime(device="cpu"), {})
    taking = forecaster.stream()
    assert (taking.why_whole == "") == (backbone in CARRIED)
    few = frame[: WINDOW + 6]
    found = [row for cells in few.to_dict("records") for row in taking.push(cells) or []]
    wanted = forecaster.predict(few, every=True)
    assert [row["unique_id"] for row in found] == [*wanted.unique_id]
    assert [pd.Timestamp(row["ds"]) for row in found] == [*wanted.ds]
    np.testing.assert_allclose([row["snnctl"] for row in found], wanted.snnctl, rtol=1e-4, atol=1e-5)
    assert (taking.why_whole == "") == (backbone in CARRIED)
