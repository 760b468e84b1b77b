"""The step schedule: when it drops, and by how much."""

import torch

from snnctl.engine.schedule import step


def rates(epochs: int, per_epoch: int, **knobs: object) -> list[float]:
    """The learning rate at the start of each epoch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = step(optimizer, epochs, per_epoch, **knobs)  # type: ignore[arg-type]
    found = []
    for _ in range(epochs):
        found.append(optimizer.param_groups[0]["lr"])
        for _ in range(per_epoch):
            optimizer.step()
            schedule.step()
    return found


def test_drops_every_so_many_epochs() -> None:
    assert rates(7, 3, every=2, factor=0.5) == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_a_first_drop_of_its_own() -> None:
    found = rates(60, 2, first=25, every=5, factor=0.5)
    assert found[24] == 1.0
    assert found[25] == found[29] == 0.5
    assert found[30] == 0.25
    assert found[59] == 0.5**7
