"""The recordings of the Free Spoken Digit Dataset, turned into spikes in the HDF5 layout of SHD."""

from __future__ import annotations

import re
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnctl.core.files import write_atomically, write_text
from snnctl.data.events.readers.cochlea import FrontEnd, Sound
from snnctl.data.events.readers.hdf5 import write_hdf5
from snnctl.data.problems import data_error

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FILE = "fsdd_spikes.h5"
_RATES = range(1_000, 400_001)  # per second; windows of analysis grow with it
_NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")
_LICENCE = """Spikes derived from the recordings of the Free Spoken Digit Dataset (Jakobovski et al.),
licensed CC BY-SA 4.0: name the source, and share what is derived under the same licence.
They went through snnctl's own front end. They are not the Spiking Heidelberg Digits.
"""


@dataclass(frozen=True)
class Clip:
    """One recording: `{digit}_{speaker}_{take}.wav`."""

    path: Path
    digit: int
    speaker: str
    take: int


def clip_of(path: Path) -> Clip | None:
    """What the name of a recording tells; None where it is called otherwise."""
    name = _NAME.fullmatch(path.name)
    return None if name is None else Clip(path, int(name[1]), name[2], int(name[3]))


def find_clips(folder: Path) -> list[Clip]:
    """The recordings in `folder` (or in `folder`/recordings), sorted by speaker, digit and take; raises D101, D228."""
    folder = folder / "recordings" if (folder / "recordings").is_dir() else folder
    if not folder.is_dir():
        raise data_error("D101", f"no folder `{folder}`", file=folder, path="")
    found = [clip for path in folder.iterdir() if (clip := clip_of(path)) is not None]
    if not found:
        help = "files are called DIGIT_SPEAKER_TAKE.wav, such as 7_jackson_32.wav"
        raise data_error("D228", facts={"folder": folder}, file=folder, path="", help=help)
    return sorted(found, key=lambda clip: (clip.speaker, clip.digit, clip.take))


def read_wav(path: Path) -> tuple[Sound, int]:
    """Samples -1..1 and their rate of a mono WAV file with 16 bits; raises D104."""
    try:
        with wave.open(str(path), "rb") as file:
            kind = file.getnchannels(), file.getsampwidth()
            if kind != (1, 2):
                raise wave.Error(f"{kind[0]} channels of {8 * kind[1]} bits, not 1 of 16")
            promised = file.getnframes()
            rate = file.getframerate()
            if rate not in _RATES:
                raise wave.Error(f"{rate:,} samples per second, not {_RATES[0]:,} to {_RATES[-1]:,}")
            raw = file.readframes(promised)
            if len(raw) != 2 * promised:
                raise wave.Error(f"{len(raw) // 2:,} samples of {promised:,}")
    except (OSError, EOFError, RuntimeError, wave.Error) as error:  # of a chunk that lies about its size, without words
        said = str(error) or "it is damaged"
        raise data_error("D104", f"`{path.name}` cannot be read: {said}", file=path, path="") from error
    return np.frombuffer(raw, "<i2") / 32768.0, rate


def write_fsdd(
    folder: Path,
    target: Path,
    front_end: FrontEnd | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Turn all recordings into spikes at `target`/fsdd_spikes.h5, with a note on the licence beside it.

    Args:
        folder: of the recordings.
        front_end: None takes its defaults.
        progress: told bytes of sound done and in all.

    Returns:
        Facts: recordings, speakers, spikes, seconds of sound, and spikes per second and band.

    Raises:
        DiagnosticError: D101, D104 or D228.
    """
    made = front_end or FrontEnd()
    clips = find_clips(folder)
    speakers = sorted({clip.speaker for clip in clips})
    total, done, seconds = sum(clip.path.stat().st_size for clip in clips), 0, 0.0
    times, units = [], []
    for number, clip in enumerate(clips):
        sound, rate = read_wav(clip.path)
        when, where = made.spikes(sound, rate, number)
        times.append(when)
        units.append(where)
        seconds += len(sound) / rate
        done += clip.path.stat().st_size
        if progress is not None and (number % 16 == 15 or number == len(clips) - 1):
            progress(done, total)
    extra = {
        "speaker": np.array([speakers.index(clip.speaker) for clip in clips], np.uint16),
        "take": np.array([clip.take for clip in clips], np.uint16),
        "speaker_names": np.array([name.encode() for name in speakers]),
    }
    target.mkdir(parents=True, exist_ok=True)
    labels = [clip.digit for clip in clips]
    write_atomically(target / FILE, lambda part: write_hdf5(part, times, units, labels, DIGITS, extra=extra))
    write_text(target / "LICENCE.txt", _LICENCE)
    spikes = sum(map(len, times))
    return {
        "recordings": len(clips),
        "speakers": speakers,
        "spikes": spikes,
        "seconds": seconds,
        "rate": spikes / max(seconds * made.bands, 1e-9),
    }
