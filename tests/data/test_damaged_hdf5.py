"""HDF5 files that lead elsewhere, in rings, or to nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.series.series import ReadOptions
from snnctl.data.series.sources import read_file

PLAIN = ReadOptions()
VALUES = np.arange(12.0).reshape(6, 2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.h5"


def problem(path: Path, key: str | None = None) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        read_file(path, ReadOptions(key=key))
    return caught.value.diagnostics[0]


def test_links_are_visited_once(path: Path) -> None:
    with h5py.File(path, "w") as file:
        groups = [file.create_group(f"g{number}") for number in range(12)]
        for group in groups:
            for number, other in enumerate(groups):
                group[f"to{number}"] = other  # 12 ** 12 ways and more, and rings
            group["up"] = file["/"]
        groups[3]["data"] = VALUES
    np.testing.assert_array_equal(read_file(path, PLAIN).values, VALUES)
    np.testing.assert_array_equal(read_file(path, ReadOptions(key="g5/to2/up/g3/data")).values, VALUES)


def test_two_names_of_one_array(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a"] = VALUES
        file["b"] = file["a"]
        file["c"] = h5py.SoftLink("a")
    for key in (None, "a", "b", "/c"):
        np.testing.assert_array_equal(read_file(path, ReadOptions(key=key)).values, VALUES)


def test_groups_in_groups(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group: Any = file
        for _ in range(1500):
            group = group.create_group("g")
        group["data"] = VALUES
    np.testing.assert_array_equal(read_file(path, PLAIN).values, VALUES)


def test_links_to_other_files(path: Path) -> None:
    other = path.with_name("other.h5")
    with h5py.File(other, "w") as file:
        file["data"] = VALUES
    with h5py.File(path, "w") as file:
        file["out"] = h5py.ExternalLink("other.h5", "/")
        file["through"] = h5py.SoftLink("/out/data")
        file["own"] = VALUES[:3]
    for key in (None, "out", "out/data", "through"):
        found = problem(path, key)
        assert found.code == "D104"
        assert "another file" in found.message
    np.testing.assert_array_equal(read_file(path, ReadOptions(key="own")).values, VALUES[:3])


def test_soft_links_in_a_ring(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a"] = h5py.SoftLink("/b")
        file["b"] = h5py.SoftLink("./a")
        file["data"] = VALUES
    assert problem(path).code == "D104"
    assert "link to a link" in problem(path, "a").message
    np.testing.assert_array_equal(read_file(path, ReadOptions(key="data")).values, VALUES)


def test_values_in_other_files(path: Path) -> None:
    (path.with_name("raw.bin")).write_bytes(VALUES.tobytes())
    with h5py.File(path, "w") as file:
        external = [(str(path.with_name("raw.bin")), 0, VALUES.nbytes)]
        file.create_dataset("outside", VALUES.shape, "f8", external=external)
    found = problem(path)
    assert found.code == "D104"
    assert "other files" in found.message
    with h5py.File(path.with_name("source.h5"), "w") as file:
        file["data"] = VALUES
    layout = h5py.VirtualLayout(VALUES.shape, "f8")
    layout[:] = h5py.VirtualSource(str(path.with_name("source.h5")), "data", VALUES.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("virtual", layout)
    assert problem(path).code == "D104"


def test_arrays_that_hold_nothing(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("chunks", (10**12, 3), "f8", chunks=(1000, 3))
    assert problem(path).code == "D232"
    with h5py.File(path, "w") as file:
        file.create_dataset("zeros", (5, 2), "f8")  # never filled, and zeros to who reads it
    assert problem(path).message == "`zeros` announces 80 bytes and holds 0"
    with h5py.File(path, "w") as file:
        held = file.create_dataset("some", (10**9,), "f8", chunks=(1000,), compression="gzip")
        held[:10] = 1
    found = problem(path)
    assert found.code == "D232"
    assert "8,000,000,000 bytes" in found.message


def test_types_that_are_no_numbers(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["complex"] = VALUES.astype(complex)
        file["fields"] = np.zeros(3, [("a", "f4")])
        file["yes"] = np.ones(3, bool)
        file["type"] = np.dtype("f4")
        file["words"] = [b"a", b"b"]
        file["choice"] = np.zeros(3, h5py.enum_dtype({"a": 0, "b": 1}))
        file["empty"] = h5py.Empty("f4")
        file.create_dataset("any", (2,), h5py.vlen_dtype(np.float32))[0] = [1.0, 2.0]
    assert problem(path).code == "D106"
    with h5py.File(path, "a") as file:
        file["numbers"] = VALUES
    np.testing.assert_array_equal(read_file(path, PLAIN).values, VALUES)


def table(path: Path, **other: Any) -> None:
    """As pandas writes it."""
    parts = {"axis0": np.array([b"a", b"b"]), "axis1": np.arange(6), "block0_items": np.array([b"a", b"b"])}
    with h5py.File(path, "w") as file:
        for name, values in (parts | {"block0_values": VALUES} | other).items():
            file[f"df/{name}"] = values


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"block0_values": VALUES[:1]}, "D209"),  # one row, which NumPy would put into every row
        ({"block0_values": VALUES[:, :1], "block0_items": np.array([b"a"])}, "D209"),  # `b` would be missing
        ({"block0_items": np.array([b"a", b"c"])}, "D104"),
        ({"axis1": VALUES}, "D105"),
        ({"axis1/deeper": VALUES}, "D105"),
        ({"block0_values": VALUES[0]}, "D105"),
    ],
)
def test_tables_that_do_not_match(path: Path, other: dict[str, Any], code: str) -> None:
    if "axis1/deeper" in other:
        table(path)
        with h5py.File(path, "a") as file:
            del file["df/axis1"]
            file["df/axis1/deeper"] = VALUES
    else:
        table(path, **other)
    with pytest.raises(DiagnosticError) as caught:
        read_file(path, PLAIN)
    assert caught.value.diagnostics[0].code == code
