"""Recordings of spikes: the layout of SHD against h5py, bins by hand, honest splits, augmentation, broken files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import spike_files as files
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.core.diagnostic import DiagnosticError, exit_code_of
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.signature import defaults
from snnctl.data.events.augment import SpikeAugment, Spikes, blend
from snnctl.data.events.binning import Binning
from snnctl.data.events.component import EventSpikes
from snnctl.data.events.prepare import prepare
from snnctl.data.events.readers.hdf5 import hdf5_source, write_hdf5

LABELS = [0, 1, 2, 3] * 6
SPEAKERS = [number // 4 for number in range(24)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def problem_of(call: Any) -> Any:
    with pytest.raises(DiagnosticError) as caught:
        call()
    return caught.value.diagnostics[0]


def binning(**knobs: Any) -> Binning:
    given = {"steps": 100, "max_time": 1.4, "bins": "equal", "units": 700, "channels": 700, "pool": "sum"}
    return Binning(**{**given, "levels": 255, **knobs})  # type: ignore[arg-type]


def binned(times: list[float], units: list[int] | None = None, **knobs: Any) -> Any:
    made = binning(**knobs)
    where = np.array(units if units is not None else [0] * len(times))
    row = np.zeros(made.steps * made.channels, np.float32)
    made.add(row, np.array(times, np.float64), where)
    return torch.from_numpy(row).view(made.steps, made.channels)


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Files for train and test, six speakers in train."""
    folder = tmp_path / "shd"
    folder.mkdir()
    files.shd(folder / "shd_train.h5", LABELS, speakers=SPEAKERS, seed=1)
    files.shd(folder / "shd_test.h5", LABELS[:8], speakers=[10, 11] * 4, seed=2)
    return folder


class TestBins:
    def test_published(self) -> None:
        made = binning(bins="published")
        assert made.place(np.array([0.0, np.nextafter(1.4, 0)])).tolist() == [1, 99]
        assert made.bin_ms == pytest.approx(14.1414, abs=1e-4)
        assert binning(bins="published", steps=200).bin_ms == pytest.approx(7.0352, abs=1e-4)
        assert not binned([0.0, 0.7, 1.39], bins="published")[0].any()

    def test_equal(self) -> None:
        made = binning()
        assert made.place(np.array([0.0, 0.0139, 0.0141, np.nextafter(1.4, 0)])).tolist() == [0, 0, 1, 99]
        assert made.bin_ms == pytest.approx(14.0)

    @settings(max_examples=60, deadline=None)
    @given(
        steps=st.integers(2, 300),
        max_time=st.floats(0.05, 5.0),
        bins=st.sampled_from(["equal", "published"]),
        seed=st.integers(0, 99),
    )
    def test_as_numpy_has_it(self, steps: int, max_time: float, bins: Any, seed: int) -> None:
        made = binning(steps=steps, max_time=max_time, bins=bins)
        random = np.random.default_rng(seed)
        times = np.concatenate((random.uniform(0, max_time, 50), made.edges, np.nextafter(made.edges, 0)))
        times = times[(times >= 0) & (times < max_time)].astype(np.float64)
        found = np.digitize(times, made.edges)
        np.testing.assert_array_equal(made.place(times), found if bins == "published" else found - 1)

    @pytest.mark.parametrize("bins", ["equal", "published"])
    def test_half_precision_is_looked_up(self, bins: Any) -> None:
        made = binning(bins=bins)
        times = np.random.default_rng(0).uniform(0, 2.0, 5000).astype(np.float16)
        units = np.random.default_rng(1).integers(0, 700, 5000).astype(np.uint16)
        one, other = np.zeros((2, 70000), np.float32)
        made.add(one, times, units)
        made.add(other, times.astype(np.float64), units)
        np.testing.assert_array_equal(one, other)
        assert one.sum() == (times.astype(np.float64) < 1.4).sum()

    def test_counts(self) -> None:
        found = binned([0.001, 0.002, 0.003, 1.4, 7.0], [3, 3, 4, 3, 3])
        assert (found[0, 3], found[0, 4], found.sum()) == (2, 1, 3)  # what comes at 1.4 s or later is left out
        assert binned([0.001, 0.002], [3, 3], levels=1)[0, 3] == 1

    def test_channels(self) -> None:
        units = [0, 4, 5, 699]
        summed = binned([0.0] * 4, units, channels=140)
        assert summed[0].nonzero().flatten().tolist() == [0, 1, 139]
        assert summed[0, 0] == 2
        taken = binned([0.0] * 4, units, channels=140, pool="subsample")
        assert (taken[0, 0], taken[0, 1], taken.sum()) == (1, 1, 2)


