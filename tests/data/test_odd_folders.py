"""Links in folders and archives, names that cannot be printed, names that are nearly alike: read, refused or said."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import tracemalloc
from pathlib import Path

import image_files as files
import numpy as np
import pytest
import video_files
from hypothesis import given
from hypothesis import strategies as st

from snnctl.commands.data import describe
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.alike import alike
from snnctl.data.events.component import EventSpikes
from snnctl.data.events.frames import EventFrames
from snnctl.data.folders import stamp
from snnctl.data.images.component import Image
from snnctl.data.prepare import brought
from snnctl.data.series.component import TimeSeries
from snnctl.data.texts.component import Text
from snnctl.data.video.component import Video
from snnctl.data.walk import files_in, place_of


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "snnctl"


def problem(source: Path) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        Image(source=str(source)).load()
    assert caught.value.exit_code == 3
    return caught.value.diagnostics[0]


def test_linked_folders_and_pictures_are_read(tmp_path: Path) -> None:
    elsewhere = files.folders(tmp_path / "elsewhere", {"": 30})
    (tmp_path / "set").mkdir()
    for name in files.CLASSES[:2]:
        (tmp_path / "set" / name).symlink_to(elsewhere / name)
    (tmp_path / "set" / "cow").mkdir()
    for picture in (elsewhere / "cow").iterdir():
        (tmp_path / "set" / "cow" / picture.name).symlink_to(picture)
    linked, plain = (Image(source=str(tmp_path / name)).load() for name in ("set", "elsewhere"))
    assert linked.fingerprint == plain.fingerprint
    before = stamp(tmp_path / "set")
    os.utime(elsewhere / "ant" / "0000.png", ns=(1, 1))
    assert stamp(tmp_path / "set") != before  # what a link means is looked at


def test_links_that_lead_nowhere_or_in_a_circle(tmp_path: Path) -> None:
    folder = files.folders(tmp_path / "set", {"": 12})
    link = folder / "ant" / "x.png"
    link.symlink_to(tmp_path / "gone.png")
    said = problem(folder)
    assert (said.code, said.message) == ("D266", "`ant/x.png` is a link that leads nowhere")
    link.unlink()
    link.symlink_to(link)
    assert problem(folder).code == "D266"
    link.unlink()
    (folder / "ant" / "up").symlink_to(folder)
    assert problem(folder).message == "`ant/up` is a link to a folder that it lies in"
    (folder / "ant" / "up").unlink()
    os.mkfifo(link)
    assert problem(folder).message == "`ant/x.png` is named like a file, and is none"
    link.rename(folder / "ant" / ".x.png")
    assert Image(source=str(folder)).load()


def test_links_upon_links_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty folders, each with two links to the next: a million ways, none of them a circle."""
    for number in range(20):
        (tmp_path / f"f{number}").mkdir()
        for name in ("a", "b"):
            (tmp_path / f"f{number}" / name).symlink_to(tmp_path / f"f{number + 1}")
    (tmp_path / "f20").mkdir()
    monkeypatch.setattr("snnctl.data.walk._MOST_LINKS", 500)
    with pytest.raises(DiagnosticError, match="D266"):
        files_in(tmp_path / "f0")


def test_names_of_other_encodings(tmp_path: Path) -> None:
    folder = files.folders(tmp_path / "set", {"": 12})
    odd = os.fsencode(folder / "ant") + b"/0\xff\n.png"
    os.rename(folder / "ant" / "0000.png", odd)
    assert Image(source=str(folder)).load().store.manifest.parts == {"all": 12}
    Path(os.fsdecode(odd)).write_bytes(b"no picture")
    said = problem(folder)
    assert said.code == "D220"
    said.to_line().encode()
    os.rename(folder / "ant", os.fsencode(folder) + b"/\xe9t\xe9")
    said = problem(folder)
    assert said.code == "D266"
    assert "cannot be printed" in said.message
    said.to_line().encode()


def archive(path: Path, folder: Path, *links: tuple[str, bytes, str]) -> Path:
    """A tar of `folder` and of links (name, type, target)."""
    with tarfile.open(path, "w:gz", format=tarfile.USTAR_FORMAT) as tar:
        tar.add(folder, arcname="set")
        for name, kind, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            tar.addfile(member)
    return path


def test_links_in_archives(tmp_path: Path) -> None:
    folder = files.folders(tmp_path / "set", {"": 12})
    hard = archive(tmp_path / "hard.tar.gz", folder, ("set/ant/z.png", tarfile.LNKTYPE, "set/ant/0000.png"))
    images = np.asarray(Image(source=str(hard)).load().store.images["all"])
    assert len(images) == 13
    for name, kind, target in (
        ("set/ant/z.png", tarfile.SYMTYPE, "0000.png"),
        ("set/ant/z.png", tarfile.SYMTYPE, "/etc/passwd"),
        ("set/ant/z.png", tarfile.SYMTYPE, "z.png"),
        ("set/ant/0000.png", tarfile.SYMTYPE, "../gone.png"),
        ("set/ant/z.png", tarfile.LNKTYPE, "set/gone.png"),
        ("set/ant/z.png", tarfile.LNKTYPE, "set/ant/z.png"),
        ("set/ant/z.png", tarfile.FIFOTYPE, ""),
    ):
        said = problem(archive(tmp_path / "x.tar.gz", folder, (name, kind, target)))
        assert said.code == "D266", (name, kind, target)


