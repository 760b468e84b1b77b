"""`snnctl eval --examples` on videos: strips, curves, a moving picture, and pictures drawn anew from saved arrays."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from saved_arrays import saved_sequences

from snnctl.cli.app import run
from snnctl.inspect.predictions.collect import NETWORK, Sequences
from snnctl.inspect.predictions.figures import curves_picture, moving, rows_of, strips
from snnctl.inspect.predictions.page import report
from snnctl.measure.video import VideoMetrics
from snnctl.report.saving import write

RECIPE = """\
schema: 1
name: small-video
task: {type: video_prediction}
data: {type: moving_digits, canvas: 16, digit_size: 8, frames_in: 3, frames_out: 2, train: 8, val: 4, test: 5}
encoder: none
model: {type: video_stack, dim: 8, layers: 1, patch: 4, norm_groups: 2, kernel: 3}
readout: frames
train: {epochs: 1, batch_size: 4, seed: 3}
"""


def made(
    count: int = 4, channels: int = 1, seen: int = 5, ahead: int = 3, grid: tuple[int, int] = (8, 10)
) -> Sequences:
    random = np.random.default_rng(0)
    frames = random.random((count, seen + ahead, *grid, channels)).astype(np.float32)
    predicted = (1.4 * random.random((count, ahead, *grid, channels)) - 0.2).astype(np.float32)
    names = ("mse", "ssim", "psnr")
    meter = VideoMetrics(names, ahead, grid)  # type: ignore[arg-type]
    meter.update(*(torch.from_numpy(part).flatten(2, 3) for part in (predicted, frames[:, seen:])))
    curves = {NETWORK: meter.per_frame(), "black": {name: [1.0, np.inf, 2.0][:ahead] for name in names}}
    return Sequences(
        "a", "test", seen, np.arange(count) + 7, frames, predicted, np.arange(count, dtype=np.int64), curves
    )


def test_rows_of_a_strip() -> None:
    found = made()
    rows = rows_of(found, 2)
    assert [(title, first, len(tiles)) for title, first, tiles in rows] == [
        ("input", 1, 5),
        ("target", 6, 3),
        ("prediction", 6, 3),
        ("|error|", 6, 3),
    ]
    for (_, _, tiles), wanted in zip(
        rows, (found.frames[2, :5], found.frames[2, 5:], found.predicted[2]), strict=False
    ):
        assert np.allclose(tiles, np.broadcast_to(wanted, tiles.shape))  # a grey for one channel
    # No error is black, and the larger the error the brighter.
    same = Sequences(**{**vars(found), "predicted": found.frames[:, 5:].copy()})
    assert rows_of(same, 0)[3][2].max() < 0.02
    error = np.abs(found.predicted[2] - found.frames[2, 5:]).mean(-1).ravel()
    brightness = rows[3][2].sum(-1).ravel()
    assert (np.diff(brightness[np.argsort(error)]) > -0.02).all()


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_one_column_for_each_frame(channels: int) -> None:
    picture = strips(made(channels=channels), [0, 3], "sequences_1")
    panels = picture.figure.axes
    assert len(panels) == 2
    for axes, index in zip(panels, (7, 10), strict=True):
        assert len(axes.images) == 5 + 3 + 3 + 3
        texts = [text.get_text() for text in axes.texts]
        assert [text for text in texts if not text.isdigit()] == ["input", "target", "prediction", "|error|"]
        assert [text for text in texts if text.isdigit()] == [*"12345", *"678", *"678", *"678"]
        assert axes.get_title(loc="left").startswith(f"sequence {index}: MSE ")


def test_curves_count_frames_of_the_whole_sequence() -> None:
    found = made()
    figure = curves_picture("a", "test", found.seen, found.curves).figure
    drawn = [axes for axes in figure.axes if axes.lines]
    assert len(drawn) == 3
    for axes, metric in zip(drawn, ("mse", "ssim", "psnr"), strict=True):
        assert [line.get_label() for line in axes.lines] == [NETWORK, "black"]
        assert axes.lines[0].get_xdata().tolist() == [6, 7, 8]
        assert list(axes.lines[0].get_ydata()) == found.curves[NETWORK][metric]
        assert np.isnan(axes.lines[1].get_ydata()[1])  # an infinite value is a gap


def test_a_moving_picture_shows_truth_prediction_and_error() -> None:
    found = made(count=8, grid=(48, 96))  # a pixel is a pixel
    film = Image.open(io.BytesIO(moving(found).data))
    assert film.n_frames == 8
    assert film.size == (3 * 98, 6 * 50)  # six sequences at most
    for frame, seen in ((0, True), (6, False)):
        film.seek(frame)
        pixels = np.asarray(film.convert("RGB"), np.float64) / 255
        truth, prediction, error = (pixels[:48, left : left + 96] for left in (0, 98, 196))
        assert np.abs(truth - found.frames[0, frame]).max() < 0.02
        if seen:
            assert np.ptp(prediction) < 0.01
            assert np.ptp(error) < 0.01
        else:
            assert np.abs(prediction - found.predicted[0, frame - 5].clip(0, 1)).max() < 0.02
            assert np.ptp(error) > 0.5
    assert Image.open(io.BytesIO(moving(made(channels=3)).data)).n_frames == 8


def test_pictures_are_drawn_anew_from_saved_arrays(tmp_path: Path) -> None:
    found = made(count=1, seen=2, ahead=2)
    write(report(found), tmp_path / "first", "once")
    again = saved_sequences(tmp_path / "first" / "sequences.npz")
    for key, value in vars(found).items():
        other = getattr(again, key)
        assert np.array_equal(other, value) if isinstance(value, np.ndarray) else other == value
    write(report(again), tmp_path / "second", "once")
    for name in ("sequences_1.png", "per_frame.png", "sequences.gif", "per_frame.csv"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_the_page_holds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnctl.report.saving.render", lambda picture: (b"\x89PNG", b"<svg/>"))
    written = write(report(made()), tmp_path, "snnctl eval x")
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/gif;base64,") == 1
    assert page.count("data:image/png;base64,") == 3
    assert {Path(name).name for name in written["files"]} == {path.name for path in tmp_path.iterdir()}
    none = write(report(made(count=0)), tmp_path / "none", "snnctl eval x")
    assert none["examples"] == []
    assert not list((tmp_path / "none").glob("sequences*.png"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr("snnctl.report.saving.render", lambda picture: (b"\x89PNG", b"<svg/>"))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    assert run(["train", "recipe.yaml", "--out", "run", "--quiet"]) == 0
    return tmp_path / "run"


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["eval", *words, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_examples_agree_with_the_metrics(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = answer(capsys, str(folder), "--examples", "5")
    found = document["predictions"]
    assert list(document["baselines"]) == ["copy_last", "black", "train_mean"]
    assert (found["frames_in"], found["frames_out"]) == (3, 2)
    # All five sequences of the split: their mean is what the split has, and so is that of each curve.
    for metric in ("mse", "mae", "ssim", "ssim2"):
        mean = np.mean([item[metric] for item in found["examples"]])
        assert mean == pytest.approx(document["metrics"][f"test/{metric}"], rel=1e-5)
        for who, scores in {NETWORK: None, **document["baselines"]}.items():
            score = document["metrics"][f"test/{metric}"] if scores is None else scores[metric]
            assert np.mean(found["per_frame"][who][metric]) == pytest.approx(score, rel=1e-5)
    layers = document["spikes"]["layers"]
    whole = sum(sum(level * n for level, n in enumerate(layer["histogram"])) for layer in layers)
    assert sum(item["spikes"] for item in found["examples"]) == whole
    assert sorted(item["index"] for item in found["examples"]) == [0, 1, 2, 3, 4]
    saved = saved_sequences(folder / "predictions" / "sequences.npz")
    assert saved.frames.shape == (5, 5, 16, 16, 1)
    assert saved.predicted.shape == (5, 2, 16, 16, 1)
    with (folder / "predictions" / "per_frame.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["frame"]) for row in rows[:3]] == [(NETWORK, "4"), (NETWORK, "5"), ("copy_last", "4")]


def test_on_a_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", str(folder), "--examples", "2", "--no-baselines", "--out", str(folder / "seen")]) == 0
    said = capsys.readouterr().out
    assert "mse at each frame ahead" in said
    assert "single sequences" in said
    assert "copy_last" not in said
    assert (folder / "seen" / "sequences.gif").exists()
    assert "predictions" not in answer(capsys, str(folder), "--no-baselines")
