"""The convolutional baseline for images: learns, is the same every time, and leaves everything else as it was."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from label_fakes import Items, Labelled, labelled, run

from snnctl.baselines import classes, cnn
from snnctl.baselines.cnn import SmallCNN, fit_cnn, steps_for
from snnctl.core.shapes import SignalSpec


@dataclass
class Pictures(Labelled):
    frames: int = 0

    @property
    def input_signal(self) -> SignalSpec:
        return SignalSpec(0, 64, 2, grid=(8, 8), frames=self.frames)


def pictures(frames: int = 0) -> Pictures:
    """A bright square somewhere in the upper half or in the lower one; no pixel tells much by itself."""
    parts = {}
    for seed, (name, count) in enumerate((("train", 256), ("val", 32), ("test", 64))):
        generator = torch.Generator().manual_seed(seed)
        targets = torch.randint(2, (count,), generator=generator)
        images = torch.rand(count, max(frames, 1), 8, 8, 2, generator=generator)
        for image, target in zip(images, targets, strict=True):
            row, column = torch.randint(3, (1,), generator=generator), torch.randint(7, (1,), generator=generator)
            image[:, int(row) + 4 * int(target) :, int(column)][:, :2] += 3
        found = images.flatten(2, 3)
        parts[name] = Items(found if frames else found[:, 0], targets)
    return Pictures(2, parts, frames)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cnn, "WIDTHS", (4, 8, 8))
    monkeypatch.setattr(cnn, "BATCH", 32)
    monkeypatch.setattr(cnn, "MOST_EPOCHS", 5)


@pytest.mark.parametrize("frames", [0, 3])
def test_it_learns_and_is_reported(frames: int) -> None:
    data = pictures(frames)
    told: list[float] = []
    report = run(["cnn", "majority"], data, ["accuracy"], progress=lambda _, share: told.append(share))
    assert report.scores["cnn"]["accuracy"] > 0.9 > report.scores["majority"]["accuracy"]
    assert report.chosen["cnn"].endswith("40 steps of 32")
    assert told == sorted(told) or told[-1] == 1.0


def test_the_same_every_time_and_no_trace() -> None:
    data = pictures()
    before = torch.get_rng_state()
    x = data.split("test").inputs
    first, again, other = (fit_cnn(data, seed)[0](x) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_it_never_looks_at_val_or_test() -> None:
    data = pictures()
    only = Pictures(2, {"train": data.parts["train"]})
    x = data.split("test").inputs
    assert torch.equal(fit_cnn(only, 0)[0](x), fit_cnn(data, 0)[0](x))


def test_steps_are_as_many_as_items_ask_for() -> None:
    assert steps_for(64) == 10
    assert steps_for(10**6) == cnn.MOST_STEPS


def test_no_images_no_network() -> None:
    report = run(["cnn"], labelled(), ["accuracy"])
    assert report.omitted == {"cnn": "the inputs are no images"}


def test_small_images_pass() -> None:
    assert SmallCNN(1, (3, 5), 4)(torch.zeros(2, 15, 1)).shape == (2, 4)


def test_many_values_are_single_floats_and_much_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = labelled(pull=2.0)
    exact = run(["linear"], data, ["accuracy"])
    monkeypatch.setattr(classes, "_MOST_DOUBLES", 0)
    single = run(["linear"], data, ["accuracy"])
    assert single.chosen == exact.chosen
    assert single.scores["linear"]["accuracy"] == pytest.approx(exact.scores["linear"]["accuracy"], abs=0.03)
    before = data.parts["train"].inputs.clone()
    monkeypatch.setattr(classes, "_MOST_VALUES", 8 * 50)
    few = run(["linear"], data, ["accuracy"])
    assert few.chosen["linear"].endswith(", on 50 of 200 items")
    assert torch.equal(data.parts["train"].inputs, before)
