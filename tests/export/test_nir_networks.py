"""Networks as portable NIR: the file's own equations give what the network gives, and so do installed simulators."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nir_graphs import GRAPHS
from test_export import ORDER, trained
from torch import Tensor

from snnctl.backbones.delay_mlp import DelayMLP
from snnctl.backbones.spike_mlp import SpikeMLP
from snnctl.backbones.spike_resnet import SpikeResNet
from snnctl.backbones.spike_vgg import SpikeVGG
from snnctl.backbones.temporal_conv import TemporalConv
from snnctl.cli.app import run as snnctl
from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.shapes import SignalSpec
from snnctl.encoders import Repeat
from snnctl.encoders.direct import NoEncoder
from snnctl.engine.experiment import Network
from snnctl.export.nir.evidence import replay, write_evidence
from snnctl.export.nir.graph import Graph, read_graph, write_graph
from snnctl.export.nir.lower import Lowered, lower
from snnctl.export.nir.portable import portable
from snnctl.export.nir.readers import readings
from snnctl.export.nir.reference import run_graph
from snnctl.export.nir.simulators import SIMULATORS, installed
from snnctl.export.nir.verify import verify
from snnctl.neurons import ALIF, IF, LIF, PLIF, CubaLIF, TauLIF
from snnctl.neurons.membrane import Firing
from snnctl.neurons.spike_format import SpikeFormat
from snnctl.readouts.linear import FlattenLinear, MeanLinear, StepLinear

nir = pytest.importorskip("nir")

SERIES = SignalSpec(0, 3, 4)
IMAGES = SignalSpec(0, 32, 2, grid=(8, 4))
ODD = SignalSpec(0, 35, 2, grid=(7, 5))
STEPWISE = SignalSpec(0, 1, 6, frames=12)
SAMPLES = 12

NEURONS: dict[str, Any] = {
    "lif": LIF,
    "lif_current": lambda c: LIF(c, decay_input=False, tau=3.0, v_threshold=1.7),
    "lif_spread": lambda c: LIF(c, tau=4.0, tau_spread=0.4),
    "lif_soft": lambda c: LIF(c, reset="soft"),
    "if": IF,
    "if_soft": lambda c: IF(c, reset="soft"),
    "plif": lambda c: PLIF(c, share="channel", tau=2.5),
    "threshold": lambda c: LIF(c, learn_threshold="channel", v_threshold=0.6),
    "tau_lif": lambda c: TauLIF(c, tau=4.0, reset="hard"),
    "tau_lif_delayed": lambda c: TauLIF(c, tau=5.0),
    "bits": lambda c: LIF(c, reset="soft", spike=SpikeFormat(2, 0)),
    "bits_rounded": lambda c: IF(c, reset="soft", spike=SpikeFormat(1, 1, quantizer="round")),
    "bits_values": lambda c: LIF(c, reset="soft", v_threshold=0.7, spike=SpikeFormat(1, 1, emit="value")),
    "ceil": lambda c: LIF(c, v_threshold=0.8, spike=SpikeFormat(quantizer="ceil")),
    "cuba": CubaLIF,
    "cuba_soft": lambda c: CubaLIF(c, firing=Firing(reset="soft")),
}
# Neurons that NIR's own nodes hold, so that simulators can read them.
PLAIN = {"lif", "lif_current", "if", "threshold", "tau_lif", "ceil", "cuba"}


def repeated(signal: SignalSpec, backbone: Any, readout: Any = MeanLinear, **knobs: Any) -> Network:
    encoder = Repeat(signal, steps=5, neuron=None)
    made = backbone(encoder.output, **knobs)
    return trained(Network(encoder, made, readout(made.output, 3, signal)))


def along(backbone: Any, **knobs: Any) -> Network:
    encoder = NoEncoder(STEPWISE)
    made = backbone(encoder.output, width=8, layers=2, dropout=0.0, **knobs)
    return trained(Network(encoder, made, StepLinear(made.output, 3, STEPWISE)))


NETWORKS: dict[str, Any] = {
    "mlp": lambda n: repeated(SERIES, SpikeMLP, width=9, layers=2, dropout=0.0, neuron=n),
    "recurrent": lambda n: repeated(SERIES, SpikeMLP, width=9, layers=2, dropout=0.0, recurrent=True, neuron=n),
    "vgg": lambda n: repeated(IMAGES, SpikeVGG, depth=5, width=0.2, neuron=n),
    "vgg_hidden": lambda n: repeated(IMAGES, SpikeVGG, FlattenLinear, depth=5, width=0.2, hidden=7, neuron=n),
    "resnet": lambda n: repeated(IMAGES, SpikeResNet, depth=20, width=0.2, neuron=n),
    "resnet_currents": lambda n: repeated(IMAGES, SpikeResNet, depth=20, width=0.2, residual="membrane", neuron=n),
    "temporal_conv": lambda n: along(TemporalConv, kernel=3, dilation=2, neuron=n),
    "delays": lambda n: along(DelayMLP, max_delay=4, neuron=n),
}
BINARY = {
    "vgg_max": lambda n: repeated(IMAGES, SpikeVGG, depth=5, width=0.2, pool="max", neuron=n),
    "vgg_max_odd": lambda n: repeated(ODD, SpikeVGG, depth=5, width=0.2, pool="max", neuron=n),
    "resnet_large": lambda n: repeated(ODD, SpikeResNet, depth=18, width=0.1, stem="large", neuron=n),
}
CASES = [
    *((network, neuron) for network in ("mlp", "recurrent") for neuron in NEURONS),
    *(("vgg", neuron) for neuron in ("lif_spread", "if", "bits_rounded")),
    ("resnet_currents", "lif_spread"),
    *((network, "lif") for network in ("vgg", "vgg_hidden", "resnet", "temporal_conv", "delays")),
    *(("temporal_conv", neuron) for neuron in ("tau_lif_delayed", "bits_values")),
    *((network, "lif") for network in BINARY),
    ("vgg_max_odd", "tau_lif_delayed"),
]


def made(network: str, neuron: str) -> tuple[Graph, Lowered, Tensor, Tensor]:
    """The portable graph, what it is of, its input currents, and the network's answers."""
    torch.manual_seed(0)
    built = {**NETWORKS, **BINARY}[network](NEURONS[neuron])
    signal = built.encoder.output
    x = torch.randn(SAMPLES, *((12, 1, 6) if signal.steps == 12 else (signal.length, signal.features))) * 2
    with torch.no_grad():
        answers, currents = built(x), built.encoder(x)
    lowered = lower(built)
    currents = currents.movedim(-1, 2) if len(lowered.inputs) == 3 else currents
    return portable(lowered.graph), lowered, currents.reshape(len(currents), SAMPLES, *lowered.inputs), answers


