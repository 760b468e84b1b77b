"""Files of NIR as runs: what comes in gives what went out, whoever wrote it, and what cannot come in is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nir_graphs import DT, GRAPHS, N, chain, cuba, dense, full, lif
from test_nir_networks import BINARY, NETWORKS, NEURONS
from torch import Tensor, nn

from snnctl.backbones.graph import GraphNetwork
from snnctl.backbones.parts.graph_nodes import GraphNeuron
from snnctl.build import make
from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.shapes import SignalSpec
from snnctl.engine.experiment import Network
from snnctl.export.nir.graph import Graph, write_graph
from snnctl.export.nir.import_run import read_as_meant
from snnctl.export.nir.imported import Imported, imported
from snnctl.export.nir.lower import lower
from snnctl.export.nir.portable import portable
from snnctl.export.nir.reference import run_graph
from snnctl.neurons.base import neurons_in

nir = pytest.importorskip("nir")

SAMPLES = 100
STEPS = 20


def network_of(found: Imported, signal: SignalSpec) -> Network:
    """The network that a recipe would make of it."""
    encoder = make("encoder", {"type": "none"}, signal)
    backbone = make("backbone", found.model, encoder.output)
    kind = "step_linear" if found.reads else "each_step"
    made = Network(encoder, backbone, make("readout", {"type": kind}, backbone.output, found.outputs, signal))
    made.load_state_dict({**made.state_dict(), **found.tensors})
    return made.eval()


def signal_of(x: Tensor) -> SignalSpec:
    """Of currents [T, B, N], [T, B, C, L] or [T, B, C, H, W]."""
    if x.dim() < 5:
        length = 1 if x.dim() == 3 else x.shape[3]
        return SignalSpec(0, length, x.shape[2], frames=len(x))
    return SignalSpec(0, x.shape[3] * x.shape[4], x.shape[2], grid=(x.shape[3], x.shape[4]), frames=len(x))


def as_data(x: Tensor) -> Tensor:
    """[T, B, *] as data have it, [B, T, L, C]."""
    shaped = x[:, :, None] if x.dim() == 3 else x.flatten(3).movedim(2, 3)
    return shaped.transpose(0, 1)


@torch.no_grad()
def run(found: Imported, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Spikes by node of the graph, [T, B, *], and the output at every step, [T, B, outputs]."""
    network = network_of(found, signal_of(x))
    backbone = network.backbone
    assert isinstance(backbone, GraphNetwork)
    kept: dict[str, list[Tensor]] = {}
    for name, here in found.names.items():
        if here in backbone.nodes and isinstance(backbone.nodes[here], GraphNeuron):
            into = kept.setdefault(name, [])
            backbone.nodes[here].register_forward_hook(lambda _m, _i, out, into=into: into.append(out[0]))
    output = network(as_data(x)).transpose(0, 1)
    return {name: torch.cat(each) for name, each in kept.items()}, output


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_every_graph_of_the_table_gives_what_its_equations_give(name: str) -> None:
    graph: Graph = GRAPHS[name]()
    generator = torch.Generator().manual_seed(5)
    shape = tuple(int(n) for n in graph.nodes[graph.of("Input")[0]].input_type["input"])
    x = torch.rand(12, 16, *shape, generator=generator)
    reference = run_graph(graph, x)
    spikes, output = run(imported(graph), x)
    for node, wanted in reference.spikes.items():
        assert torch.equal(spikes[node].reshape(wanted.shape).double(), wanted), node
    torch.testing.assert_close(output.double(), reference.output.flatten(2), rtol=1e-4, atol=1e-4)


def carried(network: str, neuron: str, path: Path) -> tuple[Network, Tensor, Imported]:
    """A network of snnctl, data for it, and what comes back of its file."""
    torch.manual_seed(0)
    built = {**NETWORKS, **BINARY}[network](NEURONS[neuron]).eval()
    write_graph(portable(lower(built).graph), path)
    return built, _data(built), imported(read_as_meant(path, None, None, None)[0])


def _data(network: Network) -> Tensor:
    signal = network.encoder.output
    return torch.randn(SAMPLES, *((12, 1, 6) if signal.steps == 12 else (signal.length, signal.features))) * 2


