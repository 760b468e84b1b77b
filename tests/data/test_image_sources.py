"""Every layout in which image sets are passed on: read through the calls that users make, decoded once, kept whole."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import image_files as files
import numpy as np
import pytest
import torch

from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.shapes import SignalSpec
from snnctl.data.images import known, store
from snnctl.data.images.component import Image
from snnctl.data.images.dataset import ImageData
from snnctl.data.images.prepare import prepare, take_in_hub
from snnctl.data.images.readers.idx import read_idx
from snnctl.data.images.store import STORE

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
SUBSET = SHARED / "CIFAR-10-jpeg-subset"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "snnctl"


def pixels(data: ImageData, name: str) -> tuple[Any, Any]:
    split = data.split(name)
    return np.asarray(split.images)[split.chosen], np.asarray(split.labels)[split.chosen]


def code_of(call: Any) -> str:
    with pytest.raises(DiagnosticError) as caught:
        call()
    return caught.value.diagnostics[0].code


def test_folders_that_are_cut(tmp_path: Path) -> None:
    folder = files.folders(tmp_path / "set", {"train": 18, "validation": 6, "test": 9})
    data = Image(source=str(folder)).load()
    assert data.class_names == files.CLASSES
    assert data.input_signal == SignalSpec(0, 64, 3, grid=(8, 8))
    for number, (name, count) in enumerate((("train", 18), ("val", 6), ("test", 9))):
        images, labels = files.pictures(count, 8, 3, number)
        found, classes = pixels(data, name)
        assert sorted(map(bytes, found.reshape(count, -1))) == sorted(map(bytes, images.reshape(count, -1)))
        by_content = {bytes(image): label for image, label in zip(images.reshape(count, -1), labels, strict=True)}
        assert [by_content[bytes(image)] for image in found.reshape(count, -1)] == classes.tolist()


def test_a_tar_of_the_folder_holds_the_same(tmp_path: Path) -> None:
    folder = files.folders(tmp_path / "set", {"train": 12, "test": 6})
    archive = files.tar_of(folder, tmp_path / "set.tar.gz")
    from_folder, from_tar = (Image(source=str(path)).load() for path in (folder, archive))
    for name in ("train", "val", "test"):
        ours, theirs = (sorted(map(bytes, pixels(data, name)[0].reshape(-1, 192))) for data in (from_folder, from_tar))
        if name == "test":
            assert ours == theirs
    assert from_tar.store.manifest.parts == from_folder.store.manifest.parts == {"test": 6, "train": 12}


def test_one_folder_per_class_is_cut_by_us(tmp_path: Path) -> None:
    data = Image(source=str(files.folders(tmp_path / "set", {"": 60})), test=0.2, val=0.25).load()
    assert {name: len(data.split(name)) for name in ("train", "val", "test")} == {"train": 36, "val": 12, "test": 12}
    assert data.describe()["splits"]["test"]["per_class"] == [4, 4, 4]


def test_tiny_imagenet(tmp_path: Path) -> None:
    data = Image(source=str(files.tiny_imagenet(tmp_path / "tiny")), val=3).load()
    assert data.class_names == ("n00000000", "n00000001", "n00000002")
    assert {name: len(data.split(name)) for name in ("train", "val", "test")} == {"train": 9, "val": 3, "test": 12}

    assert np.bincount(pixels(data, "test")[1]).tolist() == [4, 4, 4]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files(tmp_path: Path, suffix: str) -> None:
    images, labels = files.pictures(20, 6, 1)
    for stem, count in (("train", 20), ("t10k", 10)):
        files.idx(tmp_path / f"{stem}-images-idx3-ubyte{suffix}", images[:count, ..., 0])
        files.idx(tmp_path / f"{stem}-labels-idx1-ubyte{suffix}", labels[:count].astype(np.uint8))
    data = Image(source=str(tmp_path)).load()
    assert np.array_equal(pixels(data, "test")[0], images[:10])
    assert np.array_equal(pixels(data, "test")[1], labels[:10])
    assert len(data.split("train")) == 18


def test_an_idx_file_that_is_cut_short(tmp_path: Path) -> None:
    path = files.idx(tmp_path / "t10k-images-idx3-ubyte", files.pictures(4, 6, 1)[0][..., 0])
    path.write_bytes(path.read_bytes()[:-1])
    assert code_of(lambda: read_idx(path)) == "D220"
    path.write_bytes(b"no idx")
    assert code_of(lambda: read_idx(path)) == "D220"
    broken = tmp_path / "t10k-labels-idx1-ubyte.gz"
    files.idx(broken, files.pictures(100, 6, 1)[1].astype(np.uint8))
    broken.write_bytes(broken.read_bytes()[:-12])
    assert code_of(lambda: read_idx(broken)) == "D104"


def test_arrays(tmp_path: Path) -> None:
    images, labels = files.pictures(30, 6)
    np.savez(
        tmp_path / "set.npz", train_images=images[:20], train_labels=labels[:20], test_x=images[20:], test_y=labels[20:]
    )
    np.save(tmp_path / "set.npy", images)
    np.save(tmp_path / "set_labels.npy", labels)
    cut = Image(source=str(tmp_path / "set.npz")).load()
    assert np.array_equal(pixels(cut, "test")[0], images[20:])
    whole = Image(source=str(tmp_path / "set.npy")).load()
    assert whole.store.manifest.parts == {"all": 30}
    np.savez(tmp_path / "bad.npz", images=images.astype(float) + 0.5, labels=labels)
    assert code_of(Image(source=str(tmp_path / "bad.npz")).load) == "D202"
    np.savez(tmp_path / "none.npz", pictures=images)
    assert code_of(Image(source=str(tmp_path / "none.npz")).load) == "D222"


def genuine(monkeypatch: pytest.MonkeyPatch, name: str, train: int, test: int) -> None:
    """Let a tiny set of so many items pass for the genuine one."""
    monkeypatch.setitem(known.KNOWN, name, replace(known.KNOWN[name], train=train, test=test))


@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_torchvision_reads_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, folder: str) -> None:
    genuine(monkeypatch, name, 60, 30)
    root = files.mnist(tmp_path / "root", folder)
    prepare(name, source=root)
    data = Image(source=name).load()
    assert data.store.manifest.format == "torchvision"
    assert data.classes == 10
    assert np.array_equal(pixels(data, "test")[0], files.pictures(30, 28, 1, 1)[0])
    assert {part: len(data.split(part)) for part in ("train", "val", "test")} == {"train": 54, "val": 6, "test": 30}


def test_torchvision_reads_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine(monkeypatch, "cifar10", 60, 15)
    root = files.cifar(tmp_path / "root", monkeypatch)
    prepare("cifar10", source=root)
    data = Image(source="cifar10").load()
    assert data.class_names[:3] == files.CLASSES
    assert np.array_equal(pixels(data, "test")[0], files.pictures(15, 32, 3, 5)[0])
    by_path = Image(source=str(root)).load()
    assert np.array_equal(pixels(by_path, "test")[0], pixels(data, "test")[0])


def test_files_that_torchvision_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = files.cifar(tmp_path / "root", monkeypatch)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert code_of(lambda: prepare("cifar10", source=root)) == "D107"


def test_a_set_that_is_too_small_is_not_the_genuine_one(tmp_path: Path) -> None:
    root = files.mnist(tmp_path / "root")
    with pytest.raises(DiagnosticError) as caught:
        prepare("mnist", source=root)
    problem = caught.value.diagnostics[0]
    assert (problem.code, problem.message) == ("D107", "it has 60 train items; a genuine `mnist` has 60,000")
    assert "`data.source`" in problem.help


def test_datasets_reads_parquet(tmp_path: Path) -> None:
    import datasets

    images, labels = files.pictures(30, 8)
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=list(files.CLASSES))})
    from PIL import Image as Picture

    folder = tmp_path / "set" / "data"
    folder.mkdir(parents=True)
    for split, rows in (("train", slice(0, 20)), ("test", slice(20, 30))):
        columns = {"img": [Picture.fromarray(image) for image in images[rows]], "label": labels[rows].tolist()}
        made = datasets.Dataset.from_dict(columns, features=features)
        made.to_parquet(folder / f"{split}-00000-of-00001.parquet")
    data = Image(source=str(tmp_path / "set")).load()
    assert data.store.manifest.format == "datasets"
    assert data.class_names == files.CLASSES
    assert np.array_equal(pixels(data, "test")[0], images[20:])
    assert np.array_equal(pixels(data, "test")[1], labels[20:])
    # The same through what an id goes through: a folder and a hub's id are one call of the library.
    take_in_hub(str(tmp_path / "set"), Image(source="hub", hub="x").shape, None)
    assert np.array_equal(pixels(Image(source="hub", hub=str(tmp_path / "set")).load(), "test")[0], images[20:])
    assert code_of(Image(source=str(tmp_path / "set"), label="nope").load) == "D204"


def test_datasets_reads_a_folder_of_pictures(tmp_path: Path) -> None:
    folder = files.folders(tmp_path / "set", {"train": 12, "test": 6})
    manifest = take_in_hub(str(folder), Image(source="hub", hub="x").shape, None)
    assert (manifest.format, manifest.classes, manifest.parts) == (
        "datasets",
        list(files.CLASSES),
        {"train": 12, "test": 6},
    )
    ours, theirs = Image(source=str(folder)).load(), Image(source="hub", hub=str(folder)).load()
    assert np.array_equal(pixels(ours, "test")[0], pixels(theirs, "test")[0])


def test_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    import huggingface_hub.constants

    for module, name in ((datasets.config, "HF_HUB_OFFLINE"), (huggingface_hub.constants, "HF_HUB_OFFLINE")):
        monkeypatch.setattr(module, name, True)
    with pytest.raises(DiagnosticError) as caught:
        Image(source="hub", hub="nobody/no-such-set").prepare()
    problem = caught.value.diagnostics[0]
    assert problem.code == "D108"
    assert "nobody/no-such-set" in problem.message
    assert "snnctl data prep" in problem.help
    assert caught.value.exit_code == 3

    def no_network(*_: Any, **__: Any) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", no_network)
    with pytest.raises(DiagnosticError) as caught:
        Image(source="mnist").prepare()
    problem = caught.value.diagnostics[0]
    assert (problem.code, caught.value.exit_code) == ("D108", 3)
    assert "snnctl data prep mnist --from" in problem.help


def test_what_is_not_there() -> None:
    for component, words in (
        (Image(source="cifar10"), "snnctl data prep cifar10"),
        (Image(source="tiny_imagenet"), "snnctl data prep tiny_imagenet --from FOLDER"),
        (Image(source="hub", hub="uoft-cs/cifar10"), "snnctl data prep RECIPE"),
        (Image(source="./cifar10"), "write `source: cifar10`"),
        (Image(source="./nowhere"), "known names: cifar10"),
    ):
        with pytest.raises(DiagnosticError) as caught:
            component.probe()
        assert caught.value.diagnostics[0].code == "D101"
        assert words in caught.value.diagnostics[0].help
        assert caught.value.exit_code == 3


def test_pictures_of_different_sizes(tmp_path: Path) -> None:
    folder = files.folders(tmp_path / "set", {"train": 9, "test": 6})
    from PIL import Image as Picture

    Picture.new("L", (20, 12), 200).save(folder / "train" / "ant" / "zzz.png")
    with pytest.raises(DiagnosticError) as caught:
        Image(source=str(folder), val=2).load()
    assert caught.value.diagnostics[0].code == "D221"
    assert "data.size" in caught.value.diagnostics[0].help
    data = Image(source=str(folder), val=2, size=[6, 10], channels=1).load()
    assert data.input_signal == SignalSpec(0, 60, 1, grid=(6, 10))
    assert 200 in pixels(data, "train")[0].reshape(-1) or 200 in pixels(data, "val")[0].reshape(-1)


def test_what_folders_may_lack(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert code_of(Image(source=str(tmp_path / "empty")).load) == "D222"
    folder = files.folders(tmp_path / "set", {"train": 9, "test": 6})
    (folder / "test" / "ant").rename(folder / "test" / "dog")
    assert code_of(Image(source=str(folder)).load) == "D223"
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "x.png").write_bytes(b"")
    assert code_of(Image(source=str(tmp_path / "loose")).load) == "D222"
    bad = files.folders(tmp_path / "bad", {"train": 9, "test": 6})
    (bad / "train" / "ant" / "0000.png").write_bytes(b"no picture")
    assert code_of(Image(source=str(bad)).load) == "D220"
    (tmp_path / "set.xyz").write_bytes(b"")
    assert code_of(Image(source=str(tmp_path / "set.xyz")).load) == "D105"


def test_decoded_once_and_whole(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = files.folders(tmp_path / "set", {"train": 12, "test": 6})
    first = Image(source=str(folder)).load()
    monkeypatch.setattr(store, "_decode", None)  # a second decoding would fail
    again = Image(source=str(folder)).load()
    assert again.fingerprint == first.fingerprint
    assert isinstance(again.store.images["train"], np.memmap)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (kept,) = STORE.path().iterdir()
    damaged = kept / "train.images.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    repaired = Image(source=str(folder)).load()
    assert repaired.fingerprint == first.fingerprint
    assert [path.name for path in STORE.path().iterdir()] == [kept.name]  # nothing half done is left
    picture = folder / "train" / "ant" / "0000.png"
    os.utime(picture, ns=(1, 1))  # another time of change: decoded anew
    Image(source=str(folder)).load()
    assert len(list(STORE.path().iterdir())) == 2


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    folder = files.folders(tmp_path / "set", {"train": 12, "test": 6})
    (folder / "train" / "cow" / "0011.png").write_bytes(b"no picture")
    assert code_of(Image(source=str(folder)).load) == "D220"
    assert list(STORE.path().iterdir()) == []


def test_a_copy_with_another_content_is_found_by_its_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = files.folders(tmp_path / "set", {"train": 12, "test": 6})
    key = Image(source=str(folder)).manifest().key
    path = STORE.path() / key / "train.images.npy"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(bytes(raw))
    assert STORE.sound(key) is None
    monkeypatch.setattr("snnctl.data.cache._SMALL", 0)  # as if it were large
    assert STORE.sound(key) is not None
    assert STORE.sound(key, verify=True) is None
    manifest = json.loads((path.parent / "manifest.json").read_text())
    assert manifest["licence"] == ""


def test_normalisation_is_that_of_train(tmp_path: Path) -> None:
    data = Image(source=str(files.folders(tmp_path / "set", {"train": 30, "test": 6}))).load()
    train = pixels(data, "train")[0].reshape(-1, 3).astype(float)
    mean, sd = data.statistics
    np.testing.assert_allclose(mean, train.mean(0), rtol=1e-12)
    np.testing.assert_allclose(sd, train.std(0), rtol=1e-12)
    batch = data.split("train").batch(torch.arange(27))
    assert (batch.inputs.shape, batch.inputs.dtype) == ((27, 64, 3), torch.float32)
    torch.testing.assert_close(batch.inputs.mean((0, 1)), torch.zeros(3), atol=1e-5, rtol=0)
    unit = Image(source=data.store.manifest.origin, normalise="unit").load().split("test").batch(torch.arange(6))
    assert unit.inputs.min() >= 0
    np.testing.assert_array_equal((unit.inputs * 255).round().numpy().reshape(6, 8, 8, 3), pixels(data, "test")[0])


@pytest.mark.skipif(not (SHARED / "MNIST-test").exists(), reason="../shared/data/MNIST-test is not there")
def test_the_mnist_test_set() -> None:
    data = Image(source=str(SHARED / "MNIST-test"), val=0.125).load()
    assert {name: len(data.split(name)) for name in ("train", "val", "test")} == {
        "train": 7000,
        "val": 1000,
        "test": 2000,
    }
    counts = np.bincount(np.asarray(data.store.labels["all"]))
    assert counts.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]  # as LeCun's page has them


@pytest.mark.slow
@pytest.mark.skipif(
    not (SHARED / "CIFAR-10-jpeg-subset").exists(), reason="../shared/data/CIFAR-10-jpeg-subset is not there"
)
def test_the_cifar_subset() -> None:
    data = Image(source=str(next((SHARED / "CIFAR-10-jpeg-subset").glob("*.tar.gz")))).load()
    assert data.store.manifest.parts == {"test": 5000, "train": 20000}
    assert data.class_names[0] == "airplane"
    assert data.input_signal.grid == (32, 32)


def test_damaged_files_of_other_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    genuine(monkeypatch, "mnist", 60, 30)
    root = files.mnist(tmp_path / "root")
    raw = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    for damaged in (raw.read_bytes()[:-9], raw.read_bytes()[:7], b"", b"\0\0\x17\x09" + b"\xff" * 40):
        raw.write_bytes(damaged)
        assert code_of(lambda: prepare("mnist", source=root)) in ("D104", "D107")

    def parquet(pictures: list[dict[str, Any]], labels: list[Any], kind: Any) -> str:
        columns = datasets.Features({"img": datasets.Image(), "label": kind})
        made = datasets.Dataset.from_dict({"img": pictures, "label": labels}, features=columns)
        made.to_parquet(tmp_path / "set.parquet")
        return str(tmp_path / "set.parquet")

    png = (files.folders(tmp_path / "p", {"": 3}) / "ant" / "0000.png").read_bytes()
    good, bad = {"bytes": png, "path": None}, {"bytes": png[:40], "path": None}
    whole = datasets.Value("int64")
    for pictures, labels, kind, code in (
        ([good, bad] * 6, [0, 1] * 6, whole, "D220"),
        ([good, None] * 6, [0, 1] * 6, whole, "D220"),
        ([good] * 12, [0, 1, -1] * 4, whole, "D222"),
        ([good] * 12, [0, None] * 6, whole, "D222"),
        ([good] * 12, ["a", "b"] * 6, datasets.Value("string"), "D222"),
        ([good] * 12, [0, 10**12] * 6, whole, "D222"),
        ([good] * 12, [1, 1] * 6, whole, "D213"),
    ):
        source = parquet(pictures, labels, kind)
        assert code_of(Image(source=source, label="label").load) == code
