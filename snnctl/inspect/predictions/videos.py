"""What a network makes of single videos, and how its error grows from frame to frame."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnctl.baselines.base import baseline_meters
from snnctl.engine.experiment import Experiment
from snnctl.inspect.predictions.video_figures import Frames, curves_picture, moving, strips
from snnctl.measure.spikes import SpikeMeter
from snnctl.measure.video import VideoMetrics
from snnctl.report.page import Page, Section, Table
from snnctl.report.provenance import provenance
from snnctl.report.saving import save
from snnctl.report.tables import csv_text

DOCUMENT, PAGE, ARRAYS = "predictions.json", "report.html", "sequences.npz"
NETWORK = "network"
_PER_SHEET = 3
Curves = dict[str, dict[str, list[float]]]  # who -> metric -> value at each frame ahead


@dataclass(frozen=True)
class Sequences:
    """Videos with what was predicted of them: all that pictures are drawn from.

    Args:
        name, split: of the run.
        seen: F_in.
        indices: [N] in the split.
        frames: [N, F_in + F_out, H, W, C] true ones.
        predicted: [N, F_out, H, W, C].
        spikes: [N] of the whole network, for each alone.
        curves: metrics of the whole split at each frame ahead, of the network and of the reference predictions.
    """

    name: str
    split: str
    seen: int
    indices: NDArray[np.int64]
    frames: Frames
    predicted: Frames
    spikes: NDArray[np.int64]
    curves: Curves

    def examples(self) -> list[dict[str, Any]]:
        """Index, spikes and metrics of each sequence."""
        metrics = list(self.curves[NETWORK])
        found = []
        for number, index in enumerate(self.indices.tolist()):
            meter = VideoMetrics(metrics, self.predicted.shape[1], self.frames.shape[2:4])  # type: ignore[arg-type]
            predicted, target = (
                torch.from_numpy(part[number : number + 1]).flatten(2, 3)
                for part in (self.predicted, self.frames[:, self.seen :])
            )
            meter.update(predicted, target)
            found.append({"index": index, "spikes": int(self.spikes[number]), **meter.compute()})
        return found

    def document(self) -> dict[str, Any]:
        """As `--json` prints it; frames are left out."""
        return {
            "frames_in": self.seen,
            "frames_out": self.predicted.shape[1],
            "per_frame": self.curves,
            "examples": self.examples(),
        }

    def to_bytes(self) -> bytes:
        """An .npz with everything; see `read`."""
        flat = {f"curve/{who}/{metric}": np.array(values) for who, metric, values in _each(self.curves)}
        data = io.BytesIO()
        np.savez_compressed(
            data,
            name=np.array(self.name),
            split=np.array(self.split),
            seen=np.array(self.seen),
            indices=self.indices,
            frames=self.frames,
            predicted=self.predicted,
            spikes=self.spikes,
            **flat,  # type: ignore[arg-type]
        )
        return data.getvalue()


def read(path: Path) -> Sequences:
    """What `Sequences.to_bytes` has written: pictures can be drawn anew without network and data."""
    with np.load(path, allow_pickle=False) as found:
        curves: Curves = {}
        for key in found.files:
            if key.startswith("curve/"):
                _, who, metric = key.split("/")
                curves.setdefault(who, {})[metric] = found[key].tolist()
        return Sequences(
            name=str(found["name"]),
            split=str(found["split"]),
            seen=int(found["seen"]),
            indices=found["indices"],
            frames=found["frames"],
            predicted=found["predicted"],
            spikes=found["spikes"],
            curves=curves,
        )


@torch.no_grad()
def sequences(
    experiment: Experiment,
    network: nn.Module,
    meter: VideoMetrics,
    split: str,
    wanted: int,
    device: torch.device,
    *,
    baselines: bool = True,
) -> Sequences:
    """Sequences of a split beside what `meter` has measured on all of it.

    Args:
        network: in evaluation mode.
        meter: of the whole split.
        wanted: how many sequences, drawn evenly over the split with the run's seed; each runs alone, so that its spikes
            are its own.
        baselines: whether curves of the task's baselines are measured, too.
    """
    task: Any = experiment.task
    part = experiment.data.split(split)
    order = np.random.default_rng(experiment.train.seed).permutation(len(part))[:wanted]
    network.eval()
    frames, predicted, spikes = [], [], []
    for index in order.tolist():
        batch = part.batch(torch.tensor([index])).to(device)
        with SpikeMeter(network) as counter:
            made = task.predict(network, batch).float()[:, -meter.frames :]
        spikes.append(sum(sum(level * n for level, n in enumerate(layer.histogram)) for layer in counter.summary()))
        frames.append(batch.frames.cpu())
        predicted.append(made.cpu())
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
        indices=order.astype(np.int64),
        frames=torch.cat([empty, *frames]).unflatten(2, meter.grid).numpy(),
        predicted=torch.cat([empty[:, : meter.frames], *predicted]).unflatten(2, meter.grid).numpy(),
        spikes=np.array(spikes, np.int64),
        curves=curves,
    )


def write(found: Sequences, out: Path, command: str) -> dict[str, Any]:
    """Arrays, tables, pictures, a moving picture and a page in `out`; the document as written.

    Raises:
        DiagnosticError: U453, the folder cannot be made or written to.
    """
    count, document = len(found.indices), found.document()
    numbers = range(count)
    groups = [numbers[first : first + _PER_SHEET] for first in range(0, count, _PER_SHEET)]
    sheets = [strips(found, group, f"sequences_{number + 1}") for number, group in enumerate(groups)]
    sections = [
        Section("From frame to frame", [curves_picture(found.name, found.split, found.seen, found.curves)]),
    ]
    if count:
        head = ("sequence", *list(document["examples"][0])[1:])
        rows = [(str(line["index"]), *list(line.values())[1:]) for line in document["examples"]]
        sections.append(Section("Sequences", sheets, (), [Table(head, rows)], [moving(found)]))
    ahead = found.predicted.shape[1]
    page = Page(
        title=f"Predictions: {found.name}",
        lead=f"{found.split} split: {ahead} frames predicted of {found.seen} that are seen; {count} sequences shown.",
        sections=sections,
        provenance=provenance(command, {}),
    )
    metrics = list(found.curves[NETWORK])
    lines = (
        [who, found.seen + 1 + frame, *(values[metric][frame] for metric in metrics)]
        for who, values in found.curves.items()
        for frame in range(ahead)
    )
    tables: dict[str, str | bytes] = {
        ARRAYS: found.to_bytes(),
        "per_frame.csv": csv_text(["model", "frame", *metrics], lines),
        "examples.csv": csv_text(["index", "spikes", *metrics], (list(line.values()) for line in document["examples"])),
    }
    return save(out, page, tables, document, page_name=PAGE, document_name=DOCUMENT)


def _each(curves: Mapping[str, Mapping[str, list[float]]]) -> list[tuple[str, str, list[float]]]:
    return [(who, metric, values) for who, metrics in curves.items() for metric, values in metrics.items()]
