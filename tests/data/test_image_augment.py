"""Augmentation: a pure function of the seed, each operation as its definition says, evaluation never touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import image_files as files
import numpy as np
import pytest
import torch
from pydantic import ValidationError

from snnctl.core.signature import params_model
from snnctl.data.events.frames import EventFrames
from snnctl.data.images.augment import Augment, random_crop
from snnctl.data.images.component import Image
from snnctl.data.images.dataset import ImageData, ImageSplit
from snnctl.data.images.rand_augment import OPERATIONS, SIGNED, operate, rand_augment

ALL = Augment(crop=2, flip=True, rand=1, erase=0.5, mixup=0.5, cutmix=1.0)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageData:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Image(source=str(files.folders(tmp_path / "set", {"train": 48, "test": 12}, 12)), augment=ALL).load()


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def images(count: int = 16, size: int = 12, channels: int = 3) -> torch.Tensor:
    return torch.from_numpy(files.pictures(count, size, channels)[0])


def test_batches_are_a_pure_function_of_the_seed(data: ImageData) -> None:
    split = data.split("train")
    indices = torch.tensor([5, 0, 9, 3])
    before = torch.get_rng_state()
    first, again, other = (split.training_batch(indices, seed, 0) for seed in (7, 7, 8))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.inputs, again.inputs)
    assert first.soft is not None
    assert again.soft is not None
    assert torch.equal(first.soft, again.soft)
    assert not torch.equal(first.inputs, other.inputs)
    assert first.inputs.shape == (4, 144, 3)
    assert first.inputs.is_contiguous()


def test_evaluation_is_never_augmented(data: ImageData) -> None:
    split = data.split("train")
    plain = ImageSplit(**{**vars(split), "augment": Augment()})
    indices = torch.arange(8)
    assert torch.equal(split.batch(indices).inputs, plain.batch(indices).inputs)
    assert split.batch(indices).soft is None
    assert torch.equal(plain.training_batch(indices, 3, 0).inputs, plain.batch(indices).inputs)
    assert not torch.equal(split.training_batch(indices, 3, 0).inputs, split.batch(indices).inputs)


def test_crop_moves_the_picture_and_fills_with_zeros() -> None:
    x = images() + 1  # no zero of its own
    seen = set()
    for cropped, whole in zip(random_crop(x, 2, random()), x, strict=True):
        padded = torch.nn.functional.pad(whole, (0, 0, 2, 2, 2, 2))
        places = [(i, j) for i in range(5) for j in range(5) if torch.equal(padded[i : i + 12, j : j + 12], cropped)]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) > 5


def test_half_of_the_pictures_are_mirrored() -> None:
    x = images(400, 6)
    out = Augment(flip=True).pixels(x, random())
    mirrored = [torch.equal(a, b.flip(1)) for a, b in zip(out, x, strict=True)]
    same = [torch.equal(a, b) for a, b in zip(out, x, strict=True)]
    assert all(a or b for a, b in zip(mirrored, same, strict=True))
    assert 160 < sum(mirrored) < 240


def test_mixup_is_its_equation() -> None:
    x, y = torch.randn(6, 4, 4, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    mixed, soft = Augment(mixup=0.5).mixed(x, y, 3, 0, random(3))
    assert soft is not None
    draws = random(3)
    draws.random()  # whether the batch is mixed at all
    other = torch.from_numpy(draws.permutation(6))
    share = draws.beta(0.5, 0.5)
    torch.testing.assert_close(mixed, share * x + (1 - share) * x[other])
    onehot = torch.eye(3)[y]
    torch.testing.assert_close(soft, (share * onehot + (1 - share) * onehot[other]).float())


def test_cutmix_takes_a_rectangle_and_its_share_of_the_class() -> None:
    y = torch.arange(5)
    x = y.float().view(5, 1, 1, 1).expand(5, 10, 8, 1).contiguous()
    for seed in range(20):
        mixed, soft = Augment(cutmix=1.0).mixed(x, y, 5, 0, random(seed))
        assert soft is not None
        for item in range(5):
            shares = torch.bincount(mixed[item].flatten().long(), minlength=5) / 80
            torch.testing.assert_close(shares, soft[item], atol=1e-6, rtol=0)
    assert torch.equal(x[:, 0, 0, 0], y.float())  # what came in is left as it was


def test_mixing_ends_and_is_as_frequent_as_asked_for() -> None:
    x, y = torch.randn(4, 3, 3, 1), torch.arange(4)
    ends = Augment(mixup=0.5, mix_until=200)
    assert ends.mixed(x, y, 4, 199, random())[1] is not None
    assert ends.mixed(x, y, 4, 200, random())[1] is None
    half = Augment(mixup=0.5, mix_share=0.5)
    assert 60 < sum(half.mixed(x, y, 4, 0, random(seed))[1] is not None for seed in range(200)) < 140


def test_shares_sum_to_one_and_name_the_classes(data: ImageData) -> None:
    for seed in range(10):
        batch = data.split("train").training_batch(torch.arange(20), seed, 0)
        assert batch.soft is not None
        torch.testing.assert_close(batch.soft.sum(1), torch.ones(20))
        assert ((batch.soft > 0).sum(1) <= 2).all()


def test_erasing_leaves_one_rectangle_of_the_mean() -> None:
    x = torch.ones(200, 16, 16, 3)
    out = Augment(erase=0.25).erased(x.clone(), random())
    erased = [item for item in out if (item == 0).any()]
    assert 30 < len(erased) < 70
    for item in erased:
        gone = item[..., 0] == 0
        rows, columns = gone.any(1).nonzero().flatten(), gone.any(0).nonzero().flatten()
        assert gone.sum() == len(rows) * len(columns)
        assert rows.tolist() == list(range(rows[0], rows[-1] + 1))
        assert gone.sum() <= 0.4 * 256


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_operation_keeps_shape_and_type(name: str, channels: int) -> None:
    x = images(4, 12, channels)
    for level in (0.9, -0.9) if name in SIGNED else (0.9,):
        out = operate(x, name, level)
        assert (out.shape, out.dtype) == (x.shape, torch.uint8)
    if name not in ("invert", "equalize", "auto_contrast", "posterize", "solarize"):
        assert torch.equal(operate(x, name, 0.0), x)


def test_what_operations_do() -> None:
    x = images(4)
    assert torch.equal(operate(x, "invert", 0.9), 255 - x)
    assert torch.equal(operate(x, "posterize", 1.0), x & 128)
    assert torch.equal(operate(x, "solarize_add", 1.0), torch.where(x < 128, (x.int() + 110).clamp(max=255).byte(), x))
    assert torch.equal(operate(x, "solarize", 0.9), torch.where(x >= 255 - 229, 255 - x, x))
    assert (
        operate(x, "brightness", 0.9).float().mean() > x.float().mean() > operate(x, "brightness", -0.9).float().mean()
    )
    moved = operate(x, "translate_x", 1 / 0.45 / 12)  # by one pixel
    assert torch.equal(moved[:, :, 1:], x[:, :, :-1])
    assert (moved[:, :, 0] == 128).all()


def test_about_half_of_the_pictures_are_changed() -> None:
    x = images(600, 12)
    out = rand_augment(x, random(), 9.0)
    changed = sum(not torch.equal(a, b) for a, b in zip(out, x, strict=True))
    assert 220 < changed < 330  # half, less the few whom their operation leaves as they are
    assert not torch.equal(out, rand_augment(x, random(), 9.0, 1.0))


def test_frames_of_a_recording_are_changed_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    one = random().integers(0, 9, (20, 1, 2, 8, 8))
    np.savez(tmp_path / "set.npz", frames=np.repeat(one, 4, axis=1), labels=np.arange(20) % 2)
    augment = {"crop": 2, "flip": True, "erase": 1.0, "cutmix": 1.0}
    split = EventFrames(source=str(tmp_path / "set.npz"), test=4, val=2, augment=augment).load().split("train")  # type: ignore[arg-type]
    batch = split.training_batch(torch.arange(10), 1, 0)
    assert batch.inputs.shape == (10, 4, 64, 2)
    for frame in range(1, 4):
        assert torch.equal(batch.inputs[:, frame], batch.inputs[:, 0])
    assert not torch.equal(batch.inputs, split.batch(torch.arange(10)).inputs)


@pytest.mark.parametrize("wrong", [{"crop": -1}, {"erase": 1.5}, {"rand_magnitude": 11.0}, {"flipp": True}])
def test_knobs_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        params_model(Image)(source="cifar10", augment=wrong)
