"""Moving digits: the rule by hand and against a plain loop, pools that share nothing, seeds, epochs, the test file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import image_files as files
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.seeds import building_with
from snnctl.core.shapes import SignalSpec
from snnctl.data.cuts import Cutting
from snnctl.data.video.moving.component import MovingDigits
from snnctl.data.video.moving.digits import make_pools, scaled_digits, segment_digits
from snnctl.data.video.moving.motion import MotionRule, overlaid, paths

MNIST = Path(__file__).parents[2] / ".." / "shared" / "data" / "MNIST-test"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def small(**knobs: Any) -> Any:
    chosen: dict[str, Any] = {"canvas": 20, "digit_size": 9, "frames_in": 3, "frames_out": 2}
    chosen |= {"train": 6, "val": 4, "test": 5} | knobs
    return MovingDigits(**chosen).load()


def whole(data: Any, name: str) -> Any:
    part = data.split(name)
    return part.batch(torch.arange(len(part))).frames


def path_by_loop(x: float, y: float, direction: float, frames: int) -> list[tuple[float, float]]:
    vx, vy = np.cos(direction), np.sin(direction)
    found = []
    for _ in range(frames):
        x, y = x + 0.1 * vx, y + 0.1 * vy
        if x <= 0:
            x, vx = 0.0, -vx
        if x >= 1:
            x, vx = 1.0, -vx
        if y <= 0:
            y, vy = 0.0, -vy
        if y >= 1:
            y, vy = 1.0, -vy
        found.append((x, y))
    return found


def test_a_step_comes_before_the_first_frame_and_edges_stop() -> None:
    x, y = paths(np.array(0.95), np.array(0.5), np.array(0.0), 3)
    assert x.tolist() == pytest.approx([1.0, 0.9, 0.8])
    assert y.tolist() == [0.5, 0.5, 0.5]


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 2 * np.pi), st.integers(1, 40))
def test_paths_by_plain_loop(x: float, y: float, direction: float, frames: int) -> None:
    found = np.stack(paths(np.array(x), np.array(y), np.array(direction), frames), -1)
    np.testing.assert_allclose(found, path_by_loop(x, y, direction, frames), rtol=0, atol=1e-12)
    assert found.min() >= 0
    assert found.max() <= 1


def test_positions_and_speed_as_published() -> None:
    random = np.random.default_rng(0)
    x, y = paths(*random.random((2, 500)), 2 * np.pi * random.random(500), 20)
    pixels = np.floor(36 * np.stack((x, y)))
    assert (pixels.min(), pixels.max()) == (0, 36)
    inside = (np.stack((x, y)) % 1 > 0).all(0)
    away = inside[:, 1:] & inside[:, :-1]
    moved = 36 * np.hypot(np.diff(x), np.diff(y))[away]
    assert moved == pytest.approx(3.6)
    assert len(moved) > 5000


def test_overlap_is_the_brightest_and_never_the_sum() -> None:
    images = np.stack((np.full((4, 5), 200, np.uint8), np.full((4, 5), 90, np.uint8)))
    which, zeros = np.array([[0, 1]]), np.zeros((1, 2, 1), np.int64)
    made = overlaid((7, 8), images, which, zeros + np.array([[[0], [2]]]), zeros + np.array([[[0], [3]]]))[0, 0]
    by_hand = np.zeros((7, 8), np.uint8)
    by_hand[:4, :5] = 200
    by_hand[2:6, 3:8] = np.maximum(by_hand[2:6, 3:8], 90)
    assert (made == by_hand).all()
    assert made[3, 4] == 200


def test_sequences_by_plain_loop() -> None:
    """The order of draws too: x, y, direction, image, for one digit after the other."""
    images = np.random.default_rng(0).integers(0, 256, (11, 5, 6), dtype=np.uint8)
    rule = MotionRule((14, 23), 3, 8)
    made = rule.draw([5, 77], images)
    assert made.shape == (2, 8, 14, 23)
    assert made.dtype == np.uint8
    for number, seed in enumerate((5, 77)):
        random = np.random.default_rng(seed)
        wanted = np.zeros((8, 14, 23), np.uint8)
        for _ in range(3):
            x, y, turn, image = (random.random() for _ in range(4))
            digit = images[int(image * 11)]
            for frame, (px, py) in enumerate(path_by_loop(x, y, 2 * np.pi * turn, 8)):
                top, left = int((14 - 5) * py), int((23 - 6) * px)
                place = wanted[frame, top : top + 5, left : left + 6]
                wanted[frame, top : top + 5, left : left + 6] = np.maximum(place, digit)
        assert (made[number] == wanted).all()


def test_shapes_and_signal() -> None:
    data = small(canvas=[16, 20], digits=1)
    assert data.input_signal == SignalSpec(0, 320, 1, grid=(16, 20), frames=3, ahead=2)
    batch = data.split("val").batch(torch.tensor([2, 0]))
    assert batch.frames.shape == (2, 5, 320, 1)
    assert batch.frames.dtype == torch.float32
    assert (batch.frames.min(), len(batch)) == (0, 2)
    assert 0.5 < batch.frames.max() <= 1
    assert torch.equal(batch.frames[0], whole(data, "val")[2])
    defaults = MovingDigits().probe()
    assert defaults.input_signal == SignalSpec(0, 4096, 1, grid=(64, 64), frames=10, ahead=10)
    assert [len(defaults.split(name)) for name in ("train", "val", "test")] == [10000, 1000, 1000]


def test_val_and_test_are_the_same_for_all_runs() -> None:
    with building_with(1):
        first = small()
    with building_with(2):
        second = small()
    other = small(split_seed=5)
    for name in ("val", "test"):
        assert torch.equal(whole(first, name), whole(second, name))
        assert not torch.equal(whole(first, name), whole(other, name))
    assert first.fingerprint == second.fingerprint != other.fingerprint


def test_fresh_sequences_are_a_function_of_seed_epoch_and_index() -> None:
    made: dict[Any, Any] = {}
    for seed in (1, 2):
        with building_with(seed):
            part = small().split("train")
        for epoch in (0, 1):
            made[seed, epoch] = part.training_batch(torch.arange(6), 999, epoch).frames
            # Neither the batch's own seed nor how batches are cut has a say.
            again = torch.cat([part.training_batch(torch.tensor([i]), i, epoch).frames for i in range(6)])
            assert torch.equal(made[seed, epoch], again)
    every = torch.stack(list(made.values())).flatten(0, 1)
    assert len(torch.unique(every, dim=0)) == 24
    with building_with(1):
        fixed = small(fresh=False).split("train")
    epochs = [fixed.training_batch(torch.arange(6), 0, epoch).frames for epoch in (0, 3)]
    assert torch.equal(*epochs)
    assert torch.equal(epochs[0], whole(small(), "train"))  # what `batch` gives is fixed in any case


def test_no_image_is_in_two_pools() -> None:
    pools = make_pools("builtin", Cutting())
    sizes = {name: len(images) for name, images in pools.images.items()}
    assert sizes == {"train": 1440, "val": 160, "test": 400}
    every = [image.tobytes() for images in pools.images.values() for image in images]
    assert len(set(every)) == len(every) == 2000
    assert pools.removed == 0
    assert make_pools("builtin", Cutting(split_seed=1)).images["test"].tobytes() != pools.images["test"].tobytes()


def test_equal_images_are_left_out(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 6, 6), dtype=np.uint8)
    images[10:] = images[:10]  # every image twice
    np.savez(tmp_path / "twice.npz", images=images, labels=np.arange(20) % 2)
    pools = make_pools(str(tmp_path / "twice.npz"), Cutting(0.25, 0.25))
    keys = {name: {image.tobytes() for image in found} for name, found in pools.images.items()}
    assert pools.removed > 0
    assert not keys["train"] & keys["val"]
    assert not keys["train"] & keys["test"]
    assert not keys["val"] & keys["test"]


def test_digits_that_are_drawn() -> None:
    images, labels = segment_digits()
    again, _ = segment_digits.__wrapped__()
    assert images.shape == (2000, 28, 28)
    assert (images == again).all()
    assert np.bincount(labels).tolist() == [200] * 10
    ink = [images[labels == digit].mean() for digit in range(10)]
    assert np.argmin(ink) == 1  # two strokes
    assert np.argmax(ink) == 8  # seven
    soft = (images > 0) & (images < 255)
    assert 0.02 < soft.mean() < 0.4  # edges are anti-aliased
    assert images.max(axis=(1, 2)).min() > 200


def test_scaling_is_the_mean_over_areas() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    halved = scaled_digits(images, 14)
    by_hand = images.reshape(3, 14, 2, 14, 2).mean((2, 4))
    np.testing.assert_allclose(halved, by_hand, atol=0.501)
    assert (scaled_digits(images, 28) == images).all()
    assert (scaled_digits(np.full((1, 7, 9), 77, np.uint8), 5) == 77).all()  # no rim gets darker
    thirds = scaled_digits(np.array([[[0, 90, 255]]], np.uint8).repeat(2, 1), 2)[0, 0]
    assert thirds.tolist() == [30, 200]  # (0 + 90 / 2) / 1.5 and (90 / 2 + 255) / 1.5


def test_digits_of_a_set_that_is_cut(tmp_path: Path) -> None:
    root = files.mnist(tmp_path)
    data = small(source=str(root / "MNIST" / "raw"), digit_size=None, canvas=40)
    assert data.pools.parted
    assert len(data.pools.images["test"]) == 30
    assert len(data.pools.images["train"]) + len(data.pools.images["val"]) == 60
    assert data.describe()["digit"] == "28 x 28"


@pytest.mark.skipif(not MNIST.exists(), reason="MNIST-test is not beside the project")
def test_real_digits() -> None:
    data = MovingDigits(source=str(MNIST), train=2, val=2, test=3).load()
    assert {name: len(images) for name, images in data.pools.images.items()} == {
        "train": 7200,
        "val": 800,
        "test": 2000,
    }
    frames = whole(data, "test").reshape(3, 20, 64, 64)
    assert 0.02 < frames.mean() < 0.12
    assert (frames.sum((2, 3)) > 20).all()  # a digit is on every frame


def file_of(path: Path, frames: int = 5, count: int = 7, side: int = 20) -> Any:
    array = np.random.default_rng(1).integers(0, 256, (frames, count, side, side), dtype=np.uint8)
    np.save(path, array)
    return array


def test_a_test_file_takes_the_place_of_drawn_sequences(tmp_path: Path) -> None:
    array = file_of(tmp_path / "seq.npy")
    data = small(test_file=str(tmp_path / "seq.npy"))
    found = whole(data, "test").reshape(7, 5, 20, 20)
    np.testing.assert_allclose(found.numpy(), array.transpose(1, 0, 2, 3) / np.float32(255), rtol=1e-6)
    assert data.leaks == ()
    assert torch.equal(whole(data, "val"), whole(small(), "val"))
    assert data.fingerprint != small().fingerprint
    assert data.describe()["splits"]["test"] == {"sequences": 7}
    # A set that does not say which of its digits are test may have given some to the file.
    images = np.random.default_rng(0).integers(0, 256, (40, 9, 9), dtype=np.uint8)
    np.savez(tmp_path / "digits.npz", images=images, labels=np.arange(40) % 2)
    (leak,) = small(source=str(tmp_path / "digits.npz"), test_file=str(tmp_path / "seq.npy")).leaks
    assert "digits of the test file" in leak


def test_what_is_refused(tmp_path: Path) -> None:
    def problem(**knobs: Any) -> Any:
        with pytest.raises(DiagnosticError) as caught:
            small(**knobs)
        return caught.value.diagnostics[0]

    found = problem(canvas=28, digit_size=None)
    assert (found.code, found.path) == ("R331", "data.canvas")
    assert "28 x 28 cannot move on a canvas of 28 x 28" in found.message
    assert problem(source="mnist").code == "D101"
    assert "snnctl data prep mnist" in problem(source="mnist").help
    assert problem(source="./nowhere").code == "D101"
    assert "snnctl data prep moving_mnist" in problem(test_file="moving_mnist").help
    file_of(tmp_path / "short.npy", frames=4)
    assert problem(test_file=str(tmp_path / "short.npy")).code == "R330"
    file_of(tmp_path / "wide.npy", side=24)
    assert problem(test_file=str(tmp_path / "wide.npy")).code == "R330"
    rules = list(MovingDigits.rules({"canvas": [30, 20], "digit_size": 20}))
    assert rules == [("digit_size", "`digit_size` must be smaller than `canvas`, or the digits cannot move")]
