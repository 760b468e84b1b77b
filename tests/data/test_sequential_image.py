"""Pictures pixel by pixel: the same pixels as the pictures, one at a step, in rows or in one fixed shuffled order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from snnctl.core.shapes import SignalSpec
from snnctl.data.images.component import Image
from snnctl.data.images.sequential import SequentialImage

MNIST = Path(__file__).parents[2] / ".." / "shared" / "data" / "MNIST-test"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    np.savez(tmp_path / "x.npz", images=random.integers(0, 256, (40, 3, 4), np.uint8), labels=labels)
    return str(tmp_path / "x.npz")


def test_rows(pictures: str) -> None:
    data, flat = SequentialImage(source=pictures).load(), Image(source=pictures, normalise="unit").load()
    rows = torch.tensor([4, 0, 9])
    found, expected = data.split("train").batch(rows), flat.split("train").batch(rows)
    assert found.inputs.shape == (3, 12, 1, 1)
    assert torch.equal(found.inputs[:, :, 0], expected.inputs)
    assert torch.equal(found.targets, expected.targets)
    assert data.input_signal == SignalSpec(0, 1, 1, frames=12)
    assert SequentialImage(source=pictures).probe().input_signal == data.input_signal
    assert 0 <= found.inputs.min() < found.inputs.max() <= 1


def test_permuted(pictures: str) -> None:
    rows = torch.arange(5)
    plain = SequentialImage(source=pictures).load()
    mixed = SequentialImage(source=pictures, order="permuted").load()
    again = SequentialImage(source=pictures, order="permuted").load()
    other = SequentialImage(source=pictures, order="permuted", order_seed=1).load()
    assert mixed.fingerprint == again.fingerprint
    assert len({plain.fingerprint, mixed.fingerprint, other.fingerprint}) == 3
    assert mixed.order is not None
    assert sorted(mixed.order.tolist()) == list(range(12))
    straight, shuffled = (data.split("test").batch(rows).inputs for data in (plain, mixed))
    assert torch.equal(shuffled, straight[:, mixed.order])
    assert not torch.equal(shuffled, straight)
    assert mixed.describe()["order"] == "permuted"


@pytest.mark.skipif(not MNIST.exists(), reason="../shared/data/MNIST-test is not there")
def test_real_digits() -> None:
    data = SequentialImage(source=str(MNIST)).load()
    batch = data.split("train").batch(torch.arange(2))
    assert batch.inputs.shape == (2, 784, 1, 1)
    assert (data.classes, sum(len(data.split(name)) for name in ("train", "val", "test"))) == (10, 10000)
