"""Sets that lie in the cache already are found again: their folders' names and files are fixed to the letter."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from snnctl.core.catalog import DATA
from snnctl.core.diagnostic import DiagnosticError

NO_SIZE = "Shape(size=None, channels=None)"
PICTURES = ((10, 2, 3, 1), "folder")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "snnctl"


def _source(folder: Path, names: Sequence[str]) -> str:
    """Files that no reader takes, in `folder`, and the stamp of their names, sizes and times."""
    digest = hashlib.sha256()
    for name in sorted(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"junk")
        os.utime(path, ns=(1_700_000_000_000_000_000, 1_700_000_000_000_000_000))
        digest.update(f"{name}\x004\x001700000000000000000\x00".encode())
    return digest.hexdigest()


def _key(stem: str, settings: str) -> str:
    return f"{stem}-{hashlib.sha256(settings.encode()).hexdigest()[:12]}"


def _lay(folder: Path, manifest: dict[str, Any], fill: Callable[[Path], None]) -> None:
    """A set as an earlier version wrote it."""
    folder.mkdir(parents=True)
    fill(folder)
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in folder.iterdir()
    }
    common = {"created": "2026-01-01T00:00:00+00:00", "licence": "", "schema": 1, "key": folder.name, "files": files}
    (folder / "manifest.json").write_text(json.dumps(common | manifest))


def _pixels(shape: Sequence[int]) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        np.save(folder / "all.images.npy", np.arange(np.prod(shape), dtype=np.uint8).reshape(shape))
        np.save(folder / "all.labels.npy", np.arange(shape[0]) % 2)

    return fill


def _facts(shape: Sequence[int], format: str) -> dict[str, Any]:
    return {
        "origin": "somewhere",
        "format": format,
        "shape": list(shape[1:]),
        "classes": ["a", "b"],
        "parts": {"all": shape[0]},
    }


def _spikes(folder: Path) -> None:
    count = 10
    np.full(2 * count, 0.5, np.float32).tofile(folder / "all.times")
    np.arange(2 * count, dtype=np.uint16).tofile(folder / "all.units")
    columns = {"lengths": np.full(count, 2), "labels": np.arange(count) % 2}
    np.savez(folder / "all.npz", **columns, speakers=np.arange(count), takes=np.full(count, -1))


_SPIKE_FACTS = {
    "origin": "somewhere",
    "format": "files",
    "units": 20,
    "seconds": 0.5,
    "classes": ["a", "b"],
    "speakers": [],
    "parts": {"all": 10},
    "spikes": {"all": 20},
    "times": {"all": "<f4"},
}


def _clips(folder: Path) -> None:
    np.save(folder / "all.frames.npy", np.arange(80 * 6, dtype=np.uint8).reshape(80, 2, 3, 1))
    np.save(folder / "all.clips.npy", np.array([(8, group, 0) for group in range(10)]))


_CLIP_FACTS = {
    "origin": "somewhere",
    "format": "frames",
    "shape": [2, 3, 1],
    "clips": {"all": 10},
    "frames": {"all": 80},
    "by": "clip",
    "from_end": False,
    "shared": 0,
    "lengths": None,
}


@pytest.mark.parametrize("kind", ["image", "sequential_image"])
def test_pictures_are_found_again(kind: str, tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "set.of pictures"
    stamp = _source(folder, ["a/1.png", "a/2.png", "b/1.png"])
    key = _key("set-of-pictures", f"(1, {str(folder)!r}, {stamp!r}, {NO_SIZE}, None, 2)")  # 2: depth, ground, turn
    _lay(cache / "images" / key, _facts((10, 2, 3, 1), "folder"), _pixels((10, 2, 3, 1)))
    data = DATA.get(kind)(source=str(folder), normalise="none").load()
    batch = data.split("train").batch(torch.arange(len(data.split("train"))))
    assert batch.inputs.unique().tolist() == sorted(batch.inputs.flatten().tolist())
    assert [path.name for path in (cache / "images").iterdir()] == [key]
    with pytest.raises(DiagnosticError, match="not a picture"):  # of another size they were decoded anew, and cannot be
        DATA.get(kind)(source=str(folder), size=[2, 2]).load()


def test_frames_of_events_are_found_again(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "gestures"
    stamp = _source(folder, ["a/1.bin", "b/1.bin"])
    key = _key("gestures", f"(1, {str(folder)!r}, {stamp!r}, 4, 'time', (34, 34))")
    _lay(cache / "images" / key, _facts((10, 4, 2, 3, 2), "events"), _pixels((10, 4, 2, 3, 2)))
    made = DATA.get("event_frames")(source=str(folder), frames=4, cut="time", size=[34, 34])
    assert made.load().split("train").batch(torch.arange(2)).inputs.shape == (2, 4, 6, 2)
    assert [path.name for path in (cache / "images").iterdir()] == [key]


def test_recordings_of_spikes_are_found_again(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "spikes"
    stamp = _source(folder, ["a/1.npz", "b/1.npz"])
    key = _key("spikes", f"(1, {str(folder)!r}, {stamp!r}, None)")

    _lay(cache / "spikes" / key, _SPIKE_FACTS, _spikes)
    data = DATA.get("event_spikes")(source=str(folder), steps=5, max_time=1.0).load()
    assert data.split("train").batch(torch.arange(1)).inputs.sum(dim=(0, 2, 3)).tolist() == [0, 0, 2, 0, 0]
    assert [path.name for path in (cache / "spikes").iterdir()] == [key]


def test_videos_are_found_again(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "clips"
    stamp = _source(folder, ["a/1.png", "b/1.png"])
    key = _key("clips", f"(1, {str(folder)!r}, {stamp!r}, None, Frame{NO_SIZE}, 2)")

    _lay(cache / "videos" / key, _CLIP_FACTS, _clips)
    data = DATA.get("video")(source=str(folder), frames_in=2, frames_out=2).load()
    assert data.split("train").batch(torch.arange(2)).frames.shape == (2, 4, 6, 1)
    assert [path.name for path in (cache / "videos").iterdir()] == [key]


@pytest.mark.parametrize(
    ("kind", "knobs", "folder"),
    [
        ("image", {"source": "mnist"}, "images/mnist-542aeed46bef"),
        ("sequential_image", {"source": "mnist"}, "images/mnist-542aeed46bef"),
        ("image", {"source": "tiny_imagenet"}, "images/tiny_imagenet-98fa2583b0a5"),
        (
            "image",
            {"source": "hub", "hub": "a/b", "size": [32, 32], "channels": 3, "label": "lab"},
            "images/b-f1a2be21272a",
        ),
        ("event_spikes", {"source": "shd"}, "spikes/shd-e6a8b8dfb6f8"),
        ("event_spikes", {"source": "ssc"}, "spikes/ssc-cdef708a3d0d"),
        ("event_spikes", {"source": "fsdd"}, "spikes/fsdd-5fa06830dacd"),
        ("video", {"source": "taxibj"}, "videos/taxibj-e896ea280b4d"),
        ("video", {"source": "kth"}, "videos/kth-122468c3251e"),
        ("video", {"source": "kth", "size": [64, 64], "channels": 3}, "videos/kth-d74f6b802469"),
    ],
)
def test_named_sets_are_found_again(kind: str, knobs: dict[str, Any], folder: str, cache: Path) -> None:
    room = folder.split("/")[0]
    facts, fill = {
        "images": (_facts(*PICTURES), _pixels(PICTURES[0])),
        "spikes": (_SPIKE_FACTS, _spikes),
        "videos": (_CLIP_FACTS, _clips),
    }[room]
    made = DATA.get(kind)(**knobs, **({"frames_in": 2, "frames_out": 2} if kind == "video" else {}))
    with pytest.raises(DiagnosticError, match="not prepared"):
        made.load()
    _lay(cache / folder, facts, fill)
    assert len(made.load().split("train"))
    made.prepare()  # a sound set is neither fetched nor asked for
    assert [path.name for path in (cache / room).iterdir()] == [folder.split("/")[1]]


def test_the_file_of_moving_digits_is_found_again(cache: Path) -> None:
    def fill(folder: Path) -> None:
        np.save(folder / "test.frames.npy", np.zeros((40, 64, 64, 1), np.uint8))
        np.save(folder / "test.clips.npy", np.array([(20, number, 0) for number in range(2)]))

    facts = _CLIP_FACTS | {"shape": [64, 64, 1], "clips": {"test": 2}, "frames": {"test": 40}}
    _lay(cache / "videos" / "moving_mnist-633c0cfc43cf", facts, fill)
    data = DATA.get("moving_digits")(train=2, val=2, test_file="moving_mnist").load()
    assert len(data.split("test")) == 2
