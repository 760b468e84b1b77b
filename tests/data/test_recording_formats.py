"""Files of event cameras: each format against events that were drawn, plain loops as second readers, damaged files."""

from __future__ import annotations

import struct
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import recording_files as files
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, exit_code_of
from snnctl.data.events.component import EventSpikes
from snnctl.data.events.frames import EventFrames
from snnctl.data.events.readers.files import read_recording
from snnctl.data.events.readers.recording import Recording

N_CARS = Path(__file__).parents[2] / ".." / "shared" / "data" / "tonic-samples" / "sample_ncars.dat"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def problem_of(call: Any) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        call()
    return caught.value.diagnostics[0]


def columns(found: Recording) -> list[list[int]]:
    return [column.tolist() for column in (found.t, found.x, found.y, found.p)]


def same(found: Recording, expected: files.Events, size: tuple[int, int] | None = (128, 128)) -> None:
    assert columns(found) == [column.tolist() for column in expected]
    assert (found.tick, found.size) == ("us", size)


class TestAedat2:
    def test_dvs128(self, tmp_path: Path) -> None:
        drawn = files.events(300)
        same(read_recording(files.aedat2(tmp_path / "x.aedat", drawn, other=[1 << 15, 1 << 15 | 77])), drawn)

    def test_by_hand(self, tmp_path: Path) -> None:
        """Bit 0 is darker, bits 1 to 7 the column from the right, bits 8 to 14 the row from below; big-endian."""
        path = tmp_path / "x.aedat"
        path.write_bytes(b"#!AER-DAT2.0\r\n" + bytes([0, 0, 3 << 0, 5 << 1 | 1, 0, 0, 1, 2]))
        assert columns(read_recording(path)) == [[258], [122], [124], [0]]

    @pytest.mark.parametrize("named", ["DAVIS240C", "some.chip"])
    def test_davis240(self, named: str, tmp_path: Path) -> None:
        """What a pixel's ADC and the inertial sensor tell between them is left out."""
        drawn = files.events(300, (180, 240))
        other = [1 << 31 | 5 << 22, 1 << 31 | 1 << 10, 1 << 10]
        same(read_recording(files.aedat2(tmp_path / "x.aedat", drawn, named, other)), drawn, (180, 240))

    def test_a_clock_that_starts_over(self, tmp_path: Path) -> None:
        t, x, y, p = files.events(20)
        t = t + (1 << 32) - 500_000
        found = read_recording(files.aedat2(tmp_path / "x.aedat", (t, x, y, p)))
        assert found.t.tolist() == t.tolist()

    def test_data_that_begins_with_the_byte_of_a_comment(self, tmp_path: Path) -> None:
        path = tmp_path / "x.aedat"
        path.write_bytes(b"#!AER-DAT2.0\r\n# AEChip: DAVIS240C\r\n" + struct.pack(">II", 0x23000000, 7))
        assert columns(read_recording(path)) == [[7], [239], [179 - 140], [0]]


