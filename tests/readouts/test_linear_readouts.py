"""Read-outs: what they average and what they keep."""

import torch

from snnctl.core.shapes import SignalSpec
from snnctl.readouts import FlattenLinear, MeanLinear

SIGNAL = SignalSpec(4, 3, 2, kind="spikes")


def test_mean_linear_by_hand() -> None:
    readout = MeanLinear(SIGNAL, 1).double()
    with torch.no_grad():
        readout.linear.weight.copy_(torch.tensor([[2.0, -1.0]]))
        readout.linear.bias.fill_(0.5)
    x = torch.zeros(4, 1, 3, 2, dtype=torch.float64)
    x[:3, 0, 0, 0] = 1  # feature 0: 3 of 12 entries -> .25
    x[0, 0, :, 1] = 2  # feature 1: 6 / 12 -> .5
    assert readout(x).tolist() == [[0.5]]  # 2 * .25 - .5 + .5
    assert readout.outputs == 1


def test_flatten_linear_by_hand() -> None:
    readout = FlattenLinear(SIGNAL, 1).double()
    with torch.no_grad():
        readout.linear.weight.copy_(torch.arange(6.0).view(1, 6))
        readout.linear.bias.zero_()
    x = torch.zeros(4, 1, 3, 2, dtype=torch.float64)
    x[:2, 0, 1, 1] = 1  # position 1, feature 1 -> weight 3, mean over T .5
    x[:, 0, 2, 0] = 1  # position 2, feature 0 -> weight 4, mean 1
    assert readout(x).tolist() == [[5.5]]


def test_only_flatten_sees_the_order_of_positions() -> None:
    x = torch.rand(4, 5, 3, 2, dtype=torch.float64)
    mean, flatten = MeanLinear(SIGNAL, 7).double(), FlattenLinear(SIGNAL, 7).double()
    torch.testing.assert_close(mean(x.flip(2)), mean(x))
    assert not torch.allclose(flatten(x.flip(2)), flatten(x))
    assert flatten(x).shape == mean(x).shape == (5, 7)
