"""Files of arrays that are not what they say: told before they are read, whatever they announce."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import image_files
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data import bounds
from snnctl.data.arrays import AS_THEY_ARE, indexed, npy_source, npz_source
from snnctl.data.cache import caching_in
from snnctl.data.images.readers.idx import idx_source, read_idx
from snnctl.data.numpy_files import npy_head, open_npy, open_npz
from snnctl.data.series.series import ReadOptions
from snnctl.data.series.sources import read_file
from snnctl.data.video.component import Video
from snnctl.data.video.readers.arrays import npy_set

PLAIN = ReadOptions()
HEADER = "{{'descr': {}, 'fortran_order': False, 'shape': {}}}"


def problem(call: Callable[[], Any]) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        call()
    return caught.value.diagnostics[0]


def npy_bytes(header: str, body: bytes = bytes(800)) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header.encode() + b"\n" + body


def pack(path: Path, method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(101,)", "(4294967296, 4294967296)", "(10, 11)"])
def test_an_array_that_announces_more_than_there_is(tmp_path: Path, shape: str) -> None:
    content = npy_bytes(HEADER.format("'<f8'", shape), b"\1" * 800)
    plain, packed = tmp_path / "a.npy", pack(tmp_path / "a.npz", data=content)
    plain.write_bytes(content)
    stored = pack(tmp_path / "b.npz", zipfile.ZIP_STORED, data=content)
    calls: list[Callable[[], Any]] = [partial(read_file, path, PLAIN) for path in (plain, packed, stored)]
    calls += [lambda: open_npy(plain), lambda: open_npy(plain, mapped=True), lambda: open_npz(packed)["data"]]
    calls += [lambda: npy_source(image_labels(plain), frames=False), lambda: npy_set(plain, "nthw")]
    assert {problem(call).code for call in calls} == {"D232"}


def image_labels(path: Path) -> Path:
    np.save(path.with_name("labels.npy"), np.arange(3))
    return path


def test_what_an_array_holds_and_what_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(npy_bytes(HEADER.format("'<f8'", "(1000,)")))
    found = problem(lambda: open_npy(path))
    assert (
        found.message
        == f"`a.npy` holds {path.stat().st_size:,} bytes where its header says {path.stat().st_size + 7200:,}"
    )


@pytest.mark.parametrize(
    "header",
    [
        "(" * 9000,  # tokenize.TokenError of NumPy 2.4
        "'''",
        "-" * 5000 + "1",
        "{'descr': 1}",
        "[" * 60_000,  # longer than a header may be
        HEADER.format("'<f8'", "(-1,)"),
        HEADER.format("'<f8'", "(True,)"),
        HEADER.format("'<f8'", f"({'1, ' * 70})"),
        HEADER.format("'|S0'", "(10000000000,)"),
        HEADER.format("'<f8'", "(99999999999999999999,)"),
        HEADER.format("'nonsense'", "(1,)"),
    ],
)
def test_headers_that_are_none(tmp_path: Path, header: str) -> None:
    plain, packed = tmp_path / "a.npy", pack(tmp_path / "a.npz", data=npy_bytes(header))
    plain.write_bytes(npy_bytes(header))
    found = {
        problem(call).code
        for call in (lambda: npy_head(plain), lambda: open_npy(plain), lambda: open_npz(packed)["data"])
    }
    assert found <= {"D104", "D232"}
    assert problem(lambda: read_file(plain, PLAIN)).code in found


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", data=np.array([None]))
    assert problem(lambda: open_npy(tmp_path / "a.npy")).code == "D202"
    assert problem(lambda: open_npz(tmp_path / "a.npz")["data"]).code == "D202"
    fields = HEADER.format("[('a', '|O')]", "(1,)")
    (tmp_path / "b.npy").write_bytes(npy_bytes(fields))
    assert problem(lambda: open_npy(tmp_path / "b.npy")).code == "D202"


def test_a_head_is_read_alone(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", data=np.zeros((1 << 20, 4)))
    tracemalloc.start()
    assert open_npz(tmp_path / "a.npz").head("data").shape == (1 << 20, 4)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, good=np.arange(6.0), bad=np.full(600, 7.0))
    content = path.read_bytes()
    at = content.index(np.full(600, 7.0).tobytes())
    path.write_bytes(content[:at] + b"\x55" + content[at + 1 :])
    np.testing.assert_array_equal(read_file(path, ReadOptions(key="good")).values[:, 0], np.arange(6.0))
    assert problem(lambda: read_file(path, ReadOptions(key="bad"))).code == "D104"  # its checksum is another
    arrays = open_npz(path)
    assert (list(arrays), len(arrays), "bad" in arrays, "none" in arrays) == (["good", "bad"], 2, True, False)
    assert arrays["good"] is arrays["good"]


def test_more_than_the_memory_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", data=np.zeros((1000, 2)))
    np.save(tmp_path / "a.npy", np.zeros((1000, 2)))
    image_files.idx(tmp_path / "t-idx1-ubyte.gz", np.zeros(16_000, np.uint8))
    monkeypatch.setattr(bounds, "_memory", lambda: 15_999)
    calls = (
        lambda: read_file(tmp_path / "a.npz", PLAIN),
        lambda: open_npy(tmp_path / "a.npy"),
        lambda: read_idx(tmp_path / "t-idx1-ubyte.gz"),
    )
    for call in calls:
        found = problem(call)
        assert found.code == "D104"
        assert "memory" in found.message
    assert open_npy(tmp_path / "a.npy", mapped=True).shape == (1000, 2)
    monkeypatch.setattr(bounds, "_memory", lambda: 16_000)
    assert read_file(tmp_path / "a.npz", PLAIN).values.shape == (1000, 2)


def test_damaged_and_foreign_archives(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, data=random.normal(size=(50, 2)))
    sound = path.read_bytes()
    codes = set()
    for at in range(60, len(sound), 7):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 0x55]) + sound[at + 1 :])
        try:
            np.testing.assert_array_equal(open_npz(path)["data"].shape, (50, 2))
        except KeyError:  # the name of the member is another one
            continue
        except DiagnosticError as error:
            codes.add(error.diagnostics[0].code)
    assert codes <= {"D104", "D232"}
    assert "D104" in codes
    directory = sound.rindex(b"PK\1\2")
    for offset, value, width in ((10, 99, "H"), (24, 1 << 30, "I"), (20, 1 << 31, "I"), (8, 1, "H")):
        forged = bytearray(sound)
        struct.pack_into(f"<{width}", forged, directory + offset, value)  # way of packing, sizes, a password
        path.write_bytes(bytes(forged))
        try:
            assert open_npz(path)["data"].shape == (50, 2)
        except DiagnosticError as error:
            assert error.diagnostics[0].code == "D104"  # noqa: PT017, one size is not looked at


def test_values_that_are_no_pixels(tmp_path: Path) -> None:
    for kind in (np.complex64, "U3", "M8[ns]", [("a", "f4")]):
        np.savez(tmp_path / "a.npz", images=np.zeros((4, 3, 3), kind), labels=np.arange(4))
        assert problem(lambda: npz_source(tmp_path / "a.npz", frames=False)).code == "D202"
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 3, 3), bool), labels=np.arange(4))
    assert npz_source(tmp_path / "a.npz", frames=False).parts[0].count == 4


def test_counts_of_every_type(tmp_path: Path) -> None:
    for kind in (np.int8, np.uint16, np.int64, np.float16):
        np.savez(tmp_path / "a.npz", images=np.full((4, 3, 3), 100, kind), labels=np.arange(4))
        pixels, _ = next(npz_source(tmp_path / "a.npz", frames=False).parts[0].items())
        assert pixels.dtype == np.uint8
        assert (pixels == 100).all()


def test_huge_classes_are_mapped() -> None:
    assert indexed([np.array([0, 2]), np.array([1, 999])]) == (
        tuple(map(str, range(1000))),
        [pytest.approx([0, 2]), pytest.approx([1, 999])],
    )
    names, parts = indexed([np.array([10**12, 7]), np.array([2**64 - 1, 7], np.uint64)])
    assert names == ("7", str(10**12), str(2**64 - 1))
    assert [part.tolist() for part in parts] == [[1, 0], [2, 0]]


def test_huge_classes_of_a_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 3, 3), np.uint8), labels=np.array([10**15, 3, 3, 2**62]))
    source = npz_source(tmp_path / "a.npz", frames=False)
    assert source.classes == ("3", str(10**15), str(2**62))
    assert [label for _, label in source.parts[0].items()] == [1, 0, 0, 2]
    np.save(tmp_path / "b.npy", np.zeros((4, 3, 3), np.uint8))
    np.save(tmp_path / "b_labels.npy", np.array([2**63 - 1, 3, 3, 3]))
    assert npy_source(tmp_path / "b.npy", frames=False).classes == ("3", str(2**63 - 1))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_that_lie(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t10k-images-idx3-ubyte{suffix}"
    images = image_files.pictures(4, 6, 1)[0][..., 0]
    image_files.idx(path, images)
    np.testing.assert_array_equal(read_idx(path), images)
    raw = gzip.decompress(path.read_bytes()) if suffix else path.read_bytes()
    lies = (
        raw[:4] + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1) + raw[16:],
        raw[:4] + struct.pack(">3I", 5, 6, 6) + raw[16:],
        raw[:4] + struct.pack(">3I", 3, 6, 6) + raw[16:],
        raw[:4] + struct.pack(">3I", 0, 2**32 - 1, 2**32 - 1),
        b"\0\0\x08\xff" + struct.pack(">255I", *([1] * 255)) + b"\0",
        b"\0\0\x08\0" + raw[4:],
        raw[:9],
    )
    for lie in lies:
        path.write_bytes(gzip.compress(lie) if suffix else lie)
        assert problem(lambda: read_idx(path)).code == "D220"


def test_a_bomb_of_an_idx_file(tmp_path: Path) -> None:
    """What its header does not announce is not unpacked."""
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x10" + bytes(1 << 25), 1))
    tracemalloc.start()
    found = problem(lambda: read_idx(path))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.message == "`t10k-images-idx3-ubyte.gz` holds more than 16 bytes where its header says 16"
    assert most < 1 << 20


def test_idx_parts_that_do_not_match(tmp_path: Path) -> None:
    image_files.idx(tmp_path / "train-images-idx3-ubyte", np.zeros((3, 2, 2), np.uint8))
    image_files.idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(4, np.uint8))
    assert problem(lambda: idx_source(tmp_path, AS_THEY_ARE)).code == "D222"


def test_a_damaged_copy_in_the_cache_is_made_anew(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", frames=np.arange(1200, dtype=np.uint16).astype(np.uint8).reshape(8, 6, 5, 5, 1))
    video = Video(source=str(tmp_path / "a.npz"), layout="nthwc", frames_in=2, frames_out=2, val=0.2)
    with caching_in(tmp_path / "cache"):
        sound = video.load().fingerprint
        for file in sorted((tmp_path / "cache").rglob("*.*")):
            for at in (0, 20, -1):
                content = bytearray(file.read_bytes())
                content[at] ^= 0x15
                file.write_bytes(bytes(content))
                assert video.load().fingerprint == sound


def test_parquet_tables_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    words = pa.array([b"\xff\xfe", b"2020-01-01"]).view(pa.string())
    pq.write_table(pa.table({"date": words, "x": [1.0, 2.0]}), path)
    assert problem(lambda: read_file(path, PLAIN)).code == "D104"
    pq.write_table(pa.table({"x": np.zeros(100_000)}), path)  # runs of one value: far smaller on disk
    monkeypatch.setattr(bounds, "_memory", lambda: 799_999)
    found = problem(lambda: read_file(path, PLAIN))
    assert found.code == "D104"
    assert "memory" in found.message
    monkeypatch.setattr(bounds, "_memory", lambda: 800_000)
    assert read_file(path, PLAIN).values.shape == (100_000, 1)


def test_a_single_number_is_no_set_of_pictures(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.array(7, np.uint8), labels=np.array([0, 1]))
    with pytest.raises(DiagnosticError) as caught:
        npz_source(tmp_path / "a.npz", frames=False)
    assert caught.value.diagnostics[0].code == "D222"
