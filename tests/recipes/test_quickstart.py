"""What the README says of the quickstart: it beats the naive forecasts clearly and is level with ridge."""

import json
from pathlib import Path

import pytest

from snnctl.cli.app import run
from snnctl.recipe.shipped import shipped_folder


@pytest.mark.slow
def test_quickstart_over_three_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = shipped_folder() / "quickstart.yaml"
    code = run(["train", str(recipe), "--seeds", "1,2,3", "--out", str(tmp_path / "runs"), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    mse = document["metrics"]["test/mse"]["mean"]
    scores = {name: values["mse"]["mean"] for name, values in document["baselines"].items()}
    assert mse < 0.5 * scores["last_value"]
    assert mse < 0.5 * scores["seasonal_naive"]
    assert mse < 0.5 * scores["skip_alone"]  # the spikes do the work
    assert mse < 1.1 * scores["ridge"]
    assert document["leaky"] is False
