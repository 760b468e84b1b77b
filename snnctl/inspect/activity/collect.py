"""What the neurons of a trained network do over a split: spikes, membranes, circuits, rasters of a few samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic
from snnctl.engine.runtime import Runtime
from snnctl.finished import FinishedRun
from snnctl.inspect.chosen import chosen_channels, chosen_layers, shown_name, spread
from snnctl.inspect.circuits.collect import Circuits, MapRecorder, mapped_channels
from snnctl.inspect.membranes.collect import MEMBRANE_SAMPLES, PotentialMeter, Potentials
from snnctl.measure.activity import ActivityMeter, LayerActivity
from snnctl.measure.circuits import ModulatorMeter
from snnctl.measure.health import verdicts
from snnctl.measure.inputs import InputMeter, Inputs
from snnctl.measure.spikes import NetworkSpikes, codes, network_totals
from snnctl.measure.tally import Tally
from snnctl.measure.watcher import Watcher
from snnctl.neurons.base import SpikingNeuron, neurons_in
from snnctl.positions.ragged import Ragged
from snnctl.report.saving import Tell

LAYERS_SHOWN = 6  # as rasters, unless they are named
RASTER_SAMPLES = 3
CHANNELS_SHOWN = 40
COLUMNS_SHOWN = 240  # more than that are finer than a laptop's pixels
CLASS_SEARCH = 256  # samples among which one of each class is looked for


@dataclass(frozen=True)
class Raster:
    """Spikes of one layer for a few samples."""

    name: str
    spikes: np.ndarray[Any, Any]  # [samples, channels, T, places] uint8
    channels: list[int]  # which they are, the busiest first
    of_channels: int  # how many the layer has
    places: list[int]  # which places along the flattened axes between batch and channels
    of_places: int  # how many there are
    of_steps: int  # how many steps the layer runs; the first ones are kept
    levels: int  # highest spike value

    @property
    def title(self) -> str:
        return shown_name(self.name, 60)


@dataclass(frozen=True)
class Survey:
    """What was found on a split of the data of an experiment."""

    name: str
    run: str
    split: str
    samples: int  # how many were passed through, of `of_samples`
    of_samples: int
    layers: list[LayerActivity]  # in the network's order; empty if nothing spikes
    potentials: list[Potentials]  # membranes before the reset, of `MEMBRANE_SAMPLES` samples
    rasters: list[Raster]
    raster_samples: list[tuple[int, int | None]]  # index of each sample in the split, and its class or None
    per_sample: Tally  # spikes of the network per sample
    by_class: list[float] | None  # mean spikes of the network per sample of each class, or None
    class_sizes: list[int]  # samples of each class
    checkpoint: dict[str, Any]
    circuits: Circuits
    inputs: Inputs

    @property
    def totals(self) -> NetworkSpikes:
        return network_totals([layer.spikes for layer in self.layers])

    @property
    def health(self) -> list[Diagnostic]:
        return verdicts([layer.spikes for layer in self.layers], None, self.circuits.totals, [self.inputs])


def survey(run: FinishedRun, *, split: SplitName, samples: int | None, layers: Sequence[str], tell: Tell) -> Survey:
    """Pass a split through the weights of `run`: at most `samples` of it, evenly spread; None takes all.

    `layers` are patterns of those to record as rasters.

    Raises:
        DiagnosticError: E410, E411 as `load_weights`; U470 as `chosen_layers`.
    """
    experiment = run.experiment
    network, data = experiment.network, experiment.data.split(split)
    names = list(neurons_in(network))
    wanted = chosen_layers(names, layers, LAYERS_SHOWN) if names or layers else []
    runtime = Runtime.of(experiment.train)
    network.to(runtime.device).eval()
    checkpoint = run.load()
    indices = torch.tensor(spread(len(data), samples or len(data)))
    classes = int(cast(Any, experiment.data).classes) if getattr(experiment.task, "needs", "") == "classes" else None

    def forward(chosen: Tensor, meter: ActivityMeter | None = None) -> Tensor:
        batch = data.batch(chosen).to(runtime.device)
        with torch.no_grad(), runtime.forward_pass():
            if meter is None:
                experiment.task.predict(network, batch)
            else:
                with meter.batch(len(chosen), None if classes is None else batch.targets), modulators.batch():
                    experiment.task.predict(network, batch)
        return batch.targets

    meter = ActivityMeter(network, classes)
    modulators = ModulatorMeter(network)
    given = InputMeter(network.encoder)
    with meter, modulators, given:
        for done in range(0, len(indices) if names else 0, experiment.eval_batch_size):
            tell(f"spikes of {len(indices):,} samples: {done:,} done", 0.05 + 0.5 * done / len(indices))
            forward(indices[done : done + experiment.eval_batch_size], meter)
    found = meter.activity()
    rates = {layer.spikes.name: layer.rates for layer in found}
    kept = {name: chosen_channels(rates[name], CHANNELS_SHOWN) for name in wanted if name in rates}
    shown: list[tuple[int, int | None]] = []
    potentials = PotentialMeter(network)
    recorder = Recorder(network, kept)
    maps = MapRecorder(network, {name: mapped_channels(rates[name]) for name in kept})
    if found:
        tell("membranes", 0.56)
        with potentials:
            forward(indices[spread(len(indices), MEMBRANE_SAMPLES)])
        few = indices[spread(len(indices), RASTER_SAMPLES)]
        if classes is not None:
            few = _of_each_class(data, indices)
        if network.ragged:
            inputs = data.batch(few).to(runtime.device).inputs
            recorder = Recorder(network, kept, network.encoder.tokens(inputs))
        with recorder, maps:
            targets = forward(few)
        labels = [None] * len(few) if classes is None else targets.tolist()
        shown = list(zip(few.tolist(), labels, strict=True))
    return Survey(
        name=experiment.name,
        run=str(run.folder.path),
        split=split,
        samples=len(indices) if found else 0,
        of_samples=len(data),
        layers=found,
        potentials=potentials.summary(),
        rasters=recorder.rasters(),
        raster_samples=shown,
        per_sample=meter.per_sample,
        by_class=meter.by_class,
        class_sizes=meter.class_sizes.tolist(),
        checkpoint=checkpoint,
        circuits=Circuits(len(indices), split, modulators.summary(), maps.maps(), shown[0] if shown else (0, None)),
        inputs=given.summary(),
    )


def _of_each_class(data: Any, indices: Tensor) -> Tensor:
    """The first sample of each of the first classes that are met, by class."""
    looked_at = indices[:CLASS_SEARCH]
    first: dict[int, int] = {}
    for index, label in zip(looked_at.tolist(), data.batch(looked_at).targets.tolist(), strict=True):
        first.setdefault(label, index)
    return torch.tensor([first[label] for label in sorted(first)[:RASTER_SAMPLES]])


class Recorder(Watcher):
    """Keeps the spikes of layers while the `with` block runs one forward pass: `channels` names those of each layer.

    Where the batch is one of packed `tokens`, layers that see them in one row are told apart by sample again.
    """

    def __init__(self, network: nn.Module, channels: dict[str, list[int]], tokens: Ragged | None = None) -> None:
        self._tokens = tokens
        modules = dict(network.named_modules())
        self._layers = {name: modules[name] for name in channels}
        self._channels = channels
        self._calls: dict[str, list[Tensor]] = {}

    def _watches(self) -> Iterator[AbstractContextManager[Any]]:
        for name, module in self._layers.items():
            yield module.register_forward_hook(partial(self._keep, name))

    def _keep(self, name: str, module: nn.Module, _inputs: Any, output: Any) -> None:
        spikes = output[0] if isinstance(output, tuple) else output
        assert isinstance(module, SpikingNeuron)
        chosen = codes(module, spikes.detach()[..., self._channels[name]]).to(torch.uint8)
        if self._tokens is not None and chosen.shape[1:3] == (1, len(self._tokens.index)):
            chosen = self._tokens.unpack(chosen)
        self._calls.setdefault(name, []).append(chosen.unsqueeze(2).flatten(2, -2).cpu())  # [T, B, places, k]

    def rasters(self) -> list[Raster]:
        """One per layer that has run; calls of one layer (once per position, say) are strung together as steps."""
        found = []
        for name, calls in self._calls.items():
            spikes = torch.cat(calls)
            steps, _, places, _ = spikes.shape
            kept_steps = min(steps, COLUMNS_SHOWN)
            kept = spread(places, max(1, COLUMNS_SHOWN // kept_steps))
            layer: Any = self._layers[name]
            found.append(
                Raster(
                    name=name,
                    spikes=spikes[:kept_steps][:, :, kept].permute(1, 3, 0, 2).numpy(),
                    channels=self._channels[name],
                    of_channels=layer.channels,
                    places=kept,
                    of_places=places,
                    of_steps=steps,
                    levels=int(layer.levels),
                )
            )
        return found