class TestAedat3:
    def test_pixels(self, tmp_path: Path) -> None:
        drawn = files.events(300)
        same(read_recording(files.aedat3(tmp_path / "x.aedat", [files.packet3(1, files.pixels3(drawn))])), drawn)

    def test_what_is_not_valid_and_other_packets(self, tmp_path: Path) -> None:
        drawn = files.events(40)
        odd = files.pixels3(files.events(40, seed=1), valid=0)
        rows = [row for pair in zip(files.pixels3(drawn), odd, strict=True) for row in pair]
        packets = [files.packet3(0, [(3, 5)]), files.packet3(1, rows), files.packet3(3, [(1, 9)] * 4)]
        same(read_recording(files.aedat3(tmp_path / "x.aedat", [*packets, files.packet3(1, [])])), drawn)

    def test_overflow_of_packets(self, tmp_path: Path) -> None:
        drawn = files.events(40)
        packets = [files.packet3(1, files.pixels3(drawn), overflow) for overflow in (0, 2)]
        found = read_recording(files.aedat3(tmp_path / "x.aedat", packets))
        assert found.t.tolist() == [*drawn[0], *(drawn[0] + (2 << 31))]

    def test_room_that_is_not_used(self, tmp_path: Path) -> None:
        drawn = files.events(40)
        rows = files.pixels3(drawn)
        packets = [files.packet3(1, rows[:10], room=7), files.packet3(1, rows[10:], room=3)]
        same(read_recording(files.aedat3(tmp_path / "x.aedat", packets)), drawn)

    def test_compressed_forms_are_refused_by_name(self, tmp_path: Path) -> None:
        found = problem_of(lambda: read_recording(files.aedat3(tmp_path / "x.aedat", [], "SerializedTS")))
        assert (found.code, "SerializedTS" in found.message) == ("D105", True)

    @pytest.mark.parametrize("version", ["1.0", "3.0", "5.0"])
    def test_other_versions_are_refused_by_name(self, version: str, tmp_path: Path) -> None:
        (tmp_path / "x.aedat").write_bytes(f"#!AER-DAT{version}\r\n".encode())
        found = problem_of(lambda: read_recording(tmp_path / "x.aedat"))
        assert (found.code, f"AEDAT {version}" in found.message) == ("D105", True)


class TestAedat4:
    @pytest.mark.parametrize("codec", ["", "lz4", "zstd"])
    def test_packets(self, codec: str, tmp_path: Path) -> None:
        drawn = files.events(300, (260, 346))
        pieces = [tuple(column[part] for column in drawn) for part in (slice(0, 100), slice(100, 300))]
        packets = [(0, files.events4(pieces[0])), (1, b"no packet of events"), (0, files.events4(pieces[1]))]
        same(read_recording(files.aedat4(tmp_path / "x.aedat4", packets, codec, (260, 346))), drawn, (260, 346))

    def test_a_bomb(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("snnctl.data.events.readers.aedat4._MOST_PACKET", 1 << 16)
        path = files.aedat4(tmp_path / "x.aedat4", [(0, bytes(1 << 24))], "zstd")
        assert path.stat().st_size < 4000
        assert problem_of(lambda: read_recording(path)).code == "D224"

    def test_a_packet_that_declares_more_than_it_holds(self, tmp_path: Path) -> None:
        packet = bytearray(files.events4(files.events(3)))
        place = packet.index(struct.pack("<I", 3), 12)
        packet[place : place + 4] = struct.pack("<I", 1 << 31)
        found = problem_of(lambda: read_recording(files.aedat4(tmp_path / "x.aedat4", [(0, bytes(packet))])))
        assert (found.code, "more than it holds" in found.message) == ("D224", True)


class TestProphesee:
    def test_dat(self, tmp_path: Path) -> None:
        drawn = files.events(300, (240, 304))
        same(read_recording(files.dat(tmp_path / "x.dat", drawn, (240, 304))), drawn, (240, 304))

    @pytest.mark.skipif(not N_CARS.exists(), reason="../shared/data/tonic-samples is not there")
    def test_a_real_n_cars_recording(self) -> None:
        """Counts, first and last event as expelliarmus 1.1.12 reads them."""
        found = read_recording(N_CARS)
        assert (len(found), found.size) == (2009, None)
        assert [column[0] for column in columns(found)] == [0, 25, 8, 0]
        assert [column[-1] for column in columns(found)] == [99952, 75, 28, 1]

    def test_evt2(self, tmp_path: Path) -> None:
        drawn = files.events(300, (720, 1280), 40.0)
        same(read_recording(files.evt2(tmp_path / "x.raw", drawn)), drawn, (720, 1280))

    @pytest.mark.parametrize("write", [files.evt2, lambda path, drawn: files.evt3(path, files.evt3_words(drawn))])
    def test_clocks_that_start_over(self, write: Callable[..., Path], tmp_path: Path) -> None:
        """EVT 3.0 counts 16.8 seconds, EVT 2.0 4.8 hours."""
        t, x, y, p = files.events(3000, (720, 1280), 100.0)
        found = read_recording(write(tmp_path / "x.raw", (t, x, y, p)))
        assert found.t.tolist() == t.tolist()
        late = t + (1 << 34) - 50_000_000
        found = read_recording(files.evt2(tmp_path / "y.raw", (late, x, y, p)))
        assert found.t.tolist() == late.tolist()

    def test_evt3_with_vectors(self, tmp_path: Path) -> None:
        random = np.random.default_rng(0)
        t = np.repeat(np.cumsum(random.integers(0, 900, 200)), 6)
        x = np.concatenate(
            [np.sort(random.choice(32, 6, replace=False)) + random.integers(0, 1200) for _ in range(200)]
        )
        y, p = np.repeat(random.integers(0, 720, 200), 6), np.repeat(random.integers(0, 2, 200), 6)
        words = files.evt3_words((t, x, y, p))
        assert {word >> 12 for word in words} == {0, 3, 4, 5, 6, 8}
        same(read_recording(files.evt3(tmp_path / "x.raw", words)), (t, x, y, p), (720, 1280))

    @settings(max_examples=80, deadline=None)
    @given(words=st.lists(st.tuples(st.sampled_from([0, 2, 3, 4, 5, 6, 8, 8, 7, 10, 15]), st.integers(0, 4095))))
    def test_evt3_word_by_word(self, words: list[tuple[int, int]], tmp_path_factory: Any) -> None:
        """Any words at all, against a loop over the state that they change."""
        path = tmp_path_factory.mktemp("evt3") / "x.raw"
        numbers = [kind << 12 | data for kind, data in words]
        found = read_recording_unordered(files.evt3(path, numbers))
        assert columns(found) == one_by_one(numbers)

    @pytest.mark.parametrize(
        "head", ["% evt 2.1\n% end\n", "% format EVT21;height=720;width=1280\n% end\n", "% date x\n", ""]
    )
    def test_other_encodings_are_refused_by_name(self, head: str, tmp_path: Path) -> None:
        found = problem_of(lambda: read_recording(files.evt3(tmp_path / "x.raw", [0, 1], head)))
        assert found.code == "D105"
        assert "EVT 3.0" in found.help

    def test_sizes_off_either_header(self, tmp_path: Path) -> None:
        head = "% format EVT3;height=320;width=640\n% end\n"
        assert read_recording(files.evt3(tmp_path / "x.raw", [0x8000, 0, 0x2000], head)).size == (320, 640)

    def test_other_dats_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "x.dat").write_bytes(b"1 2 3\n")
        assert problem_of(lambda: read_recording(tmp_path / "x.dat")).code == "D105"
        (tmp_path / "y.dat").write_bytes(b"% Version 2\n" + bytes([0x0E, 8]))
        assert "type 0e08" in problem_of(lambda: read_recording(tmp_path / "y.dat")).message


