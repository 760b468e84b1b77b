"""What the tests of networks over sequences share: spikes, networks whose layers all fire, what counts as firing."""

from typing import Any

import torch
from torch import Tensor, nn

from snnctl.core.catalog import BACKBONES, POSITIONS
from snnctl.core.shapes import SignalSpec
from snnctl.measure.spikes import SpikeMeter
from snnctl.neurons import PSN, MaskedPSN
from snnctl.positions import CPG

SIGNAL = SignalSpec(4, 10, 6, kind="spikes")

# Knobs of positions that do not fit every signal by default.
POSITION_KNOBS: dict[str, dict[str, Any]] = {
    "gray": {"combine": "concat"},
    "cpg": {"neurons": 8, "base": 100.0},
    "cpg_linear": {"neurons": 8, "base": 100.0, "where": "all"},
}
NEURONS: dict[str, Any] = {
    "lif": "lif",
    "plif": "plif",
    "alif": "alif",
    "psn": lambda channels: PSN(channels, steps=4),
    "masked_psn": lambda channels: MaskedPSN(channels, steps=4),
}


def spikes(seed: int = 0, batch: int = 3, signal: SignalSpec = SIGNAL) -> Tensor:
    """Random spikes, a third of them 1, in float64."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(signal.shape(batch), generator=generator) < 1 / 3).double()


def make(name: str, signal: SignalSpec = SIGNAL, **knobs: Any) -> Any:
    """A backbone in float64 from fixed random numbers."""
    torch.manual_seed(0)
    return BACKBONES.get(name)(signal, **knobs).double()


def warmed(name: str, signal: SignalSpec = SIGNAL, **knobs: Any) -> Any:
    """In eval mode, with BatchNorm statistics from data."""
    network = make(name, signal, **knobs)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = None  # plain average
    for seed in range(3):
        network(spikes(100 + seed, 16, signal))
    return network.eval()


def position(name: str) -> Any:
    """A factory of the position called `name`, with knobs that fit any backbone."""
    return lambda signal: POSITIONS.get(name)(signal, **POSITION_KNOBS.get(name, {}))


def cpg(base: float, **knobs: Any) -> Any:
    return lambda signal: CPG(signal, neurons=8, base=base, **knobs)


def rates(network: nn.Module, x: Tensor) -> dict[str, float]:
    """Layer name -> mean rate."""
    with SpikeMeter(network) as meter:
        network(x)
    return {layer.name: layer.rate for layer in meter.summary()}


def reach(network: nn.Module, place: int, signal: SignalSpec = SIGNAL) -> set[int]:
    """Positions of the output that change when all spikes at one position of the input flip."""
    x = spikes(signal=signal, batch=16)
    other = x.clone()
    other[:, :, place] = 1 - other[:, :, place]
    with torch.no_grad():
        difference = (network(x) - network(other)).abs().amax(dim=(0, 1, 3))
    return set(difference.nonzero().flatten().tolist())


def lif_spikes(current: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """One step of the default LIF, written out: tau 2, threshold 1, hard reset."""
    h = v + (current - v) / 2
    s = (h >= 1).to(h)
    return s, h * (1 - s)
