"""`snnctl data prep RECIPE --cache DIR`: everything lies there, and nothing in the usual place."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from snnctl.cli.app import run
from snnctl.data.cache import cache_dir, caching_in

HEAD = "schema: 1\nname: somewhere-else\n"
VIDEO = """\
task: {type: video_prediction}
encoder: none
model: {type: video_stack, dim: 8, layers: 1, patch: 2, norm_groups: 2, kernel: 3}
readout: frames
"""
SPIKES = """\
task: {type: classification, metrics: [accuracy]}
encoder: none
model: {type: spike_mlp, width: 4, layers: 1}
readout: {type: leaky}
"""
RECIPES = {
    "videos": VIDEO + "data: {type: video, source: ./clips, frames_in: 2, frames_out: 2}\n",
    "images": VIDEO + "data: {type: moving_digits, source: ./own.npz, canvas: 16, train: 4, val: 4, test: 4}\n",
    "spikes": SPIKES + "data: {type: event_spikes, source: ./events, steps: 5, max_time: 1.0}\n",
}


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "usual"))
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for clip, frame in product(range(8), range(4)):
        Path("clips", f"clip{clip}").mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (8, 12), dtype=np.uint8)
        Image.fromarray(pixels).save(Path("clips", f"clip{clip}", f"x{frame + 1:04d}.png"))
    np.savez("own.npz", images=random.integers(0, 256, (40, 8, 8), dtype=np.uint8), labels=np.arange(40) % 4)
    for number in range(8):
        folder = Path("events") / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / f"{number}.npz", t=np.sort(random.random(9)), unit=random.integers(0, 3, 9))
    return tmp_path / "usual" / "snnctl"


@pytest.mark.parametrize("kind", ["videos", "images", "spikes"])
def test_a_recipe_that_names_files(kind: str, usual: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("some.yaml").write_text(HEAD + RECIPES[kind])

    def prepared(*more: str) -> Any:
        assert run(["--json", "data", "prep", "some.yaml", *more]) == 0
        (row,) = json.loads(capsys.readouterr().out)["prepared"]
        return row

    row = prepared("--cache", "there")
    made = {path.parts[1] for path in Path("there").rglob("*") if path.is_file()}
    assert made == {kind}
    assert not usual.exists()
    again = prepared()
    assert (usual / kind).is_dir()
    assert {key: row[key] for key in row if key != "path"} == {key: again[key] for key in again if key != "path"}
    if kind != "videos":  # those name the file that they are made of
        assert Path(row["path"]) == Path("there") / kind / Path(again["path"]).name
        assert Path(row["path"]).is_dir()


def test_the_folder_holds_within_alone(usual: Path) -> None:
    assert cache_dir() == usual
    with caching_in(Path("a")):
        assert cache_dir() == Path("a")
        with caching_in(None):
            assert cache_dir() == Path("a")
        with pytest.raises(ZeroDivisionError), caching_in(Path("b")):
            raise ZeroDivisionError
        assert cache_dir() == Path("a")
    assert cache_dir() == usual
