"""Frames of videos are read as pictures are: depth, transparency, damage; animated GIFs are clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.video.component import Video


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "snnctl"


def video(folder: Path, **knobs: Any) -> Any:
    return Video(source=str(folder), **{"frames_in": 2, "frames_out": 2, "val": 1, "test": 1} | knobs).load()


def problem(call: Any) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        call()
    assert caught.value.exit_code == 3
    return caught.value.diagnostics[0]


def clips(count: int = 5, frames: int = 4) -> Any:
    return np.random.default_rng(0).integers(0, 4096, (count, frames, 6, 8))


def laid(folder: Path, values: Any, draw: Any) -> Path:
    for number, clip in enumerate(values):
        (folder / f"clip{number}").mkdir(parents=True)
        for frame, pixels in enumerate(clip):
            draw(pixels).save(folder / f"clip{number}" / f"{frame}.png")
    return folder


def stored(data: Any) -> Any:
    return np.asarray(data.source.parts["all"].frames)


def test_depth_and_range_of_frames(tmp_path: Path) -> None:
    values = clips()
    folder = laid(tmp_path / "deep", values, lambda pixels: Picture.fromarray(pixels.astype(np.uint16)))
    data = video(folder)
    np.testing.assert_array_equal(stored(data)[..., 0], np.rint(values.reshape(20, 6, 8) / 65535 * 255))
    assert [warning.code for warning in data.warnings] == ["D262"]
    assert data.facts()["modes"] == {"I;16": 20}
    ranged = video(folder, range=[0, 4095])
    np.testing.assert_array_equal(stored(ranged)[..., 0], np.rint(values.reshape(20, 6, 8) / 4095 * 255))
    assert ranged.warnings == ()
    assert ranged.split("test").batch(torch.tensor([0])).frames.max() <= 1


def test_transparent_frames(tmp_path: Path) -> None:
    def ink(pixels: Any) -> Any:
        none = np.zeros_like(pixels, np.uint8)
        return Picture.fromarray(np.stack([none, none, none, (pixels // 16).astype(np.uint8)], -1))

    folder = laid(tmp_path / "ink", clips(), ink)
    data = video(folder)
    assert np.abs(stored(data)[..., 0] - (255.0 - clips().reshape(20, 6, 8) // 16)).max() <= 1
    assert [warning.code for warning in data.warnings] == ["D263"]
    flat = problem(lambda: video(folder, ground="black"))
    assert (flat.code, "data.ground" in flat.help) == ("D265", True)


def test_animated_gifs_are_clips(tmp_path: Path) -> None:
    values = (clips(6, 4) // 16).astype(np.uint8)
    for number, clip in enumerate(values):
        part = tmp_path / "set" / ("test" if number > 3 else "train")
        part.mkdir(parents=True, exist_ok=True)
        first, *rest = (Picture.fromarray(frame) for frame in clip)
        first.save(part / f"walk-{'abcdef'[number]}.gif", save_all=True, append_images=rest)
    data = video(tmp_path / "set", channels=1)
    assert data.source.clips == {"test": 2, "train": 4}
    np.testing.assert_array_equal(np.asarray(data.source.parts["train"].frames)[..., 0], values[:4].reshape(16, 6, 8))
    np.testing.assert_array_equal(np.asarray(data.source.parts["test"].frames)[..., 0], values[4:].reshape(8, 6, 8))
    assert "D264" not in [warning.code for warning in data.warnings]
    assert video(tmp_path / "set").source.shape == (6, 8, 3)
    file = tmp_path / "set" / "train" / "walk-a.gif"
    raw = file.read_bytes()
    for damaged in (raw[: len(raw) // 2], raw[:5], b"", b"GIF89a" + b"\xff" * 300):
        file.write_bytes(damaged)
        assert problem(lambda: video(tmp_path / "set", channels=1)).code in ("D220", "D233", "D260")


def test_an_animation_that_would_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [Picture.fromarray(frame.astype(np.uint8)) for frame in clips(1, 9)[0]]
    (tmp_path / "set").mkdir()
    frames[0].save(tmp_path / "set" / "a.gif", save_all=True, append_images=frames[1:])
    monkeypatch.setattr("snnctl.data.decoding.MOST_OF_A_CLIP", 8 * 48)
    assert problem(lambda: video(tmp_path / "set")).code == "D260"


def test_damaged_frames(tmp_path: Path) -> None:
    folder = laid(tmp_path / "set", clips(), lambda pixels: Picture.fromarray(pixels.astype(np.uint16)))
    raw = (folder / "clip1" / "2.png").read_bytes()
    for damaged in (raw[:-30], raw[:20], b"", b"P5 99999999 99999999 255\n"):
        (folder / "clip1" / "2.png").write_bytes(damaged)
        assert problem(lambda: video(folder)).code in ("D220", "D260")
