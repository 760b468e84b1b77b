"""Several seeds in one call: mean, standard deviation and single values."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import stdev

import pytest
from tiny_runs import codes, command, write_recipe

from snnctl.engine.run_dir import RunDir
from snnctl.measure.seeds import summarise


def test_summary() -> None:
    """Values 1, 2, 6: mean 3, deviations -2, -1, 3, so sd = sqrt((4 + 1 + 9) / (3 - 1)) = sqrt(7)."""
    found = summarise([1.0, 2.0, 6.0])
    assert (found["mean"], found["values"]) == (3.0, [1.0, 2.0, 6.0])
    assert found["sd"] == pytest.approx(math.sqrt(7), rel=1e-15)
    assert summarise([4.0]) == {"mean": 4.0, "sd": None, "values": [4.0]}
    assert summarise([5, 5]) == {"mean": 5.0, "sd": 0.0, "values": [5.0, 5.0]}
    assert summarise([1.0, None]) == {"mean": None, "sd": None, "values": [1.0, None]}
    undefined = summarise([1.0, float("nan")])
    assert (undefined["mean"], undefined["sd"]) == (None, None)


def test_document_of_three_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, out = write_recipe(tmp_path), tmp_path / "out"
    options = ("--set", "train.epochs=1", "--set", "train.seed=9")
    code, document = command(capsys, "train", recipe, *options, "--seeds", "1,2,30", "--out", out)
    assert code == 0
    assert document["run"] == [str(out / f"seed-{seed}") for seed in (1, 2, 30)]
    assert (document["seeds"], document["schema"], document["status"]) == ([1, 2, 30], 1, "done")
    single = [RunDir(Path(path)).results() for path in document["run"]]
    assert [found["seed"] for found in single if found] == [1, 2, 30]
    for name, summary in document["metrics"].items():
        values = [found["metrics"][name] for found in single if found]
        assert len(set(values)) == 3
        assert summary == {"mean": pytest.approx(sum(values) / 3), "sd": pytest.approx(stdev(values)), "values": values}
    for summary in document["baselines"]["last_value"].values():
        assert summary["sd"] == 0.0
    assert set(document["spikes"]) == {"mean_rate", "silent_share", "saturated_share"}
    assert set(document["samples_per_second"]) == {"mean", "sd", "values"}
    # a seed in a list is the same run as that seed alone
    code, alone = command(capsys, "train", recipe, *options[:2], "--set", "train.seed=2", "--out", tmp_path / "alone")
    assert alone["metrics"] == single[1]["metrics"]  # type: ignore[index]


def test_seeds_interrupted_and_continued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, out = write_recipe(tmp_path), tmp_path / "out"
    call = ("train", recipe, "--set", "train.epochs=2", "--seeds", "1,2", "--out", out)
    code, document = command(capsys, *call, "--stop-after", 1)
    assert (code, document["status"], document["run"]) == (75, "interrupted", [str(out / "seed-1")])
    assert not (out / "seed-2").exists()
    # the first is taken up and done; a stop of the second lists both
    code, document = command(capsys, "train", "--resume", out / "seed-1")
    assert code == 0
    code, document = command(capsys, *call, "--continue", "--stop-after", 1)
    assert (code, document["run"]) == (75, [str(out / "seed-1"), str(out / "seed-2")])
    code, document = command(capsys, *call, "--continue")
    assert (code, document["seeds"]) == (0, [1, 2])
    code, fresh = command(capsys, *call[:-1], tmp_path / "fresh")
    assert fresh["metrics"] == document["metrics"]


@pytest.mark.parametrize("text", ["1,1", "a", "1,,2", "-1", "1.5", ",", "3-1", "2,1-3", "1-"])
def test_bad_seeds(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = command(capsys, "train", write_recipe(tmp_path), f"--seeds={text}", "--out", tmp_path / "run")
    assert (code, codes(document)) == (2, ["U404"])
    assert not (tmp_path / "run").exists()
