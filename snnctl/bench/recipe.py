"""One training step of a recipe, as the training loop does it: batch, forward, loss, backward, clip, optimiser."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

from snnctl.bench.case import Case, Contender, firing_rates, kept
from snnctl.bench.peer_networks import JellySpikformer, why_no_peer
from snnctl.bench.peers import spikingjelly
from snnctl.engine.experiment import Experiment, Network
from snnctl.engine.feed import batches, epoch_order
from snnctl.engine.runtime import Runtime
from snnctl.engine.update import Update
from snnctl.neurons.kernels import Kernel
from snnctl.recipe import Recipe

Precision = Literal["fp32", "bf16"]


def recipe_case(recipe: Recipe, experiment: Experiment, precisions: Sequence[Precision]) -> tuple[Case, list[str]]:
    """The case of one training step, and notes on what is missing in it.

    The first batch of the first epoch is drawn anew in every call, as training draws it. All runs on the CPU, with
    the recipe's kernel but for `reference`.
    """
    size = min(experiment.train.batch_size, len(experiment.data.split("train")))
    shape = experiment.task.input_signal.shape(size)
    reason = why_no_peer(experiment.network.backbone)
    notes = [f"no spikingjelly rows: {reason}"] if reason else []
    notes.append("the step draws its batch and has no schedule and no moving average of weights")
    peers = not reason and spikingjelly() is not None

    def build() -> list[Contender]:
        made = []
        for precision in precisions:
            own = experiment.train.kernel
            made.append(_step("snnctl", experiment, experiment.network, precision, own))
            made.append(_step("reference", experiment, experiment.network, precision, "reference"))
            if peers:
                made.append(
                    _step("spikingjelly", experiment, jelly_network(recipe, experiment.network), precision, own)
                )
        return made

    return Case(recipe.name, shape, "training step", build), notes


def jelly_network(recipe: Recipe, network: Network) -> Network:
    """The network with its backbone in spikingjelly modules, same weights; encoder and readout stay ours."""
    jelly = spikingjelly()
    assert jelly is not None
    scale = float(recipe.values["model"]["attention_scale"])
    backbone = JellySpikformer(jelly, network.backbone, scale)  # type: ignore[arg-type]
    return Network(copy.deepcopy(network.encoder), backbone, copy.deepcopy(network.readout))


def _step(engine: str, experiment: Experiment, network: nn.Module, precision: Precision, kernel: Kernel) -> Contender:
    if engine != "spikingjelly":  # that one is new, and holds modules, which cannot be copied
        network = copy.deepcopy(network)
    task, settings = experiment.task, experiment.train
    runtime = Runtime(precision, "cpu", kernel, settings.chunk_steps)
    trained, optimizer = runtime.prepare(network, experiment.make_optimizer(network))
    trained.train()
    update = Update(trained, optimizer, runtime, settings.clip_norm)
    split = experiment.data.split("train")
    indices = next(iter(batches(epoch_order(len(split), settings.seed, 0), settings.batch_size)))

    def call() -> None:
        batch = split.batch(indices)
        with runtime.forward_pass():
            prediction = task.predict(trained, batch)
        loss = task.loss(prediction.float(), batch)
        update.gradients(loss)
        update.step()

    def rates() -> dict[str, Any]:
        with torch.no_grad(), runtime.forward_pass():
            return {"rates": firing_rates(network, lambda: task.predict(trained, split.batch(indices)))}

    return Contender(engine, call, precision, kept(network), rates)
