"""Files as other programs write them: imported, they give the spikes of those programs' own networks."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from test_nir_import import SAMPLES, STEPS, run
from torch import Tensor, nn

from snnctl.core.choices import NirReset, NirWriter
from snnctl.export.nir.import_run import read_as_meant
from snnctl.export.nir.imported import imported

nir = pytest.importorskip("nir")
pytest.importorskip("nirtorch")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # of those libraries
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 10))]
IN, HIDDEN, OUT = 12, 20, 8


def spikes_in(network: nn.Module, kinds: Any, forward: Callable[[], object]) -> list[Tensor]:
    """Spikes of the neurons of a network, in order, as the hooks saw them."""
    kept: dict[str, list[Tensor]] = {}

    def keep(name: str, _m: Any, _i: Any, out: Any) -> None:
        kept.setdefault(name, []).append((out[0] if isinstance(out, tuple) else out).detach().clone())

    hooks = [
        part.register_forward_hook(partial(keep, name))
        for name, part in network.named_modules()
        if isinstance(part, kinds)
    ]
    with torch.no_grad():
        forward()
    for hook in hooks:
        hook.remove()
    return [torch.stack(each) if len(each) > 1 else each[0] for each in kept.values()]


def layered(neuron: Callable[[int], nn.Module], gain: float, container: Any = nn.Sequential) -> nn.Module:
    first, second = nn.Linear(IN, HIDDEN), nn.Linear(HIDDEN, OUT)
    for layer in (first, second):
        layer.weight.data *= gain
    made: nn.Module = container(first, neuron(HIDDEN), second, neuron(OUT))
    return made


def events(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(STEPS, SAMPLES, *(shape or (IN,)), generator=generator) < 0.4).float()


def assert_same(
    path: Path, graph: Any, writer: NirWriter, x: Tensor, theirs: list[Tensor], reset: NirReset | None = None
) -> None:
    nir.write(str(path), graph)
    found, _, _ = read_as_meant(path, writer, None, reset)
    ours, _ = run(imported(found), x)
    assert len(ours) == len(theirs)
    assert float(theirs[0].mean()) > 0.005
    for name, wanted in zip(ours, theirs, strict=True):
        assert torch.equal(ours[name].reshape(wanted.shape), wanted), name


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["lif", "box", "iaf"])
def test_norse(kind: str, seed: int, tmp_path: Path) -> None:
    norse = pytest.importorskip("norse.torch")
    torch.manual_seed(seed)
    full = torch.full
    neurons: dict[str, Callable[[int], nn.Module]] = {
        "lif": lambda n: norse.LIFCell(
            norse.LIFParameters(full((n,), 150.0), full((n,), 200.0), torch.zeros(n), full((n,), 0.5))
        ),
        "box": lambda n: norse.LIFBoxCell(
            norse.LIFBoxParameters(tau_mem_inv=full((n,), 200.0), v_leak=full((n,), 0.1), v_th=full((n,), 0.5))
        ),
        "iaf": lambda n: norse.IAFCell(norse.IAFParameters(v_th=full((n,), 0.8))),
    }
    network = layered(neurons[kind], 4.0, norse.SequentialState)
    x = events(seed)

    def forward() -> None:
        state = None
        for x_t in x:
            _, state = network(x_t, state)

    theirs = spikes_in(network, (norse.LIFCell, norse.LIFBoxCell, norse.IAFCell), forward)
    assert_same(tmp_path / "n.nir", norse.to_nir(network, torch.zeros(1, IN)), "norse", x, theirs)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["leaky", "synaptic", "recurrent", "recurrent_synaptic", "zero"])
def test_snntorch(kind: str, seed: int, tmp_path: Path) -> None:
    snn = pytest.importorskip("snntorch")
    from snntorch import utils
    from snntorch.export_nir import export_to_nir

    torch.manual_seed(seed)

    def knobs(n: int, **more: Any) -> dict[str, Any]:
        return {"beta": torch.full((n,), 0.8), "threshold": torch.ones(n), "init_hidden": True, **more}

    neurons: dict[str, Callable[[int], nn.Module]] = {
        "leaky": lambda n: snn.Leaky(**knobs(n)),
        "zero": lambda n: snn.Leaky(**knobs(n), reset_mechanism="zero", reset_delay=False),
        "synaptic": lambda n: snn.Synaptic(alpha=torch.full((n,), 0.6), **knobs(n)),
        "recurrent": lambda n: snn.RLeaky(**knobs(n), linear_features=n),
        "recurrent_synaptic": lambda n: snn.RSynaptic(alpha=torch.full((n,), 0.5), **knobs(n), linear_features=n),
    }
    network = layered(neurons[kind], 2.0)
    graph = export_to_nir(network, torch.zeros(1, IN), ignore_dims=[0])
    utils.reset(network)
    x = events(seed)
    kinds = (snn.Leaky, snn.Synaptic, snn.RLeaky, snn.RSynaptic)
    theirs = spikes_in(network, kinds, lambda: [network(x_t) for x_t in x])
    assert_same(tmp_path / "s.nir", graph, "snntorch", x, theirs, "hard" if kind == "zero" else None)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["lif", "current", "if", "plif", "cuba", "reset", "images"])
def test_spikingjelly(kind: str, seed: int, tmp_path: Path) -> None:
    based = pytest.importorskip("spikingjelly.activation_based")
    from spikingjelly.activation_based import functional, layer, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    assert based
    torch.manual_seed(seed)
    neurons: dict[str, Callable[[int], nn.Module]] = {
        "lif": lambda _: neuron.LIFNode(tau=3.0),
        "images": lambda _: neuron.LIFNode(tau=3.0),
        "current": lambda _: neuron.LIFNode(tau=3.0, decay_input=False),
        "if": lambda _: neuron.IFNode(),
        "plif": lambda _: neuron.ParametricLIFNode(init_tau=2.5),
        "cuba": lambda _: neuron.CUBALIFNode(c_decay=0.5, v_decay=0.7),
        "reset": lambda _: neuron.LIFNode(tau=3.0, v_reset=-0.2),
    }
    network, x = layered(neurons[kind], 3.0), events(seed)
    if kind == "images":
        conv, dense = layer.Conv2d(2, 4, 3, padding=1, bias=False), layer.Linear(36, OUT)
        conv.weight.data *= 3.0
        network = nn.Sequential(conv, neurons[kind](0), layer.AvgPool2d(2), layer.Flatten(), dense, neurons[kind](0))
        x = events(seed, 2, 6, 6)
    graph = export_to_nir(network, x[0, :1])
    functional.reset_net(network)
    theirs = spikes_in(network, neuron.BaseNode, lambda: [network(x_t) for x_t in x])
    assert_same(tmp_path / "j.nir", graph, "spikingjelly", x, theirs)


@pytest.mark.parametrize("seed", SEEDS[:5])
@pytest.mark.parametrize("kind", ["iaf", "lif"])
def test_sinabs(kind: str, seed: int, tmp_path: Path) -> None:
    layers = pytest.importorskip("sinabs.layers")
    from sinabs.nir import to_nir

    torch.manual_seed(seed)
    neurons: dict[str, Callable[[int], nn.Module]] = {
        "iaf": lambda _: layers.IAFSqueeze(batch_size=SAMPLES),
        "lif": lambda n: layers.LIFSqueeze(
            tau_mem=torch.full((n,), 3.0), spike_threshold=torch.ones(n), batch_size=SAMPLES
        ),
    }
    network, x = layered(neurons[kind], 3.0), events(seed)
    found = spikes_in(network, (layers.IAFSqueeze, layers.LIFSqueeze), lambda: network(x.transpose(0, 1).flatten(0, 1)))
    theirs = [each.unflatten(0, (SAMPLES, STEPS)).transpose(0, 1) for each in found]
    assert_same(tmp_path / "b.nir", to_nir(network, torch.zeros(SAMPLES, IN)), "sinabs", x, theirs)
