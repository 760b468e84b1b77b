"""Recipes of networks with spikes of several bits: sizes, and a step of training on files of the right layout."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from snnctl.build import build, build_network, check
from snnctl.core.shapes import SignalSpec
from snnctl.engine.feed import training_batch
from snnctl.neurons.base import SpikingNeuron
from snnctl.recipe import load_recipe
from snnctl.recipe.shipped import shipped_folder

FOLDER = shipped_folder() / "multi-bit"
CIFAR = SignalSpec(0, 1024, 3, grid=(32, 32))
DIGITS = SignalSpec(0, 784, 1, grid=(28, 28))
DVS = SignalSpec(0, 128 * 128, 2, grid=(128, 128), frames=10)
ATTENTION = {64: 3, 128: 5, 256: 5, 512: 5}  # weights of a connection's kernel, by channels


def connections(channels: list[int], blocks: list[int]) -> int:
    """Kernels of all connections of a ResNet, and a 1 x 1 convolution with gain and shift where channels double."""
    kernels = sum(2 * number * ATTENTION[own] for own, number in zip(channels, blocks, strict=True))
    change = sum(ATTENTION[a] - ATTENTION[b] for a, b in pairwise(channels))
    return kernels + change + sum(2 * a * a + 2 * 2 * a for a in channels[:-1])


# Signal, parameters, levels of a neuron (0: a twin), T and grid behind the backbone.
RECIPES: dict[str, Any] = {
    "mnist_cnn": (DIGITS, 64_800 + 3 * 128 + 650, 15, 1, (7, 7)),
    "mnist_cnn_ann": (DIGITS, 64_800 + 3 * 128 + 650, 0, 1, (7, 7)),
    "cifar10_subset_resnet": (CIFAR, None, 3, 2, (8, 8)),
    # torchvision's counts: resnet18 without its first convolution and read-out, vgg16_bn's features without biases.
    "resnet18_cifar10": (
        CIFAR,
        11_689_512 - 513_000 - 9_408 + 27 * 64 + connections([64, 128, 256, 512], [2, 2, 2, 2]) + 5_130,
        3,
        2,
        (4, 4),
    ),
    "vgg16_cifar10": (CIFAR, 14_723_136 - 4_224 + 512 * 4096 + 3 * 4096 + 40_970 + 14, 0, 1, None),
    "resnet19_cifar10-dvs": (DVS, None, 3, 10, None),
}


def test_every_recipe_is_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} >= set(RECIPES)


@pytest.mark.parametrize("name", list(RECIPES))
def test_size(name: str) -> None:
    signal, parameters, levels, steps, grid = RECIPES[name]
    with torch.device("meta"):
        network = build_network(load_recipe(FOLDER / f"{name}.yaml"), signal, 10)
    neurons = [part for part in network.modules() if isinstance(part, SpikingNeuron)]
    assert {neuron.levels for neuron in neurons} == ({levels} if levels else set())
    assert network.signals["encoder"].steps == steps
    assert network.signals["backbone"].grid == grid
    if parameters is not None:
        assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def stand_in(name: str, folder: Path) -> str:
    random = np.random.default_rng(0)
    if name.endswith("dvs"):
        for label, index in product(("airplane", "bird"), range(10)):
            path = folder / "frames" / label
            path.mkdir(parents=True, exist_ok=True)
            np.savez(path / f"{index}.npz", frames=random.integers(0, 3, (3, 2, 64, 64)).astype(np.float32))
        return f"data.source={folder / 'frames'}"
    shape = (40, 28, 28, 1) if name.startswith("mnist") else (40, 32, 32, 3)
    images = random.integers(0, 256, shape, dtype=np.uint8)
    np.savez(folder / "set.npz", images=images, labels=np.arange(40) % 4)
    return f"data.source={folder / 'set.npz'}"


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_step_of_training(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    small = ["model.width=0.1", *(["model.hidden=8"] if name.startswith(("vgg16", "resnet19")) else [])]
    recipe = load_recipe(FOLDER / f"{name}.yaml", [stand_in(name, tmp_path), *small])
    assert {d.code for d in check(recipe)} <= {"R405"}
    experiment = build(recipe)
    batch = training_batch(experiment.data.split("train"), torch.arange(6), 1, 0, 0)
    loss = experiment.task.loss(experiment.task.predict(experiment.network, batch), batch)
    loss.backward()
    assert loss.isfinite()
    for parameter_name, parameter in experiment.network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
    reached = [p for n, p in experiment.network.named_parameters() if n.endswith("features.0.conv.weight")]
    reached += [p for n, p in experiment.network.named_parameters() if n.endswith("stem.conv.weight")]
    assert all(bool(p.grad.any()) for p in reached if p.grad is not None)
    assert len(reached) == 1
