"""What a network says of single items: classes with their confidence, or videos frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnctl.baselines.base import baseline_meters
from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.engine.experiment import Experiment
from snnctl.measure.classes import ClassificationMetrics
from snnctl.measure.spikes import SpikeMeter
from snnctl.measure.video import VideoMetrics
from snnctl.report.tables import npz

NETWORK = "network"
Frames = NDArray[np.float32]
Curves = dict[str, dict[str, list[float]]]  # who -> metric -> value at each frame ahead


@dataclass(frozen=True)
class Example:
    """One item and what the network said of it."""

    index: int  # in the split
    target: int  # class
    predicted: int  # class
    confidence: float  # softmax of the highest score, 0..1
    target_confidence: float  # of the right class
    spikes: int  # in the whole network, of this item alone
    # the text, or the picture as uint8 [H, W, C]; None where the data shows neither
    shown: str | NDArray[np.uint8] | None

    @property
    def right(self) -> bool:
        return self.target == self.predicted


@dataclass(frozen=True)
class Predictions:
    """A split in the eyes of a classifier."""

    name: str
    split: SplitName
    names: tuple[str, ...]
    confusion: NDArray[np.int64]  # [K, K] counts; the row is the class, the column what was predicted
    per_class: dict[str, list[float]]  # recall, precision and F1 of each class
    examples: tuple[Example, ...]  # wrong ones first, then by confidence


def class_names(data: Any, classes: int) -> tuple[str, ...]:
    """Names of the classes, or their numbers where the data has none."""
    names = getattr(data, "class_names", None) or getattr(data, "labels", None)
    return tuple(map(str, names)) if names is not None else tuple(map(str, range(classes)))


def _each_alone(
    experiment: Experiment, network: nn.Module, split: SplitName, wanted: int, device: torch.device
) -> Iterator[tuple[int, Any, Tensor, int]]:
    """Items drawn evenly over a split with the run's seed: index, batch, prediction, and spikes of the whole network.

    Each runs alone, so that its spikes are its own.
    """
    part = experiment.data.split(split)
    network.eval()
    for index in np.random.default_rng(experiment.train.seed).permutation(len(part))[:wanted].tolist():
        batch = part.batch(torch.tensor([index])).to(device)
        with SpikeMeter(network) as meter:
            prediction = experiment.task.predict(network, batch).float()
        yield index, batch, prediction, sum(n * k for layer in meter.summary() for n, k in enumerate(layer.histogram))


@torch.no_grad()
def predictions(
    experiment: Experiment, network: nn.Module, meter: Any, split: SplitName, wanted: int, device: torch.device
) -> Predictions:
    """`wanted` examples, drawn evenly over a split with the run's seed, beside what `meter` has counted on all of it.

    Raises:
        DiagnosticError: U419, the task is no classification.
    """
    if not isinstance(meter, ClassificationMetrics):
        help = "for forecasts: results.json, and snnctl stats RUN for the spikes"
        raise DiagnosticError(Diagnostic("U419", help=help))
    show = getattr(experiment.data.split(split), "show", lambda _: None)
    found = []
    for index, batch, scores, spikes in _each_alone(experiment, network, split, wanted, device):
        belief = scores.softmax(1)[0].cpu()
        target, predicted = int(batch.targets[0]), int(belief.argmax())
        sure = float(belief[predicted]), float(belief[target])
        found.append(Example(index, target, predicted, *sure, spikes, show(index)))
    found.sort(key=lambda e: (e.right, -e.confidence))
    return Predictions(
        name=experiment.name,
        split=split,
        names=class_names(experiment.data, meter.classes),
        confusion=meter.confusion.numpy(),
        per_class=meter.per_class(),
        examples=tuple(found),
    )


@dataclass(frozen=True)
class Sequences:
    """Videos with what was predicted of them: all that pictures are drawn from."""

    name: str
    split: str
    seen: int  # F_in
    indices: NDArray[np.int64]  # [N] in the split
    frames: Frames  # [N, F_in + F_out, H, W, C] true ones
    predicted: Frames  # [N, F_out, H, W, C]
    spikes: NDArray[np.int64]  # [N] of the whole network, for each alone
    curves: Curves  # metrics of the whole split at each frame ahead, of the network and of the reference predictions

    def to_bytes(self) -> bytes:
        """An .npz with everything: pictures can be drawn anew without network and data."""
        arrays = {name: values for name, values in vars(self).items() if name != "curves"}
        for who, metrics in self.curves.items():
            arrays |= {f"curve/{who}/{metric}": values for metric, values in metrics.items()}
        return npz(arrays)


@torch.no_grad()
def sequences(
    experiment: Experiment,
    network: nn.Module,
    meter: VideoMetrics,
    split: SplitName,
    wanted: int,
    device: torch.device,
    *,
    baselines: bool = True,
) -> Sequences:
    """Sequences of a split beside what `meter` has measured on all of it.

    `wanted` of them are drawn evenly over the split with the run's seed; `baselines` measures the task's, too.
    """
    task: Any = experiment.task
    indices, frames, predicted, spikes = [], [], [], []
    for index, batch, made, count in _each_alone(experiment, network, split, wanted, device):
        indices.append(index)
        frames.append(batch.frames.cpu())
        predicted.append(made[:, -meter.frames :].cpu())
        spikes.append(count)
    signal = task.input_signal
    empty = torch.empty(0, signal.frames + signal.ahead, signal.length, signal.features)
    curves: Curves = {NETWORK: meter.per_frame()}
    if baselines:
        others, _, _ = baseline_meters(
            task.baselines, experiment.data, task.meter, batch_size=task.held_at_once(512), split=split
        )
        curves |= {name: other.per_frame() for name, other in others.items()}
    return Sequences(
        name=experiment.name,
        split=split,
        seen=signal.frames,
        indices=np.array(indices, np.int64),
        frames=torch.cat([empty, *frames]).unflatten(2, meter.grid).numpy(),
        predicted=torch.cat([empty[:, : meter.frames], *predicted]).unflatten(2, meter.grid).numpy(),
        spikes=np.array(spikes, np.int64),
        curves=curves,
    )
