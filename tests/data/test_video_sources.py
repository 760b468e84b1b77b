"""Every layout in which videos are passed on; windows that cross nothing; splits that share nothing; broken files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import image_files
import numpy as np
import pytest
import torch
import video_files as files
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.shapes import SignalSpec
from snnctl.data.cache import caching_in
from snnctl.data.images import known as known_images
from snnctl.data.images.prepare import prepare as prepare_images
from snnctl.data.video.clips import Clips, lay_windows
from snnctl.data.video.component import Video
from snnctl.data.video.known import KNOWN
from snnctl.data.video.prepare import named_videos, prepare, take_in
from snnctl.data.video.readers.arrays import moving_mnist_source
from snnctl.data.video.store import STORE, open_videos


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "snnctl"


def video(source: Path | str, **knobs: Any) -> Any:
    return Video(source=str(source), **{"frames_in": 3, "frames_out": 2} | knobs).load()


def whole(data: Any, name: str) -> Any:
    part = data.split(name)
    return part.batch(torch.arange(len(part))).frames


def every(data: Any) -> Any:
    return torch.cat([whole(data, name) for name in ("train", "val", "test")])


def problem(call: Any) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        call()
    return caught.value.diagnostics[0]


def rows(frames: Any) -> set[bytes]:
    """Sequences, or frames, as things that can be compared."""
    return {np.ascontiguousarray(frame).tobytes() for frame in np.asarray(frames)}


def frames_of(sequences: Any) -> set[bytes]:
    return rows(sequences.flatten(0, 1))


LAYOUTS = {
    "nthwc": ((0, 1, 2, 3, 4), 2),
    "ntchw": ((0, 1, 4, 2, 3), 2),
    "nthw": ((0, 1, 2, 3), 1),
    "tnhw": ((1, 0, 2, 3), 1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_arrays_in_any_order_of_axes(tmp_path: Path, layout: str, suffix: str) -> None:
    axes, channels = LAYOUTS[layout]
    clips = files.clips(9, 12, channels=channels)
    array = (clips if len(axes) == 5 else clips[..., 0]).transpose(axes)
    path = tmp_path / f"clips.{suffix}"
    np.save(path, array) if suffix == "npy" else np.savez(path, frames=array)
    data = video(path, layout=layout, test=2, val=2)
    assert data.input_signal == SignalSpec(0, 80, channels, grid=(8, 10), frames=3, ahead=2)
    # Two windows of 5 in a clip of 12, with no frame in common.
    wanted = (clips[:, :10].reshape(18, 5, 80, channels) / 255.0).astype(np.float32)
    found = every(data)
    assert found.dtype == torch.float32
    assert found.shape == wanted.shape
    assert sorted(found.sum((1, 2, 3)).tolist()) == pytest.approx(sorted(wanted.sum((1, 2, 3)).tolist()), rel=1e-5)
    assert rows(found) == rows(torch.from_numpy(clips[:, :10].reshape(18, 5, 80, channels)).float() / 255)
    assert {name: len(data.split(name)) for name in ("train", "val", "test")} == {"train": 10, "val": 4, "test": 4}


@pytest.mark.usefixtures("cache")
def test_bytes_are_mapped_where_they_lie(tmp_path: Path) -> None:
    path = files.npy(tmp_path / "clips.npy", files.clips(9, 5))
    data = video(path, layout="nthwc")
    assert isinstance(data.source.parts["all"].frames.base, np.memmap)
    assert not STORE.path().exists()


@pytest.mark.usefixtures("cache")
def test_real_numbers_are_checked_and_kept(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((8, 5, 8, 9))
    data = video(files.npy(tmp_path / "clips.npy", values), layout="nthw")
    assert rows(every(data)) == rows(torch.from_numpy(values.reshape(8, 5, 72, 1)).float())
    (folder,) = STORE.path().iterdir()
    assert (folder / "manifest.json").exists()


def test_parts_of_an_npz_stay(tmp_path: Path) -> None:
    parts = {name: files.clips(n, 5, seed=n)[..., 0] for name, n in (("train", 6), ("val", 2), ("test", 3))}
    np.savez(tmp_path / "set.npz", **parts)
    data = video(tmp_path / "set.npz", layout="nthw")
    for name, clips in parts.items():
        assert rows(whole(data, name)) == rows(torch.from_numpy(clips.reshape(-1, 5, 80, 1)).float() / 255)
    del parts["val"]
    np.savez(tmp_path / "two.npz", **parts)
    two = video(tmp_path / "two.npz", layout="nthw", val=0.34)
    assert [len(two.split(name)) for name in ("train", "val", "test")] == [4, 2, 3]
    assert torch.equal(whole(two, "test"), whole(data, "test"))
    assert not rows(whole(two, "val")) & rows(whole(two, "train"))
    assert two.leaks == ()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.integers(1, 6),
    st.none() | st.integers(1, 9),
    st.booleans(),
)
def test_windows_by_plain_loop(lengths: list[int], length: int, stride: int | None, from_end: bool) -> None:
    zeros = np.zeros(len(lengths), np.int64)
    clips = Clips(None, zeros, np.array(lengths), zeros, zeros)
    found = lay_windows(clips, length, stride, from_end=from_end)
    wanted = []
    for number, frames in enumerate(lengths):
        starts = []
        at = frames - length if from_end else 0
        while 0 <= at <= frames - length:
            starts.append(at)
            at += -(stride or length) if from_end else stride or length
        wanted += [(number, start) for start in sorted(starts)]
    assert list(zip(found.clips.tolist(), found.offsets.tolist(), strict=True)) == wanted


def test_splits_are_whole_clips(tmp_path: Path) -> None:
    path = files.npy(tmp_path / "clips.npy", files.clips(10, 9))
    data = video(path, layout="nthwc", stride=1, val=0.2, test=0.3)
    assert data.describe()["splits"] == {
        "train": {"sequences": 30, "clips": 6, "groups": 6},
        "val": {"sequences": 5, "clips": 1, "groups": 1},  # a fifth of what test leaves
        "test": {"sequences": 15, "clips": 3, "groups": 3},
    }
    clips = {name: set(data.split(name).windows.clips.tolist()) for name in ("train", "val", "test")}
    assert {name: len(found) for name, found in clips.items()} == {"train": 6, "val": 1, "test": 3}
    assert set.union(*clips.values()) == set(range(10))
    again = video(path, layout="nthwc", stride=1, val=0.2, test=0.3)
    assert again.fingerprint == data.fingerprint
    other = video(path, layout="nthwc", stride=1, val=0.2, test=0.3, split_seed=1)
    assert other.fingerprint != data.fingerprint


def test_one_long_clip_is_cut_in_time(tmp_path: Path) -> None:
    clip = files.clips(1, 60)
    data = video(files.npy(tmp_path / "clip.npy", clip), layout="nthwc", stride=1, val=0.2, test=0.25)
    offsets = {name: data.split(name).windows.offsets for name in ("train", "val", "test")}
    assert offsets["train"].max() < offsets["val"].min() < offsets["val"].max() < offsets["test"].min()
    shown = {name: frames_of(whole(data, name)) for name in offsets}
    assert not shown["train"] & shown["val"]
    assert not shown["val"] & shown["test"]
    assert offsets["val"].min() - offsets["train"].max() == 5  # windows over the border, and no more, are left out
    assert offsets["test"].min() - offsets["val"].max() == 5


def test_taxibj_is_mapped_and_cut_in_time(tmp_path: Path) -> None:
    arrays = files.taxi(tmp_path / "dataset.npz")
    arrays["X_train"][0, 0, :] = -1.0
    arrays["Y_train"][0, -1, :] = 1.0
    np.savez(tmp_path / "dataset.npz", **arrays)
    data = video(tmp_path / "dataset.npz", frames_in=4, frames_out=4, val=0.2)
    assert data.input_signal == SignalSpec(0, 20, 2, grid=(4, 5), frames=4, ahead=4)
    train = whole(data, "train")
    assert (train[0, 0] == 0).all()
    assert (train[0, -1] == 1).all()
    wanted = (np.concatenate((arrays["X_train"], arrays["Y_train"]), 1) + 1) / 2
    np.testing.assert_allclose(train.numpy()[5], np.moveaxis(wanted, 2, -1).reshape(40, 8, 20, 2)[5], atol=1e-7)
    # 8 of 40 samples validate; the 7 before them show slots of theirs and are left out.
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [25, 8, 6]
    slots = {name: set(whole(data, name)[:, :, 0, 0].flatten().tolist()) for name in ("train", "val")}
    assert not slots["train"] & slots["val"]
    assert max(slots["train"] - {1.0}) < min(slots["val"])
    again = video(tmp_path / "dataset.npz", frames_in=4, frames_out=4, val=0.2, split_seed=8)
    assert again.fingerprint == data.fingerprint  # nothing is drawn


def test_a_taxibj_file_that_is_none(tmp_path: Path) -> None:
    def found(**other: Any) -> Diagnostic:
        files.taxi(tmp_path / "x.npz", **other)
        return problem(lambda: video(tmp_path / "x.npz", frames_in=4, frames_out=4))

    lacks = found(Y_test=None)
    assert (lacks.code, "no `Y_test`" in lacks.message) == ("D230", True)
    beyond = np.full((6, 4, 2, 4, 5), 1.25, np.float32)
    outside = found(X_test=beyond)
    assert (outside.code, "to 1.25, not -1 to 1" in outside.message) == ("D231", True)
    assert found(X_test=np.full((6, 4, 2, 4, 5), np.nan, np.float32)).code == "D231"
    assert found(X_test=np.zeros((5, 4, 2, 4, 5), np.float32)).code == "D230"
    assert found(X_test=np.zeros((6, 4, 2, 4, 5), np.int64)).code == "D230"
    lengths = found(frames=5)
    assert (lengths.code, lengths.path) == ("R330", "data.frames_in")
    assert "5 frames in and 5 out, the recipe 4 and 4" in lengths.message


def test_moving_mnist_file_round_trips(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (20, 5, 64, 64), dtype=np.uint8)
    source = moving_mnist_source(files.npy(tmp_path / "mnist_test_seq.npy", array))
    (part,) = source.parts
    assert (part.name, part.count) == ("test", 100)
    taken = np.stack([run.frames for run in part.items()])
    assert (taken[..., 0] == array.transpose(1, 0, 2, 3)).all()
    data = video(tmp_path / "mnist_test_seq.npy", layout="tnhw", frames_in=10, frames_out=10, val=1, test=1)
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [3, 1, 1]  # sequences, never frames
    assert data.split("test").batch(torch.tensor([0])).targets.shape == (1, 10, 4096, 1)


def test_a_moving_mnist_file_that_is_none(tmp_path: Path) -> None:
    def found(array: Any) -> Diagnostic:
        return problem(lambda: moving_mnist_source(files.npy(tmp_path / "seq.npy", array)))

    assert "time, sequence, rows, columns" in found(np.zeros((5, 20, 64, 64), np.uint8)).message
    assert found(np.zeros((20, 5, 64, 64), np.float32)).code == "D231"
    assert found(np.zeros((20, 64, 64), np.uint8)).code == "D230"
    path = files.npy(tmp_path / "cut.npy", np.zeros((20, 5, 64, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:300_000])
    cut = problem(lambda: moving_mnist_source(path))
    assert (cut.code, cut.message) == ("D232", "`cut.npy` holds 300,000 bytes where its header says 409,728")


def test_named_moving_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "snnctl data prep mnist" in problem(lambda: Video(source="moving_mnist").load()).help
    array = np.zeros((20, 5, 64, 64), np.uint8)
    path = files.npy(tmp_path / "mnist_test_seq.npy", array)
    fewer = problem(lambda: prepare("moving_mnist", source=path))
    assert (fewer.code, "5 sequences; a genuine `moving_mnist` has 10,000" in fewer.message) == ("D107", True)
    known = Video(source="moving_mnist")._moving
    assert known is not None
    assert (known.source, known.test_file, known.sizes["train"], known.sizes["val"]) == (
        "mnist",
        "moving_mnist",
        10000,
        1000,
    )


def test_named_moving_mnist_from_files_to_batches(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train and val come of the train digits, test is the file; its download is put away."""
    array = np.random.default_rng(0).integers(0, 256, (20, 5, 64, 64), dtype=np.uint8)
    path = files.npy(tmp_path / "mnist_test_seq.npy", array)
    known = replace(KNOWN["moving_mnist"], clips=(("test", 5),), url=path.as_uri())
    monkeypatch.setitem(KNOWN, "moving_mnist", known)
    monkeypatch.setitem(known_images.KNOWN, "mnist", replace(known_images.KNOWN["mnist"], train=60, test=30))
    prepare_images("mnist", source=image_files.mnist(tmp_path / "mnist"))
    source = Video(source="moving_mnist", val=7)
    assert source.prepare()[0].facts["parts"] == {"test": 5}
    assert not list((cache / "downloads").iterdir())
    data = source.load()
    assert {name: len(data.split(name)) for name in ("train", "val", "test")} == {"train": 10000, "val": 7, "test": 5}
    assert {name: len(images) for name, images in data.pools.images.items()} == {"train": 54, "val": 6, "test": 30}
    assert data.leaks == ()
    test = whole(data, "test").reshape(5, 20, 64, 64)
    np.testing.assert_allclose(test.numpy(), array.transpose(1, 0, 2, 3) / np.float32(255), rtol=1e-6)
    assert data.split("train").batch(torch.tensor([3])).inputs.shape == (1, 10, 4096, 1)