@pytest.mark.parametrize(("network", "neuron"), CASES)
def test_the_file_means_the_network(network: str, neuron: str, tmp_path: Path) -> None:
    graph, lowered, currents, answers = made(network, neuron)
    write_graph(graph, tmp_path / "network.nir")
    run = run_graph(read_graph(tmp_path / "network.nir"), currents)
    found = run.output.mean(0) if lowered.averaged else run.output.transpose(0, 1)
    torch.testing.assert_close(found, answers.double(), rtol=1e-4, atol=1e-5)
    assert 0.01 < np.mean([float(spikes.mean()) for spikes in run.spikes.values()]) < 0.9


@pytest.mark.skipif(not any(map(installed, SIMULATORS)), reason="no simulator is installed")
@pytest.mark.parametrize(("network", "neuron"), [case for case in CASES if case[1] in PLAIN])
def test_simulators_answer_the_same(network: str, neuron: str, tmp_path: Path) -> None:
    graph, lowered, currents, answers = made(network, neuron)
    path = tmp_path / "network.nir"
    write_graph(graph, path)
    found = [reading for reading in readings(graph) if reading.verdict == "reads" and installed(reading.reader)]
    if network not in ("temporal_conv", "delays"):
        assert {"snntorch", "spikingjelly"} & set(map(str, filter(installed, SIMULATORS))) <= {f.reader for f in found}
    for each in verify(path, graph, found, currents, answers, averaged=lowered.averaged, classes=True):
        assert (each.failure, each.equal) == ("", SAMPLES)
        assert each.worst is not None
        assert each.worst < 1e-5
        assert each.departure is None