class TestLayout:
    def test_the_reader_gives_what_h5py_gives(self, pair: Path) -> None:
        data = EventSpikes(source=str(pair), by="class", bins="published").load()
        with h5py.File(pair / "shd_test.h5") as file:
            assert h5py.check_vlen_dtype(file["spikes/times"].dtype) == np.float16
            part = data.parts["test"]
            for number in range(8):
                rows = slice(part.starts[number], part.starts[number + 1])
                np.testing.assert_array_equal(part.times[rows], file["spikes/times"][number])
                np.testing.assert_array_equal(part.units[rows], file["spikes/units"][number])
            np.testing.assert_array_equal(part.labels, file["labels"])
            np.testing.assert_array_equal(part.speakers, file["extra/speaker"])
            batch = data.split("test").batch(torch.tensor([5, 0]))
            for row, number in enumerate((5, 0)):
                expected = np.zeros((100, 700))
                times = file["spikes/times"][number].astype(np.float64)
                np.add.at(expected, (np.digitize(times, np.linspace(0, 1.4, 100)), file["spikes/units"][number]), 1)
                np.testing.assert_array_equal(batch.inputs[row, :, 0], expected)
        assert batch.targets.tolist() == [LABELS[5], LABELS[0]]
        assert data.class_names[:2] == ("word 0", "word 1")
        assert (data.classes, part.times.dtype, part.units.dtype) == (20, np.float16, np.uint16)

    def test_what_is_written_reads_like_the_published_files(self, tmp_path: Path) -> None:
        times, units = files.shd(tmp_path / "theirs.h5", LABELS, speakers=SPEAKERS)
        keys = [f"word {number}" for number in range(20)]
        write_hdf5(tmp_path / "ours.h5", times, units, LABELS, keys, extra={"speaker": np.array(SPEAKERS, np.uint16)})
        with h5py.File(tmp_path / "theirs.h5") as theirs, h5py.File(tmp_path / "ours.h5") as ours:
            for name in ("spikes/times", "spikes/units", "labels", "extra/keys", "extra/speaker"):
                assert theirs[name].dtype == ours[name].dtype
                assert h5py.check_vlen_dtype(theirs[name].dtype) == h5py.check_vlen_dtype(ours[name].dtype)
                for mine, other in zip(ours[name], theirs[name], strict=True):
                    np.testing.assert_array_equal(mine, other)

    def test_signal(self, pair: Path) -> None:
        data = EventSpikes(source=str(pair), bins="published", channels=140, levels=1, units=700).load()
        signal = data.input_signal
        assert (signal.kind, signal.levels, signal.frames, signal.features) == ("spikes", 1, 100, 140)
        assert signal.dt_ms == pytest.approx(14.1414, abs=1e-4)
        batch = data.split("train").batch(torch.arange(3))
        assert tuple(batch.inputs.shape) == signal.shape(3) == (3, 100, 1, 140)
        assert batch.inputs.max() == 1
        told = EventSpikes(source=str(pair), dt_ms=14.0, units=700).load().input_signal
        assert told == SignalSpec(0, 1, 700, kind="spikes", levels=255, frames=100, dt_ms=14.0)

    def test_late_spikes_are_counted(self, tmp_path: Path) -> None:
        late = [np.array([0.1, 1.5, 2.0], np.float32)] * 10
        path = write_hdf5(tmp_path / "x.h5", late, [np.arange(3)] * 10, [0, 1] * 5, ["a", "b"])
        facts = EventSpikes(source=str(path)).load().describe()
        assert (facts["spikes"], facts["left_out_after_max_time"]) == (30, 20)

    def test_recordings_without_spikes(self, tmp_path: Path) -> None:
        none = [np.empty(0)] * 12
        path = write_hdf5(tmp_path / "x.h5", none, none, [0, 1] * 6, ["a", "b"])
        data = EventSpikes(source=str(path), augment=SpikeAugment(0.5, 0.1, 2.0, 0.1, 0.0)).load()
        assert not data.split("train").batch(torch.arange(4)).inputs.any()
        assert not data.split("train").training_batch(torch.arange(4), 1, 0).inputs.any()


