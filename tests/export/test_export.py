"""Export: NIR graphs against a simulator of the test's own, membranes included; what does not fit is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from snnctl.backbones.spike_mlp import SpikeMLP
from snnctl.backbones.spike_vgg import SpikeVGG
from snnctl.cli.app import run as snnctl
from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.shapes import SignalSpec
from snnctl.encoders import Repeat
from snnctl.engine.experiment import Network
from snnctl.export.chain import chain
from snnctl.export.nir_file import run_nir, write_nir
from snnctl.export.onnx_file import run_onnx, write_onnx
from snnctl.neurons import IF, LIF, PLIF, TauLIF
from snnctl.neurons.spike_format import SpikeFormat
from snnctl.readouts import FlattenLinear, LastLinear, MeanLinear

nir = pytest.importorskip("nir")

SERIES = SignalSpec(0, 3, 4)
IMAGES = SignalSpec(0, 32, 2, grid=(8, 4))
NEURONS: dict[str, Any] = {
    "lif": LIF,
    "lif_current": lambda c: LIF(c, decay_input=False, tau=3.0, v_threshold=1.7),
    "lif_spread": lambda c: LIF(c, tau=4.0, tau_spread=0.4),
    "if": IF,
    "plif": lambda c: PLIF(c, share="channel", tau=2.5),
    "threshold": lambda c: LIF(c, learn_threshold="channel", v_threshold=0.6),
    "tau_lif": lambda c: TauLIF(c, tau=4.0, reset="hard"),
}


def trained(network: Network) -> Network:
    """Norms as after training."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.normal_(module.running_mean, std=0.3)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.3, 1.5)  # type: ignore[arg-type]
            nn.init.uniform_(module.weight, 1.0, 3.0)
            nn.init.normal_(module.bias)
    return network.eval()


def mlp(neuron: Any) -> Network:
    torch.manual_seed(0)
    encoder = Repeat(SERIES, steps=6, neuron=None)
    backbone = SpikeMLP(encoder.output, width=9, layers=2, dropout=0.0, neuron=neuron)
    return trained(Network(encoder, backbone, MeanLinear(backbone.output, 3, SERIES)))


def vgg(neuron: Any, readout: Any = MeanLinear, hidden: int | None = None) -> Network:
    torch.manual_seed(0)
    encoder = Repeat(IMAGES, steps=5, neuron=None)
    backbone = SpikeVGG(encoder.output, depth=5, width=0.2, hidden=hidden, neuron=neuron)
    return trained(Network(encoder, backbone, readout(backbone.output, 3, IMAGES)))