def test_kth_persons_windows_and_strides(tmp_path: Path) -> None:
    data = video(files.kth(tmp_path / "kth"), val=1)
    assert data.input_signal == SignalSpec(0, 128 * 128, 1, grid=(128, 128), frames=3, ahead=2)
    assert set(data.split("test").clips.groups.tolist()) == {17, 25}
    assert set(data.split("train").clips.groups.tolist()) == {1, 2, 16}  # val is cut from these
    groups = {n: set(data.split(n).clips.groups[data.split(n).windows.clips].tolist()) for n in ("train", "val")}
    assert len(groups["val"]) == 1
    assert not groups["train"] & groups["val"]
    # 14 frames: boxing has windows that end with frame 14 and 9, running every 3 frames.
    test = data.split("test")
    offsets = [test.windows.offsets[test.windows.clips == clip].tolist() for clip in range(4)]
    assert offsets == [[4, 9], [4, 9], [0, 3, 6, 9], [0, 3, 6, 9]]
    shown = whole(data, "test")[:, :, 0, 0] * 255
    assert shown[1].tolist() == pytest.approx([7 * 17 + 2 * number for number in range(10, 15)], abs=3)
    assert video(tmp_path / "kth", val=1, size=[8, 9], stride=5).input_signal.grid == (8, 9)