class TestSplits:
    def test_speakers_are_held_out_where_they_are_known(self, pair: Path) -> None:
        data = EventSpikes(source=str(pair)).load()
        train, val, test = (set(data.speakers(name)) for name in ("train", "val", "test"))
        assert (len(train), len(val), test) == (5, 1, {"10", "11"})
        assert not train & val
        assert data.cut["test"][0] == "test"
        assert sum(len(data.split(name)) for name in ("train", "val")) == 24

    def test_named_speakers(self, pair: Path) -> None:
        data = EventSpikes(source=str(pair), val_speakers=[2, 4]).load()
        assert data.speakers("val") == ["2", "4"]
        assert problem_of(EventSpikes(source=str(pair), val_speakers=[10]).load).code == "R323"

    def test_by_class(self, pair: Path) -> None:
        data = EventSpikes(source=str(pair), by="class", val=0.25).load()
        counts = np.bincount(data.split("val").labels)
        assert (counts.sum(), counts.min(), counts.max()) == (6, 1, 2)

    def test_one_file_gives_up_speakers_for_both(self, tmp_path: Path) -> None:
        files.shd(tmp_path / "x.h5", LABELS, speakers=SPEAKERS)
        data = EventSpikes(source=str(tmp_path / "x.h5")).load()
        held = [set(data.speakers(name)) for name in ("train", "val", "test")]
        assert [len(one) for one in held] == [4, 1, 1]
        assert len(set.union(*held)) == 6
        again = EventSpikes(source=str(tmp_path / "x.h5")).load()
        assert data.fingerprint == again.fingerprint
        other = EventSpikes(source=str(tmp_path / "x.h5"), split_seed=1).load()
        assert other.fingerprint != data.fingerprint

    def test_takes(self, tmp_path: Path) -> None:
        takes = [number % 8 for number in range(24)]
        files.shd(tmp_path / "x.h5", LABELS, speakers=SPEAKERS, takes=takes)
        data = EventSpikes(source=str(tmp_path / "x.h5"), by="take").load()
        assert sorted(data.cut["test"][1].tolist()) == [row for row in range(24) if takes[row] < 5]
        assert len(data.split("val")) == 2  # a fifth of the nine that are left

    def test_two_speakers_are_too_few(self, tmp_path: Path) -> None:
        files.shd(tmp_path / "x.h5", LABELS, speakers=[0, 1] * 12)
        data = EventSpikes(source=str(tmp_path / "x.h5")).load()  # auto takes classes then
        assert data.speakers("train") == ["0", "1"]
        assert problem_of(EventSpikes(source=str(tmp_path / "x.h5"), by="speaker").load).code == "R323"

    @pytest.mark.parametrize(
        ("knobs", "knob"),
        [
            ({"by": "class", "val_speakers": [1]}, "val_speakers"),
            ({"val_speakers": [1], "test_speakers": [1]}, "test_speakers"),
        ],
    )
    def test_what_cannot_be(self, knobs: dict[str, Any], knob: str) -> None:
        with pytest.raises(ShapeError) as caught:
            EventSpikes(source="x.h5", **knobs)
        assert caught.value.knob == knob