def refused(network: Network) -> str:
    with pytest.raises(DiagnosticError) as caught:
        lower(network)
    assert {each.code for each in caught.value.diagnostics} == {"U495"}
    return " ".join(each.message for each in caught.value.diagnostics)


@pytest.mark.parametrize(
    ("neuron", "words"),
    [
        (ALIF, "the neuron ALIF"),
        (lambda c: IF(c, spike=SpikeFormat(2, 0)), "several values with `reset: hard`"),
        (lambda c: IF(c, reset="soft", spike=SpikeFormat(5, 0)), "31 values"),
        (lambda c: IF(c, reset="soft", spike=SpikeFormat(signed=True)), "below zero"),
        (lambda c: IF(c, start=0.5), "above rest"),
    ],
)
def test_neurons_without_a_form_are_named(neuron: Any, words: str) -> None:
    text = refused(NETWORKS["mlp"](neuron))
    assert "backbone.layers.0.neuron" in text
    assert words in text


def test_parts_without_a_form_are_named() -> None:
    several = NEURONS["bits"]
    assert "a maximum over spikes of several values" in refused(BINARY["vgg_max"](several))
    assert "sticks out" in refused(repeated(ODD, SpikeVGG, depth=5, width=0.2, neuron=LIF))
    assert "a maximum over currents" in refused(
        repeated(ODD, SpikeResNet, depth=18, width=0.1, stem="large", residual="membrane", neuron=LIF)
    )
    assert "given out as values and added" in refused(NETWORKS["resnet"](NEURONS["bits_values"]))
    text = refused(repeated(SERIES, SpikeMLP, width=4, layers=1, norm="layer", neuron=LIF))
    assert "a norm over each sample" in text


def test_where_spikes_part_is_told(tmp_path: Path) -> None:
    reader = next((name for name in ("snntorch", "spikingjelly", "norse") if installed(name)), None)
    if reader is None:
        pytest.skip("no simulator is installed")
    graph, _, currents, answers = made("mlp", "lif")
    path = tmp_path / "network.nir"
    write_graph(graph, path)
    name = graph.of("LIF")[1]
    graph.nodes[name].v_threshold = graph.nodes[name].v_threshold * 0.7  # the file has another one
    (found,) = verify(path, graph, readings(graph, [reader]), currents, answers, averaged=True, classes=True)
    assert found.departure is not None
    assert found.departure.layer == name
    assert found.departure.cause == "unknown"
    assert found.departure.margin > 1e-3
    graph.nodes[name].tau = graph.nodes[name].tau * np.linspace(1.0, 2.0, len(graph.nodes[name].tau))
    (found,) = verify(path, graph, readings(graph, ["snntorch"]), currents, answers, averaged=True, classes=True)
    assert found.departure is None or found.departure.cause in ("gain", "tie")


