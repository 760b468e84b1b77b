"""Convolutional baseline for images: small, non-spiking, trained for a fixed number of steps on train alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnctl.baselines.base import Baseline, Fitted, NotApplicableError, Told, unheard
from snnctl.baselines.classes import check_train
from snnctl.core.catalog import BASELINES
from snnctl.core.seeds import stream_seed
from snnctl.measure.items import LabelledData, batches

WIDTHS = (32, 64, 128)
BATCH = 128
MOST_STEPS = 800
MOST_EPOCHS = 10
_RATE = 4e-3


class SmallCNN(nn.Module):
    """Three times convolution, BatchNorm, rectifier and pool; the mean over what is left; a linear map.

    Args:
        channels: of an image; frames of a recording lie side by side.
        grid: (rows, columns).
        classes: K.

    Shape: [B, H * W, C] or [B, T, H * W, C] -> [B, K].
    """

    def __init__(self, channels: int, grid: tuple[int, int], classes: int) -> None:
        super().__init__()
        self.grid = grid
        layers: list[nn.Module] = []
        for inputs, outputs in zip((channels, *WIDTHS[:-1]), WIDTHS, strict=True):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        images = x.unflatten(-2, self.grid)
        if images.dim() == 5:
            images = images.permute(0, 2, 3, 1, 4).flatten(3)
        return self.head(self.features(images.movedim(-1, 1)).mean((2, 3)))


def steps_for(items: int) -> int:
    """Training steps: as many as `MOST_EPOCHS` passes take, `MOST_STEPS` at most."""
    return min(MOST_STEPS, MOST_EPOCHS * -(-items // BATCH))


def fit_cnn(data: LabelledData, seed: int, progress: Told = unheard) -> tuple[Callable[[Tensor], Tensor], str]:
    """Train on `train` with Adam and one cycle of the learning rate; nothing is chosen, so `val` has no say either.

    The number of steps is fixed by the number of items, so that a seed gives the same on a slow machine. Images are
    not augmented. torch's global random state is put back afterwards.

    Returns:
        What gives scores [B, K] for inputs, and how it was trained, in words.
    """
    train, signal = data.split("train"), data.input_signal
    assert signal.grid is not None, "the baseline is for images"
    steps = steps_for(len(train))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "init", 0))
        network = SmallCNN(signal.features * max(signal.frames, 1), signal.grid, data.classes)
    optimizer = torch.optim.Adam(network.parameters(), lr=_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    network.train()
    done = 0
    with torch.enable_grad():
        while done < steps:
            generator = torch.Generator().manual_seed(stream_seed(seed, "order", done))
            order = torch.randperm(len(train), generator=generator)
            for indices in order.split(BATCH)[: steps - done]:
                batch = train.batch(indices)
                optimizer.zero_grad(set_to_none=True)
                F.cross_entropy(network(batch.inputs), batch.targets).backward()
                optimizer.step()
                schedule.step()
                done += 1
                progress(done / steps)
    _settle(network, data)
    weights = sum(p.numel() for p in network.parameters())

    scores = torch.no_grad()(lambda inputs: network(inputs.float()))
    return scores, f"{weights:,} parameters, {steps:,} steps of {min(BATCH, len(train))}"


@torch.no_grad()
def _settle(network: SmallCNN, data: LabelledData) -> None:
    """Statistics of the norms from the final weights over (at most 32 batches of) train, then evaluation mode."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
    for batch in islice(batches(data.split("train"), BATCH), 32):
        network(batch.inputs)
    network.eval()


@BASELINES.register("cnn")
class CNN(Baseline):
    """A small convolutional network without spikes, for images.

    See `fit_cnn`.
    """

    serves = ("classes",)

    def fit(self, data: LabelledData, *, batch_size: int, seed: int, progress: Told) -> Fitted:
        """Train on `train`; weights and order are drawn from `seed`."""
        check_train(data.split("train"))
        if data.input_signal.grid is None:
            raise NotApplicableError("the inputs are no images")
        return Fitted(*fit_cnn(data, seed, progress))
