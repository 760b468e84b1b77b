"""Recordings of event cameras: bytes by hand, a real N-MNIST file, counts that lose no event, and their layouts."""

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
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import defaults
from snnctl.data.events.frames import EventFrames
from snnctl.data.events.readers.cameras import Cut, to_frames
from snnctl.data.events.readers.files import read_recording
from snnctl.data.events.readers.plain import read_n_mnist, read_npy_recording
from snnctl.data.events.readers.recording import Recording

SAMPLE = Path(__file__).parents[2] / ".." / "shared" / "data" / "tonic-samples" / "sample_nmnist.bin"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def code_of(call: Any) -> str:
    with pytest.raises(DiagnosticError) as caught:
        call()
    return caught.value.diagnostics[0].code


def recording(count: int, seed: int = 0, size: int = 34) -> Recording:
    random = np.random.default_rng(seed)
    t = np.sort(random.integers(0, 100_000, count))
    return Recording(t, random.integers(0, size, count), random.integers(0, size, count), random.integers(0, 2, count))


def columns(events: Recording) -> tuple[Any, ...]:
    return events.t, events.x, events.y, events.p


def test_n_mnist_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(bytes([5, 7, 0x80, 0x01, 0x02]) + bytes([33, 0, 0x01, 0x00, 0x00]))
    events = read_n_mnist(path)
    assert (events.x.tolist(), events.y.tolist()) == ([5, 33], [7, 0])
    assert (events.p.tolist(), events.t.tolist()) == ([1, 0], [258, 65536])
    assert path.read_bytes() == files.n_mnist_bytes([(5, 7, 1, 258), (33, 0, 0, 65536)])


