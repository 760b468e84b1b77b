"""Small sound samples of every format that is read, which `fuzz.py` damages, and who reads them."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import image_files
import numpy as np
import pandas as pd
import text_files
import video_files
from fuzz_recordings import RECORDINGS
from fuzz_sample import Knobs, Sample, as_bytes
from fuzz_tables import TABLES
from PIL import Image


def _text_rows(count: int = 40) -> list[dict[str, Any]]:
    return [{"text": text, "label": label} for text, label in text_files.rows(count)]


def _text_table(separator: str) -> bytes:
    return pd.DataFrame(_text_rows()).to_csv(sep=separator, index=False).encode()


def _text_lines() -> bytes:
    return "".join(json.dumps(row) + "\n" for row in _text_rows()).encode()


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


def _pictures(mode: str, suffix: str = ".png") -> Callable[[Path], Any]:
    """Pictures of one mode in folders of classes."""

    def write(path: Path) -> None:
        random = np.random.default_rng(0)
        for part, times in (("train", 6), ("test", 3)):
            for label in image_files.CLASSES:
                folder = path / part / label
                folder.mkdir(parents=True)
                for number in range(times):
                    if mode == "I;16":
                        picture = Image.fromarray(random.integers(0, 4096, (8, 8)).astype(np.uint16))
                    else:
                        picture = Image.fromarray(random.integers(0, 256, (8, 8, 4), dtype=np.uint8)).convert(mode)
                    picture.save(folder / f"{number}{suffix}")

    return write


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


def _clips(path: Path) -> None:
    for part, count in (("train", 5), ("test", 2)):
        for clip in range(count):
            video_files.pictures(path / part / f"clip{clip}", range(6), 9 * clip, (6, 8))


def _animated(path: Path) -> None:
    """Folders of GIFs, each a clip."""
    for part, count in (("train", 5), ("test", 2)):
        (path / part).mkdir(parents=True)
        for number, clip in enumerate(video_files.clips(count, 6)[..., 0]):
            first, *others = (Image.fromarray(frame) for frame in clip)
            first.save(path / part / f"{number}.gif", save_all=True, append_images=others)


def _taxi(path: Path) -> None:
    video_files.taxi(path)


def _moving(path: Path) -> None:
    np.save(path, np.zeros((20, 3, 64, 64), np.uint8))


def _word_folders(path: Path) -> None:
    text_files.imdb(path)


def _labelled(path: Path) -> None:
    path.write_text("".join(f"{label} {text}\n" for text, label in text_files.rows(40)), encoding="utf-8")


_IMAGE = (("image", {"val": 0.2}),)
_VIDEO: Knobs = {"frames_in": 2, "frames_out": 2, "val": 0.2}
_ARRAY: Knobs = {**_VIDEO, "layout": "nthwc"}
_TEXT = (("text", {}),)
_MODES = (("image", {"val": 0.2, "channels": 3}), ("sequential_image", {"val": 0.2, "channels": 1}))
_KTH = (("video", {**_VIDEO, "size": [6, 8], "val": 1}),)

SAMPLES = (
    *TABLES,
    Sample("texts.csv", as_bytes(_text_table(",")), _TEXT),
    Sample("texts.tsv", as_bytes(_text_table("\t")), _TEXT),
    Sample("texts.json", as_bytes(json.dumps(_text_rows()).encode()), _TEXT),
    Sample("texts.jsonl", lambda path: text_files.json_lines(path, text_files.rows(40)), _TEXT),
    Sample("texts.parquet", lambda path: pd.DataFrame(_text_rows()).to_parquet(path), _TEXT),
    Sample("texts.txt", _labelled, _TEXT),
    Sample("texts.csv.gz", as_bytes(gzip.compress(_text_table(","), mtime=0)), _TEXT),
    Sample("texts.jsonl.xz", as_bytes(lzma.compress(_text_lines())), _TEXT),
    Sample("texts.tsv.bz2", as_bytes(bz2.compress(_text_table("\t"))), _TEXT),
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
    Sample("deep", _pictures("I;16"), (("image", {"val": 0.2, "range": [100, 4000]}), ("image", {"val": 0.2}))),
    Sample(
        "clear",
        _pictures("RGBA"),
        (("image", {"val": 0.2, "ground": "black"}),),
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
    *RECORDINGS,
    Sample("clips.npy", lambda path: np.save(path, video_files.clips(12, 6)), (("video", _ARRAY),)),
    Sample("real.npy", lambda path: np.save(path, video_files.clips(12, 6) / 255), (("video", _ARRAY),)),
    Sample("clips.npz", lambda path: np.savez(path, frames=video_files.clips(12, 6)), (("video", _ARRAY),)),
    Sample("taxi.npz", _taxi, (("video", {"frames_in": 4, "frames_out": 4}),), ("taxibj",)),
    Sample("moving.npy", _moving, (), ("moving_mnist",)),
    Sample("animated", _animated, (("video", _VIDEO),)),
    Sample("clips", _clips, (("video", _VIDEO),)),
    Sample(
        "kth",
        lambda path: video_files.kth(path, frames=4),
        (("video", {**_VIDEO, "size": [6, 8], "val": 1}),),
        ("kth",),
    ),
)
