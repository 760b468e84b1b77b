"""Read-outs: what they average and what they keep."""

from typing import Literal

import pytest
import torch

from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.readouts import FlattenLinear, LastLinear, MeanLinear, VariateLinear

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


def test_a_skip_adds_a_linear_map_of_the_data() -> None:
    data = SignalSpec(steps=0, length=2, features=1)
    readout = FlattenLinear(SIGNAL, 1, data, skip="linear").double()
    assert readout.skip is not None
    spikes = torch.randint(0, 2, (4, 3, 3, 2)).double()
    x = torch.tensor([[[1.0], [2.0]], [[0.0], [1.0]], [[-1.0], [3.0]]], dtype=torch.float64)
    torch.testing.assert_close(readout(spikes, x), readout.read(spikes))  # the skip starts at zero
    with torch.no_grad():
        readout.skip.weight.copy_(torch.tensor([[10.0, 1.0]]))
    by_hand = torch.tensor([[12.0], [1.0], [-7.0]], dtype=torch.float64)  # 10 * 1 + 2, 1, 10 * -1 + 3
    torch.testing.assert_close(readout(spikes, x) - readout.read(spikes), by_hand)


def test_no_skip_has_no_parameters_for_it_and_ignores_the_data() -> None:
    readout = MeanLinear(SIGNAL, 2, SignalSpec(steps=0, length=2, features=1))
    assert [name for name, _ in readout.named_parameters()] == ["linear.weight", "linear.bias"]
    x = torch.rand(4, 1, 3, 2)
    torch.testing.assert_close(readout(x, torch.rand(1, 2, 1)), readout(x))


def test_a_skip_without_data_is_refused() -> None:
    with pytest.raises(ShapeError, match="skip needs to know the data"):
        MeanLinear(SIGNAL, 1, skip="linear")


def test_last_linear_by_hand() -> None:
    readout = LastLinear(SIGNAL, 1).double()
    with torch.no_grad():
        readout.linear.weight.copy_(torch.tensor([[2.0, -1.0]]))
        readout.linear.bias.fill_(0.5)
    x = torch.zeros(4, 1, 3, 2, dtype=torch.float64)
    x[:, 0, :2] = 1  # earlier positions do not count
    x[:3, 0, 2, 0] = 1  # .75
    x[0, 0, 2, 1] = 2  # .5
    assert readout(x).tolist() == [[1.5]]  # 2 * .75 - .5 + .5


@pytest.mark.parametrize(("over_steps", "value"), [("mean", 0.25), ("last", 1.0)])
def test_variate_linear_by_hand(over_steps: Literal["mean", "last"], value: float) -> None:
    # Three tokens of width 2, two of them targets, two steps: output h * 2 + c.
    readout = VariateLinear(SIGNAL, 4, over_steps=over_steps, targets=2).double()
    with torch.no_grad():
        readout.linear.weight.copy_(torch.tensor([[1.0, 0.0], [10.0, 100.0]]))
        readout.linear.bias.copy_(torch.tensor([0.0, 7.0]))
    x = torch.zeros(4, 1, 3, 2, dtype=torch.float64)
    x[3, 0, 0, 0] = 1
    x[3, 0, 1, 1] = 1
    x[:, 0, 2] = 5  # no target
    assert readout(x).tolist() == [[value, 0.0, 10 * value + 7, 100 * value + 7]]


def test_variate_linear_gives_the_order_of_joint_forecasting() -> None:
    readout = VariateLinear(SIGNAL, 12).double()
    assert readout.targets == 3
    x = torch.rand(4, 5, 3, 2, dtype=torch.float64)
    forecast = readout(x).reshape(5, 4, 3)  # as the task does: [B, horizon, channels]
    for c in range(3):
        torch.testing.assert_close(forecast[:, :, c], readout.linear(x[:, :, c].mean(0)))


def test_variate_linear_refuses_what_does_not_divide() -> None:
    with pytest.raises(ShapeError, match="4 outputs are not a number of steps for each of 3 tokens") as caught:
        VariateLinear(SIGNAL, 4)
    assert caught.value.knob == "targets"
    with pytest.raises(ShapeError, match="4 `targets`, but the backbone gives 3 tokens"):
        VariateLinear(SIGNAL, 8, targets=4)


@pytest.mark.parametrize("make", [LastLinear, VariateLinear])
def test_new_readouts_take_a_skip(make: type[LastLinear] | type[VariateLinear]) -> None:
    readout = make(SIGNAL, 3, SignalSpec(steps=0, length=2, features=3), skip="linear")
    assert readout.skip is not None
    torch.nn.init.ones_(readout.skip.weight)
    x, data = torch.rand(4, 2, 3, 2), torch.rand(2, 2, 3)
    torch.testing.assert_close(readout(x, data) - readout.read(x), data.sum(dim=(1, 2))[:, None].expand(2, 3))