def read_recording_unordered(path: Path) -> Recording:
    """The words of hypothesis may tell times that fall."""
    from snnctl.data.events.readers.prophesee import read_raw

    return read_raw(path)


def one_by_one(words: list[int]) -> list[list[int]]:
    """EVT 3.0 as its description has it: a state, and events that are told in it."""
    high = row = base = None
    loops = low = polarity = 0
    found: list[tuple[int, int, int, int]] = []
    for word in words:
        kind, data = word >> 12, word & 0xFFF
        if kind == 0:
            row = data & 0x7FF
        elif kind == 8:
            if high is not None and high >= data + 2048:
                loops += 1
            low = low if high == data else 0
            high = data
        elif kind == 6:
            low = data if high is not None else 0
        elif kind == 3:
            base, polarity = data & 0x7FF, data >> 11
        elif kind == 2 and high is not None and row is not None:
            found.append((loops << 24 | high << 12 | low, data & 0x7FF, row, data >> 11))
        elif kind in (4, 5) and base is not None:
            width = 12 if kind == 4 else 8
            if high is not None and row is not None:
                marks = [bit for bit in range(width) if data >> bit & 1]
                found += [(loops << 24 | high << 12 | low, base + bit, row, polarity) for bit in marks]
            base += width
    return [list(column) for column in zip(*found, strict=True)] if found else [[], [], [], []]


