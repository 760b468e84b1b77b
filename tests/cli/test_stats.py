"""`snnctl stats`: the document agrees with `eval`, its files are there, and what is refused."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from engine.tiny_runs import codes, command, tiny, trained

from snnctl.cli.app import run

ORDER = """\
schema: 1
name: tiny-order
task: {type: classification, baselines: []}
data: {type: order, length: 7, symbols: 5, train: 96, val: 33, test: 32}
encoder: {type: repeat, steps: 2, neuron: if}
model:
  {type: MODEL, position: {type: cpg, neurons: 8}}
train: {epochs: 1, batch_size: 32, seed: 3, early_stop: {metric: val/accuracy, mode: max}}
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def tables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figures at all."""
    monkeypatch.setattr("snnctl.inspect.activity.page.SECTIONS", ())


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made, but not rendered: that is most of the time."""
    monkeypatch.setattr("snnctl.report.saving.render", lambda picture: (b"\x89PNG", b"<svg/>"))


def order_run(capsys: Any, model: str) -> None:
    Path("order.yaml").write_text(ORDER.replace("MODEL", model))
    assert run(["train", "order.yaml", "--out", "run", "--quiet"]) == 0
    capsys.readouterr()


def rows(document: dict[str, Any], name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((Path(document["out"]) / name).read_text().splitlines()))


@pytest.mark.usefixtures("undrawn")
def test_forecasting_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained(tiny(tmp_path), tmp_path / "run", stop_after=1)
    before = {path: path.read_bytes() for path in made.path.rglob("*") if path.is_file()}
    code, document = command(capsys, "stats", made.path)
    assert code == 0
    assert (document["split"], document["samples"], document["samples_of"]) == ("val", 29, 29)
    _, evaluated = command(capsys, "eval", made.path, "--split", "val", "--no-baselines")
    assert len(document["layers"]) == len(evaluated["spikes"]["layers"]) == 7
    for layer, known in zip(document["layers"], evaluated["spikes"]["layers"], strict=True):
        for name in ("name", "channels", "levels", "rate", "nonzero", "silent_share", "saturated_share"):
            assert layer[name] == known[name]
        assert layer["level_counts"] == known["histogram"]
        assert sum(layer["rate_by_step"]) / 2 == pytest.approx(layer["rate"])
        assert sum(layer["rate_histogram"]["channels"]) == layer["channels"]
        assert layer["elements"]["silent_share"] >= layer["silent_share"] - 1e-9
        assert layer["membrane"]["known"]
        assert layer["membrane"]["agreement"] == 1.0
        assert layer["spikes_by_class"] is None
    assert document["totals"]["mean_rate"] == evaluated["spikes"]["mean_rate"]
    assert document["health"] == evaluated["health"]
    per_sample = document["totals"]["spikes_per_sample"]
    fired = sum(known["rate"] * known["neuron_steps"] for known in evaluated["spikes"]["layers"])
    assert per_sample["mean"] == pytest.approx(fired / 29)
    assert sum(per_sample["counts"]) == 29
    files = [Path(name) for name in document["files"]]
    assert document["out"] == str(made.path / "stats")
    assert {path.name for path in files} == {path.name for path in Path(document["out"]).iterdir()}
    page = Path(document["page"]).read_text()
    assert page.count("data:image/png;base64,") == sum(path.suffix == ".png" for path in files) == 11
    assert all(path.read_bytes() for path in files)
    written = json.loads((Path(document["out"]) / "stats.json").read_text())
    assert {key: document[key] for key in written} == written
    assert {path: path.read_bytes() for path in before} == before  # the run itself is left as it was


@pytest.mark.usefixtures("undrawn")
def test_classes(capsys: pytest.CaptureFixture[str]) -> None:
    order_run(capsys, "spikformer, dim: 8, depth: 1, heads: 2, hidden: 16, norm_gain: 3.0, embed_norm: true")
    _, document = command(capsys, "stats", "run", "--layers", "*.mlp.*", "--layers", "encoder.*", "--out", "there")
    assert document["classes"] == [17, 16]
    total = document["totals"]
    mean = sum(n * spikes for n, spikes in zip(document["classes"], total["spikes_by_class"], strict=True)) / 33
    assert total["spikes_per_sample"]["mean"] == pytest.approx(mean)
    by_layer = [layer["spikes_by_class"] for layer in document["layers"]]
    assert [sum(column) for column in zip(*by_layer, strict=True)] == pytest.approx(total["spikes_by_class"])
    drawn = {Path(name).stem for name in document["files"] if "raster-" in name}
    assert drawn == {
        f"raster-{name}"
        for name in ("encoder.neuron", "backbone.blocks.0.mlp.widen.neuron", "backbone.blocks.0.mlp.narrow.neuron")
    }
    assert {row["layer"] for row in rows(document, "classes.csv")} >= {"all", "encoder.neuron"}


@pytest.mark.usefixtures("tables_only")
def test_few_samples(capsys: pytest.CaptureFixture[str]) -> None:
    order_run(capsys, "spike_rnn, width: 4")
    few = command(capsys, "stats", "run", "--samples", "5", "--split", "train")[1]
    assert (few["samples"], few["samples_of"], sum(few["classes"])) == (5, 96, 5)


@pytest.mark.usefixtures("undrawn")
def test_recurrent_network_names_what_has_no_membrane(capsys: pytest.CaptureFixture[str]) -> None:
    order_run(capsys, "spike_gru, width: 8")
    _, document = command(capsys, "stats", "run")
    missing = [layer["name"] for layer in document["layers"] if not layer["membrane"]["known"]]
    assert missing
    assert all(any(f"`{name}` (Gate)" in note for note in document["notes"]) for name in missing)
    assert any(layer["membrane"]["known"] for layer in document["layers"])
    assert {len(layer["rate_by_step"]) for layer in document["layers"]} == {2, 14}  # T, and L*T strung together


def test_non_spiking_twin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained(tiny(tmp_path, "model.spiking=false"), tmp_path / "run", stop_after=1)
    code, document = command(capsys, "stats", made.path, "--layers", "anything")
    assert (code, document["spiking"], document["layers"], document["files"]) == (0, False, [], [])
    assert not (made.path / "stats").exists()
    assert run(["stats", str(made.path)]) == 0
    assert "nothing in this network spikes" in capsys.readouterr().out


@pytest.mark.usefixtures("tables_only")
def test_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained(tiny(tmp_path), tmp_path / "run", stop_after=1)
    assert run(["stats", str(made.path)]) == 0
    out, err = capsys.readouterr()
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    for words in ("backbone.embed.neuron", "backbone.blocks.0.mlp.widen.neuron", "all"):
        assert words in lines
    assert "spikes per sample, from" in out
    assert "stats/report.html" in out
    assert "spikes of 29 samples" in err


def test_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained(tiny(tmp_path), tmp_path / "run", stop_after=1)
    for words, code, names in (
        (["stats", tmp_path / "none"], 2, ["U413"]),
        (["stats", made.path, "--split", "all"], 2, ["U408"]),
        (["stats", made.path, "--samples", "0"], 2, ["U400"]),
        (["stats", made.path, "--layers", "nothing.*"], 2, ["U470"]),
        (["stats", made.path, "--out", made.path / "recipe.yaml"], 2, ["U453"]),
    ):
        found = command(capsys, *words)
        assert (found[0], codes(found[1])) == (code, names)
    assert "backbone.embed.neuron" in command(capsys, "stats", made.path, "--layers", "x")[1]["diagnostics"][0]["help"]
