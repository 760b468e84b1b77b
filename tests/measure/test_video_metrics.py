"""Metrics of frames: values by hand, a plain loop for structural similarity, batches of any size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnctl.measure.ssim import ssim
from snnctl.measure.video import VIDEO_METRIC_NAMES, VideoMetrics


def frames(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def measured(prediction: Tensor, target: Tensor, grid: tuple[int, int]) -> dict[str, float]:
    meter = VideoMetrics(VIDEO_METRIC_NAMES, target.shape[1], grid)
    meter.update(prediction, target)
    return meter.compute()


def windows_by_loop(p: Any, t: Any, data_range: float) -> float:
    """Structural similarity of two images [H, W], window by window, with NumPy's own covariance."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = []
    for row in range(p.shape[0] - 6):
        for column in range(p.shape[1] - 6):
            a, b = (image[row : row + 7, column : column + 7].ravel() for image in (p, t))
            cov = np.cov(a, b)  # divides by n - 1
            above = (2 * a.mean() * b.mean() + c1) * (2 * cov[0, 1] + c2)
            below = (a.mean() ** 2 + b.mean() ** 2 + c1) * (cov[0, 0] + cov[1, 1] + c2)
            values.append(above / below)
    return float(np.mean(values))


def test_an_offset_of_a_tenth() -> None:
    target = 0.9 * frames(3, 4, 64 * 64, 1).double()
    found = measured(target + 0.1, target, (64, 64))
    assert found["mse"] == pytest.approx(40.96, rel=1e-9)
    assert found["mae"] == pytest.approx(409.6, rel=1e-9)
    assert found["psnr"] == pytest.approx(20.0, rel=1e-9)


def test_errors_come_before_clipping() -> None:
    ones = torch.ones(2, 1, 32 * 32, 1)
    found = measured(1.5 * ones, ones, (32, 32))
    assert found["mse"] == pytest.approx(0.25 * 1024)
    assert found["mae"] == pytest.approx(512)
    assert (found["psnr"], found["ssim"], found["ssim2"]) == (math.inf, 1.0, 1.0)
    below = measured(ones - 1.5, 0 * ones, (32, 32))  # black stays black
    assert (below["psnr"], below["ssim"]) == (math.inf, 1.0)
    assert below["mse"] == pytest.approx(256)


def test_constant_images() -> None:
    ones = torch.ones(1, 2, 80, 1)
    found = measured(0.5 * ones, ones, (8, 10))
    assert found["ssim"] == pytest.approx(0.800016, abs=5e-7)
    assert found["ssim2"] == pytest.approx(0.800064, abs=5e-7)


@pytest.mark.parametrize(("rows", "columns", "channels"), [(7, 7, 1), (7, 12, 2), (16, 9, 3)])
def test_structural_similarity_by_plain_loops(rows: int, columns: int, channels: int) -> None:
    target = frames(2, 3, rows * columns, channels).double()
    prediction = target + 0.3 * torch.randn(target.shape, generator=torch.Generator().manual_seed(1)).double()
    found = measured(prediction, target, (rows, columns))
    p, t = (x.numpy().reshape(2, 3, rows, columns, channels) for x in (prediction.clamp(0, 1), target))
    for name, data_range in (("ssim", 1.0), ("ssim2", 2.0)):
        every = [
            windows_by_loop(p[n, f, ..., c], t[n, f, ..., c], data_range)
            for n in range(2)
            for f in range(3)
            for c in range(channels)
        ]
        assert found[name] == pytest.approx(np.mean(every), abs=1e-10)


def test_structural_similarity_of_the_library() -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    random = np.random.default_rng(0)
    a, b = random.random((2, 31, 40)), random.random((2, 31, 40))
    for number, data_range in enumerate((1.0, 2.0)):
        found = ssim(torch.from_numpy(a), torch.from_numpy(b), (1.0, 2.0))[number]
        wanted = [metrics.structural_similarity(p, t, data_range=data_range) for p, t in zip(a, b, strict=True)]
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)


def test_many_images_are_cut_into_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = frames(11, 8, 9).double(), frames(11, 8, 9, seed=1).double()
    whole = ssim(a, b, (1.0,))
    monkeypatch.setattr("snnctl.measure.ssim._PIXELS", 200)
    assert torch.equal(ssim(a, b, (1.0,)), whole)
    assert ssim(a[:0], b[:0], (1.0, 2.0)).shape == (2, 0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.integers(1, 3), st.integers(1, 2))
def test_batches_of_any_size_and_merging(sizes: list[int], ahead: int, channels: int) -> None:
    grid, count = (7, 8), sum(sizes)
    prediction = 2 * frames(count, ahead + 1, 56, channels) - 0.5  # a frame before those that count
    target = frames(count, ahead, 56, channels, seed=2)
    meter, other = (VideoMetrics(VIDEO_METRIC_NAMES, ahead, grid) for _ in range(2))
    for number, (p, t) in enumerate(zip(prediction.split(sizes), target.split(sizes), strict=True)):
        (meter, other)[number % 2].update(p, t)
    meter.merge(other)
    if not count:
        assert all(math.isnan(value) for value in meter.compute().values())
        return
    once = VideoMetrics(VIDEO_METRIC_NAMES, ahead, grid)
    once.update(prediction[:, 1:], target)
    assert meter.compute() == pytest.approx(once.compute(), rel=1e-12)
    for name, curve in once.per_frame().items():
        assert len(curve) == ahead
        assert np.mean(curve) == pytest.approx(once.compute()[name])


def test_curves_are_those_of_single_frames() -> None:
    prediction, target = frames(4, 3, 64, 1), frames(4, 3, 64, 1, seed=1)
    meter = VideoMetrics(VIDEO_METRIC_NAMES, 3, (8, 8))
    meter.update(prediction, target)
    for frame in range(3):
        alone = measured(prediction[:, frame : frame + 1], target[:, frame : frame + 1], (8, 8))
        assert {name: curve[frame] for name, curve in meter.per_frame().items()} == pytest.approx(alone)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="6 x 20 are smaller than the 7 x 7"):
        VideoMetrics(["mse", "ssim"], 1, (6, 20))
    VideoMetrics(["mse", "psnr"], 1, (6, 20))
    with pytest.raises(ValueError, match="unknown metric `lpips`"):
        VideoMetrics(["lpips"], 1, (8, 8))  # type: ignore[list-item]
    with pytest.raises(ValueError, match="expected frames"):
        VideoMetrics(["mse"], 2, (8, 8)).update(frames(1, 2, 63, 1), frames(1, 2, 64, 1))
    with pytest.raises(ValueError, match="can be merged"):
        VideoMetrics(["mse"], 2, (8, 8)).merge(VideoMetrics(["mse"], 3, (8, 8)))
    with pytest.raises(ValueError, match="smaller than the window"):
        ssim(torch.zeros(1, 6, 8), torch.zeros(1, 6, 8), (1.0,))