def test_no_window_crosses_a_missing_frame(tmp_path: Path) -> None:
    root = files.kth(tmp_path / "kth")
    clip = root / "boxing" / "person17_boxing_d1_uncomp"
    (clip / "image_0008.jpg").unlink()
    data = video(root, val=1, size=[8, 8], stride=1)
    test = data.split("test")
    first = [n for n, group in enumerate(test.clips.groups.tolist()) if group == 17][:2]
    assert test.clips.lengths[first].tolist() == [7, 6]
    assert [int((test.windows.clips == n).sum()) for n in first] == [3, 2]
    shown = whole(data, "test")[:, :, 0, 0] * 255
    assert (shown.diff(dim=1) - 2).abs().max() <= 2  # numbers go up by one in every window


def test_order_of_directories_has_no_say(tmp_path: Path) -> None:
    first, second = files.kth(tmp_path / "a"), tmp_path / "b"
    for clip in sorted(first.glob("*/*"), reverse=True):  # made in the opposite order
        (second / clip.parent.name).mkdir(parents=True, exist_ok=True)
        (second / clip.parent.name / clip.name).mkdir()
        for picture in sorted(clip.iterdir(), reverse=True):
            shutil.copy(picture, second / clip.parent.name / clip.name)
    left, right = video(first, size=[8, 8]), video(second, size=[8, 8])
    assert left.fingerprint == right.fingerprint
    for name in ("train", "val", "test"):
        assert torch.equal(whole(left, name), whole(right, name))