def test_an_overflow_of_the_clock_is_no_event(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(files.n_mnist_bytes([(1, 1, 0, 8000), (0, 240, 0, 0), (2, 2, 1, 10)]))
    events = read_n_mnist(path)
    assert events.t.tolist() == [8000, 8192 + 10]
    assert events.x.tolist() == [1, 2]


@pytest.mark.skipif(not SAMPLE.exists(), reason="../shared/data/tonic-samples is not there")
def test_a_real_n_mnist_recording() -> None:
    events = read_n_mnist(SAMPLE)
    assert (len(events), int(events.t.max()), int(events.x.max()), int(events.y.max())) == (4325, 311175, 33, 33)
    assert np.all(np.diff(events.t) >= 0)
    for cut in ("number", "time"):
        frames = to_frames(events, 10, (34, 34), cut)  # type: ignore[arg-type]
        assert frames.shape == (10, 34, 34, 2)
        assert frames.sum() == 4325
        assert frames[..., 1].sum() == events.p.sum()
    by_number = to_frames(events, 10, (34, 34), "number").sum((1, 2, 3))
    assert by_number.tolist() == [432] * 9 + [437]


@settings(max_examples=50, deadline=None)
@given(
    count=st.integers(1, 300),
    frames=st.integers(1, 12),
    cut=st.sampled_from(["number", "time"]),
    seed=st.integers(0, 9),
)
def test_no_event_is_lost(count: int, frames: int, cut: Cut, seed: int) -> None:
    events = recording(count, seed, 20)
    found = to_frames(events, frames, (20, 20), cut)
    assert found.sum() == count
    expected = np.zeros((20, 20, 2), int)
    np.add.at(expected, (events.y, events.x, events.p), 1)
    assert np.array_equal(found.sum(0), expected)


def test_frames_of_equal_duration() -> None:
    events = Recording(*(np.array(column) for column in ([0, 10, 49, 50, 99, 100], [0] * 6, [0] * 6, [1] * 6)))
    assert to_frames(events, 2, (1, 1), "time")[:, 0, 0, 1].tolist() == [3, 3]
    assert to_frames(events, 3, (1, 1), "number")[:, 0, 0, 1].tolist() == [2, 2, 2]


def test_counts_end_at_255() -> None:
    events = Recording(*(np.zeros(300, np.int64) for _ in range(4)))
    assert to_frames(events, 1, (1, 1), "number").tolist() == [[[[255, 0]]]]


def test_what_recordings_may_lack(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"1234")
    assert code_of(lambda: read_n_mnist(path)) == "D224"
    assert code_of(lambda: to_frames(recording(5), 2, (3, 3), "number")) == "D224"
    np.save(tmp_path / "x.npy", np.zeros((3, 3)))
    assert code_of(lambda: read_recording(tmp_path / "x.npy")) == "D224"
    np.savez(tmp_path / "x.npz", t=np.zeros(3))
    assert code_of(lambda: read_recording(tmp_path / "x.npz")) == "D224"
    for name in ("airplane/0.mat", "bird/0.mat"):
        (tmp_path / "foreign" / name).parent.mkdir(parents=True)
        (tmp_path / "foreign" / name).write_bytes(b"")
    assert code_of(EventFrames(source=str(tmp_path / "foreign"), frames=4).load) == "D105"
    (tmp_path / "x.aedat4").write_bytes(b"")
    assert code_of(lambda: read_recording(tmp_path / "x.aedat4")) == "D105"


def test_n_mnist_folders(tmp_path: Path) -> None:
    for part, count in (("Train", 8), ("Test", 4)):
        for index in range(count):
            folder = tmp_path / "NMNIST" / part / str(index % 2)
            folder.mkdir(parents=True, exist_ok=True)
            rows = [(int(x), int(y), int(p), int(t)) for t, x, y, p in zip(*columns(recording(50, index)), strict=True)]
            (folder / f"{index:05}.bin").write_bytes(files.n_mnist_bytes(rows))
    source = str(tmp_path / "NMNIST")
    assert code_of(EventFrames(source=source).load) == "R321"
    data = EventFrames(source=source, frames=5, val=2).load()
    assert data.input_signal == SignalSpec(0, 34 * 34, 2, grid=(34, 34), frames=5)
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [6, 2, 4]
    batch = data.split("test").batch(torch.arange(4))
    assert batch.inputs.shape == data.input_signal.shape(4) == (4, 5, 34 * 34, 2)
    assert batch.inputs.sum((1, 2, 3)).tolist() == [50.0] * 4
    assert batch.targets.tolist() == [0, 0, 1, 1]
    expected = to_frames(recording(50, 2), 5, (34, 34), "number")
    assert np.array_equal(batch.inputs[1].numpy().reshape(5, 34, 34, 2), expected)


def test_dvs_gesture_folders(tmp_path: Path) -> None:
    for part, users in (("ibmGestureTrain", 3), ("ibmGestureTest", 1)):
        for user in range(users):
            folder = tmp_path / "DVS" / part / f"user{user:02}_led"
            folder.mkdir(parents=True)
            for label in range(2):
                events = recording(40, user * 2 + label, 128)
                np.save(folder / f"{label}.npy", np.stack((events.x, events.y, events.p, events.t), 1))
    data = EventFrames(source=str(tmp_path / "DVS"), frames=4, val=2).load()
    assert data.class_names == ("0", "1")
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [4, 2, 2]
    assert data.input_signal.shape(1) == (1, 4, 128 * 128, 2)


def frames(count: int, seed: int = 0) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    return random.integers(0, 5, (count, 3, 2, 6, 8)), np.arange(count) % 2


def test_arrays_of_frames(tmp_path: Path) -> None:
    items, labels = frames(20)
    np.savez(tmp_path / "set.npz", frames=items, labels=labels)
    np.save(tmp_path / "set.npy", items)
    np.save(tmp_path / "set_labels.npy", labels)
    for name in ("set.npz", "set.npy"):
        data = EventFrames(source=str(tmp_path / name), test=0.2, val=4).load()
        assert data.input_signal == SignalSpec(0, 48, 2, grid=(6, 8), frames=3)
        split = data.split("test")
        batch = split.batch(torch.arange(4))
        assert np.array_equal(batch.inputs.numpy().reshape(4, 3, 6, 8, 2), np.moveaxis(items[split.chosen], 2, -1))
    np.savez(tmp_path / "bad.npz", frames=items[:, 0], labels=labels)
    assert code_of(EventFrames(source=str(tmp_path / "bad.npz")).load) == "D222"


def test_frames_as_spikingjelly_keeps_them(tmp_path: Path) -> None:
    items, labels = frames(12)
    names = ("airplane", "bird")
    for index, (item, label) in enumerate(zip(items, labels, strict=True)):
        folder = tmp_path / "frames_number_3_split_by_number" / names[label]
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / f"{names[label]}_{index:02}.npz", frames=item.astype(np.float32))
    data = EventFrames(source=str(tmp_path / "frames_number_3_split_by_number"), test=2, val=2).load()
    assert data.class_names == names
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [8, 2, 2]
    assert np.asarray(data.store.images["all"]).sum() == items.sum()


def test_counts_have_no_colours() -> None:
    given = {**defaults(EventFrames), "source": "x"}
    assert list(EventFrames.rules(given)) == []
    ((knob, message),) = EventFrames.rules({**given, "augment": {"rand": 1}})
    assert knob == "augment"
    assert "counts" in message


@pytest.mark.parametrize("order", [(1, 2, 3, 0), (0, 1, 2, 3)], ids=["x y p t", "t x y p"])
def test_columns_are_told_apart_by_the_polarities(order: tuple[int, ...], tmp_path: Path) -> None:
    rows = np.array([[1000 * i, 3 + i % 5, 7 + i % 4, i % 2] for i in range(40)])
    np.save(tmp_path / "a.npy", rows[:, order])
    found = read_npy_recording(tmp_path / "a.npy")
    np.testing.assert_array_equal(found.t, rows[:, 0])
    np.testing.assert_array_equal(found.x, rows[:, 1])
    np.testing.assert_array_equal(found.y, rows[:, 2])