class TestAugment:
    def data(self, pair: Path, **augment: float) -> Any:
        return EventSpikes(source=str(pair), augment=SpikeAugment(**augment), units=700).load().split("train")

    def test_a_pure_function_of_the_seed(self, pair: Path) -> None:
        split = self.data(pair, blend=0.5, drop=0.1, shift=10.0, stretch=0.1, noise=5.0)
        rows = torch.arange(8)
        state = torch.get_rng_state()
        one, again, other = (split.training_batch(rows, seed, 0).inputs for seed in (1, 1, 2))
        assert torch.equal(one, again)
        assert not torch.equal(one, other)
        assert torch.equal(torch.get_rng_state(), state)

    def test_nothing_is_the_identity_and_evaluation_is_untouched(self, pair: Path) -> None:
        rows = torch.arange(8)
        plain = self.data(pair)
        changed = self.data(pair, shift=50.0, drop=0.5)
        assert torch.equal(plain.training_batch(rows, 1, 0).inputs, plain.batch(rows).inputs)
        assert torch.equal(changed.batch(rows).inputs, plain.batch(rows).inputs)
        assert not torch.equal(changed.training_batch(rows, 1, 0).inputs, plain.batch(rows).inputs)

    def test_distance_as_published(self) -> None:
        random = np.random.default_rng(0)
        drawn = np.array([SpikeAugment(shift=10.0).distance(random) for _ in range(4000)])
        assert drawn.min() == 0  # 10 + 3 N(0, 1) falls below 1 in one batch of 700
        assert drawn.mean() == pytest.approx(9.5, abs=4 * 3 / 4000**0.5)  # cut to whole numbers
        assert SpikeAugment().distance(random) == 0

    def test_shift_moves_without_wrapping(self) -> None:
        spikes = Spikes(np.array([0.1, 0.2, 0.3]), np.array([0, 650, 300]))
        seen = set()
        for seed in range(20):
            found = SpikeAugment(shift=60.0).changed(spikes, 700, 1.4, 60, np.random.default_rng(seed))
            seen.add((tuple(found.times.tolist()), tuple(found.units.tolist())))
        assert seen == {((0.1, 0.3), (60, 360)), ((0.2, 0.3), (590, 240))}

    def test_stretch(self) -> None:
        random, pace = np.random.default_rng(0), []
        for _ in range(500):
            found = SpikeAugment(stretch=0.2).changed(
                Spikes(np.array([0.25, 0.5]), np.zeros(2, int)), 700, 1.4, 0, random
            )
            assert found.times[1] == 2 * found.times[0]  # one pace for a recording
            pace.append(found.times[0] / 0.25)
        assert 0.8 <= min(pace) < 0.81 < 1.19 < max(pace) <= 1.2

    def test_noise_and_drop(self) -> None:
        none = Spikes(np.empty(0), np.empty(0, int))
        found = SpikeAugment(noise=4000.0).changed(none, 7, 1.4, 0, np.random.default_rng(0))
        assert len(found.times) == pytest.approx(4000, abs=4 * 4000**0.5)
        assert set(found.units.tolist()) == set(range(7))
        assert 0 <= found.times.min() < found.times.max() < 1.4
        some = Spikes(np.linspace(0, 1, 4000), np.zeros(4000, int))
        left = SpikeAugment(drop=0.25).changed(some, 7, 1.4, 0, np.random.default_rng(0))
        assert len(left.times) == pytest.approx(3000, abs=4 * 750**0.5)

    def test_blend(self) -> None:
        random = np.random.default_rng(0)
        one = Spikes(np.linspace(0, 0.2, 1000), np.full(1000, 100))
        other = Spikes(np.linspace(0.5, 0.7, 1000), np.full(1000, 300))
        mixed = blend(one, other, random)
        assert len(mixed.times) == pytest.approx(1000, abs=4 * 500**0.5)
        assert set(mixed.units.tolist()) == {100}  # moved to where the first lies
        assert mixed.times.mean() == pytest.approx(0.1, abs=0.01)
        assert blend(one, Spikes(np.empty(0), np.empty(0, int)), random) is one

    def test_blends_stay_in_their_class(self, pair: Path) -> None:
        split = self.data(pair, blend=1.0)
        rows = split.chosen[np.arange(12)]
        others = split._of_their_class(rows, np.random.default_rng(0))
        np.testing.assert_array_equal(split.part.labels[others], split.part.labels[rows])
        assert set(others.tolist()) <= set(split.chosen.tolist())
        assert set(others.tolist()) != set(rows.tolist())


