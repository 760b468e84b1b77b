"""The moving average of the weights is torch's, to the bit, whatever happens to the tensors meanwhile."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from snnctl.engine.average import MovingAverage


class Shared(nn.Module):
    """Weights that two layers share, a norm with its counter, and a buffer that is replaced by a new tensor."""

    wide: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("wide", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("absent", None)

    def train_a_little(self, step: int) -> None:
        generator = torch.Generator().manual_seed(step)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter += torch.randn(parameter.shape, generator=generator)
            self.norm(torch.randn(4, 3, generator=generator))
            self.wide = torch.add(self.wide, step)


def test_numbers_and_checkpoints_are_those_of_torch() -> None:
    network = Shared()
    ours = MovingAverage(network, 0.9)
    theirs = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    for step in range(30):
        network.train_a_little(step)
        ours.update()
        theirs.update_parameters(network)
        if step == 10:  # a run that was begun with the one goes on with the other
            again = MovingAverage(network, 0.9)
            again.load_state_dict(theirs.state_dict())
            ours = again
    found, due = ours.state_dict(), theirs.state_dict()
    assert list(found) == list(due)
    assert all(torch.equal(found[name], due[name]) for name in due)
    assert int(ours.n_averaged) == 30
    assert ours.module.get_parameter("second.weight") is ours.module.get_parameter("first.weight")
    assert not torch.equal(found["module.first.weight"], network.first.weight)
