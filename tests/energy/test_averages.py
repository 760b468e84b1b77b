"""Averages of spikes are spikes on a finer scale, where that is exact; products cost what is not zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnctl.core.shapes import SignalSpec
from snnctl.encoders import Repeat
from snnctl.energy.count.counts import Row
from snnctl.energy.count.dispatch import OperationCounter
from snnctl.neurons import IF
from snnctl.neurons.spike_format import SpikeFormat


class Pooled(nn.Module):
    """Neurons on [T, B, H * W, 1], a pool, a convolution."""

    def __init__(self, pool: Any, side: tuple[int, int], levels: int = 3, line: bool = False) -> None:
        super().__init__()
        self.encoder = Repeat(SignalSpec(0, side[0] * side[1], 1, grid=side), steps=2, neuron=None)
        self.neuron = IF(1, v_threshold=0.3, reset="soft", spike=SpikeFormat(levels=levels))
        self.pool, self.side, self.line = pool, side, line
        self.conv: nn.Module = nn.Conv1d(1, 2, 1) if line else nn.Conv2d(1, 2, 1)
        self.seen = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        images = self.neuron(self.encoder(x)).unflatten(2, self.side).movedim(-1, 2).flatten(0, 1)
        self.seen = self.pool(images.flatten(2) if self.line else images)
        found: Tensor = self.conv(self.seen)
        return found


def row_of(network: Pooled) -> Row:
    x = torch.rand(3, network.side[0] * network.side[1], 1)
    counts = OperationCounter(network.eval(), encoded=network.encoder.output).count(lambda: network(x), x, 3)
    assert counts.uncounted == ()
    (row,) = (row for row in counts.rows if row.layer == "conv")
    return row


@pytest.mark.parametrize(
    ("pool", "side", "taps", "line"),
    [
        (lambda x: F.avg_pool2d(x, 2), (4, 6), 4, False),
        (lambda x: F.avg_pool2d(x, 2, ceil_mode=True), (5, 3), 4, False),  # windows of 4, 2 and 1
        (lambda x: F.avg_pool2d(x, (3, 2), stride=(1, 2)), (5, 6), 6, False),
        (lambda x: F.avg_pool2d(x, (5, 4)), (5, 4), 20, False),
        (lambda x: F.avg_pool1d(x, 3, stride=1), (2, 5), 3, True),
    ],
)
def test_means_are_codes_of_a_finer_scale(pool: Any, side: tuple[int, int], taps: int, line: bool) -> None:
    network = Pooled(pool, side, line=line)
    row = row_of(network)
    assert (row.source, row.products.bits) == ("spike", (3 * taps).bit_length())
    codes = network.seen * taps
    torch.testing.assert_close(codes, codes.round(), rtol=0, atol=1e-4)
    by_sample = codes.round().flatten(1).sum(1).view(2, 3).sum(0)
    assert np.allclose(row.products.unary, 2 * by_sample)  # two outputs each
    assert by_sample.min() > 0


@pytest.mark.parametrize(
    ("pool", "side", "levels"),
    [
        (lambda x: F.avg_pool2d(x, 2, padding=1), (4, 4), 3),
        (lambda x: F.avg_pool2d(x, 3, ceil_mode=True), (4, 4), 3),
        (lambda x: F.avg_pool2d(x, 2, divisor_override=3), (4, 4), 3),
        (lambda x: F.adaptive_avg_pool2d(x, (2, 2)), (4, 4), 3),
        (lambda x: F.avg_pool2d(x, 16), (16, 16), 1),  # 256 is a bit too many
        (lambda x: F.avg_pool2d(x, 8), (8, 8), 4),
    ],
)
def test_other_means_are_real(pool: Any, side: tuple[int, int], levels: int) -> None:
    assert row_of(Pooled(pool, side, levels)).source == "real"


class Gated(nn.Module):
    """Spikes times the data."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Repeat(SignalSpec(0, 4, 2), steps=3, neuron="if")

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x) * x.tanh()


def test_where_there_is_no_spike_there_is_nothing_to_multiply() -> None:
    network = Gated()
    x = torch.rand(5, 4, 2) * 2
    spikes = network.encoder(x).sum((0, 2, 3))
    counts = OperationCounter(network, encoded=network.encoder.output).count(lambda: network(x), x, 5)
    (row,) = (row for row in counts.rows if row.op == "mul")
    assert np.array_equal(row.elementwise.muls, spikes.numpy())
    assert 0 < spikes.min() < spikes.max() < 3 * 8