class TestBroken:
    def test_cut_short(self, pair: Path) -> None:
        path = pair / "shd_train.h5"
        for size in (0, 100, path.stat().st_size // 2, path.stat().st_size - 10):
            other = pair.parent / f"cut_{size}.h5"
            other.write_bytes(path.read_bytes()[:size])
            found = problem_of(EventSpikes(source=str(other)).load)
            assert (found.code, found.file) == ("D104", str(other))

    def test_another_layout(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file["data"] = np.zeros((3, 4))
        found = problem_of(EventSpikes(source=str(tmp_path / "x.h5")).load)
        assert (found.code, "it holds data" in found.message) == ("D225", True)
        with h5py.File(tmp_path / "y.h5", "w") as file:
            file["spikes/times"], file["spikes/units"], file["labels"] = np.zeros(3), np.zeros(3, int), np.zeros(3, int)
        assert problem_of(EventSpikes(source=str(tmp_path / "y.h5")).load).code == "D225"

    def test_classes_that_have_no_name(self, tmp_path: Path) -> None:
        files.shd(tmp_path / "x.h5", LABELS, keys=3)
        found = problem_of(EventSpikes(source=str(tmp_path / "x.h5")).load)
        assert (found.code, found.message) == ("D226", "class 3 occurs, and `extra/keys` names 3 classes")

    def test_lists_of_different_lengths(self, pair: Path) -> None:
        with h5py.File(pair / "shd_train.h5", "a") as file:
            del file["labels"]
            file["labels"] = np.zeros(5, np.uint16)
        found = problem_of(EventSpikes(source=str(pair)).load)
        assert (found.code, "labels 5" in found.message) == ("D226", True)

    def test_times_without_units(self, pair: Path) -> None:
        with h5py.File(pair / "shd_train.h5", "a") as file:
            file["spikes/units"][3] = np.arange(7, dtype=np.uint16)
        found = problem_of(EventSpikes(source=str(pair)).load)
        assert (found.code, found.message.split(" of ")[0]) == ("D226", "recording 3")

    @pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf])
    def test_times_that_are_none(self, pair: Path, bad: float) -> None:
        with h5py.File(pair / "shd_train.h5", "a") as file:
            file["spikes/times"][3] = np.full(30, bad, np.float16)
        assert problem_of(EventSpikes(source=str(pair)).load).code == "D227"
        assert not list((pair.parent / "cache").rglob("manifest.json"))  # nothing half-done is left

    def test_no_recordings(self, tmp_path: Path) -> None:
        files.shd(tmp_path / "x.h5", [])
        assert problem_of(EventSpikes(source=str(tmp_path / "x.h5")).load).code == "D102"

    def test_packed_files(self, tmp_path: Path) -> None:
        (tmp_path / "shd_train.h5.zip").write_bytes(b"PK")
        found = problem_of(EventSpikes(source=str(tmp_path)).load)
        assert (found.code, found.help) == ("D101", "unpack `shd_train.h5.zip`")

    @pytest.mark.parametrize(
        ("knobs", "path"),
        [
            ({"channels": 701}, "data.channels"),
            ({"channels": 300, "pool": "subsample"}, "data.channels"),
            ({"units": 20}, "data.units"),
        ],
    )
    def test_channels_that_do_not_fit(self, pair: Path, knobs: dict[str, Any], path: str) -> None:
        found = problem_of(EventSpikes(source=str(pair), **({"units": 700} | knobs)).load)
        assert (found.code, found.path) == ("R324", path)

    def test_damaged_cache(self, pair: Path) -> None:
        data = EventSpikes(source=str(pair)).load()
        (stored,) = (pair.parent / "cache").rglob("train.times")
        stored.write_bytes(b"")
        assert EventSpikes(source=str(pair)).load().fingerprint == data.fingerprint  # taken in again


