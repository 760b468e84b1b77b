"""One pass over a split without learning: loss, metrics and spikes as streaming sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.core.diagnostic import Diagnostic
from snnctl.engine.runtime import Runtime
from snnctl.measure.circuits import CircuitMeter, LayerCircuits
from snnctl.measure.gradients import LayerGradients
from snnctl.measure.health import verdicts
from snnctl.measure.inputs import InputMeter, Inputs
from snnctl.measure.items import add
from snnctl.measure.spikes import LayerSpikes, NetworkSpikes, SpikeMeter, network_totals
from snnctl.tasks.base import Meter, Task


@dataclass(frozen=True)
class Evaluation:
    """What was measured on one split.

    Args:
        loss: mean over all values that count, not over batches.
        metrics: metric name -> value.
        layers: spikes per layer.
        meter: the metrics' sums, for per-column and per-step figures.
        items_per_second: how fast it went.
        circuits: of the layers that have autaptic circuits.
        inputs: what went into the network; None where nobody looked.
    """

    loss: float
    metrics: dict[str, float]
    layers: list[LayerSpikes]
    meter: Meter
    items_per_second: float = 0.0
    circuits: list[LayerCircuits] = field(default_factory=list)
    inputs: Inputs | None = None

    def verdicts(
        self, gradients: Iterable[LayerGradients] | None = None, trained_on: Inputs | None = None
    ) -> list[Diagnostic]:
        """What is ill, see `snnctl.measure.health.verdicts`, with what was measured in a step of training."""
        given = [one for one in (trained_on, self.inputs) if one is not None]
        return verdicts(self.layers, gradients, self.circuits, given)

    @property
    def totals(self) -> NetworkSpikes:
        """Spikes of the whole network."""
        return network_totals(self.layers)

    def per_layer(self) -> list[dict[str, Any]]:
        """The spikes of each layer as plain values, and where it has autaptic circuits, what those did."""
        circuits = {one.name: asdict(one) for one in self.circuits}
        return [{**asdict(layer), **circuits.get(layer.name, {})} for layer in self.layers]

    def named(self, split: str) -> dict[str, float]:
        """`{"val/loss": ..., "val/mse": ...}`."""
        return {f"{split}/{name}": value for name, value in {"loss": self.loss, **self.metrics}.items()}


def evaluate(
    network: nn.Module,
    task: Task,
    split: Any,
    batch_size: int,
    runtime: Runtime,
    *,
    go_on: Callable[[int], bool] | None = None,
    see: Callable[[Tensor, Tensor, Any], None] | None = None,
) -> Evaluation:
    """Measure `network` on `split`, in evaluation mode; the mode is restored afterwards.

    Args:
        split: gives `batch(indices)`.
        go_on: told how many items are done; returning False ends the pass early.
        see: given the indices, the prediction and the batch of each step.
    """
    was_training = network.training
    network.eval()
    meter = task.meter()
    loss_sum, weight_sum, done = 0.0, 0, 0
    start = perf_counter()
    inputs = InputMeter(getattr(network, "encoder", None))
    try:
        with SpikeMeter(network) as spikes, CircuitMeter(network) as circuits, inputs, torch.no_grad():
            for first in range(0, len(split), batch_size):
                indices = torch.arange(first, min(first + batch_size, len(split)))
                batch = split.batch(indices).to(runtime.device)
                with runtime.forward_pass():
                    prediction = task.predict(network, batch)
                prediction = prediction.float()
                weight = task.loss_weight(batch)
                loss_sum += float(task.loss(prediction, batch)) * weight
                weight_sum += weight
                add(meter, prediction, batch)
                if see is not None:
                    see(indices, prediction, batch)
                done += len(indices)
                if go_on is not None and not go_on(done):
                    break
    finally:
        network.train(was_training)
    return Evaluation(
        loss=loss_sum / weight_sum if weight_sum else float("nan"),
        metrics=meter.compute(),
        layers=spikes.summary(),
        meter=meter,
        items_per_second=done / max(perf_counter() - start, 1e-9),
        circuits=circuits.summary(),
        inputs=inputs.summary(),
    )
