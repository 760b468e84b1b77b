"""Small sound samples of every format that is read, which `fuzz.py` damages, and who reads them."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import image_files
import numpy as np
import pandas as pd
import spike_files
import text_files
import video_files
from PIL import Image

Knobs = dict[str, Any]
_DATES = pd.date_range("2020-01-01", periods=60, freq="h")
_ROWS = np.random.default_rng(0).normal(size=(60, 3)).round(3)
_SERIES = ("timeseries", {"window": 6, "horizon": 2})
_FRAMES = ("event_frames", {"frames": 3})


@dataclass(frozen=True)
class Sample:
    """One sound sample.

    Args:
        name: of the file or folder that `write` makes.
        write: makes it at a path.
        uses: (component, knobs without the source) that read it.
        brought: names of sets that `data prep NAME --from` takes it for.
    """

    name: str
    write: Callable[[Path], Any]
    uses: tuple[tuple[str, Knobs], ...] = ()
    brought: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A name that no other sample has."""
        first = self.uses[0][0] if self.uses else self.brought[0]
        return f"{first}:{self.name}"


def _table(separator: str, *, dated: bool = True, header: bool = True) -> bytes:
    frame = pd.DataFrame(_ROWS, columns=["a", "b", "c"])
    if dated:
        frame.insert(0, "date", _DATES.strftime("%Y-%m-%d %H:%M:%S"))
    return frame.to_csv(sep=separator, index=False, header=header).encode()


def _bytes(content: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content)


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _parquet(path: Path) -> None:
    frame = pd.DataFrame(_ROWS, columns=["a", "b", "c"])
    frame.insert(0, "date", _DATES)
    frame["n"] = np.arange(60)
    frame.to_parquet(path)


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=_ROWS, chunks=(16, 3), compression="gzip")


def _pandas_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("df")
        group["axis0"] = group["block0_items"] = np.array([b"a", b"b", b"c"])
        group["axis1"] = _DATES.to_numpy().astype("datetime64[ns]").astype(np.int64)
        group["axis1"].attrs["kind"] = b"datetime64"
        group["block0_values"] = _ROWS


def _text_rows(count: int = 40) -> list[dict[str, Any]]:
    return [{"text": text, "label": label} for text, label in text_files.rows(count)]


def _text_table(separator: str) -> bytes:
    return pd.DataFrame(_text_rows()).to_csv(sep=separator, index=False).encode()


def _folders(suffix: str) -> Callable[[Path], Any]:
    return lambda path: image_files.folders(path, {"train": 18, "test": 9}, suffix=suffix)


def _modes(path: Path) -> None:
    """Pictures of other modes: palette, transparency, 16 bits, grey."""
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4)
    made = {
        "p.png": grey.convert("P"),
        "la.png": grey.convert("LA"),
        "rgba.png": grey.convert("RGBA"),
        "deep.png": Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000),
        "cmyk.jpg": grey.convert("CMYK"),
        "bit.tif": grey.convert("1"),
        "p.gif": grey.convert("P"),
        "a.bmp": grey,
        "a.ppm": grey.convert("RGB"),
    }
    for part, times in (("train", 3), ("test", 1)):
        for label in image_files.CLASSES:
            folder = path / part / label
            folder.mkdir(parents=True)
            for number in range(times):
                for name, picture in made.items():
                    picture.save(folder / f"{number}{name}")


def _archive(mode: str, zipped: bool = False) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        folder = path.with_name("set")
        image_files.folders(folder, {"train": 18, "test": 9})
        files = sorted(folder.rglob("*.png"))
        if zipped:
            with zipfile.ZipFile(path, "w") as pack:
                for file in files:
                    pack.write(file, file.relative_to(folder.parent))
        else:
            with tarfile.open(path, mode) as archive:
                for file in files:
                    archive.add(file, file.relative_to(folder.parent).as_posix(), filter=_undated)
        shutil.rmtree(folder)

    return write