class TestNames:
    @pytest.mark.parametrize("name", ["shd", "ssc", "fsdd"])
    def test_what_is_missing_is_told(self, name: str) -> None:
        found = problem_of(EventSpikes(source=name).load)
        assert (found.code, exit_code_of([found])) == ("D101", 3)
        assert f"snnctl data prep {name} --from FOLDER" in found.help

    def test_not_the_genuine_set(self, pair: Path) -> None:
        found = problem_of(lambda: prepare("shd", pair))
        assert found.code == "D107"
        assert "train 24, test 8" in found.message
        assert "train 8,156, test 2,264" in found.message

    def test_three_parts(self, pair: Path) -> None:
        files.shd(pair / "shd_valid.h5", LABELS[:4], speakers=[12] * 4, seed=3)
        parts = {part.name: part.count for part in hdf5_source(pair).parts}
        assert parts == {"train": 24, "val": 4, "test": 8}
        assert EventSpikes(source=str(pair)).load().speakers("val") == ["12"]

    def test_defaults(self) -> None:
        knobs = defaults(EventSpikes)
        assert (knobs["bins"], knobs["steps"], knobs["max_time"], knobs["by"]) == ("equal", 100, 1.4, "auto")


class TestFolders:
    def test_units_and_pixels(self, tmp_path: Path) -> None:
        for label in ("left", "right"):
            (tmp_path / "set" / label).mkdir(parents=True)
            for number in range(6):
                times = np.array([300_000, 100_000])  # whole numbers are microseconds
                np.savez(tmp_path / "set" / label / f"{number}.npz", t=times, x=[1, 2], y=[0, 3], p=[1, 0])
        data = EventSpikes(source=str(tmp_path / "set"), size=[4, 4], steps=4, max_time=0.4).load()
        batch = data.split("train").batch(torch.tensor([0]))
        assert data.binning.units == 29
        assert batch.inputs[0, :, 0].nonzero().tolist() == [[1, (3 * 4 + 2) * 2], [3, 1 * 2 + 1]]
        assert data.class_names == ("left", "right")
        assert problem_of(EventSpikes(source=str(tmp_path / "set")).load).code == "R321"
        assert problem_of(EventSpikes(source=str(tmp_path / "set"), size=[2, 2]).load).code == "D224"

    def test_seconds(self, tmp_path: Path) -> None:
        for label in ("a", "b"):
            (tmp_path / label).mkdir()
            for number in range(6):
                np.savez(tmp_path / label / f"{number}.npz", t=[0.3, 0.1], unit=[7, 2])
        data = EventSpikes(source=str(tmp_path), steps=4, max_time=0.4, units=10).load()
        found = data.split("train").batch(torch.tensor([0])).inputs[0, :, 0]
        assert found.nonzero().tolist() == [[1, 2], [3, 7]]
        np.savez(tmp_path / "a" / "0.npz", t=[0.3, 0.1], unit=[7])
        assert problem_of(EventSpikes(source=str(tmp_path)).load).code == "D224"
