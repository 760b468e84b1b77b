"""`--set model.spiking=false` trains the non-spiking twin of every backbone, and the result says so."""

import json
from pathlib import Path

import pytest

from snnctl.cli.app import run as snnctl
from snnctl.core.catalog import BACKBONES

QUICKSTART = str(Path(__file__).parents[2] / "recipes" / "quickstart.yaml")
SMALL = {
    "spikformer": "dim: 16, heads: 2, depth: 1",
    "ispikformer": "dim: 16, heads: 2, depth: 1",
    "qkformer": "dim: 16, heads: 2, depth: 1, qk_depth: 1",
    "spike_driven": "dim: 16, heads: 2, depth: 1",
    "spike_rnn": "width: 16",
    "spike_gru": "width: 16",
    "spike_tcn": "channels: 4, levels: 2, variables: mixed",
    "spike_mlp": "width: 16, layers: 2",
    "temporal_conv": "width: 16, dilation: 1",
    "delay_mlp": "width: 16, max_delay: 3",
}


@pytest.mark.parametrize("backbone", list(BACKBONES.builtin))
def test_twin(
    backbone: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["train", QUICKSTART, "--out", "run", "--set", f"model={{type: {backbone}, {SMALL[backbone]}}}"]
    command += ["--set", "model.spiking=false", "--set", "train.epochs=1", "--set", "task.baselines=[]"]
    if backbone == "ispikformer":
        command += ["--set", "encoder=repeat"]
    assert snnctl([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["spiking"], found["spikes"]["layers"]) == (False, [])
    assert found["metrics"]["test/mse"] < 10
    assert snnctl(["eval", "run", "--split", "val"]) == 0
    out = capsys.readouterr().out
    assert "non-spiking twin + linear skip" in out
    assert "no layer of this network spikes" in out