def test_folders_of_frames(tmp_path: Path) -> None:
    for number in range(6):
        files.pictures(tmp_path / "set" / f"clip{number}", range(3, 14), value=20 * number, size=(6, 9), name="f")
    data = video(tmp_path / "set", channels=1)
    assert data.input_signal == SignalSpec(0, 54, 1, grid=(6, 9), frames=3, ahead=2)
    assert data.describe()["frames"] == {"all": 66}
    assert video(tmp_path / "set").input_signal.features == 3
    for part in ("train", "test"):
        for number in range(3):
            files.pictures(tmp_path / "cut" / part / f"clip{number}", range(5), value=9, size=(6, 9))
    cut = video(tmp_path / "cut", val=1, channels=1)
    assert [len(cut.split(name)) for name in ("train", "val", "test")] == [2, 1, 3]


def test_broken_folders(tmp_path: Path) -> None:
    folder = files.pictures(tmp_path / "set" / "a", range(6))
    files.pictures(tmp_path / "set" / "b", range(6), size=(10, 10))
    sizes = problem(lambda: video(tmp_path / "set"))
    assert (sizes.code, sizes.path) == ("D221", "data.size")
    assert video(tmp_path / "set", size=[8, 8], by="time", val=1, test=1, stride=1, frames_in=1, frames_out=1)
    (folder / "image_0002.jpg").write_bytes(b"no picture")
    assert problem(lambda: video(tmp_path / "set", size=[8, 8])).code == "D220"
    shutil.copy(folder / "image_0001.jpg", folder / "cover.jpg")
    assert "`a/cover.jpg` has no number" in problem(lambda: video(tmp_path / "set")).message
    (folder / "cover.jpg").rename(folder / "other_0001.jpg")
    assert "have one number" in problem(lambda: video(tmp_path / "set")).message
    (tmp_path / "empty").mkdir()
    assert problem(lambda: video(tmp_path / "empty")).code == "D230"
    assert "no person of test" in problem(lambda: video(files.kth(tmp_path / "kth", persons=(1, 2)))).message


