"""An experiment: everything that a recipe stands for, as objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from torch.optim import Optimizer

from snnctl.core.shapes import SignalSpec
from snnctl.core.training import Train
from snnctl.engine.schedule import Schedule
from snnctl.tasks.base import Task


class Network(nn.Module):
    """Encoder, backbone and readout, one after the other.

    Shape:
        input as the encoder takes it ([B, L, C] for series) -> [B, outputs].
    """

    def __init__(self, encoder: nn.Module, backbone: nn.Module, readout: nn.Module) -> None:
        super().__init__()
        self.encoder, self.backbone, self.readout = encoder, backbone, readout

    def forward(self, x: Tensor) -> Tensor:
        """Predictions for a batch of inputs."""
        return self.readout(self.backbone(self.encoder(x)))

    @property
    def signals(self) -> dict[str, SignalSpec]:
        """What flows after the encoder and after the backbone."""
        parts = {"encoder": self.encoder, "backbone": self.backbone}
        return {name: cast(SignalSpec, part.output) for name, part in parts.items()}


@dataclass
class Experiment:
    """What `build.py` makes of a resolved recipe.

    Args:
        name: names the run directory.
        network: on the CPU, freshly initialised from the seed's `init` stream.
        task: loss, metrics and baselines.
        data: splits that give batches; has `fingerprint` and `leaks`.
        train: the recipe's training section.
        make_optimizer, make_schedule: called by the loop once the network is on its device.
    """

    name: str
    network: Network
    task: Task
    data: Any
    train: Train
    make_optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    make_schedule: Callable[[Optimizer, int, int], Schedule]

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.network.parameters() if p.requires_grad)

    @property
    def eval_batch_size(self) -> int:
        """Items per evaluation step."""
        return self.train.eval_batch_size or 4 * self.train.batch_size
