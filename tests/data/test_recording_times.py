"""Times of recordings: units, offsets, whole numbers and fractions; what does not fit the bins is told or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recording_files as files
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, exit_code_of
from snnctl.core.signature import defaults
from snnctl.data.events.component import EventSpikes
from snnctl.data.events.frames import EventFrames
from snnctl.data.events.readers.recording import Recording
from snnctl.data.events.times import Clock, Tally, check_times

EPOCH = 1_764_547_200  # seconds since 1970
Change = Callable[[Any], Any]
KNOBS: dict[str, Any] = {"steps": 50, "max_time": 1.0, "units": 16}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def problem_of(call: Any) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        call()
    return caught.value.diagnostics[0]


def whole(per: float, kind: Any = np.int64, offset: int = 0) -> Change:
    return lambda t: (np.round(t * per).astype(np.int64) + offset).astype(kind)


def broken(per: float, kind: Any = np.float64, offset: float = 0.0) -> Change:
    return lambda t: (t * per + offset).astype(kind)


# How times are stored, what is advised, and what they are then read within, seconds.
WRONG = [
    pytest.param(broken(1e6), {"time_unit": "us"}, 1e-6, id="us_float"),
    pytest.param(whole(1e3), {"time_unit": "ms"}, 1e-3, id="ms_int"),
    pytest.param(broken(1e3, np.float32), {"time_unit": "ms"}, 1e-6, id="ms_float32"),
    pytest.param(whole(1e9), {"time_unit": "ns"}, 1e-6, id="ns_int"),
    pytest.param(broken(1e9), {"time_unit": "ns"}, 1e-6, id="ns_float"),
    pytest.param(whole(1e3, np.uint16), {"time_unit": "ms"}, 1e-3, id="ms_uint16"),
    pytest.param(whole(1e6, np.int64, EPOCH * 10**6), {"start": "first"}, 2e-6, id="us_since_1970"),
    pytest.param(broken(1.0, np.float64, EPOCH), {"start": "first"}, 1e-6, id="s_since_1970"),
    pytest.param(broken(1e6, np.float64, EPOCH * 1e6), {"time_unit": "us", "start": "first"}, 2e-6, id="us_float_1970"),
    pytest.param(whole(1e3, np.int64, EPOCH * 10**3), {"time_unit": "ms", "start": "first"}, 2e-3, id="ms_since_1970"),
    pytest.param(whole(1e9, np.int64, EPOCH * 10**9), {"time_unit": "ns", "start": "first"}, 2e-6, id="ns_since_1970"),
    pytest.param(whole(1e6, np.uint64, 1 << 40), {"start": "first"}, 2e-6, id="us_of_a_long_clock"),
]
RIGHT = [
    pytest.param(broken(1.0), {}, 1e-6, id="s_float"),
    pytest.param(broken(1.0, np.float16), {}, 1e-3, id="s_float16"),
    pytest.param(whole(1e6), {}, 2e-6, id="us_int"),
    pytest.param(whole(1e6, np.uint32), {}, 2e-6, id="us_uint32"),
]


def check_read(data: Any, knobs: dict[str, Any], within: float, seed: int = 0) -> None:
    """Times are those that were drawn, from the first on where that is asked for."""
    random = np.random.default_rng(seed)
    part = data.parts["all"]
    for row in range(3):
        drawn = np.sort(random.uniform(0.1, 0.9, 60))
        random.integers(0, 8, 60)
        drawn = drawn - drawn[0] if knobs.get("start") == "first" else drawn
        found = part.times[part.starts[row] : part.starts[row + 1]]
        np.testing.assert_allclose(found.astype(np.float64), drawn, atol=within)
    assert not data.warnings
    counts = data.split("train").batch(torch.arange(3)).inputs
    assert counts.sum((1, 2, 3)).tolist() == [60.0] * 3
    assert int((counts.sum((2, 3)) > 0).sum(1).min()) > 20  # of 50 bins


@pytest.mark.parametrize(("change", "knobs", "within"), WRONG)
def test_a_unit_that_does_not_fit_is_refused_with_the_key(
    change: Change, knobs: dict[str, str], within: float, tmp_path: Path
) -> None:
    source = str(files.spikes(tmp_path / "set", change))
    for call in (EventSpikes(source=source, **KNOBS).load, EventSpikes(source=source, **KNOBS).probe):
        found = problem_of(call)
        assert (found.code, found.path, exit_code_of([found])) == ("D251", "data.time_unit", 3)
    for knob, value in knobs.items():
        assert f"`data.{knob}: {value}`" in found.help
    assert found.help.count("data.") == len(knobs)
    check_read(EventSpikes(source=source, **KNOBS, **knobs).load(), knobs, within)


@pytest.mark.parametrize(("change", "knobs", "within"), RIGHT)
def test_what_is_taken_by_itself(change: Change, knobs: dict[str, str], within: float, tmp_path: Path) -> None:
    data = EventSpikes(source=str(files.spikes(tmp_path / "set", change)), **KNOBS).load()
    check_read(data, knobs, within)


@pytest.mark.parametrize(
    ("change", "knobs"),
    [
        pytest.param(broken(1e3, np.float32), {"time_unit": "ms"}, id="ms_float32"),
        pytest.param(whole(1e3, np.uint16), {"time_unit": "ms"}, id="ms_uint16"),
        pytest.param(whole(1e6, np.int64, EPOCH * 10**6), {"start": "first"}, id="us_since_1970"),
        pytest.param(whole(1e9, np.int64), {"time_unit": "ns"}, id="ns_int64"),
    ],
)
def test_hdf5_in_other_units(change: Change, knobs: dict[str, Any], tmp_path: Path) -> None:
    source = str(files.spikes_hdf5(tmp_path / "set.h5", change))
    found = problem_of(EventSpikes(source=source, **KNOBS).load)
    assert found.code == "D251"
    assert all(f"`data.{knob}: {value}`" in found.help for knob, value in knobs.items())
    data = EventSpikes(source=source, **KNOBS, **knobs).load()
    drawn = np.sort(np.random.default_rng(0).uniform(0.1, 0.9, 60))
    drawn = drawn - drawn[0] if "start" in knobs else drawn
    np.testing.assert_allclose(data.parts["all"].times[:60], drawn, atol=1.5e-3)
    assert not data.warnings


def test_some_outside_is_a_warning_and_told_by_probe_alike(tmp_path: Path) -> None:
    source = str(files.spikes(tmp_path / "set", broken(1.0)))
    made = EventSpikes(source=source, steps=50, max_time=0.7, units=16)
    for data in (made.load(), made.probe()):
        (warning,) = data.warnings
        assert (warning.code, warning.severity, warning.path) == ("D250", "warning", "data.max_time")
        assert "26% of the events lie at 0.7 s or later" in warning.message
        assert "recordings end at 842 ms to 898.5 ms" in warning.help
    facts = data.describe()
    assert facts["share_left_out"] == pytest.approx(0.25, abs=0.03)
    assert facts["left_out_after_max_time"] == data.late()


def test_few_outside_are_no_warning(tmp_path: Path) -> None:
    data = EventSpikes(source=str(files.spikes(tmp_path / "set", broken(1.0))), max_time=0.88, units=16).load()
    assert 0 < data.late() < 0.05 * 24 * 60
    assert not data.warnings


def test_a_short_recording_in_long_bins_is_a_warning(tmp_path: Path) -> None:
    """No other unit would fit: recordings may be that short."""
    source = str(files.spikes(tmp_path / "set", broken(1.0)))
    (warning,) = EventSpikes(source=source, max_time=60.0, units=16).load().warnings
    assert warning.code == "D250"
    assert "of the events fall into bin" in warning.message
    assert "set `data.max_time`" in warning.help


def test_times_too_coarse_for_the_bins(tmp_path: Path) -> None:
    """Seconds as float32 with a large offset have lost what the bins ask for, whatever is set."""
    source = str(files.spikes(tmp_path / "set", broken(1.0, np.float32, 1e6)))
    assert problem_of(EventSpikes(source=source, **KNOBS).load).help.startswith("set `data.start: first`")
    (warning,) = EventSpikes(source=source, **KNOBS, start="first").load().warnings
    assert warning.code == "D255"
    assert "62.5 ms apart at best, and a bin lasts 20 ms" in warning.message


def test_negative_times(tmp_path: Path) -> None:
    source = str(files.spikes(tmp_path / "set", broken(1.0, np.float64, -0.5)))
    found = problem_of(EventSpikes(source=source, **KNOBS).load)
    assert (found.code, "`data.start: first`" in found.help) == ("D227", True)
    assert not EventSpikes(source=source, **KNOBS, start="first").load().warnings


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e35])
def test_times_that_are_no_numbers(bad: float, tmp_path: Path) -> None:
    def change(t: Any) -> Any:
        t[7] = bad
        return t

    for start in ("zero", "first"):
        source = str(files.spikes(tmp_path / start, change))
        assert problem_of(EventSpikes(source=source, **KNOBS, start=start).load).code == "D227"


def test_whole_numbers_beyond_64_bits(tmp_path: Path) -> None:
    source = str(files.spikes(tmp_path / "set", whole(1e6, np.uint64, -1)))
    for path in (tmp_path / "set").rglob("*.npz"):
        np.savez(path, t=np.array([0, 1 << 63], np.uint64), unit=[0, 1])
    assert problem_of(EventSpikes(source=source, **KNOBS).load).code == "D224"


def test_two_kinds_of_times_in_one_set(tmp_path: Path) -> None:
    source = files.spikes(tmp_path / "set", broken(1.0))
    np.savez(source / "c0" / "odd.npz", t=np.arange(0, 900_000, 20_000), unit=np.zeros(45, int))
    codes = [one.code for one in EventSpikes(source=str(source), **KNOBS).load().warnings]
    assert codes == ["D253"]
    assert problem_of(EventSpikes(source=str(source), **KNOBS, time_unit="us").load).code == "D251"


def test_silent_recordings_are_counted(tmp_path: Path) -> None:
    source = files.spikes(tmp_path / "set", broken(1.0))
    np.savez(source / "c0" / "00.npz", t=np.empty(0), unit=np.empty(0, int))
    (warning,) = EventSpikes(source=str(source), **KNOBS).load().warnings
    assert (warning.code, warning.message) == ("D254", "1 of 24 recordings hold no events")


def test_named_sets_have_their_own_clock() -> None:
    knobs = {**defaults(EventSpikes), "source": "shd", "time_unit": "ms", "start": "first"}
    assert [knob for knob, _ in EventSpikes.rules(knobs)] == ["time_unit", "start"]


def test_what_is_told(tmp_path: Path) -> None:
    source = str(files.spikes(tmp_path / "set", whole(1e3)))
    facts = EventSpikes(source=source, **KNOBS, time_unit="ms").load().describe()
    assert (facts["time_unit"], facts["time_unit_from"], facts["start"]) == ("ms", "data.time_unit", "zero")
    assert (facts["recordings"], facts["formats"]) == (24, {".npz": 24})
    assert facts["events_per_recording"] == {"least": 60, "median": 60, "most": 60}
    assert facts["first_seconds"]["least"] >= 0.1
    least, median, most = facts["lasting_seconds"].values()
    assert 0.5 < least <= median <= most < 0.8
    source = str(files.spikes(tmp_path / "other", whole(1e6)))
    facts = EventSpikes(source=source, **KNOBS).load().describe()
    assert (facts["time_unit"], facts["time_unit_from"]) == ("us", "whole numbers are taken as microseconds")


@settings(max_examples=60, deadline=None)
@given(
    unit=st.sampled_from(["s", "ms", "us", "ns"]),
    offset=st.integers(0, EPOCH),
    seed=st.integers(0, 99),
)
def test_an_offset_is_taken_off_before_anything_is_rounded(unit: Any, offset: int, seed: int) -> None:
    per = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    since = np.sort(np.random.default_rng(seed).integers(0, 2 * per + 1, 20))
    seconds = Clock(unit, "first").seconds(since + offset * per, unit).astype(np.float32)
    expected = ((since - since[0]) / per).astype(np.float32)
    np.testing.assert_array_equal(seconds, expected)


@settings(max_examples=60, deadline=None)
@given(
    unit=st.sampled_from(["s", "ms", "us", "ns"]),
    read_as=st.sampled_from(["s", "ms", "us", "ns"]),
    lasts=st.floats(0.4, 1.4),
    late=st.booleans(),
)
def test_the_advice_is_the_unit_that_was_written(unit: Any, read_as: Any, lasts: float, late: bool) -> None:
    """Recordings of about the time that is binned, in any unit, read in any other."""
    per = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}
    times = (np.linspace(0, lasts, 200) + (1e6 if late else 0.0)) * per[unit]
    clock, tally = Clock(read_as), Tally(Clock(read_as))
    tally.add(times, clock.tick(times), ".npz")
    read = times / per[read_as]
    inside = np.histogram(read, np.linspace(0, 1.4, 101))[0]
    counts = (inside, int((read >= 1.4).sum()), 0)
    if unit == read_as and not late:
        assert not check_times(*counts, 1.4, tally.facts(), "x")
        return
    found = problem_of(lambda: check_times(*counts, 1.4, tally.facts(), "x"))
    assert found.code == "D251"
    assert (f"`data.time_unit: {unit}`" in found.help) == (unit != read_as)
    assert ("`data.start: first`" in found.help) == late


class TestFrames:
    """The same recordings as frames."""

    def pixels(self, folder: Path, change: Change) -> str:
        for label in (0, 1):
            (folder / f"c{label}").mkdir(parents=True)
            for number in range(6):
                t, x, y, p = files.events(200, (16, 16), seed=10 * label + number)
                np.savez(folder / f"c{label}" / f"{number}.npz", t=change(t / 1e6), x=x, y=y, p=p)
        return str(folder)

    @pytest.mark.parametrize("cut", ["number", "time"])
    def test_any_unit_gives_the_same_frames(self, cut: Any, tmp_path: Path) -> None:
        changes = [
            whole(1e6),
            broken(1.0),
            broken(1e3),
            whole(1e9, np.int64, EPOCH * 10**9),
            broken(1e6, np.float64, 1e9),
        ]
        found = []
        for number, change in enumerate(changes):
            data = EventFrames(
                source=self.pixels(tmp_path / str(number), change), frames=5, size=[16, 16], cut=cut
            ).load()
            assert not data.warnings
            found.append(np.asarray(data.store.images["all"]))
        assert found[0].sum() == 12 * 200
        assert (found[0].sum((2, 3, 4)) > 0).all()
        for other in found[1:]:
            # Rounding may move an event that lies on the edge of two frames.
            assert np.abs(other.astype(int) - found[0]).sum() <= 4

    def test_events_out_of_order_are_put_in_order(self, tmp_path: Path) -> None:
        def shuffled(t: Any) -> Any:
            return np.concatenate((t[100:], t[:100]))

        source = self.pixels(tmp_path / "set", lambda t: shuffled(whole(1e6)(t)))
        data = EventFrames(source=source, frames=4, size=[16, 16]).load()
        t, x, y, p = files.events(200, (16, 16), seed=0)
        order = np.argsort(shuffled(t), kind="stable")[:50]
        expected = np.zeros((16, 16, 2), int)
        np.add.at(expected, (y[order], x[order], p[order]), 1)
        np.testing.assert_array_equal(data.store.images["all"][0, 0], expected)

    def test_one_event_far_off(self, tmp_path: Path) -> None:
        def far(t: Any) -> Any:
            t = whole(1e6)(t)
            t[-1] = 10**12
            return t

        source = self.pixels(tmp_path / "set", far)
        (warning,) = EventFrames(source=source, frames=10, size=[16, 16], cut="time").load().warnings
        assert (warning.code, warning.path) == ("D250", "data.cut")
        assert not EventFrames(source=source, frames=10, size=[16, 16]).load().warnings

    def test_spikes_and_frames_read_alike(self, tmp_path: Path) -> None:
        source = self.pixels(tmp_path / "set", whole(1e6))
        frames = EventFrames(source=source, frames=1, size=[16, 16]).load()
        spikes = EventSpikes(source=source, size=[16, 16], steps=2, units=512).load()
        split = {"frames": frames.store.images["all"], "spikes": spikes.parts["all"]}
        for row in range(12):
            piece = slice(split["spikes"].starts[row], split["spikes"].starts[row + 1])
            counts = np.bincount(split["spikes"].units[piece], minlength=512).reshape(16, 16, 2)
            np.testing.assert_array_equal(split["frames"][row, 0], counts)
        told = frames.describe()
        assert (told["time_unit"], told["sensor"], told["recordings"]) == ("us", [16, 16], 12)
        assert told["lasting_seconds"] == spikes.describe()["lasting_seconds"]

    def test_units_are_no_pixels(self, tmp_path: Path) -> None:
        source = str(files.spikes(tmp_path / "set", broken(1.0)))
        found = problem_of(EventFrames(source=source, frames=4).load)
        assert (found.code, "event_spikes" in found.help) == ("D224", True)

    def test_one_message_for_folders_without_recordings(self, tmp_path: Path) -> None:
        (tmp_path / "set" / "a").mkdir(parents=True)
        (tmp_path / "set" / "a" / "x.txt").write_text("x")
        ones = [EventFrames(source=str(tmp_path / "set"), frames=4), EventSpikes(source=str(tmp_path / "set"))]
        spoken = {(problem_of(one.load).message, problem_of(one.load).help) for one in ones}
        ((message, help),) = spoken
        assert message == "no recordings are in it"
        assert all(suffix in help for suffix in (".npz", ".npy", ".bin", ".aedat", ".aedat4", ".dat", ".raw"))


@pytest.mark.parametrize(("part", "told"), [(1 / 14, True), (0.2, False), (1.0, False)])
def test_a_recording_that_fills_a_part_of_the_bins(part: float, told: bool) -> None:
    """A fourteenth of the time is four bins of 56: none of them holds the half, and all the others are empty."""
    times = np.linspace(0, 1.4 * part, 5000)
    tally = Tally(Clock("s"))
    tally.add(times, ("s", "data.time_unit"), ".npz")
    inside = np.histogram(times, np.linspace(0, 1.4, 57))[0]
    found = check_times(inside, 0, 0, 1.4, tally.facts(), "x")
    assert [warning.code for warning in found] == (["D250"] if told else [])
    if told:
        assert "98% of the events fall into bins 0 to 3 of 56" in found[0].message
        assert "`data.max_time`" in found[0].help


def test_a_clock_of_32_bits_that_starts_over_runs_on() -> None:
    times = np.arange(0, 5 << 31, 1 << 28)
    for shift in (0, 1 << 31):  # unsigned, and signed from the lowest number on
        found = Recording((times + shift) % (1 << 32) - shift, unit=np.zeros(len(times), np.int64)).running_on()
        assert found.rounds == 2
        assert (np.diff(found.t) == 1 << 28).all()


@pytest.mark.parametrize("times", [[5, 3, 4], [0, 1 << 40, 1], [1 << 32, 0, 5, 3], [7, 8, 9]])
def test_times_out_of_order_are_no_clock_that_starts_over(times: list[int]) -> None:
    found = Recording(np.array(times), unit=np.zeros(len(times), np.int64)).running_on()
    assert found.rounds == 0
    assert found.t.tolist() == times