def test_broken_arrays(tmp_path: Path) -> None:
    path = tmp_path / "clips.npy"

    def found(array: Any, **knobs: Any) -> Diagnostic:
        np.save(path, array)
        return problem(lambda: video(path, **{"layout": "nthwc"} | knobs))

    clips = files.clips(6, 5)
    said = found(clips, layout=None)
    assert (said.code, said.path) == ("R333", "data.layout")
    assert "to nthwc, ntchw:" in said.help  # those of five axes alone
    assert found(clips, layout="nthw").code == "D230"
    order = found(clips.transpose(0, 1, 4, 2, 3))
    assert (order.code, order.path) == ("D230", "data.layout")
    assert "1 x 8 of 10 channels" in order.message
    few = found(clips.transpose(1, 0, 2, 3, 4)[:, :4])  # clips and time have changed places
    assert (few.code, "longest clip of all has 4 frames, and a window takes 5" in few.message) == ("D233", True)
    assert found(clips.astype(np.int64)).code == "D231"
    assert found(clips.astype(np.float32)).code == "D231"
    nothing = found(clips / 255.0 * np.nan)
    assert (nothing.code, "nan" in nothing.message) == ("D231", True)
    assert found(files.clips(0, 5)).code == "D230"
    path.write_bytes(b"text")
    assert problem(lambda: video(path, layout="nthw")).code == "D104"
    np.save(path, clips)
    path.write_bytes(path.read_bytes()[:-100])
    cut = problem(lambda: video(path, layout="nthwc"))
    assert (cut.code, cut.message) == ("D232", "`clips.npy` holds 2,428 bytes where its header says 2,528")
    np.savez(tmp_path / "x.npz", one=clips, other=clips)
    keys = problem(lambda: video(tmp_path / "x.npz", layout="nthwc"))
    assert (keys.code, keys.message) == ("D230", "`x.npz` holds one, other")
    (tmp_path / "x.avi").write_bytes(b"")
    assert problem(lambda: video(tmp_path / "x.avi")).code == "D105"
    near = problem(lambda: video("taxbj"))
    assert (near.code, "taxibj" in near.help) == ("D101", True)


