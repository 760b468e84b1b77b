"""`--set model.spiking=false` trains the non-spiking twin of every backbone, and the result says so."""

import json
from pathlib import Path

import numpy as np
import pytest

from snnctl.cli.app import run as snnctl
from snnctl.core.catalog import BACKBONES

RECIPES = Path(__file__).parents[2] / "recipes"
VIDEO = str(RECIPES / "stc" / "moving_digits.yaml")
QUICKSTART, MNIST = str(RECIPES / "quickstart.yaml"), str(RECIPES / "image" / "mnist.yaml")
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


IMAGES = {
    "qkformer_stages": "dim: 16, heads: 2, depths: [1, 1], position: cpg",
    "spike_resnet": "depth: 20, width: 0.25",
    "spike_vgg": "depth: 5, width: 0.25",
}


VIDEOS = {
    "video_stack": "patch: 4, dim: 8, layers: 1, kernel: 3, norm_groups: 2, spiking: false",
    "sim_vp": "dim: 4, hidden: 8, depth: 1, kernel: 3",
}


@pytest.mark.parametrize("backbone", [name for name in BACKBONES.builtin if name not in {**IMAGES, **VIDEOS}])
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


@pytest.mark.parametrize("backbone", list(IMAGES))
def test_twin_for_images(
    backbone: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    np.savez("digits.npz", images=random.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8), labels=np.arange(60) % 3)
    command = ["train", MNIST, "--out", "run", "--set", f"model={{type: {backbone}, {IMAGES[backbone]}}}"]
    command += [
        "--set",
        "data.source=digits.npz",
        "--set",
        "encoder={type: repeat, steps: 2}",
        "--set",
        "schedule=constant",
    ]
    command += ["--set", "model.spiking=false", "--set", "train.epochs=1", "--set", "task.baselines=[]"]
    assert snnctl([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["spiking"], found["spikes"]["layers"]) == (False, [])
    assert 0 <= found["metrics"]["test/accuracy"] <= 1
    assert snnctl(["eval", "run", "--split", "val"]) == 0
    out = capsys.readouterr().out
    assert "non-spiking twin" in out
    assert "no layer of this network spikes" in out


@pytest.mark.parametrize("backbone", list(VIDEOS))
def test_twin_for_videos(
    backbone: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["train", VIDEO, "--out", "run", "--set", f"model={{type: {backbone}, {VIDEOS[backbone]}}}"]
    for setting in ("data.train=16", "data.val=4", "data.test=4", "train.epochs=1"):
        command += ["--set", setting]
    assert snnctl([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["spiking"], found["spikes"]["layers"]) == (False, [])
    assert 0 < found["metrics"]["test/mse"] < 1000
    assert set(found["baselines"]) == {"copy_last", "black", "train_mean"}
    assert snnctl(["eval", "run", "--split", "val"]) == 0
    out = capsys.readouterr().out
    assert "non-spiking twin" in out
    assert "no layer of this network spikes" in out