def test_damaged_archives(tmp_path: Path) -> None:
    folder = files.folders(tmp_path / "set", {"": 12})
    raw = archive(tmp_path / "x.tar.gz", folder).read_bytes()
    plain = bytearray(gzip.decompress(raw))
    plain[plain.rindex(b"ustar") - 100] ^= 0xFF  # the last header: read as the end, it would leave out a picture
    every = (raw[:-900], raw[:40], b"", raw[:500] + b"\0" * 40 + raw[540:], bytes(plain))
    for number, damaged in enumerate(every):
        path = tmp_path / f"{number}.tar"
        path.write_bytes(damaged)
        assert problem(path).code == "D104", number
    assert "no header is at byte" in problem(path).message


def test_classes_that_are_nearly_alike(tmp_path: Path) -> None:
    folder = files.folders(tmp_path / "set", {"": 30})
    (folder / "bee").rename(folder / "Ant")
    data = Image(source=str(folder)).load()
    (said,) = (found for found in data.warnings if found.code == "D267")
    assert (said.severity, said.message) == ("warning", "classes `Ant` and `ant` are alike but are taken as 2")
    assert data.classes == 3


@given(st.text("aB _-1.0", min_size=1, max_size=5))
def test_spellings_are_alike(name: str) -> None:
    assert alike([name, name.swapcase()]) == [[name, name.swapcase()]]
    assert alike([name, "something else"]) == []


def test_numbers_are_alike_by_their_value() -> None:
    assert alike(["1", "2", "1.0", "01", "-1"]) == [["1", "1.0", "01"]]
    assert alike(["+", "-", "_"]) == []


def test_one_class_is_refused_alike(tmp_path: Path) -> None:
    one = files.folders(tmp_path / "one", {"": 1})
    images = files.pictures(9, 6, 1)[0][..., 0]
    np.savez(tmp_path / "one.npz", images=images, labels=np.full(9, 3))
    for stem in ("train", "t10k"):
        files.idx(tmp_path / "idx" / f"{stem}-images-idx3-ubyte", images)
        files.idx(tmp_path / "idx" / f"{stem}-labels-idx1-ubyte", np.zeros(9, np.uint8))
    said = [problem(source) for source in (one, tmp_path / "one.npz", tmp_path / "idx")]
    wanted = [f"all items of train have the class `{name}`" for name in ("ant", 3, 0)]
    assert [found.message for found in said] == wanted
    assert {found.code for found in said} == {"D213"}


def test_links_and_damage_in_folders_of_frames(tmp_path: Path) -> None:
    folder = video_files.pictures(tmp_path / "set" / "a", range(6)).parent
    (folder / "b").symlink_to(folder)
    with pytest.raises(DiagnosticError, match="D266"):
        Video(source=str(folder), frames_in=1, frames_out=1).load()


def test_tar_members_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = files.folders(tmp_path / "set", {"": 12})
    path = archive(tmp_path / "x.tar.gz", folder)
    monkeypatch.setattr("snnctl.data.images.readers.local.MOST_BYTES", 20)
    assert problem(path).code == "D260"
    assert io.BytesIO(path.read_bytes()).read(2) == b"\x1f\x8b"


def test_no_memory_is_set_aside_for_what_is_not_there(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.tar", files.folders(tmp_path / "set", {"": 12}))
    tracemalloc.start()
    Image(source=str(path), val=0.2).load()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 26  # what reading asks for is 1 GB at most


@pytest.mark.parametrize("text", ["", "a\0b", "x" * 5000, "x/" * 3000, "\ud800", "~nobody-is-called-so/x"])
def test_texts_that_can_be_no_path(text: str) -> None:
    made = (
        Image(source=text),
        Video(source=text),
        EventFrames(source=text, frames=2),
        EventSpikes(source=text, steps=2, max_time=1),
        Text(source=text),
        TimeSeries(source=text, window=2, horizon=1),
    )
    for one in made:
        with pytest.raises(DiagnosticError, match="D101"):
            one.load()
    assert place_of(text) is None


def test_folders_that_are_nested_without_end(tmp_path: Path) -> None:
    deep = tmp_path / "set"
    os.makedirs(deep / "a" / "/".join("a" * 300))
    (deep / "a" / "x.png").write_bytes(b"")
    made = (Image(source=str(deep)), Video(source=str(deep)), EventFrames(source=str(deep), frames=2))
    for one in (*made, EventSpikes(source=str(deep), steps=2, max_time=1)):
        with pytest.raises(DiagnosticError, match="D266"):
            one.load()
    with pytest.raises(DiagnosticError):
        Text(source=str(deep)).load()
    with pytest.raises(DiagnosticError, match="D266"):
        describe(str(deep))
    shutil.rmtree(deep / "a" / "a")


def test_devices_are_neither_files_nor_folders(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/null", str(tmp_path / "pipe")):
        for made in (Image(source=path), Text(source=path), TimeSeries(source=path, window=2, horizon=1)):
            with pytest.raises(DiagnosticError, match="D104"):
                made.load()
        with pytest.raises(DiagnosticError, match="D104"):
            brought(Path(path))
    assert brought(tmp_path) == tmp_path