def test_evidence_is_replayed(tmp_path: Path) -> None:
    graph, _, currents, _ = made("recurrent", "lif")
    path, beside = tmp_path / "network.nir", tmp_path / "network.evidence.h5"
    write_graph(graph, path)
    spikes = write_evidence(read_graph(path), beside, currents)
    found = replay(read_graph(path), beside)
    assert found.holds
    assert found.spikes == spikes > 0
    assert found.samples == SAMPLES
    assert found.layers == 2
    data = nir.read_data(str(beside))
    assert data.nodes["input"].observables["input"].shape == (SAMPLES, len(currents), 12)
    graph.nodes[graph.of("LIF")[0]].v_threshold *= 1.5
    assert not replay(graph, beside).holds
    with pytest.raises(DiagnosticError, match="another network"):
        replay(GRAPHS["plain"](), beside)
    with pytest.raises(DiagnosticError) as caught:
        replay(graph, path)  # a graph is no evidence
    assert caught.value.diagnostics[0].code == "U497"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A trained run, for commands."""
    folder = tmp_path_factory.mktemp("nir")
    (folder / "order.yaml").write_text(ORDER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        patch.chdir(folder)
        assert snnctl(["train", "order.yaml", "--out", "run", "--quiet"]) == 0
        yield folder / "run"


def answer(capsys: pytest.CaptureFixture[str], *words: Any, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert snnctl([*map(str, words), "--json"]) == code
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_the_commands(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "network.nir"
    found = answer(capsys, "export", run, "--out", path, "--evidence", 4, "--samples", 20)
    assert found["form"] == "portable"
    assert found["compared_samples"] == 20
    assert found["different_predictions"] == 0
    verdicts = {row["reader"]: row["verdict"] for row in found["readers"]}
    assert verdicts == {"snntorch": "reads", "spikingjelly": "reads", "norse": "reads", "sinabs": "changes"}
    assert {row["reader"] for row in found["verified"]} == {n for n in verdicts if n != "sinabs" and installed(n)}
    assert all(row["equal_answers"] == 20 and row["first_departure"] is None for row in found["verified"])
    graph = read_graph(path)
    assert graph.dt == 1e-4
    assert graph.told["steps"] == 4
    assert set(graph.told["readers"]) == set(verdicts) - {"sinabs"}

    checked = answer(capsys, "nir", "check", path)
    assert checked["replayed"]["holds"]
    assert checked["replayed"]["samples"] == 4
    assert checked["dt_said"]
    again = answer(capsys, "export", run, "--out", path, "--evidence", 30, "--samples", 2, "--verify", "none")
    assert again["evidence"]["samples"] == again["compared_samples"] == 30
    assert again["verified"] == []
    assert snnctl(["nir", "check", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "every one the same" in shown
    assert "reads it as it is" in shown

    exact = tmp_path / "exact.nir"
    found = answer(capsys, "export", run, "--out", exact, "--exact")
    assert found["form"] == "exact"
    assert {row["verdict"] for row in found["readers"]} <= {"reads", "refuses", "changes"}
    assert next(row for row in found["readers"] if row["reader"] == "snntorch")["verdict"] == "changes"
    made = answer(capsys, "nir", "convert", exact, "--for", "norse", "--out", tmp_path / "again.nir")
    assert made["verdict_before"] == "reads" or made["readers"][2]["verdict"] == "reads"
    x = torch.randn(4, 5, *map(int, read_graph(exact).nodes["input"].input_type["input"]))
    first, second = run_graph(read_graph(exact), x), run_graph(read_graph(tmp_path / "again.nir"), x)
    torch.testing.assert_close(first.output, second.output, rtol=1e-4, atol=1e-5)


def test_nothing_is_written_for_a_reader_that_cannot(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "network.nir"

    def codes(*words: Any, code: int = 2) -> set[str]:
        found = answer(capsys, *words, code=code)
        assert not path.exists()
        return {each["code"] for each in found["diagnostics"]}

    assert codes("export", run, "--out", path, "--verify", "brian") == {"U499"}
    monkeypatch.setattr("snnctl.export.nir.verify.installed", lambda _: "9.9")
    assert codes("export", run, "--out", path, "--verify", "sinabs") == {"U494"}
    monkeypatch.setattr("snnctl.export.nir.verify.installed", lambda _: None)
    assert codes("export", run, "--out", path, "--verify", "norse,snntorch") == {"U491"}
    assert codes("export", run, "--out", path, "--exact", "--evidence", "3") == {"U400"}
    assert codes("export", run, "--out", path, "--format", "onnx-step", "--dt", "0.001") == {"U400"}
    assert codes("export", run, "--out", path, "--format", "bundle", "--samples", "9") == {"U400"}
    write_graph(GRAPHS["delay"](), tmp_path / "delay.nir")
    assert codes("nir", "convert", tmp_path / "delay.nir", "--for", "snntorch", "--out", path) == {"U494"}
    assert codes("nir", "convert", tmp_path / "delay.nir", "--for", "nest", "--out", path) == {"U499"}
    assert codes("nir", "check", tmp_path / "none.nir") == {"U497"}
    monkeypatch.undo()
    (tmp_path / "delay.evidence.h5").write_bytes(b"no evidence")
    assert codes("nir", "check", tmp_path / "delay.nir") == {"U497"}
