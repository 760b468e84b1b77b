"""Conversion: identities of whole networks, calibration by hand, refusals, and the command as a user runs it."""

import copy
import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from snnctl.backbones.parts.units import Quantised, Rectifier
from snnctl.backbones.spike_mlp import SpikeMLP
from snnctl.build import build
from snnctl.cli.app import run as snnctl
from snnctl.convert.calibrate import Histogram, tops
from snnctl.convert.measure import layer_errors
from snnctl.convert.spiking import Wanted, transfer
from snnctl.convert.support import activations
from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.shapes import SignalSpec
from snnctl.encoders import Repeat
from snnctl.energy.count.counts import twin_bits
from snnctl.engine.experiment import Network
from snnctl.neurons import IF
from snnctl.neurons.spike_format import SpikeFormat
from snnctl.readouts import MeanLinear
from snnctl.recipe import load_recipe

RAW = SignalSpec(0, 3, 4)


def network(steps: int = 1, bits: int = 0, levels: int | None = None, seed: int = 0) -> Network:
    """Two layers in float64; spiking with `bits`, else the twin."""
    torch.manual_seed(seed)

    def neuron(channels: int) -> IF:
        form = SpikeFormat(bits, 0, emit="value")
        return IF(channels, reset="soft", learn_threshold="layer", start=0.5, surrogate="straight_through", spike=form)

    encoder = Repeat(RAW, steps=steps, neuron=None)
    backbone = SpikeMLP(
        encoder.output,
        width=12,
        layers=2,
        dropout=0.0,
        neuron=neuron,
        spiking=bits > 0,
        levels=None if bits else levels,
    )
    made = Network(encoder, backbone, MeanLinear(backbone.output, 3, RAW)).double()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d):  # as after training
            module.running_mean.normal_()  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
        if isinstance(module, Quantised):
            nn.init.constant_(module.log_top, 0.6)
    return made.eval()


