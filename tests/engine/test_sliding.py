"""Windows advanced row by row give what the network gives of each of them as a whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnctl.core.catalog import BACKBONES, ENCODERS, POSITIONS, READOUTS
from snnctl.core.shapes import SignalSpec
from snnctl.engine.experiment import Network
from snnctl.engine.sliding import SlidingNetwork, why_not

WINDOW, FEATURES, ROWS = 8, 2, 13
RAW = SignalSpec(0, WINDOW, FEATURES)


def network(
    backbone: str = "spike_rnn",
    encoder: str = "repeat",
    readout: str = "mean_linear",
    *,
    code: dict[str, Any] | None = None,
    place: dict[str, Any] | None = None,
    **knobs: Any,
) -> Network:
    """A small network whose norms have seen data."""
    first = ENCODERS.get(encoder)(RAW, **(code or {}))
    if place is not None:
        kind, own = place["type"], {name: value for name, value in place.items() if name != "type"}
        knobs["position"] = lambda signal: POSITIONS.get(kind)(signal, **own)
    sizes = {"channels": 8} if backbone == "spike_tcn" else {"width": 16}
    middle = BACKBONES.get(backbone)(first.output, **{**sizes, "norm_gain": 2.0, **knobs})
    made = Network(first, middle, READOUTS.get(readout)(middle.output, 3, RAW))
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
            nn.init.constant_(module.weight, 5.0)  # so that neurons fire, and do not always
    made.train()
    made(2 * torch.randn(64, WINDOW, FEATURES))
    return made.eval()


def rows(items: int = 1) -> Tensor:
    return 2 * torch.randn(items, ROWS, FEATURES)


@torch.no_grad()
def check(made: Network, items: int = 1) -> None:
    assert why_not(made, WINDOW) == ""
    x = rows(items)
    sliding = SlidingNetwork(made, WINDOW, x)
    spread = []
    for row in range(ROWS):
        sliding.push(x[:, row : row + 1])
        assert sliding.full == (row >= WINDOW - 1)
        if sliding.full:
            window = x[:, row + 1 - WINDOW : row + 1]
            whole = made(window)
            torch.testing.assert_close(sliding.answer(window), whole, rtol=1e-5, atol=1e-5)
            spread.append(whole)
    assert torch.cat(spread).std(dim=0).max() > 1e-3  # a network that says the same of all shows nothing


@pytest.mark.parametrize("readout", ["mean_linear", "flatten_linear", "last_linear"])
@pytest.mark.parametrize(
    ("encoder", "code"),
    [
        ("repeat", {}),
        ("delta", {}),
        ("conv", {}),
        ("conv", {"causal": True, "kernel": 4}),
        ("conv", {"kernel": 5}),
        ("latency", {"low": -2.0, "high": 2.0, "steps": 4}),
    ],
)
def test_encoders_and_read_outs(encoder: str, code: dict[str, Any], readout: str) -> None:
    check(network(encoder=encoder, code=code, readout=readout))


@pytest.mark.parametrize("readout", ["mean_linear", "flatten_linear"])
@pytest.mark.parametrize(
    "place",
    [
        {"type": "cpg", "where": "all"},
        {"type": "cpg_linear", "index": "L"},
        {"type": "cpg_learned"},
        {"type": "sinusoid"},
        {"type": "learned"},
        {"type": "random"},
        {"type": "gray", "combine": "concat"},
    ],
)
def test_positions(place: dict[str, Any], readout: str) -> None:
    check(network(encoder="conv", place=place, readout=readout))


@pytest.mark.parametrize("backbone", ["spike_rnn", "spike_gru"])
@pytest.mark.parametrize("spiking", [True, False])
@pytest.mark.parametrize("form", ["recurrent", "other"])
def test_networks_and_their_twins(backbone: str, spiking: bool, form: str) -> None:
    other = "pooled" if backbone == "spike_rnn" else "released"
    made = network(backbone, layers=2, spiking=spiking, form=form if form == "recurrent" else other)
    check(made, items=3)


def test_a_stand_can_be_gone_back_to() -> None:
    made, x = network(), rows()
    sliding = SlidingNetwork(made, WINDOW, x)
    with torch.no_grad():
        for row in range(WINDOW):
            sliding.push(x[:, row : row + 1])
        kept = sliding.under
        other = torch.randn(1, 1, FEATURES)
        sliding.push(other)
        away = sliding.answer(torch.cat((x[:, 1:WINDOW], other), dim=1))
        sliding.under = kept
        sliding.push(x[:, WINDOW : WINDOW + 1])
        window = x[:, 1 : WINDOW + 1]
        back = sliding.answer(window)
        torch.testing.assert_close(back, made(window))
        assert not torch.equal(away, back)


@pytest.mark.parametrize(
    ("reason", "how"),
    [
        ("SpikeTCN does not go", {"backbone": "spike_tcn"}),
        ("encoder Rate", {"encoder": "rate", "code": {"low": -2.0, "high": 2.0}}),
        ("position ConvPosition", {"position": "conv"}),
        ("read-out Leaky", {"readout": "leaky"}),
        ("reaches over the whole window", {"encoder": "conv", "code": {"kernel": 9}}),
    ],
)
def test_what_cannot_be_advanced_says_why(reason: str, how: dict[str, Any]) -> None:
    assert reason in why_not(network(**how), WINDOW)