def simulate(path: Path, x: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], dict[str, list[Any]]]:
    """One sample [T, *] step by step, by NIR's equations and without snnctl's help; potentials are kept."""
    graph = nir.read(str(path))
    after = dict(graph.edges)
    v: dict[str, Any] = {}
    seen: dict[str, list[Any]] = {}
    out = []
    for current in x:
        name, value = after["input"], current.astype(np.float64)
        while name != "output":
            node = graph.nodes[name]
            kind = type(node).__name__
            if kind == "Affine":
                value = node.weight.astype(np.float64) @ value + node.bias
            elif kind == "Conv2d":
                value = convolve(value, node)
            elif kind == "AvgPool2d":
                a, b = (int(n) for n in node.kernel_size)
                c, h, w = value.shape
                value = value[:, : h // a * a, : w // b * b].reshape(c, h // a, a, w // b, b).mean((2, 4))
            elif kind == "Flatten":
                value = value.reshape(-1)
            else:
                before = v.get(name, np.zeros_like(value))
                if kind == "LIF":
                    before = before + (node.v_leak - before + node.r * value) / node.tau
                else:
                    before = before + node.r * value
                seen.setdefault(name, []).append(before)
                fired = before > node.v_threshold
                v[name] = np.where(fired, node.v_reset, before)
                value = fired.astype(np.float64)
            name = after[name]
        out.append(value)
    return np.stack(out), seen


def convolve(x: np.ndarray[Any, Any], node: Any) -> np.ndarray[Any, Any]:
    """A plain loop over taps; stride 1, same padding, one group."""
    weight = node.weight.astype(np.float64)
    k = weight.shape[-1]
    padded = np.pad(x, ((0, 0), (k // 2,) * 2, (k // 2,) * 2))
    rows, columns = x.shape[1:]
    total = np.zeros((len(weight), rows, columns))
    for i in range(k):
        for j in range(k):
            total += np.einsum("oc,chw->ohw", weight[:, :, i, j], padded[:, i : i + rows, j : j + columns])
    return total + np.asarray(node.bias)[:, None, None]


def potentials(network: Network, x: Tensor) -> list[Tensor]:
    """Membranes before the reset of every neuron, [T, B, *], by snnctl's definition."""
    kept = []

    def hook(module: Any, args: Any, kwargs: Any, _out: Any) -> None:
        current = args[0]
        norm, offset = kwargs.get("norm"), kwargs.get("offset")
        if norm is not None:
            current = norm(current if offset is None else current + offset)
        dynamics, state, steps = module.dynamics(), module.initial_state(current[0]), []
        for x_t in current:
            if dynamics.tau is None:
                steps.append(dynamics.leak * state + dynamics.gain * x_t)
            else:
                steps.append(state + (x_t - state) / dynamics.tau)
            _, state = module.step(x_t, state)
        kept.append(torch.stack(steps))

    handles = [
        m.register_forward_hook(hook, with_kwargs=True)
        for m in network.modules()
        if isinstance(m, IF | LIF | PLIF | TauLIF)
    ]
    with torch.no_grad():
        network(x)
    for handle in handles:
        handle.remove()
    return kept


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("images", [False, True])
def test_membranes_of_an_independent_simulator(name: str, images: bool, tmp_path: Path) -> None:
    network = (vgg if images else mlp)(NEURONS[name]).double()
    x = torch.randn(3, *(32, 2) if images else (3, 4), dtype=torch.float64) * 2
    with torch.no_grad():
        ours = network(x)
        currents = network.encoder(x)
    path = tmp_path / "network.nir"
    made = chain(network, "NIR")
    write_nir(made, path, {})
    stepped = currents.movedim(-1, 2) if images else currents
    stepped = stepped.reshape(len(stepped), 3, *made.inputs)
    membranes = potentials(network, x)
    fired = 0.0
    for sample in range(3):
        found, seen = simulate(path, stepped[:, sample].numpy())
        np.testing.assert_allclose(found.mean(0), ours[sample].numpy(), rtol=1e-5, atol=1e-5)
        assert len(seen) == len(membranes)
        for theirs, mine in zip(seen.values(), membranes, strict=True):
            one = mine[:, sample]  # [T, C] or [T, H, W, C]
            one = one.squeeze(1) if not images and one.dim() == 3 else one.movedim(-1, 1) if one.dim() == 4 else one
            np.testing.assert_allclose(np.stack(theirs).reshape(one.shape), one.numpy(), rtol=1e-4, atol=1e-4)
            fired += float((np.stack(theirs) > 0.5).mean())
    assert fired > 0
    torch.testing.assert_close(run_nir(path, stepped).mean(0), ours, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("readout", "hidden"), [(FlattenLinear, None), (MeanLinear, 7), (FlattenLinear, 7)])
def test_order_of_pixels(readout: Any, hidden: int | None, tmp_path: Path) -> None:
    network = vgg(LIF, readout, hidden).double()
    x = torch.randn(2, 32, 2, dtype=torch.float64) * 2
    write_nir(chain(network, "NIR"), tmp_path / "n.nir", {})
    with torch.no_grad():
        ours, currents = network(x), network.encoder(x).movedim(-1, 2)
    torch.testing.assert_close(run_nir(tmp_path / "n.nir", currents).mean(0), ours, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("neuron", "words"),
    [
        (lambda c: LIF(c, reset="soft"), "reset: soft"),
        (TauLIF, "reset: delayed"),
        (lambda c: IF(c, spike=SpikeFormat(2, 0)), "several values"),
        (lambda c: IF(c, spike=SpikeFormat(quantizer="round")), "rounded"),
        (lambda c: IF(c, start=0.5), "above rest"),
    ],
)
def test_what_nir_cannot_express_is_named(neuron: Any, words: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        chain(mlp(neuron), "NIR")
    assert {d.code for d in caught.value.diagnostics} == {"U495"}
    assert all("backbone.layers" in d.message and words in d.message for d in caught.value.diagnostics)


def test_parts_that_are_no_chain() -> None:
    encoder = Repeat(SERIES, steps=3, neuron="lif")
    backbone = SpikeMLP(encoder.output, width=4, layers=1, recurrent=True, norm="layer", neuron=LIF)
    with pytest.raises(DiagnosticError) as caught:
        chain(Network(encoder, backbone, LastLinear(backbone.output, 2, SERIES)), "NIR")
    text = " ".join(d.message for d in caught.value.diagnostics)
    for words in ("the encoder Repeat", "the read-out LastLinear", "recurrent weights", "norm over each sample"):
        assert words in text


ANY: dict[str, Any] = {
    **NEURONS,
    "soft": lambda c: LIF(c, reset="soft"),
    "delayed": lambda c: TauLIF(c, tau=5.0),
    "codes": lambda c: IF(c, reset="soft", spike=SpikeFormat(2, 1)),
    "values": lambda c: IF(c, reset="soft", start=0.5, v_threshold=0.7, spike=SpikeFormat(3, 0, emit="value")),
    "ternary": lambda c: LIF(c, reset="soft", spike=SpikeFormat(1, 0, signed=True, quantizer="round")),
    "ceil": lambda c: LIF(c, v_threshold=0.8, spike=SpikeFormat(2, 0, quantizer="ceil")),
}


@pytest.mark.parametrize("name", ANY)
@pytest.mark.parametrize("images", [False, True])
def test_one_step_as_onnx(name: str, images: bool, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    network = (vgg if images else mlp)(ANY[name])
    x = torch.randn(3, *(32, 2) if images else (3, 4)) * 2
    with torch.no_grad():
        ours, currents = network(x), network.encoder(x)
    path = tmp_path / "step.onnx"
    write_onnx(chain(network, "ONNX", any_neuron=True), path, {})
    theirs = run_onnx(path, currents.movedim(-1, 2) if images else currents)
    assert theirs.shape[:2] == currents.shape[:2]
    torch.testing.assert_close(theirs.mean(0), ours, rtol=1e-4, atol=1e-4)


ORDER = """\
schema: 1
name: tiny-order
task: {type: classification, baselines: []}
data: {type: order, length: 8, symbols: 6, train: 128, val: 33, test: 40}
encoder: {type: repeat, steps: 4, neuron: null}
model: {type: spike_mlp, width: 16, layers: 2, dropout: 0.0, norm_gain: 2.0, neuron: lif}
optim: {type: adam, lr: 1.0e-2}
train: {epochs: 1, batch_size: 32, seed: 3, early_stop: {metric: val/accuracy, mode: max}}
"""


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)
    Path("order.yaml").write_text(ORDER)
    assert snnctl(["train", "order.yaml", "--out", "run", "--quiet"]) == 0
    capsys.readouterr()
    pytest.importorskip("onnx")
    for format in ("nir", "onnx-step", "safetensors"):
        assert snnctl(["export", "run", "--format", format, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["worst_difference"] < (1e-12 if format == "safetensors" else 1e-5)
        assert found["different_predictions"] == 0
        assert Path(found["file"]).stat().st_size == found["bytes"] > 0
        assert found["compared_samples"] == 33
    assert snnctl(["export", "run", "--out", "other/net.nir"]) == 0
    assert "read back" in capsys.readouterr().out
    assert snnctl(["export", "run", "--format", "pickle"]) == 2
