"""Activity counted by hand, streamed or at once, and what is not counted said so."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from neuron_fakes import Floor
from torch import Tensor, nn

from snnctl.measure import activity
from snnctl.measure.activity import ActivityMeter

# [T = 2, B = 2, L = 2, C = 2]
INPUT = torch.tensor(
    [
        [[[1, 0], [1, 0]], [[1, 1], [1, 0]]],
        [[[1, 0], [1, 0]], [[1, 0], [1, 0]]],
    ],
    dtype=torch.float32,
)


class One(nn.Module):
    def __init__(self, channels: int = 2, levels: int = 1) -> None:
        super().__init__()
        self.neuron = Floor(channels, levels=levels)

    def forward(self, x: Tensor) -> Tensor:
        return self.neuron(x)


def test_hand_counted() -> None:
    network = One()
    meter = ActivityMeter(network, classes=3)
    with meter, meter.batch(2, torch.tensor([2, 0])):
        network(INPUT)
    (layer,) = meter.activity()
    assert (layer.spikes.name, layer.neuron) == ("neuron", "Floor")
    assert layer.rates.tolist() == [1.0, 1 / 8]
    assert layer.rate_by_step == [5 / 8, 4 / 8]
    assert layer.elements is not None
    # places x channels: both of channel 0 always fire; channel 1 fires once in place 0, never in place 1
    assert (layer.elements.counted, layer.elements.silent_share, layer.elements.saturated_share) == (4, 0.25, 0.5)
    assert layer.spikes.silent_share == 0.0
    assert layer.per_sample is not None
    assert (layer.per_sample.least, layer.per_sample.most, layer.per_sample.mean) == (4, 5, 4.5)
    assert layer.by_class is not None
    assert (layer.by_class[0], layer.by_class[2]) == (5.0, 4.0)
    assert layer.by_class[1] != layer.by_class[1]  # nan: no sample
    assert meter.class_sizes.tolist() == [1, 0, 1]
    assert meter.by_class is not None
    assert meter.by_class[0] == 5.0


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), levels=st.sampled_from([1, 3]), cut=st.integers(1, 5))
def test_streamed_is_as_at_once(seed: int, levels: int, cut: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    x = torch.rand(3, 6, 2, 4, generator=draw) * (levels + 1)
    labels = torch.randint(0, 2, (6,), generator=draw)
    network = One(4, levels)
    whole, parts = ActivityMeter(network, 2), ActivityMeter(network, 2)
    with whole, whole.batch(6, labels):
        spikes = network(x)
    with parts:
        for piece in (slice(0, cut), slice(cut, 6)):
            with parts.batch(len(labels[piece]), labels[piece]):
                network(x[:, piece])
    (one,), (other,) = whole.activity(), parts.activity()
    assert one.rates.tolist() == other.rates.tolist() == pytest.approx(spikes.double().mean((0, 1, 2)).tolist())
    assert one.rate_by_step == other.rate_by_step == pytest.approx(spikes.double().mean((1, 2, 3)).tolist())
    assert one.elements == other.elements
    assert one.per_sample is not None
    assert other.per_sample is not None
    assert one.per_sample.to_json() == other.per_sample.to_json()
    assert one.per_sample.mean == pytest.approx(float(spikes.sum()) / 6)
    for k in set(labels.tolist()):
        assert one.by_class is not None
        assert (
            one.by_class[k] == other.by_class[k] == pytest.approx(float(spikes[:, labels == k].sum((0, 2, 3)).mean()))
        )


class PerPosition(One):
    """Calls its neuron once per position."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.neuron(part) for part in x.unbind(2)], dim=2)


def test_calls_of_one_pass_are_strung_together() -> None:
    network = PerPosition()
    meter = ActivityMeter(network)
    with meter, meter.batch(2):
        network(INPUT)
    (layer,) = meter.activity()
    assert layer.rate_by_step == [3 / 4, 2 / 4, 2 / 4, 2 / 4]
    assert layer.by_class is None
    assert layer.per_sample is not None
    assert (layer.per_sample.least, layer.per_sample.most) == (4, 5)
    assert layer.elements is not None
    assert layer.elements.counted == 2


def test_folded_batch_and_large_layers_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    network = One()
    meter = ActivityMeter(network)
    monkeypatch.setattr(activity, "MOST_ELEMENTS", 3)
    with meter, meter.batch(1):
        network(INPUT)
    (layer,) = meter.activity()
    assert (layer.per_sample, layer.elements) == (None, None)
    assert layer.rate_by_step == [5 / 8, 4 / 8]