def neurons_of(network: nn.Module, forward: Any) -> list[Tensor]:
    """Spikes of all neurons, in the order in which they first ran, [T, B, neurons], channel by channel."""
    kept: dict[str, list[Tensor]] = {}

    def keep(name: str) -> Any:
        def hook(_m: Any, _i: Any, out: Any) -> None:
            spikes = out[0] if isinstance(out, tuple) else out
            kept.setdefault(name, []).append(spikes.movedim(-1, 2) if spikes.dim() > 3 else spikes)

        return hook

    hooks = [part.register_forward_hook(keep(name)) for name, part in neurons_in(network).items()]
    with torch.no_grad():
        forward()
    for each in hooks:
        each.remove()
    return [torch.cat(each).flatten(2) for each in kept.values()]


@pytest.mark.parametrize(
    ("network", "neuron"),
    [
        *(("mlp", neuron) for neuron in ("lif", "lif_current", "lif_spread", "if", "plif", "tau_lif", "cuba")),
        *(("recurrent", neuron) for neuron in ("lif", "cuba", "tau_lif_delayed")),
        *((network, "lif") for network in ("vgg_hidden", "resnet", "temporal_conv", "delays")),
    ],
)
def test_a_file_of_ours_comes_back_with_the_same_spikes(network: str, neuron: str, tmp_path: Path) -> None:
    built, data, found = carried(network, neuron, tmp_path / "network.nir")
    currents = built.encoder(data)
    if len(found.model["inputs"]) == 3:
        x = currents.movedim(-1, 2).unflatten(3, found.model["inputs"][1:])
    else:
        x = currents.reshape(*currents.shape[:2], -1)
    back = network_of(found, signal_of(x))
    ours = neurons_of(built, lambda: built(data))
    theirs = neurons_of(back, lambda: back(as_data(x)))
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)
    assert 0.01 < np.mean([float(one.mean()) for one in ours]) < 0.9
    answers = back(as_data(x)).detach()
    wanted = built(data).detach()
    given = answers if wanted.dim() == 3 else answers.mean(1)
    torch.testing.assert_close(given, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["lif", "cuba"])
def test_loops_keep_their_spikes_over_write_read_write_read(kind: str, tmp_path: Path) -> None:
    graph = chain(dense(1), lif() if kind == "lif" else cuba(), dense(2))
    graph.nodes["again"] = dense(7, bias=False, gain=1.5)
    graph.edges += [("n1", "again"), ("again", "n1")]
    x = (torch.rand(STEPS, SAMPLES, N, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    first = run_graph(graph, x)
    for number in range(2):
        path = tmp_path / f"{number}.nir"
        write_graph(graph, path)
        found = imported(read_as_meant(path, None, None, None)[0])
        spikes, _ = run(found, x)
        assert any(node.get("late") for node in found.model["nodes"])
        (name,) = spikes
        assert torch.equal(spikes[name].double(), first.spikes["n1"])
        graph = portable(lower(network_of(found, signal_of(x))).graph, DT)
    assert 0.05 < float(first.spikes["n1"].mean()) < 0.95


def test_what_has_no_counterpart_is_named() -> None:
    odd = chain(dense(1), lif(threshold=-1.0), dense(2))
    with pytest.raises(DiagnosticError) as caught:
        imported(odd)
    assert [each.code for each in caught.value.diagnostics] == ["U581"]
    assert "n1" in caught.value.diagnostics[0].message
    twice = chain(dense(1), nir.Delay(full(-1.0)), lif(tau=np.nan))
    with pytest.raises(DiagnosticError) as caught:
        imported(twice)
    assert len(caught.value.diagnostics) == 2


def test_a_reset_needs_a_writer_and_steps_that_are_fixed_stay(tmp_path: Path) -> None:
    write_graph(chain(dense(1), lif(), dense(2)), tmp_path / "g.nir")
    for given, code in (((None, None, "soft"), "U583"), (("snntorch", 1e-3, None), "U582")):
        with pytest.raises(DiagnosticError) as caught:
            read_as_meant(tmp_path / "g.nir", *given)  # type: ignore[arg-type]
        assert caught.value.diagnostics[0].code == code


def test_a_step_that_nobody_said_is_told(tmp_path: Path) -> None:
    graph = chain(dense(1), lif(), dense(2), told={})
    write_graph(graph, tmp_path / "g.nir")
    _, said, notes = read_as_meant(tmp_path / "g.nir", None, None, None)
    assert not said
    assert "0.0001 s is taken" in notes[0]
    assert read_as_meant(tmp_path / "g.nir", None, DT, None)[1:] == (True, [])
