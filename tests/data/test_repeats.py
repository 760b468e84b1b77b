"""Items that stand in two splits: as many as a plain loop counts, for pictures, recordings and videos."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import image_files
import numpy as np
import pytest
import video_files
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture

from snnctl.data.events.component import EventSpikes
from snnctl.data.images.component import Image
from snnctl.data.repeats import FILE, repeats
from snnctl.data.video.component import Video


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "snnctl"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=1), min_size=1, max_size=12), st.lists(st.sampled_from("abc"), min_size=12))
def test_by_plain_loop(items: list[bytes], places: list[str]) -> None:
    names = dict(zip("abc", ("train", "val", "test"), strict=True))
    own = {name: [i for i in range(len(items)) if names[places[i]] == name] for name in names.values()}
    cut = {name: ("all", np.array(rows, np.int64)) for name, rows in own.items()}
    found = repeats({"all": partial(iter, items)}, cut, "items")
    for (later, earlier), count in found.counts.items():
        known = {items[i] for i in own[earlier] if items[i]}
        assert count == sum(items[i] in known for i in own[later])
    assert len(found.warnings("x")) == any(found.counts.values())


def test_pictures(tmp_path: Path, cache: Path) -> None:
    folder = image_files.folders(tmp_path / "set", {"train": 20, "val": 6, "test": 9})
    data = Image(source=str(folder)).load()
    assert (data.warnings, data.leaks) == ((), ())
    for number in range(3):
        copy = (folder / "train" / "ant" / f"{3 * number:04}.png").read_bytes()
        (folder / "test" / "bee" / f"copy{number}.png").write_bytes(copy)
    data = Image(source=str(folder)).load()
    (said,) = data.warnings
    assert (said.code, said.severity) == ("D280", "warning")
    assert said.message == "3 of 12 test pictures also stand in train"
    assert data.facts()["repeated"] == {"test_in_train": 3, "val_in_train": 0, "test_in_val": 0}
    (kept,) = [path for path in (cache / "images").glob(f"*/{FILE}") if path.parent.name == data.store.manifest.key]
    before = data.fingerprint
    for damaged in (b"junk", b""):
        kept.write_bytes(damaged)
        again = Image(source=str(folder)).load()
        assert (again.repeats.counts, again.fingerprint) == (data.repeats.counts, before)


def test_pictures_that_differ_in_their_files_alone(tmp_path: Path) -> None:
    """Pixels count, however they are packed."""
    folder = image_files.folders(tmp_path / "set", {"train": 20, "val": 6, "test": 9})
    Picture.open(folder / "train" / "cow" / "0002.png").save(folder / "test" / "cow" / "same.bmp")
    assert Image(source=str(folder)).load().facts()["repeated"]["test_in_train"] == 1


def test_recordings(tmp_path: Path) -> None:
    random = np.random.default_rng(0)

    def write(part: str, name: str, times: Any, units: Any) -> None:
        path = tmp_path / "set" / part / f"c{int(name) % 2}" / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, t=times, unit=units)

    kept = [(np.sort(random.random(9)), random.integers(0, 5, 9)) for _ in range(30)]
    for number, (times, units) in enumerate(kept):
        write("train" if number < 20 else "test", str(number), times, units)
    write("train", "40", np.empty(0), np.empty(0, int))
    write("test", "41", np.empty(0), np.empty(0, int))
    write("test", "42", *kept[3])
    data = EventSpikes(source=str(tmp_path / "set"), max_time=1.0, val=2).load()
    found = data.facts()["repeated"]
    assert found["test_in_train"] + found["test_in_val"] == 1
    assert [warning.code for warning in data.warnings].count("D280") == 1


def test_clips(tmp_path: Path) -> None:
    clips = video_files.clips(8, 5)[..., 0]
    test = np.concatenate((clips[:2], video_files.clips(3, 5, seed=9)[..., 0]))
    np.savez(tmp_path / "set.npz", train=clips, test=test)
    data = Video(source=str(tmp_path / "set.npz"), layout="nthw", frames_in=2, frames_out=2, val=2).load()
    found = data.facts()["repeated"]
    assert found["test_in_train"] + found["test_in_val"] == 2
    assert "5 test clips also stand in" in data.warnings[0].message
    np.save(tmp_path / "twice.npy", np.concatenate((clips, clips)))
    data = Video(source=str(tmp_path / "twice.npy"), layout="nthw", frames_in=2, frames_out=2, test=4, val=4).load()
    assert data.facts()["repeated"] == {
        f"{later}_in_{earlier}": len(
            [
                clip
                for clip in np.unique(data.split(later).windows.clips)
                if (clip + 8) % 16 in data.split(earlier).windows.clips
            ]
        )
        for later, earlier in (("test", "train"), ("val", "train"), ("test", "val"))
    }


def test_one_clip_that_is_cut_in_time_is_no_repetition(tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", video_files.clips(1, 60)[..., 0])
    data = Video(source=str(tmp_path / "clip.npy"), layout="nthw", frames_in=2, frames_out=2).load()
    assert (data.warnings, set(data.facts()["repeated"].values())) == ((), {0})