def test_empty_splits_are_refused(tmp_path: Path) -> None:
    path = files.npy(tmp_path / "clips.npy", files.clips(3, 5))
    empty = problem(lambda: video(path, layout="nthwc", test=2, val=1, by="clip"))
    assert (empty.code, empty.path) == ("R320", "data.val")
    assert "train 0, val 1, test 2" in empty.message
    assert "data.by: time" in empty.help


def test_named_sets_have_to_be_brought(tmp_path: Path, cache: Path) -> None:
    for name in ("taxibj", "kth"):
        missing = problem(lambda name=name: video(name))
        assert missing.code == "D101"
        assert f"snnctl data prep {name} --from PATH" in missing.help
        assert problem(lambda name=name: prepare(name)).code == "D101"
    manifest = take_in("kth", source=files.kth(tmp_path / "kth"))
    assert open_videos(manifest).shape == (128, 128, 1)
    data = video("kth", val=1)
    assert len(data.split("test")) == 12
    assert named_videos("kth").licence == "none stated"
    files.taxi(tmp_path / "dataset.npz")
    assert "a genuine `taxibj` has 20,461" in problem(lambda: prepare("taxibj", source=tmp_path)).message
    files.taxi(tmp_path / "dataset.npz", frames=3)
    assert "genuine ones have 4 and 4" in problem(lambda: prepare("taxibj", source=tmp_path)).message
    with caching_in(cache / "b"):
        assert problem(lambda: prepare("kth", source=tmp_path / "nowhere")).code == "D101"
        assert problem(lambda: prepare("kth", source=cache)).code == "D107"


@pytest.mark.usefixtures("cache")
def test_a_damaged_copy_is_taken_anew(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((8, 5, 8, 9)).astype(np.float32)
    path = files.npy(tmp_path / "clips.npy", values)
    first = video(path, layout="nthw").fingerprint
    (folder,) = STORE.path().iterdir()
    (folder / "all.frames.npy").write_bytes(b"short")
    assert video(path, layout="nthw").fingerprint == first


def test_rules() -> None:
    def said(**knobs: Any) -> list[str]:
        empty = dict.fromkeys(("layout", "stride", "by", "size", "channels"))
        return [knob for knob, _ in Video.rules({**empty, **knobs})]

    assert said(source="kth", size=[64, 64], stride=3, by="clip") == []
    assert said(source="taxibj", layout="ntchw", size=[8, 8]) == ["layout", "size"]
    assert said(source="moving_mnist", stride=3, by="time", channels=1) == ["stride", "by", "channels"]
    assert said(source="./x.NPY", layout="nthw", channels=3) == ["channels"]
