"""Small sound recordings of every format that is read, which `fuzz.py` damages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import image_files
import numpy as np
import recording_files as files
import spike_files
from fuzz_sample import Sample

_FRAMES = ("event_frames", {"frames": 3})
_SPIKES = ("event_spikes", {"steps": 5, "max_time": 0.4})
_PIXELS = ("event_spikes", {**_SPIKES[1], "size": [34, 34]})
_SMALL = (34, 34)


def _events(count: int, seed: int) -> list[tuple[int, int, int, int]]:
    random = np.random.default_rng(seed)
    times = np.sort(random.integers(0, 300_000, count))
    places = random.integers(0, 34, (count, 2))
    return [(int(x), int(y), int(t) % 2, int(t)) for (x, y), t in zip(places, times, strict=True)]


def _recordings(kind: str) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        for part, count in (("Train", 5), ("Test", 2)):
            for label in ("0", "1"):
                folder = path / part / label
                folder.mkdir(parents=True)
                for number in range(count):
                    events = _events(40, number)
                    x, y, p, t = (np.array(column) for column in zip(*events, strict=True))
                    if kind == "bin":
                        (folder / f"{number}.bin").write_bytes(image_files.n_mnist_bytes(events))
                    elif kind == "frames":
                        frames = np.random.default_rng(number).integers(0, 9, (3, 2, 6, 6))
                        np.savez_compressed(folder / f"{number}.npz", frames=frames)
                    elif kind == "unit":
                        np.savez(folder / f"{number}.npz", t=t / 1e6, unit=x)
                    else:
                        np.savez(folder / f"{number}.npz", t=t, x=x, y=y, p=p)

    return write


def _gestures(path: Path) -> None:
    for part in ("Train", "Test"):
        for user in range(4):
            folder = path / f"ibmGesture{part}" / f"user{user}"
            folder.mkdir(parents=True)
            for label in (0, 1):
                np.save(folder / f"{label}.npy", np.array(_events(40, label)))


def _event_arrays(path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(path, frames=random.integers(0, 5, (30, 3, 2, 6, 6)), labels=np.arange(30) % 3)


def _shd(path: Path) -> None:
    path.mkdir()
    for part, count in (("train", 20), ("test", 8)):
        labels = [number % 4 for number in range(count)]
        speakers = [number % 3 for number in range(count)]
        spike_files.shd(path / f"shd_{part}.h5", labels, speakers=speakers, keys=4, spikes=10)


def _wavs(path: Path) -> None:
    path.mkdir()
    for digit in range(3):
        for speaker in ("theo", "yweweler"):
            spike_files.sound(path / f"{digit}_{speaker}_0.wav", spike_files.tone(300 * (digit + 1), 0.05))


def _camera(name: str, write: Callable[[Path, files.Events], Any]) -> Callable[[Path], Any]:
    """Folders of classes with recordings as `write` makes them."""

    def made(path: Path) -> None:
        for part, count in (("Train", 4), ("Test", 2)):
            for label in "ab":
                folder = path / part / label
                folder.mkdir(parents=True)
                for number in range(count):
                    write(folder / f"{number}{name}", files.events(40, _SMALL, 0.3, number))

    return made


def _aedat3(path: Path, found: files.Events) -> Path:
    """Packets of pixels, some not valid, beside those of another type, and room that is not used."""
    rows = files.pixels3(found)
    return files.aedat3(
        path, [files.packet3(1, rows[:20]), files.packet3(0, [(1, 2)]), files.packet3(1, rows[20:], 0, 3)]
    )


def _aedat4(codec: str) -> Callable[[Path, files.Events], Path]:
    return lambda path, found: files.aedat4(path, [(0, files.events4(found)), (1, b"other")], codec, _SMALL)


def _evt3(path: Path, found: files.Events) -> Path:
    return files.evt3(path, files.evt3_words(found), "% evt 3.0\n% format EVT3;height=34;width=34\n% end\n")


def _signed(path: Path, found: files.Events) -> None:
    """ES-ImageNet: rows of y, x and step."""
    t, x, y, p = found
    rows = np.stack((y, x, t // 40_000), 1).astype(np.uint8)
    np.savez_compressed(path, pos=rows[p == 1], neg=rows[p == 0])


def _n_imagenet(path: Path, found: files.Events) -> None:
    """One array of records."""
    records = np.empty(len(found[0]), [("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("p", "|b1")])
    for name, column in zip("txyp", found, strict=True):
        records[name] = column
    np.savez_compressed(path, event_data=records)


RECORDINGS = (
    Sample("n_mnist", _recordings("bin"), (_FRAMES, _SPIKES)),
    Sample("events", _recordings("pixel"), (_FRAMES, _PIXELS)),
    Sample("units", _recordings("unit"), (_SPIKES,)),
    Sample("kept", _recordings("frames"), (("event_frames", {}),)),
    Sample("gestures", _gestures, (_FRAMES,)),
    Sample("frames.npz", _event_arrays, (("event_frames", {}),)),
    Sample("shd", _shd, (_SPIKES,), ("shd",)),
    Sample("wavs", _wavs, (), ("fsdd",)),
    Sample("aedat2", _camera(".aedat", files.aedat2), (_FRAMES, _SPIKES)),
    Sample("davis", _camera(".aedat", lambda path, found: files.aedat2(path, found, "DAVIS240C")), (_FRAMES,)),
    Sample("aedat3", _camera(".aedat", _aedat3), (_FRAMES, _SPIKES)),
    Sample("aedat4", _camera(".aedat4", _aedat4("")), (_FRAMES, _SPIKES)),
    Sample("aedat4_lz4", _camera(".aedat4", _aedat4("lz4")), (_FRAMES,)),
    Sample("aedat4_zstd", _camera(".aedat4", _aedat4("zstd")), (_FRAMES,)),
    Sample("dat", _camera(".dat", lambda path, found: files.dat(path, found, _SMALL)), (_FRAMES, _SPIKES)),
    Sample("evt2", _camera(".raw", lambda path, found: files.evt2(path, found, _SMALL)), (_FRAMES,)),
    Sample("evt3", _camera(".raw", _evt3), (_FRAMES,)),
    Sample("trials", lambda path: files.gestures(path, 3, 4), (_FRAMES, ("event_spikes", {"steps": 5, "max_time": 1}))),
    Sample("signed", _camera(".npz", _signed), (_FRAMES, _SPIKES)),
    Sample("records", _camera(".npz", _n_imagenet), (_FRAMES, _PIXELS)),
)
