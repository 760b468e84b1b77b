"""Files and folders are there whole or not at all, and what lets nothing be written is told in one way."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.files import system_fault, whole_folder, write_atomically, write_bytes, writing
from snnctl.core.memory import no_memory
from snnctl.core.owned import scratch, sweep


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO])
def test_faults_of_the_system(number: int, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught, writing(tmp_path / "out"):
        raise OSError(number, os.strerror(number))
    (said,) = caught.value.diagnostics
    assert (said.code, caught.value.exit_code) == ("E412", 4)
    assert "then give the command again" in said.help


def test_what_is_no_place_is_usage(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiagnosticError, match="U453"), writing(tmp_path / "file" / "out"):
        (tmp_path / "file" / "out").mkdir()


def test_reading_without_permission_is_no_full_disk() -> None:
    assert system_fault(PermissionError(errno.EACCES, "no"), reading=True) is None
    assert system_fault(ValueError("no")) is None


def test_cause_behind_another_error() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "full", "x")
        except OSError as error:
            raise RuntimeError("unexpected pos") from error
    except RuntimeError as error:
        found = system_fault(error)
    assert found is not None
    assert "`x`" in found.message


_LIMITED = """
import resource, sys
from pathlib import Path
from snnctl.core.files import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
def write(path):
    try:
        path.write_bytes(bytes(2000))
    except OSError:
        raise RuntimeError("unexpected pos 64 vs 0")  # as torch has it
try:
    write_atomically(Path(sys.argv[1]), write)
except OSError as error:
    print(error.errno)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files there")
def test_libraries_that_hide_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    call = [sys.executable, "-c", _LIMITED, str(tmp_path / "file")]
    assert subprocess.run(call, capture_output=True, text=True, check=True).stdout == f"{errno.EFBIG}\n"
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


def test_leftovers_go_and_what_is_held_stays(tmp_path: Path) -> None:
    old = tmp_path / ".file.01234567.snnctl.tmp"
    old.mkdir()
    (old / "file").write_bytes(b"half")
    os.utime(old, (time.time() - 60,) * 2)
    write_bytes(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def write(path: Path) -> None:
        path.write_bytes(b"more")
        os.utime(path.parent, (time.time() - 60,) * 2)
        subprocess.run(
            [sys.executable, "-c", f"from pathlib import Path; from snnctl.core.owned import sweep; "
             f"sweep(Path({str(tmp_path)!r}), '.*.snnctl.tmp')"], check=True,
        )  # fmt: skip
        assert path.exists()

    write_atomically(tmp_path / "file", write)


def test_folders(tmp_path: Path) -> None:
    def fail() -> None:
        with whole_folder(tmp_path / "runs" / "one") as folder:
            (folder / "x").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list((tmp_path / "runs").iterdir()) == []
    with whole_folder(tmp_path / "runs" / "one") as folder:
        (folder / "x").touch()
        assert not (tmp_path / "runs" / "one").exists()
    assert [path.name for path in (tmp_path / "runs" / "one").iterdir()] == ["x"]
    with pytest.raises(OSError, match="not empty"), whole_folder(tmp_path / "runs" / "one"):
        pass
    with scratch("s-", tmp_path) as place:
        sweep(tmp_path, "s-*")
        assert place.is_dir()
    assert not place.exists()


@pytest.mark.parametrize(
    "text",
    [
        "MemoryError: ",
        "Traceback\nImportError: libtorch_cpu.so: failed to map segment from shared object",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: 12 bytes",
        "ArrayMemoryError: Unable to allocate 3 GiB",
    ],
)
def test_memory_that_ran_out(text: str) -> None:
    found = no_memory(text)
    assert found is not None
    assert found.code == "E403"
    assert no_memory("ValueError: memory") is None
    assert no_memory("ImportError: libgomp.so: cannot allocate memory in static TLS block") is None


@pytest.mark.parametrize(
    "text",
    [
        "[enforce fail at inline_container.cc:672] . unexpected pos 9024 vs 8916",
        "Error while serializing: I/O error: No space left on device (os error 28)",
    ],
)
def test_a_full_disk_that_has_room_again(text: str, tmp_path: Path) -> None:
    def write(path: Path) -> None:
        raise RuntimeError(text)

    with pytest.raises(OSError, match="No space left on device"):
        write_atomically(tmp_path / "file", write)
    assert list(tmp_path.iterdir()) == []


def test_numpy_names_no_number() -> None:
    found = system_fault(OSError("121940 requested and 118768 written"), "cache")
    assert found is not None
    assert (found.code, found.message) == ("E412", "`cache` cannot be written: No space left on device")