def inputs(count: int = 200) -> Tensor:
    return torch.randn(count, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_at_one_step_a_converted_network_is_its_quantised_twin(bits: int) -> None:
    wanted = Wanted(bits, 1)
    source, target = network(levels=wanted.levels), network(1, bits, seed=9)
    found = tops(source, lambda: [inputs()], source, method="mse", levels=wanted.levels)
    assert found.keys() == {"backbone.layers.0.neuron", "backbone.layers.1.neuron"}
    transfer(source, target, found, wanted)
    ours, theirs = target(inputs()), source(inputs())
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    assert torch.equal(ours.argmax(1), theirs.argmax(1))
    assert theirs.unique().numel() >= 20


def test_more_levels_come_nearer_to_rectifiers() -> None:
    source = network()
    errors = []
    for bits, steps in ((1, 1), (2, 1), (4, 1), (8, 1), (8, 8)):
        wanted = Wanted(bits, steps)
        target = network(steps, bits)
        found = tops(source, lambda: [inputs()], source, method="max", levels=wanted.levels)
        transfer(source, target, found, wanted)
        errors.append(float((target(inputs()) - source(inputs())).abs().mean().detach()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.01 * errors[0]


class Activation(nn.Module):
    """A rectifier alone."""

    def __init__(self) -> None:
        super().__init__()
        self.unit = Rectifier()

    def forward(self, x: Tensor) -> Any:
        return self.unit(x)


def found_top(x: Tensor, method: Any, levels: int = 15, percentile: float = 99.9) -> float:
    network = Activation()
    (top,) = tops(network, lambda: x.split(100), network, method=method, levels=levels, percentile=percentile).values()
    return top


def test_tops_by_hand() -> None:
    x = torch.cat([torch.linspace(0.001, 1.0, 999), torch.tensor([-5.0, 10.0])])
    assert found_top(x, "max") == 10.0
    assert found_top(x, "percentile", percentile=50.0) == pytest.approx(0.5, abs=0.01)
    assert found_top(x, "percentile", percentile=99.0) == pytest.approx(0.99, abs=0.01)
    assert found_top(x, "local") == pytest.approx(local_by_hand(x), rel=0.01)


def local_by_hand(x: Tensor) -> float:
    positive, theta = x[x > 0].double(), 0.0
    for _ in range(60):
        theta += 2 * float((positive - theta).clamp(min=0).mean())
    return theta


@pytest.mark.parametrize("levels", [1, 3, 12, 15])
def test_the_mean_square_top_is_the_best_of_all(levels: int) -> None:
    x = torch.randn(4000, generator=torch.Generator().manual_seed(0)).abs().double()
    tried = np.linspace(0.02, 1.0, 99) * float(x.max())

    def error(top: float) -> float:
        steps = torch.floor(x * levels / top + 0.5).clamp(0, levels) * top / levels
        return float((steps - x).square().mean())

    best = min(map(error, tried))
    assert error(found_top(x.float(), "mse", levels)) <= best * 1.02


def test_an_activation_that_is_never_above_zero_is_named() -> None:
    with pytest.raises(DiagnosticError) as caught:
        found_top(-torch.rand(100), "max")
    assert caught.value.diagnostics[0].code == "E491"


def test_a_histogram_counts_what_is_above_zero() -> None:
    histogram = Histogram(2.0)
    histogram.add(torch.tensor([-1.0, 0.0, 0.5, 1.5, 2.0]))
    assert float(histogram.counts.sum()) == 3


@pytest.mark.parametrize(("bits", "steps", "width"), [(4, 1, 4), (1, 8, 4), (2, 2, 3), (1, 1, 1), (4, 4, 6)])
def test_bits_of_the_twin(bits: int, steps: int, width: int) -> None:
    assert twin_bits(steps, 2**bits - 1) == width


ORDER = """\
schema: 1
name: tiny-order
task: {type: classification, baselines: []}
data: {type: order, length: 8, symbols: 6, train: 128, val: 33, test: 40}
encoder: {type: repeat, steps: 1, neuron: null}
model: {type: spike_mlp, width: 16, layers: 2, dropout: 0.0, spiking: false, levels: 15}
optim: {type: adam, lr: 1.0e-2}
train: {epochs: 2, batch_size: 32, seed: 3, early_stop: {metric: val/accuracy, mode: max}}
"""


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr("snnctl.report.saving.render", lambda picture: (b"\x89PNG", b"<svg/>"))
    Path("order.yaml").write_text(ORDER)
    assert snnctl(["train", "order.yaml", "--out", "ann", "--quiet"]) == 0
    capsys.readouterr()
    return Path("ann")


def answer(capsys: pytest.CaptureFixture[str], *command: object) -> tuple[int, dict[str, Any]]:
    code = snnctl([*map(str, command), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_command(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("convert", trained, "--bits", 4, "--out", "snn", "--table-bits", "1,4", "--table-steps", "1,3")
    code, found = answer(capsys, *command, "--energy", 8, "--costs", "lemaire45,horowitz45_fp32")
    assert code == 0
    assert found["twin_differences"] == 0
    assert found["metrics"]["test/accuracy"] == found["twin"]["test/accuracy"]
    assert [(row["bits"], row["steps"]) for row in found["table"]] == [(4, 1), (1, 1), (1, 3), (4, 3)]
    for row in found["table"]:
        assert list(row["costs"]) == ["lemaire45", "horowitz45_fp32"]
        assert row["joules"] == row["costs"]["lemaire45"] > row["costs"]["horowitz45_fp32"] > 0
    assert [layer["relative"] for layer in found["layers"]] == pytest.approx([0.0, 0.0], abs=1e-6)
    assert any("quantised non-spiking network" in note for note in found["notes"])
    assert {Path(name).name for name in found["files"]} >= {"conversion.html", "conversion.csv", "layers.csv"}
    code, measured = answer(capsys, "eval", "snn")
    assert code == 0
    assert measured["metrics"]["test/accuracy"] == found["metrics"]["test/accuracy"]
    assert measured["spiking"]
    code, again = answer(capsys, "convert", "snn")
    assert code == 2
    assert "spikes already" in again["diagnostics"][0]["message"]


def test_a_recipe_is_trained_first(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = answer(capsys, "convert", "order.yaml", "--bits", 2, "--steps", 2, "--offset", "bias")
    assert code == 0
    assert found["bias_corrections"].keys() == {"backbone.layers.0.neuron", "backbone.layers.1.neuron"}
    assert (Path(found["run"]) / "results.json").exists()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("{type: spikformer, dim: 8, heads: 2, spiking: false}", "backbone `spikformer`"),
        ("{type: spike_mlp, recurrent: true, spiking: false}", "tanh"),
        ("{type: spike_mlp, norm: batch, spiking: false}", "statistics are those of each batch"),
        ("{type: spike_mlp, norm: layer, spiking: false}", "statistics are those of each sample"),
        ("{type: spike_mlp, spiking: false, twin: integrator}", "integrators"),
    ],
)
def test_what_cannot_be_converted_is_named_before_training(
    model: str, words: str, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"model: {model}" if line.startswith("model:") else line for line in ORDER.splitlines()]
    Path("other.yaml").write_text("\n".join(lines) + "\n")
    before = set(Path().rglob("manifest.json"))
    code, found = answer(capsys, "convert", "other.yaml")
    assert code == 2
    assert {d["code"] for d in found["diagnostics"]} == {"U490"}
    assert any(words in d["message"] for d in found["diagnostics"])
    assert set(Path().rglob("manifest.json")) == before


@pytest.mark.parametrize(
    "wrong", [("--bits", 9), ("--table-bits", "1,x"), ("--table-steps", "0"), ("--calibration", "median")]
)
def test_options_that_are_refused(wrong: tuple[str, object], trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = answer(capsys, "convert", trained, *wrong)
    assert code == 2


def test_a_converted_run_in_planes(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "convert", trained, "--bits", 4, "--steps", 2, "--out", "snn")[0] == 0
    accuracies = []
    for execution in ("float", "integer", "bitplane"):
        code, found = answer(capsys, "eval", "snn", "--execution", execution)
        assert code == 0
        accuracies.append(found["metrics"]["test/accuracy"])
    assert found["execution"]["worst_difference"] == 0.0
    assert [row["layer"] for row in found["execution"]["layers"]] == ["backbone.layers.1.linear"]
    assert accuracies[1] == accuracies[2] == pytest.approx(accuracies[0], abs=0.03)
    assert snnctl(["eval", "snn", "--execution", "bitplane"]) == 0
    assert "equal bit for bit" in capsys.readouterr().out


def test_layers_are_measured_on_the_split_that_is_reported_too(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A series that grows after train: what was calibrated on train clips on test, and the table says so."""
    grown = (math.sin(n / 3) * (1 if n < 100 else 4) for n in range(150))
    Path("series.csv").write_text("value\n" + "".join(f"{value:.6f}\n" for value in grown))
    recipe = ORDER.replace("type: classification", "type: forecasting").replace("batch_size: 32", "batch_size: 25")
    lines = recipe.replace(", levels: 15", "").replace("early_stop: {metric: val/accuracy, mode: max}", "").splitlines()
    data = "data: {type: timeseries, source: ./series.csv, window: 8, horizon: 1, scaler: none}"
    lines = [data if line.startswith("data:") else line for line in lines]
    Path("grown.yaml").write_text("\n".join(lines) + "\n")
    code, found = answer(capsys, "convert", "grown.yaml", "--bits", 4, "--calibration", "max", "--out", "snn")
    assert code == 0, found
    on_train, on_test = found["layers"], found["layers_on_split"]
    assert [one["name"] for one in on_train] == [one["name"] for one in on_test]
    assert [one["top"] for one in on_train] == [one["top"] for one in on_test]
    assert all(one["clipped"] == 0 for one in on_train)  # the top is the highest that was met
    assert on_test[0]["clipped"] > 0.02
    assert on_test[0]["relative"] > on_train[0]["relative"]
    assert found["calibrated_on"] == {"split": "train", "samples": 97}
    said = f"`{on_test[0]['name']}` {on_test[0]['clipped']:.2%} (calibration 0.00%)"
    assert any(said in note for note in found["notes"])
    with Path("snn/conversion/layers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["clipped_on_test"]) == pytest.approx(on_test[0]["clipped"], rel=1e-6)
    assert float(rows[0]["clipped"]) == 0
    assert snnctl(["convert", "ann", "--bits", "4", "--split", "val"]) == 0
    shown = capsys.readouterr().out
    assert "above top, calibration" in shown
    assert "above top, val" in shown


def test_errors_of_layers_do_not_depend_on_how_batches_are_cut(trained: Path) -> None:
    experiment = build(load_recipe("order.yaml"))
    source, other = experiment.network.eval(), copy.deepcopy(experiment.network).eval()
    with torch.no_grad():
        for weights in other.parameters():
            weights.mul_(1.1)
    tops = dict.fromkeys(activations(source), 0.3)
    data = experiment.data.split("test")
    batches = [data.batch(indices) for indices in torch.arange(40).split(7)]
    at_once = layer_errors(source, other, tops, experiment, [data.batch(torch.arange(40))])
    for one, cut in zip(at_once, layer_errors(source, other, tops, experiment, batches), strict=True):
        assert (one.name, one.top) == (cut.name, cut.top)
        assert 0 < one.relative == pytest.approx(cut.relative, rel=1e-6)
        assert one.clipped == pytest.approx(cut.clipped, rel=1e-12)
        assert 0 < one.clipped < 1
