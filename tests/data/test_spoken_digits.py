"""Sound to spikes: tones fire their band, silence none, the same seed the same bytes; real recordings."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spike_files as files

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.events.component import EventSpikes
from snnctl.data.events.prepare import prepare
from snnctl.data.events.readers.cochlea import FrontEnd, mel_bank
from snnctl.data.events.readers.fsdd import FILE, find_clips, read_wav, write_fsdd
from snnctl.data.events.readers.hdf5 import hdf5_source

FSDD = Path(__file__).parents[2] / ".." / "shared" / "data" / "FSDD"
there = pytest.mark.skipif(not FSDD.exists(), reason="../shared/data/FSDD is not there")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def code_of(call: Any) -> str:
    with pytest.raises(DiagnosticError) as caught:
        call()
    return caught.value.diagnostics[0].code


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Three speakers, two digits, six takes: tones, a silent one among them."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for speaker, base in (("ann", 300.0), ("bob", 350.0), ("eve", 400.0)):
        for digit in (3, 4):
            for take in range(6):
                samples = files.tone(base * digit + 20 * take, 0.2)
                files.sound(folder / f"{digit}_{speaker}_{take}.wav", samples * (speaker != "eve" or take > 0))
    return folder


class TestFrontEnd:
    def test_bank(self) -> None:
        bank = mel_bank(100, 80.0, 3800.0, 8000, 512)
        assert bank.shape == (100, 257)
        np.testing.assert_allclose(bank.sum(1), 1)
        assert (np.diff((bank * np.arange(257)).sum(1)) > 0).all()  # centres rise
        assert (np.count_nonzero(bank, axis=1) >= 1).all()

    @pytest.mark.parametrize("hertz", [250.0, 800.0, 1500.0, 3000.0])
    def test_a_tone_excites_its_band_most(self, hertz: float) -> None:
        made = FrontEnd(noise=0.0)
        times, bands = made.spikes(files.tone(hertz), 8000)
        mel = np.linspace(*(2595 * np.log10(1 + np.array([80.0, 3800.0]) / 700)), 102)[1:-1]
        expected = np.abs(700 * (10 ** (mel / 2595) - 1) - hertz).argmin()
        steady = made.currents(files.tone(hertz), 8000)[100:200].mean(0)
        assert abs(int(steady.argmax()) - expected) <= 1
        fired = np.bincount(bands, minlength=100)
        assert fired[expected] == fired.max() > 0
        assert (np.diff(times) >= 0).all()
        assert 0 <= times.min() < times.max() < 0.3

    def test_silence_is_silent(self) -> None:
        for sound in (np.zeros(4000), np.zeros(0)):
            times, bands = FrontEnd(noise=0.5).spikes(sound, 8000)
            assert len(times) == len(bands) == 0

    def test_a_neuron_by_hand(self) -> None:
        # One step's current of 1.5 fires at once, then it rests for two more steps, and so on.
        class Constant(FrontEnd):
            def currents(self, sound: Any, rate: int) -> Any:
                return np.tile([1.5, 0.4], (10, 1))

        made = Constant(bands=2, gain=1.0, noise=0.0, refractory_ms=2.0, tau_ms=1e9)
        times, bands = made.spikes(np.ones(1), 8000)
        assert np.round(times[bands == 0] * 1000).astype(int).tolist() == [0, 3, 6, 9]
        # 0.4, 0.8, 1.2*: a spike every third step, and two steps of rest between.
        assert np.round(times[bands == 1] * 1000).astype(int).tolist() == [2, 7]

    def test_loudness_does_not_matter(self) -> None:
        made = FrontEnd()
        loud, quiet = (made.spikes(files.tone(900.0) * gain, 8000) for gain in (1.0, 0.01))
        np.testing.assert_array_equal(loud[1], quiet[1])

    def test_seeds(self) -> None:
        sound = files.tone(900.0)
        one, again, other, next_clip = (
            FrontEnd(seed=seed).spikes(sound, 8000, number)[0] for seed, number in ((0, 0), (0, 0), (1, 0), (0, 1))
        )
        np.testing.assert_array_equal(one, again)
        assert not np.array_equal(one, other)
        assert not np.array_equal(one, next_clip)


class TestFile:
    def test_the_same_seed_gives_the_same_bytes(self, clips: Path, tmp_path: Path) -> None:
        facts = [write_fsdd(clips, tmp_path / name) for name in ("a", "b")]
        assert (tmp_path / "a" / FILE).read_bytes() == (tmp_path / "b" / FILE).read_bytes()
        assert facts[0] == facts[1]
        assert "CC BY-SA 4.0" in (tmp_path / "a" / "LICENCE.txt").read_text()
        write_fsdd(clips, tmp_path / "c", FrontEnd(seed=1))
        assert (tmp_path / "a" / FILE).read_bytes() != (tmp_path / "c" / FILE).read_bytes()

    def test_it_opens_with_the_reader(self, clips: Path, tmp_path: Path) -> None:
        facts = write_fsdd(clips, tmp_path)
        assert (facts["recordings"], facts["speakers"]) == (36, ["ann", "bob", "eve"])
        source = hdf5_source(tmp_path / FILE)
        assert source.speakers == ("ann", "bob", "eve")
        assert source.classes[3:5] == ("three", "four")
        data = EventSpikes(source=str(tmp_path / FILE), max_time=0.3).load()
        part = data.parts["all"]
        assert part.units.max() < 100
        assert part.times.max() < 0.2
        lengths = np.diff(part.starts)
        assert sorted(np.flatnonzero(lengths == 0).tolist()) == [24, 30]  # the silent ones
        people = [person for name in ("train", "val", "test") for person in data.speakers(name)]
        assert sorted(people) == ["ann", "bob", "eve"]
        official = EventSpikes(source=str(tmp_path / FILE), by="take").load()
        assert sorted(official.cut["test"][1].tolist()) == [row for row in range(36) if row % 6 < 5]

    def test_what_is_no_recording(self, clips: Path, tmp_path: Path) -> None:
        assert code_of(lambda: find_clips(tmp_path / "none")) == "D101"
        (tmp_path / "empty").mkdir()
        assert code_of(lambda: find_clips(tmp_path / "empty")) == "D228"
        whole = (clips / "3_ann_0.wav").read_bytes()
        for content in (b"", b"RIFF", whole[:300]):
            (clips / "3_ann_0.wav").write_bytes(content)
            assert code_of(lambda: write_fsdd(clips, tmp_path / "x")) == "D104"
        files.sound(clips / "3_ann_0.wav", files.tone(300.0, 0.1), width=1)
        assert code_of(lambda: read_wav(clips / "3_ann_0.wav")) == "D104"

    @pytest.mark.parametrize("rate", [0, 999, 400_001, (1 << 32) - 1])
    def test_a_rate_that_no_sound_has(self, clips: Path, rate: int) -> None:
        """Windows of analysis grow with it: 4 GHz would ask for all memory."""
        path = clips / "3_ann_0.wav"
        whole = path.read_bytes()
        path.write_bytes(whole[:24] + struct.pack("<I", rate) + whole[28:])
        assert code_of(lambda: write_fsdd(clips, clips.parent / "made")) == "D104"

    def test_a_chunk_that_lies_about_its_size(self, clips: Path) -> None:
        path = clips / "3_ann_0.wav"
        whole = path.read_bytes()
        codes = set()
        for size in (0, 1, 15, 17, 1 << 20, (1 << 31) - 1, (1 << 32) - 1):
            for at in (4, 16, 40):
                path.write_bytes(whole[:at] + struct.pack("<I", size) + whole[at + 4 :])
                try:
                    read_wav(path)
                except DiagnosticError as error:
                    codes.add(error.diagnostics[0].code)
        assert codes == {"D104"}

    def test_a_part_of_it_is_not_the_genuine_set(self, clips: Path) -> None:
        assert code_of(lambda: prepare("fsdd", clips)) == "D107"


@there
class TestReal:
    def test_rate_on_a_sample(self) -> None:
        clips = find_clips(FSDD)
        assert len(clips) == 3000
        assert sorted({clip.speaker for clip in clips})[4:] == ["theo", "yweweler"]
        seconds, spikes = 0.0, 0
        for number in range(0, 3000, 100):
            sound, rate = read_wav(clips[number].path)
            times, bands = FrontEnd().spikes(sound, rate, number)
            assert times.max(initial=0) < len(sound) / rate
            assert bands.max(initial=0) < 100
            seconds, spikes = seconds + len(sound) / rate, spikes + len(times)
        assert 5 < spikes / seconds / 100 < 20