def _undated(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = member.uid = member.gid = 0
    return member


def _idx(suffix: str) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        for stem, count in (("train", 60), ("t10k", 30)):
            images, labels = image_files.pictures(count, 8, 1)
            image_files.idx(path / f"{stem}-images-idx3-ubyte{suffix}", images[..., 0])
            image_files.idx(path / f"{stem}-labels-idx1-ubyte{suffix}", labels.astype(np.uint8))

    return write


def _arrays(compressed: bool) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        save = np.savez_compressed if compressed else np.savez
        save(path, **dict(zip(("images", "labels"), image_files.pictures(40), strict=True)))  # type: ignore[arg-type]

    return write


def _npy_beside(path: Path) -> None:
    images, labels = image_files.pictures(40)
    np.save(path, images)
    np.save(path.with_name(f"{path.stem}_labels.npy"), labels)


def _picture_table(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    images, labels = image_files.pictures(40)
    cells = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        cells.append({"bytes": stream.getvalue(), "path": None})
    features = {
        "image": {"_type": "Image"},
        "label": {"_type": "ClassLabel", "names": list(image_files.CLASSES)},
    }
    told = {"huggingface": json.dumps({"info": {"features": features}})}
    pictures = pa.array(cells, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    pq.write_table(pa.table({"image": pictures, "label": labels}).replace_schema_metadata(told), path)


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


def _clips(path: Path) -> None:
    for part, count in (("train", 5), ("test", 2)):
        for clip in range(count):
            video_files.pictures(path / part / f"clip{clip}", range(6), 9 * clip, (6, 8))


def _taxi(path: Path) -> None:
    video_files.taxi(path)


def _moving(path: Path) -> None:
    np.save(path, np.zeros((20, 3, 64, 64), np.uint8))


def _word_folders(path: Path) -> None:
    text_files.imdb(path)


def _labelled(path: Path) -> None:
    path.write_text("".join(f"{label} {text}\n" for text, label in text_files.rows(40)), encoding="utf-8")


_IMAGE = (("image", {"val": 0.2}),)
_SPIKES = ("event_spikes", {"steps": 5, "max_time": 0.4})
_VIDEO: Knobs = {"frames_in": 2, "frames_out": 2, "val": 0.2}
_ARRAY: Knobs = {**_VIDEO, "layout": "nthwc"}
_TEXT = (("text", {}),)
_MODES = (("image", {"val": 0.2, "channels": 3}), ("sequential_image", {"val": 0.2, "channels": 1}))
_KTH = (("video", {**_VIDEO, "size": [6, 8], "val": 1}),)

SAMPLES = (
    Sample("table.csv", _bytes(_table(",")), (_SERIES,), ("etth1",)),
    Sample("plain.csv", _bytes(_table(",", dated=False, header=False)), (_SERIES,)),
    Sample("semicolon.csv", _bytes(_table(";").replace(b".", b",")), (_SERIES,)),
    Sample("tabs.tsv", _bytes(_table("\t")), (_SERIES,)),
    Sample("blanks.txt", _bytes(_table(" ", dated=False)), (_SERIES,)),
    Sample("packed.csv.gz", _bytes(_packed(_table(","))), (_SERIES,)),
    Sample("array.npy", lambda path: np.save(path, _ROWS), (_SERIES,)),
    Sample("array.npz", lambda path: np.savez(path, data=_ROWS), (_SERIES,)),
    Sample("deflated.npz", lambda path: np.savez_compressed(path, data=_ROWS), (_SERIES,)),
    Sample("table.parquet", _parquet, (_SERIES,)),
    Sample("plain.h5", _hdf5, (_SERIES,)),
    Sample("pandas.h5", _pandas_hdf5, (_SERIES,), ("metr-la",)),
    Sample("texts.csv", _bytes(_text_table(",")), _TEXT),
    Sample("texts.tsv", _bytes(_text_table("\t")), _TEXT),
    Sample("texts.json", _bytes(json.dumps(_text_rows()).encode()), _TEXT),
    Sample("texts.jsonl", lambda path: text_files.json_lines(path, text_files.rows(40)), _TEXT),
    Sample("texts.parquet", lambda path: pd.DataFrame(_text_rows()).to_parquet(path), _TEXT),
    Sample("texts.txt", _labelled, _TEXT),
    Sample("words", _word_folders, _TEXT),
    Sample("lines", text_files.mr, (("text", {"encoding": "latin-1"}),), ("mr",)),
    Sample("splits", text_files.sst2, _TEXT, ("sst2",)),
    Sample("hotels", text_files.chnsenti, _TEXT, ("chnsenti",)),
    Sample("fine", text_files.sst5, _TEXT, ("sst5",)),
    Sample("idx", _idx(""), _IMAGE),
    Sample("idx_packed", _idx(".gz"), _IMAGE),
    Sample("mnist", image_files.mnist, (), ("mnist",)),
    Sample("png", _folders(".png"), _IMAGE),
    Sample("jpg", _folders(".jpg"), (("image", {"val": 0.2, "size": [6, 6], "channels": 1}),)),
    Sample("webp", _folders(".webp"), _IMAGE),
    Sample("tiff", _folders(".tiff"), _IMAGE),
    Sample(
        "modes", _modes, (("image", {"val": 0.2, "channels": 3}), ("sequential_image", {"val": 0.2, "channels": 1}))
    ),
    Sample("tiny", image_files.tiny_imagenet, _IMAGE, ("tiny_imagenet",)),
    Sample("set.tar", _archive("w"), _IMAGE),
    Sample("set.tar.gz", _archive("w:gz"), _IMAGE),
    Sample("set.tar.xz", _archive("w:xz"), _IMAGE),
    Sample("set.tar.bz2", _archive("w:bz2"), _IMAGE),
    Sample("set.zip", _archive("", zipped=True), _IMAGE),
    Sample("images.npz", _arrays(False), _IMAGE),
    Sample("packed.npz", _arrays(True), _IMAGE),
    Sample("images.npy", _npy_beside, _IMAGE),
    Sample("images.parquet", _picture_table, _IMAGE),
    Sample("n_mnist", _recordings("bin"), (_FRAMES, _SPIKES)),
    Sample("events", _recordings("pixel"), (_FRAMES, (_SPIKES[0], {**_SPIKES[1], "size": [34, 34]}))),
    Sample("units", _recordings("unit"), (_SPIKES,)),
    Sample("kept", _recordings("frames"), (("event_frames", {}),)),
    Sample("gestures", _gestures, (_FRAMES,)),
    Sample("frames.npz", _event_arrays, (("event_frames", {}),)),
    Sample("shd", _shd, (_SPIKES,), ("shd",)),
    Sample("wavs", _wavs, (), ("fsdd",)),
    Sample("clips.npy", lambda path: np.save(path, video_files.clips(12, 6)), (("video", _ARRAY),)),
    Sample("real.npy", lambda path: np.save(path, video_files.clips(12, 6) / 255), (("video", _ARRAY),)),
    Sample("clips.npz", lambda path: np.savez(path, frames=video_files.clips(12, 6)), (("video", _ARRAY),)),
    Sample("taxi.npz", _taxi, (("video", {"frames_in": 4, "frames_out": 4}),), ("taxibj",)),
    Sample("moving.npy", _moving, (), ("moving_mnist",)),
    Sample("clips", _clips, (("video", _VIDEO),)),
    Sample(
        "kth",
        lambda path: video_files.kth(path, frames=4),
        (("video", {**_VIDEO, "size": [6, 8], "val": 1}),),
        ("kth",),
    ),
)
