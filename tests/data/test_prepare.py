"""Preparing named series: fetch, verify, convert, all or nothing."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, ExitCode
from snnctl.data.cache import DamagedError, cache_dir, caching_in
from snnctl.data.download import part_path
from snnctl.data.kinds import kind_of
from snnctl.data.series.arranging import Arrangement, series_of
from snnctl.data.series.axis import AS_THEY_ARE
from snnctl.data.series.component import TimeSeries
from snnctl.data.series.known import KNOWN
from snnctl.data.series.prepare import prepare
from snnctl.data.series.roles import Wanted
from snnctl.data.series.sources import PLAIN, read_file
from snnctl.data.series.store import STORE, load_prepared

BODY = ("date,x,y\n" + "".join(f"2020-01-01 {h:02d}:00:00,{h},{h * 0.5}\n" for h in range(24))).encode()
SHARED_ETTH1 = Path(__file__).parents[2] / ".." / "shared" / "data" / "ETTh1" / "ETTh1.csv"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "toy.csv"
    path.write_bytes(BODY)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    return cache_dir()


def rewrite(monkeypatch: pytest.MonkeyPatch, name: str, **changes: object) -> None:
    monkeypatch.setitem(KNOWN, name, replace(KNOWN[name], **changes))  # type: ignore[arg-type]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """`etth2` stands for a small series of 24 rows and 2 columns, without an address."""
    rewrite(monkeypatch, "etth2", rows=24, columns=2, url="", sha256="")


def problem(name: str, **arguments: object) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        prepare(name, **arguments)  # type: ignore[arg-type]
    assert caught.value.exit_code == ExitCode.DATA
    return caught.value.diagnostics[0]


@pytest.mark.usefixtures("toy")
def test_from_a_local_file(file: Path, cache: Path) -> None:
    told: list[tuple[int, int | None]] = []
    assert not STORE.sound("etth2")
    made = prepare("etth2", source=file, progress=lambda done, total: told.append((done, total)))
    assert (made.status, made.facts) == ("prepared", {"rows": 24, "columns": 2, "missing": 0})
    assert told[-1] == (len(BODY), len(BODY))
    assert STORE.sound("etth2", verify=True)
    assert sorted(p.name for p in cache.iterdir()) == ["etth2"]  # no scratch folder is left
    manifest = json.loads((cache / "etth2" / "manifest.json").read_text())
    told = ["columns", "created", "files", "licence", "missing", "name", "rows", "schema", "source", "source_sha256"]
    assert sorted(manifest) == told  # what earlier versions wrote and read
    assert manifest["schema"] == 1
    assert manifest["source"] == str(file)
    assert manifest["source_sha256"] == hashlib.sha256(BODY).hexdigest()
    assert set(manifest["files"]) == {"values.npy", "times.npy", "columns.json"}
    assert (manifest["rows"], manifest["columns"], manifest["missing"]) == (24, 2, 0)
    assert manifest["licence"] == KNOWN["etth2"].licence
    assert manifest["created"].endswith("+00:00")

    how = Arrangement(Wanted(trusted=True), AS_THEY_ARE)
    series, direct = series_of(load_prepared("etth2"), how), read_file(file, PLAIN, how)
    np.testing.assert_array_equal(series.values, direct.values)
    assert series.times is not None
    assert direct.times is not None
    np.testing.assert_array_equal(series.times, direct.times)
    assert series.fingerprint() == direct.fingerprint()

    component = TimeSeries(source="etth2", window=3, horizon=1, calendar=True, columns=["y"])
    assert component.probe().columns == component.load().columns == ("y",)
    assert component.probe().format == "cache"


@pytest.mark.usefixtures("toy", "cache")
def test_a_sound_copy_is_kept_and_a_damaged_one_replaced(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare("etth2", source=file)
    values = Path(first.path) / "values.npy"
    stamp = values.stat().st_mtime_ns
    assert prepare("etth2").status == "ready"
    assert values.stat().st_mtime_ns == stamp
    damaged = bytearray(values.read_bytes())
    damaged[-1] ^= 1
    values.write_bytes(damaged)
    with pytest.raises(DiagnosticError, match=r"D109.*values.npy does not match its checksum"):
        load_prepared("etth2")
    monkeypatch.setattr("snnctl.data.cache._SMALL", 0)
    assert STORE.sound("etth2")  # the quick check of large files compares sizes
    assert not STORE.sound("etth2", verify=True)
    with pytest.raises(DamagedError, match="checksum"):
        STORE.read("etth2", verify=True)
    assert prepare("etth2", source=file).status == "prepared"
    assert STORE.sound("etth2", verify=True)
    values.write_bytes(b"short")
    with pytest.raises(DiagnosticError, match=r"D109.*values.npy has 5 bytes"):
        load_prepared("etth2")
    values.unlink()
    with pytest.raises(DiagnosticError, match=r"D109.*is missing"):
        TimeSeries(source="etth2", window=3, horizon=1).probe()


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2, "name": "etth2"}', '{"schema": 1, "name": "etth2"}'])
def test_a_manifest_that_says_nothing(file: Path, cache: Path, text: str) -> None:
    prepare("etth2", source=file)
    (cache / "etth2" / "manifest.json").write_text(text)
    assert not STORE.sound("etth2")
    with pytest.raises(DiagnosticError, match="D109"):
        load_prepared("etth2")


@pytest.mark.usefixtures("toy")
def test_what_is_not_the_expected_data(file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = problem("etth1", source=file)
    assert found.code == "D107"
    assert found.notes[0] == f"sha256 {hashlib.sha256(BODY).hexdigest()}"
    rewrite(monkeypatch, "etth2", rows=25)
    assert problem("etth2", source=file).message == "the file has 24 rows; a genuine `etth2` has 25"
    assert problem("etth2", source=file.with_name("gone.csv")).code == "D101"
    file.write_bytes(b"x,y\n1,2\n3\n")
    assert problem("etth2", source=file).code == "D201"
    assert not list(cache.glob("*")) or not any(cache.iterdir())  # nothing half-made is left


@pytest.mark.usefixtures("cache")
def test_names_without_a_way() -> None:
    found = problem("metr-la")
    assert found.code == "D101"
    assert "snnctl data prep metr-la --from FILE" in found.help
    with pytest.raises(DiagnosticError, match="unknown data `etth3`") as caught:
        kind_of("etth3")
    found = caught.value.diagnostics[0]
    assert found.code == "D101"
    assert "did you mean `etth2`?" in found.help or "did you mean `etth1`?" in found.help


def test_builtin_series_need_no_preparing() -> None:
    made = prepare("co2")
    assert (made.status, made.facts) == ("builtin", {"rows": 2284, "columns": 1, "missing": 59})


def test_a_file_address(file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(monkeypatch, "etth2", rows=24, columns=2, url=file.as_uri())
    made = prepare("etth2")
    assert made.status == "prepared"
    assert json.loads((cache / "etth2" / "manifest.json").read_text())["source"] == file.as_uri()
    assert list((cache / "downloads").iterdir()) == []
    assert file.read_bytes() == BODY


class Server(BaseHTTPRequestHandler):
    """Serves BODY; `fail_after` bytes at most while it is set, `ranges` tells whether Range is honoured."""

    fail_after: int | None = None
    ranges = True
    asked: list[str | None]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        type(self).asked.append(wanted)
        if self.path != "/toy.csv":
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if start >= len(BODY):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(BODY) - start))
        self.end_headers()
        self.wfile.write(BODY[start : self.fail_after])

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Server, "fail_after", None)
    monkeypatch.setattr(Server, "ranges", True)
    monkeypatch.setattr(Server, "asked", [], raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as service:
        thread = threading.Thread(target=service.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{service.server_address[1]}/toy.csv"
        monkeypatch.setitem(KNOWN, "etth2", replace(KNOWN["etth2"], rows=24, columns=2, url=url, sha256=""))
        yield url
        service.shutdown()
        thread.join()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on(server: str, cache: Path, monkeypatch: pytest.MonkeyPatch, ranges: bool) -> None:
    monkeypatch.setattr(Server, "fail_after", 100)
    found = problem("etth2")
    assert found.code == "D108"
    assert "--from FILE" in found.help
    assert found.notes == ("100 bytes are kept; the next call goes on from there",)
    assert part_path(server, cache / "downloads").stat().st_size == 100
    monkeypatch.setattr(Server, "fail_after", None)
    monkeypatch.setattr(Server, "ranges", ranges)
    told: list[tuple[int, int | None]] = []
    assert prepare("etth2", progress=lambda done, total: told.append((done, total))).facts["rows"] == 24
    assert Server.asked == [None, "bytes=100-"]
    assert told[-1] == (len(BODY), len(BODY))


def test_a_part_that_is_already_whole_is_fetched_afresh(server: str, cache: Path) -> None:
    part = part_path(server, cache / "downloads")
    part.parent.mkdir(parents=True)
    part.write_bytes(BODY)
    assert prepare("etth2").facts["rows"] == 24
    assert Server.asked == [f"bytes={len(BODY)}-", None]


@pytest.mark.usefixtures("cache")
def test_a_server_that_has_no_such_file(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(monkeypatch, "etth2", url=server + ".gone")
    found = problem("etth2")
    assert found.code == "D108"
    assert "Not Found" in found.message


def test_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "snnctl"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the XDG rules say to ignore it
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "snnctl"


@pytest.mark.usefixtures("toy")
def test_a_cache_that_cannot_be_written(file: Path) -> None:
    with caching_in(file / "cache"):  # below a file
        found = problem("etth2", source=file)
    assert found.code == "D104"
    assert "XDG_CACHE_HOME" in found.help


@pytest.mark.skipif(not SHARED_ETTH1.exists(), reason="../shared/data/ETTh1 is not there")
@pytest.mark.usefixtures("cache")
def test_etth1_by_name_is_etth1_by_path() -> None:
    assert prepare("etth1", source=SHARED_ETTH1).facts["rows"] == 17420
    by_name = TimeSeries(source="etth1", window=96, horizon=24)
    by_path = TimeSeries(source=str(SHARED_ETTH1), window=96, horizon=24)
    assert by_name.load().fingerprint == by_path.load().fingerprint
    assert by_name.season == 24
    assert by_path.season is None
    assert read_file(SHARED_ETTH1).time == ("date",)


@pytest.mark.usefixtures("toy", "cache")
def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    from snnctl.commands.data import prepare as command

    path = tmp_path / "latin.csv"
    path.write_bytes(BODY.replace(b"x", "ö".encode("latin-1"), 1))
    with pytest.raises(DiagnosticError) as caught:
        command(["etth2"], brought=path)
    assert caught.value.diagnostics[0].code == "D103"
    assert [found.status for found in command(["etth2"], brought=path, encoding="latin-1")] == ["prepared"]
    with pytest.raises(DiagnosticError) as caught:
        command(["mnist"], brought=path, encoding="latin-1")
    assert caught.value.diagnostics[0].code == "U433"
