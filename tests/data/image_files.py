"""Tiny image sets in the layouts in which real ones are passed on; the pictures are made up."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

Pixels = npt.NDArray[np.uint8]
CLASSES = ("ant", "bee", "cow")


def pictures(count: int, size: int = 8, channels: int = 3, seed: int = 0) -> tuple[Pixels, npt.NDArray[np.int64]]:
    """Noise with a class in turn; the class makes its own third of the rows bright."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 120, (count, size, size, channels), dtype=np.uint8)
    labels = np.arange(count) % len(CLASSES)
    for image, label in zip(images, labels, strict=True):
        third = size // len(CLASSES)
        image[label * third : (label + 1) * third] += 120
    return images, labels


def idx(path: Path, array: Pixels) -> Path:
    """An IDX file of unsigned bytes, gzipped where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def mnist(root: Path, folder: str = "MNIST", train: int = 60, test: int = 30) -> Path:
    """The four files that torchvision's MNIST and FashionMNIST read."""
    for stem, count, seed in (("train", train, 0), ("t10k", test, 1)):
        images, labels = pictures(count, 28, 1, seed)
        idx(root / folder / "raw" / f"{stem}-images-idx3-ubyte", images[..., 0])
        idx(root / folder / "raw" / f"{stem}-labels-idx1-ubyte", labels.astype(np.uint8))
    return root


def cifar(root: Path, monkeypatch: pytest.MonkeyPatch, each: int = 12, test: int = 15) -> Path:
    """CIFAR-10's pickled batches; torchvision is told their checksums, as it knows those of the genuine ones."""
    from torchvision.datasets import CIFAR10

    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    sums: dict[str, str] = {}
    for number, (name, count) in enumerate([*((f"data_batch_{i}", each) for i in range(1, 6)), ("test_batch", test)]):
        images, labels = pictures(count, 32, 3, number)
        rows = images.transpose(0, 3, 1, 2).reshape(count, -1)
        sums[name] = _pickled(folder / name, {"data": rows, "labels": labels.tolist()})
    names = [*CLASSES, *(f"c{i}" for i in range(3, 10))]
    sums["batches.meta"] = _pickled(folder / "batches.meta", {"label_names": names})
    monkeypatch.setattr(CIFAR10, "train_list", [[f"data_batch_{i}", sums[f"data_batch_{i}"]] for i in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": sums["batches.meta"]})
    return root


def _pickled(path: Path, document: dict[str, Any]) -> str:
    path.write_bytes(pickle.dumps(document))
    return hashlib.md5(path.read_bytes()).hexdigest()


def folders(root: Path, counts: dict[str, int], size: int = 8, suffix: str = ".png") -> Path:
    """`root/part/class/NNNN.png`; the part "" is none."""
    for number, (part, count) in enumerate(counts.items()):
        images, labels = pictures(count, size, 3, number)
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            folder = root / part / CLASSES[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{index:04}{suffix}")
    return root


def tar_of(folder: Path, path: Path) -> Path:
    """The folder in one compressed archive."""
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, arcname=folder.name)
    return path


def tiny_imagenet(root: Path) -> Path:
    """`train/WNID/images/WNID_0.JPEG`, `val/images/val_0.JPEG` with a table, `test/images` without classes."""
    images, labels = pictures(12, 8)
    lines = []
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        wnid = f"n0000000{label}"
        train = root / "train" / wnid / "images" / f"{wnid}_{index}.JPEG"
        for path in (
            train,
            root / "val" / "images" / f"val_{index}.JPEG",
            root / "test" / "images" / f"test_{index}.JPEG",
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path, "JPEG")
        lines.append(f"val_{index}.JPEG\t{wnid}\t0\t0\t7\t7")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")
    return root


def n_mnist_bytes(events: list[tuple[int, int, int, int]]) -> bytes:
    """Events (x, y, polarity, microseconds) as N-MNIST writes them; y = 240 is an overflow of the clock."""
    return b"".join(bytes([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255]) for x, y, p, t in events)