class TestArrays:
    def test_es_imagenet(self, tmp_path: Path) -> None:
        """Rows of y, x and t, as published; of t, x, y where the first column alone runs on."""
        t, x, y, p = files.events(200, (256, 256))
        t = t // 125_000 + 1  # eight steps
        rows = np.stack((y, x, t), 1)
        np.savez(tmp_path / "x.npz", pos=rows[p == 1], neg=rows[p == 0])
        np.savez(tmp_path / "y.npz", pos=rows[p == 1][:, [2, 1, 0]], neg=rows[p == 0][:, [2, 1, 0]])
        for name in ("x.npz", "y.npz"):
            found = read_recording(tmp_path / name)
            assert found.size == (256, 256)
            expected = sorted(zip(t, x, y, p, strict=True))
            assert sorted(zip(found.t, found.x, found.y, found.p, strict=True)) == expected
            assert (np.diff(found.t) >= 0).all()

    def test_records(self, tmp_path: Path) -> None:
        drawn = files.events(50)
        table = np.zeros(50, [("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("p", "?")])
        for name, column in zip("txyp", drawn, strict=True):
            table[name] = column
        np.save(tmp_path / "x.npy", table)
        np.savez(tmp_path / "x.npz", event_data=table)
        for name in ("x.npy", "x.npz"):
            assert columns(read_recording(tmp_path / name)) == [column.tolist() for column in drawn]

    @pytest.mark.parametrize(
        "arrays",
        [
            {"t": [0, 1], "unit": [0]},
            {"t": [[0, 1]], "unit": [[0, 1]]},
            {"t": [0, 1], "unit": [0.5, 1]},
            {"t": ["a", "b"], "unit": [0, 1]},
            {"t": [0j, 1], "unit": [0, 1]},
            {"t": [0, 1], "x": [0, 1], "y": [0, 1]},
            {"pos": [0, 1], "neg": [0, 1]},
            {"event_data": [0, 1]},
            {},
            {"frames": np.zeros((2, 2, 4, 4))},
            {"t": [0, 1], "unit": [0, np.nan]},
        ],
    )
    def test_what_is_no_recording(self, arrays: dict[str, Any], tmp_path: Path) -> None:
        np.savez(tmp_path / "x.npz", **arrays)
        found = problem_of(lambda: read_recording(tmp_path / "x.npz"))
        assert (found.code, exit_code_of([found])) == ("D224", 3)


class TestGestures:
    def test_one_recording_a_row(self, tmp_path: Path) -> None:
        folder = files.gestures(tmp_path / "DvsGesture")
        data = EventSpikes(source=str(folder), steps=10, max_time=1.0).load()
        assert data.class_names == ("1", "2")
        assert {name: len(part) for name, part in data.parts.items()} == {"train": 18, "test": 6}
        assert not set(data.speakers("train")) & set(data.speakers("val"))  # users are held out whole
        assert data.speakers("test") == ["4"]
        t, x, y, p = files.events(4000, seconds=6, seed=0)
        kept = (t >= 2_000_000) & (t < 2_500_000)
        part = data.parts["train"]
        piece = slice(part.starts[2], part.starts[3])
        np.testing.assert_array_equal(part.units[piece], ((y * 128 + x) * 2 + p)[kept])
        np.testing.assert_allclose(part.times[piece], (t[kept] - 2_000_000) / 1e6, atol=1e-7)
        frames = EventFrames(source=str(folder), frames=4, val=3).load()
        assert frames.store.images["train"][2].sum() == kept.sum()
        assert frames.describe()["sensor"] == [128, 128]

    def test_without_lists_of_trials_it_is_one_part(self, tmp_path: Path) -> None:
        folder = files.gestures(tmp_path / "set")
        for name in ("trials_to_train.txt", "trials_to_test.txt"):
            (folder / name).unlink()
        data = EventFrames(source=str(folder), frames=2).load()
        assert {name: len(part) for name, part in data.store.images.items()} == {"all": 24}

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("user01_led_labels.csv", "label,start,end\n1,2,3\n"),
            ("user01_led_labels.csv", ""),
            ("user01_led_labels.csv", "class,startTime_usec,endTime_usec\n1,2\n"),
            ("user01_led_labels.csv", "class,startTime_usec,endTime_usec\n1,5,2\n"),
            ("user01_led_labels.csv", "class,startTime_usec,endTime_usec\n1,-5,2\n"),
            ("user01_led_labels.csv", "class,startTime_usec,endTime_usec\n1,0,99999999999999999999999\n"),
            ("trials_to_train.txt", "user77_led.aedat\n"),
        ],
    )
    def test_tables_that_cannot_be_understood(self, name: str, text: str, tmp_path: Path) -> None:
        folder = files.gestures(tmp_path / "set")
        (folder / name).write_text(text)
        assert problem_of(EventSpikes(source=str(folder)).load).code == "D222"

    def test_a_recording_without_a_table(self, tmp_path: Path) -> None:
        folder = files.gestures(tmp_path / "set")
        (folder / "user02_led_labels.csv").unlink()
        assert "user02_led_labels.csv" in problem_of(EventSpikes(source=str(folder)).load).message

    def test_names_with_a_mark_are_files(self, tmp_path: Path) -> None:
        for label in "ab":
            (tmp_path / "set" / label).mkdir(parents=True)
            for number in range(5):
                path = tmp_path / "set" / label / f"x#{number}-9.npz"
                np.savez(path, t=np.linspace(0, 1, 20), unit=np.arange(20))
        assert len(EventSpikes(source=str(tmp_path / "set")).load().parts["all"]) == 10


WRITERS: dict[str, Callable[[Path, files.Events], Path]] = {
    "x.aedat": lambda path, drawn: files.aedat2(path, drawn),
    "y.aedat": lambda path, drawn: files.aedat3(path, [files.packet3(1, files.pixels3(drawn))]),
    "x.aedat4": lambda path, drawn: files.aedat4(path, [(0, files.events4(drawn))], "lz4"),
    "x.dat": files.dat,
    "x.raw": lambda path, drawn: files.evt2(path, drawn, (128, 128)),
    "y.raw": lambda path, drawn: files.evt3(path, files.evt3_words(drawn), "% evt 3.0\n% geometry 128x128\n% end\n"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_in_folders_of_classes(name: str, tmp_path: Path) -> None:
    """Spikes and frames, with the size off the file."""
    for label in (0, 1):
        for number in range(5):
            path = tmp_path / "set" / f"c{label}" / f"{number}{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            WRITERS[name](path, files.events(200, seed=10 * label + number))
    frames = EventFrames(source=str(tmp_path / "set"), frames=3).load()
    spikes = EventSpikes(source=str(tmp_path / "set"), steps=10, max_time=1.0).load()
    assert not frames.warnings
    assert not spikes.warnings
    told = spikes.describe()
    assert (told["time_unit"], told["time_unit_from"]) == ("us", "the format")
    assert told["sensor"] == [128, 128]
    assert frames.split("test").batch(torch.arange(1)).inputs.sum() == 200
    t, x, y, p = files.events(200, seed=0)
    assert spikes.parts["all"].units[:200].tolist() == ((y * 128 + x) * 2 + p).tolist()
    np.testing.assert_allclose(spikes.parts["all"].times[:200], t / 1e6, atol=1e-7)


def test_sensors_of_two_sizes(tmp_path: Path) -> None:
    for label, size in (("a", (10, 10)), ("b", (20, 20))):
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in range(4):
            files.dat(tmp_path / "set" / label / f"{number}.dat", files.events(50, (10, 10)), size)
    for made in (EventSpikes(source=str(tmp_path / "set")), EventFrames(source=str(tmp_path / "set"), frames=2)):
        found = problem_of(made.load)
        assert (found.code, found.path) == ("D224", "data.size")
    assert EventFrames(source=str(tmp_path / "set"), frames=2, size=[20, 20]).load().describe()["sensor"] == [20, 20]


class TestDamaged:
    @pytest.mark.parametrize("name", WRITERS)
    def test_cut_short_or_changed(self, name: str, tmp_path: Path) -> None:
        """It reads, or says D1xx or D2xx; nothing else is raised."""
        whole = WRITERS[name](tmp_path / name, files.events(60)).read_bytes()
        random = np.random.default_rng(0)
        refused: Counter[str] = Counter()
        for number in range(120):
            raw = bytearray(whole)
            if number % 3 == 0:
                raw = raw[: int(random.integers(0, len(raw)))]
            elif number % 3 == 1:
                for place in random.integers(0, len(raw), 4):
                    raw[place] = int(random.integers(0, 256))
            else:
                place = int(random.integers(0, len(raw) - 4))
                raw[place : place + 4] = struct.pack("<I", int(random.choice([0, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000])))
            (tmp_path / name).write_bytes(bytes(raw))
            try:
                read_recording(tmp_path / name)
            except DiagnosticError as error:
                refused[error.diagnostics[0].code] += 1
        assert set(refused) <= {"D105", "D224", "D227", "D252"}
        assert refused.total() > 10

    @pytest.mark.parametrize("name", [*WRITERS, "x.bin", "x.npz", "x.npy"])
    def test_empty_files(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(b"")
        assert problem_of(lambda: read_recording(tmp_path / name)).code in ("D104", "D105", "D224")

    def test_a_header_that_declares_more_than_the_archive_holds(self, tmp_path: Path) -> None:
        path = tmp_path / "x.npz"
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("t", "unit"):
                head = f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({1 << 40},), }}".ljust(117) + "\n"
                archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        assert problem_of(lambda: read_recording(path)).code == "D232"

    def test_a_bomb_of_an_archive(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("snnctl.data.events.readers.plain._MOST_BYTES", 1 << 20)
        np.savez_compressed(tmp_path / "x.npz", t=np.zeros(1 << 22), unit=np.zeros(1 << 22, np.int64))
        assert (tmp_path / "x.npz").stat().st_size < 1 << 17
        assert problem_of(lambda: read_recording(tmp_path / "x.npz")).code == "D252"

    def test_python_objects(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "x.npz", t=np.array([{}, {}], object), unit=[0, 1])
        assert problem_of(lambda: read_recording(tmp_path / "x.npz")).code == "D202"

    @pytest.mark.parametrize("shape", ["(1 << 60,)", "(-5,)", "(5, -1)", "(2, 3)"])
    def test_npy_with_odd_shapes(self, shape: str, tmp_path: Path) -> None:
        head = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}, }}".replace("1 << 60", str(1 << 60))
        head = head.ljust(117) + "\n"
        raw = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + bytes(16)
        (tmp_path / "x.npy").write_bytes(raw)
        assert problem_of(lambda: read_recording(tmp_path / "x.npy")).code in ("D104", "D232")

    def test_recordings_that_are_too_long(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("snnctl.data.events.readers.recording.MOST_EVENTS", 50)
        for name, write in WRITERS.items():
            path = write(tmp_path / name, files.events(60))
            with pytest.raises(DiagnosticError, match="D252"):
                read_recording(path)

    @pytest.mark.parametrize("bad", [-1, 200])
    def test_pixels_outside(self, bad: int, tmp_path: Path) -> None:
        for label in "ab":
            (tmp_path / "set" / label).mkdir(parents=True)
            t, x, y, p = files.events(20)
            x[3] = bad
            np.savez(tmp_path / "set" / label / "x.npz", t=t, x=x, y=y, p=p)
        for made in (
            EventSpikes(source=str(tmp_path / "set"), size=[128, 128]),
            EventFrames(source=str(tmp_path / "set"), frames=2),
        ):
            found = problem_of(made.load)
            assert (found.code, f"({bad}, " in found.message) == ("D224", True)

    def test_times_beyond_64_bits(self, tmp_path: Path) -> None:
        """A clock that is damaged; frames of equal duration would have wrapped around."""
        drawn = files.events(20)
        drawn[0][0], drawn[0][-1] = -(1 << 62), 1 << 62
        path = files.aedat4(tmp_path / "x.aedat4", [(0, files.events4(drawn))])
        assert problem_of(lambda: read_recording(path)).code == "D227"

    def test_units_of_huge_numbers(self, tmp_path: Path) -> None:
        for label in "ab":
            (tmp_path / "set" / label).mkdir(parents=True)
            for number in range(3):
                t = np.linspace(0, 1, 20)
                np.savez(tmp_path / "set" / label / f"{number}.npz", t=t, unit=np.arange(20) + (1 << 30))
        assert problem_of(EventSpikes(source=str(tmp_path / "set")).load).code == "D252"

    def test_more_frames_than_memory_holds(self, tmp_path: Path) -> None:
        for label in "ab":
            (tmp_path / "set" / label).mkdir(parents=True)
            files.dat(tmp_path / "set" / label / "x.dat", files.events(20))
        assert problem_of(EventFrames(source=str(tmp_path / "set"), frames=10**9).load).code == "D252"


class TestHdf5:
    def made(self, path: Path) -> Path:
        return files.spikes_hdf5(path, lambda t: t.astype(np.float32))

    @pytest.mark.parametrize("name", ["spikes", "spikes/times", "labels"])
    def test_links_to_other_files(self, name: str, tmp_path: Path) -> None:
        self.made(tmp_path / "other.h5")
        path = self.made(tmp_path / "x.h5")
        with h5py.File(path, "a") as file:
            del file[name]
            file[name] = h5py.ExternalLink("other.h5", name)
        found = problem_of(EventSpikes(source=str(path)).load)
        assert (found.code, "other.h5" in found.message) == ("D104", True)

    def test_values_kept_outside(self, tmp_path: Path) -> None:
        path = self.made(tmp_path / "x.h5")
        (tmp_path / "secret").write_bytes(bytes(1000))
        with h5py.File(path, "a") as file:
            del file["labels"]
            file.create_dataset("labels", (24,), "u2", external=[(str(tmp_path / "secret"), 0, 1000)])
        found = problem_of(EventSpikes(source=str(path)).load)
        assert (found.code, "secret" in found.message) == ("D104", True)

    def test_virtual_lists(self, tmp_path: Path) -> None:
        path = self.made(tmp_path / "x.h5")
        layout = h5py.VirtualLayout((24,), "u2")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "labels", (24,))
        with h5py.File(path, "a") as file:
            del file["labels"]
            file.create_virtual_dataset("labels", layout)
        assert problem_of(EventSpikes(source=str(path)).load).code == "D104"

    def test_links_in_a_circle(self, tmp_path: Path) -> None:
        path = self.made(tmp_path / "x.h5")
        with h5py.File(path, "a") as file:
            del file["labels"]
            file["labels"], file["again"] = h5py.SoftLink("/again"), h5py.SoftLink("/labels")
        assert problem_of(EventSpikes(source=str(path)).load).code in ("D104", "D225")

    def test_lists_that_hold_nothing(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "x.h5", "w") as file:
            for name, kind in (("times", np.float32), ("units", np.uint16)):
                file.create_dataset(f"spikes/{name}", (10**12,), h5py.vlen_dtype(np.dtype(kind)), chunks=(1000,))
            file.create_dataset("labels", (10**12,), "u2", chunks=(1000,))
        found = problem_of(EventSpikes(source=str(tmp_path / "x.h5")).load)
        assert (found.code, "and holds 0" in found.message) == ("D232", True)

    @pytest.mark.parametrize("label", [1 << 20, 1 << 62, (1 << 64) - 1])
    def test_classes_of_huge_numbers(self, label: int, tmp_path: Path) -> None:
        path = self.made(tmp_path / "x.h5")
        with h5py.File(path, "a") as file:
            labels = file["labels"][()].astype(np.uint64)
            labels[3] = label
            del file["labels"]
            file["labels"] = labels
        assert problem_of(EventSpikes(source=str(path)).load).code == "D226"
