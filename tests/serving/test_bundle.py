"""A run as one archive: used without run and data, the same bytes each time; what was damaged or changed is refused."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import shutil
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from engine.tiny_runs import codes, command, tiny, trained, with_plugin, write_recipe
from serving.forecast_runs import plain, write

import snnctl
from snnctl.commands.bundle import export
from snnctl.core.diagnostic import DiagnosticError
from snnctl.engine.run_dir import RunDir
from snnctl.serving.bundle import MOST_MEMBERS, NEEDED

Change = Callable[[dict[str, bytes]], None]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secret-place")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        return snnctl.train(write(folder, "plain"), out=folder / "run", device="cpu").run


@pytest.fixture(scope="module")
def whole(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, elsewhere."""
    out = tmp_path_factory.mktemp("bundle") / "model.snnctl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        export(run, out, "CC-BY-4.0")
    return out


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    yield
    assert not list(tmp_path.rglob(".*.tmp"))


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path: Path, change: Change, *, sign: bool = True) -> Path:
    """The bundle with other members; `sign` writes digests that fit them, as a forger would."""
    found = members(path)
    change(found)
    if sign:
        manifest = json.loads(found["manifest.json"])
        manifest["members"] = {
            name: {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}
            for name, raw in found.items()
            if name != "manifest.json"
        }
        found["manifest.json"] = json.dumps(manifest).encode()
    out = Path("changed.snnctl")
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")
        for name, raw in found.items():
            archive.writestr(name, raw)
    return out


def refused(path: Path | str, **how: Any) -> tuple[str, str]:
    with pytest.raises(DiagnosticError) as caught:
        snnctl.load(path, device="cpu", **how)
    first = caught.value.diagnostics[0]
    assert "snnctl-" not in first.to_line().replace("snnctl-bundle", "")  # the folder it was laid out in is gone by now
    return first.code, first.message


def test_it_predicts_as_the_run_does_without_run_and_data(run: Path, whole: Path, capsys: Any) -> None:
    frame = plain().tail(40)
    expected = snnctl.load(run, device="cpu").predict(frame, last=3)
    model = snnctl.load(whole, device="cpu")
    pd.testing.assert_frame_equal(model.predict(frame, last=3), expected)
    assert (model.columns, model.recipe.name, model.facts["path"]) == (("a", "b"), "small", "best")
    frame.to_csv("new.csv", index=False)
    code, document = command(capsys, "predict", whole, "--input", "new.csv", "--last", "3", "--device", "cpu")
    assert (code, document["run"]) == (0, str(whole))
    assert [row["snnctl"] for row in document["forecast"]] == pytest.approx(expected.snnctl.tolist())


def test_without_rows_it_reads_no_file_that_is_called_like_its_data(whole: Path) -> None:
    plain().to_csv("table.csv", index=False)
    Path("(not in the bundle)").mkdir()
    with pytest.raises(DiagnosticError, match=r"U501.*a bundle holds no data.*--input"):
        snnctl.load(whole, device="cpu").predict()


def test_the_same_run_gives_the_same_bytes_and_tells_no_place(run: Path, whole: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copied" / "elsewhere")
    again = export(copy, "again.zip", "CC-BY-4.0")
    assert Path("again.zip").read_bytes() == whole.read_bytes()
    assert again["sha256"] == hashlib.sha256(whole.read_bytes()).hexdigest()
    assert b"secret-place" not in whole.read_bytes()
    assert set(members(whole)) == {*NEEDED, "model/bands.safetensors"}


def test_its_bands_are_those_of_the_run(run: Path, whole: Path) -> None:
    """They are read when the bundle is opened: where it was laid out for that, nothing is left afterwards."""
    models = [snnctl.load(path) for path in (run, whole)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few windows, U522
        frame = plain().tail(40)
        ours, theirs = (model.predict(frame, levels=[50]) for model in models)
    assert "snnctl-lo-50" in ours
    pd.testing.assert_frame_equal(ours, theirs)
    export(run, "other.snnctl", "MIT")
    assert Path("other.snnctl").read_bytes() != whole.read_bytes()


def test_its_card(run: Path, whole: Path, capsys: Any) -> None:
    code, document = command(capsys, "show", whole)
    card, results = document["card"], json.loads((run / "results.json").read_text())
    assert (code, card["licence"], card["energy"]) == (0, "CC-BY-4.0", None)
    assert (card["results"]["metrics"], card["results"]["baselines"]) == (results["metrics"], results["baselines"])
    assert card["data"]["fingerprint"] == RunDir(run).manifest()["data_fingerprint"]
    assert card["data"]["source"] == "table.csv"
    text = document["text"]
    for words in (
        "# small",
        "| last_value |",
        "**this model**",
        "Licence: CC-BY-4.0",
        "Not estimated",
        "predict FILE",
    ):
        assert words in text
    better = results["baselines"]["last_value"]["mse"] < results["metrics"]["test/mse"]
    assert ("Better than this model: last_value" in text) == better


def test_the_command_and_what_it_refuses(run: Path, whole: Path, capsys: Any) -> None:
    code, document = command(capsys, "export", run, "--format", "bundle", "--out", "new/m.snnctl", "--license", "MIT")
    assert (code, document["tensors"] > 0, document["card"]["licence"]) == (0, True, "MIT")
    assert document["bytes"] == Path("new/m.snnctl").stat().st_size
    assert codes(command(capsys, "export", run, "--license", "MIT")[1]) == ["U546"]
    assert codes(command(capsys, "export", run, "--format", "bundle", "--license", "a\nb")[1]) == ["U408"]
    assert codes(command(capsys, "export", run, "--format", "bundle", "--out", "new/m.snnctl/x")[1]) == ["U453"]
    assert codes(command(capsys, "eval", whole)[1]) == ["U413"]
    assert codes(command(capsys, "predict", whole, "--checkpoint", "last")[1]) == ["U408"]
    snnctl_help = command(capsys, "eval", whole)[1]["diagnostics"][0]["help"]
    assert "a bundle predicts" in snnctl_help


@pytest.mark.slow
def test_energy_is_estimated_for_the_card(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    found = export(copy, "e.snnctl", costs="horowitz45_fp32")
    assert found["card"]["energy"]["costs"]["horowitz45_fp32"]["snn_joules"] > 0
    assert export(copy, "f.snnctl")["card"]["energy"] == found["card"]["energy"]
    assert Path("e.snnctl").read_bytes() == Path("f.snnctl").read_bytes()


def test_energy_that_was_estimated_is_on_the_card(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    cost = {"snn_joules": 2e-9, "snn_standard_error": 0.0, "ann_twin_joules": 4e-9, "ratio": 0.5, "rule": "event"}
    estimate = {
        "checkpoint": "best",
        "split": "test",
        "samples": 7,
        "steps": 2,
        "coverage": 1.0,
        "uncounted": [],
        "costs": {"mine": {**cost, "complete": True}},
        "provenance": {"created": "2999-01-01T00:00:00+00:00"},
    }
    (copy / "energy").mkdir()
    file = copy / "energy" / "energy.json"
    file.write_text(json.dumps(estimate))
    assert export(copy, "e.snnctl")["card"]["energy"]["costs"]["mine"] == {**cost, "complete": True}
    assert "| mine | event | 2 nJ | 4 nJ | 0.5 |" in members(Path("e.snnctl"))["card.md"].decode()
    for change, words in (
        ({"provenance": {"created": "1999-01-01T00:00:00+00:00"}}, "trained on after it"),
        ({"checkpoint": "last"}, "of the last weights"),
        ({"checkpoint": None, "provenance": 3}, "of the None weights"),
        ({"provenance": 3}, "cannot be read"),
    ):
        file.write_text(json.dumps({**estimate, **change}))
        with pytest.warns(UserWarning, match=f"U547.*{words}"):
            assert export(copy, "g.snnctl")["card"]["energy"] is None


def test_runs_that_make_no_bundle(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "model" / "weights.pkl").write_bytes(pickle.dumps({}))
    for spoil, words in (
        (lambda: None, "neither JSON nor safetensors"),
        (lambda: shutil.rmtree(copy / "model"), "keeps no `model/`"),
        (lambda: RunDir(copy).update_manifest(status="running"), "not done"),
    ):
        spoil()
        with pytest.raises(DiagnosticError, match=f"U545.*{words}"):
            export(copy, "none.snnctl")
        assert not Path("none.snnctl").exists()


@pytest.mark.parametrize("name", NEEDED)
def test_every_member_is_held_against_its_digest(whole: Path, name: str) -> None:
    raw = bytearray(whole.read_bytes())
    with zipfile.ZipFile(whole) as archive:
        info = archive.getinfo(name)
    raw[info.header_offset + 30 + len(name) + info.file_size // 2] ^= 1  # one bit on the way
    Path("bit.snnctl").write_bytes(raw)
    code = refused("bit.snnctl")[0]
    assert code in (("U540", "U542") if name == "manifest.json" else ("U542",))
    if name != "manifest.json":
        other = rewritten(whole, lambda found: found.update({name: found[name] + b" "}), sign=False)
        assert refused(other) == ("U542", f"`{name}` is not what the bundle's manifest says: its digest differs")
        assert refused(rewritten(whole, lambda found: found.pop(name)))[0] == "U540"


def test_a_name_that_ends_early(whole: Path) -> None:
    raw = rewritten(whole, lambda found: found.update({"model/b.json": b"{}"})).read_bytes()
    Path("early.snnctl").write_bytes(raw.replace(b"model/b.json", b"model/b\0.pkl"))
    assert refused("early.snnctl")[0] == "U541"


class Bomb:
    def __reduce__(self) -> Any:
        return os.mkdir, ("executed",)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../evil.json", "leads out"),
        ("/etc/evil.json", "leads out"),
        ("model/../../evil.json", "leads out"),
        ("..\\evil.json", "leads out"),
        ("C:evil.json", "leads out"),
        ("model/", "no bundle has such a member|is a folder"),
        ("model/.hidden.json", "no bundle has such a member"),
        ("model/deep/x.json", "no bundle has such a member"),
        ("weights.pkl", "no bundle has such a member"),
        ("model/trainer.pt", "no bundle has such a member"),
        ("plugin.py", "no bundle has such a member"),
    ],
)
def test_members_of_other_names(whole: Path, name: str, words: str) -> None:
    code, message = refused(rewritten(whole, lambda found: found.update({name: pickle.dumps(Bomb())})))
    assert code == "U541"
    assert re.search(words, message)
    assert not Path("executed").exists()
    assert not Path("../evil.json").exists()


def raw_zip(whole: Path, change: Callable[[str, bytes, zipfile.ZipFile], bool]) -> Path:
    out = Path("raw.snnctl")
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")
        for name, raw in members(whole).items():
            if not change(name, raw, archive):
                archive.writestr(name, raw)
    return out


def test_links_bombs_and_doubles(whole: Path) -> None:
    def link(name: str, raw: bytes, archive: zipfile.ZipFile) -> bool:
        if name == "card.md":
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
            return True
        return False

    assert "a link" in refused(raw_zip(whole, link))[1]

    def bomb(name: str, raw: bytes, archive: zipfile.ZipFile) -> bool:
        if name == "card.md":
            archive.writestr(name, bytes(50 << 20), zipfile.ZIP_DEFLATED)
            return True
        return False

    path = raw_zip(whole, bomb)
    assert path.stat().st_size < 1 << 20
    assert "it is compressed" in refused(path)[1]

    def double(name: str, raw: bytes, archive: zipfile.ZipFile) -> bool:
        if name == "recipe.yaml":
            archive.writestr(name, "other: recipe")
        return False

    assert "there twice" in refused(raw_zip(whole, double))[1]

    def many(name: str, raw: bytes, archive: zipfile.ZipFile) -> bool:
        if name == "card.md":
            for number in range(MOST_MEMBERS):
                archive.writestr(f"model/{number}.json", "{}")
        return False

    assert "members, more than" in refused(raw_zip(whole, many))[1]


def test_members_that_overlap(whole: Path) -> None:
    """Two entries of the directory that point at the same bytes."""
    raw = bytearray(rewritten(whole, lambda found: found.update({"model/b.json": b"{}"})).read_bytes())
    with zipfile.ZipFile("changed.snnctl") as archive:
        first, last = archive.getinfo("card.md"), archive.getinfo("model/b.json")
        entry = raw.rindex(b"model/b.json") - 46
    assert last.header_offset > first.header_offset
    raw[entry + 42 : entry + 46] = first.header_offset.to_bytes(4, "little")
    Path("overlap.snnctl").write_bytes(raw)
    assert refused("overlap.snnctl")[0] in ("U541", "U540")


def test_files_that_are_no_bundle(whole: Path, capsys: Any) -> None:
    raw = whole.read_bytes()
    for text in (b"", b"a,b\n1,2\n", raw[: len(raw) // 2], raw[:-30], pickle.dumps(Bomb())):
        Path("no.snnctl").write_bytes(text)
        assert refused("no.snnctl")[0] == "U540"
        assert codes(command(capsys, "show", "no.snnctl")[1]) == ["U540"]
        assert codes(command(capsys, "predict", "no.snnctl")[1]) == ["U540"]
    assert not Path("executed").exists()
    assert refused("nothing.snnctl")[0] == "U413"
    assert refused(Path.cwd())[0] == "U413"


def manifest(**changes: Any) -> Change:
    def change(found: dict[str, bytes]) -> None:
        found["manifest.json"] = json.dumps({**json.loads(found["manifest.json"]), **changes}).encode()

    return change


def test_manifests_of_another_kind(whole: Path) -> None:
    assert refused(rewritten(whole, manifest(version=2)))[0] == "U543"
    for changes in ({"format": "zip"}, {"version": "1"}, {"checkpoint": "../x"}, {"plugins": [3]}, {"name": None}):
        assert refused(rewritten(whole, manifest(**changes)))[0] == "U540"
    for text in (b"{", b"[]", b"[" * 100_000, b"\xff"):
        raw = rewritten(whole, lambda found, text=text: found.update({"manifest.json": text}), sign=False)
        assert refused(raw)[0] == "U540"
    extra = rewritten(whole, lambda found: found.update({"model/extra.json": b"{}"}), sign=False)
    assert refused(extra) == ("U541", "the bundle holds `model/extra.json`: no digest of it")


def model_with(**changes: Any) -> Change:
    def change(found: dict[str, bytes]) -> None:
        found["model/model.json"] = json.dumps({**json.loads(found["model/model.json"]), **changes}).encode()

    return change


def test_a_card_sends_nothing_to_the_terminal_but_text(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from snnctl.cli.app import run as call

    path = rewritten(whole, lambda found: found.update({"card.md": b"# a\x1b[2Jb\n\n| c |\n"}))
    assert call(["show", str(path)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("# a\\x1b[2Jb\n\n| c |\n")


def test_what_a_forger_may_write(whole: Path) -> None:
    for source in ("/etc/passwd", "../x.csv", "(not in the bundle)/../x.csv", "~/x.csv"):
        code, message = refused(rewritten(whole, model_with(source=source)))
        assert (code, "it names a file" in message) == ("U541", True)
    assert refused(rewritten(whole, model_with(window=10**9)))[0] == "U506"
    assert refused(rewritten(whole, lambda found: found.update({"model/model.json": b"["})))[0] == "U506"
    write_recipe(Path())

    def plugin(found: dict[str, bytes]) -> None:
        place = Path("neurons_of_mine.py").resolve()
        found["recipe.yaml"] = found["recipe.yaml"].replace(b"plugins: []", f"plugins: ['{place}']".encode())

    assert refused(rewritten(whole, plugin))[0] == "R123"
    weights = rewritten(whole, lambda found: found.update({"weights.safetensors": pickle.dumps(Bomb())}))
    assert refused(weights)[0] == "E410"
    assert not Path("executed").exists()


def test_plugins_stay_with_who_has_them(tmp_path: Path, capsys: Any) -> None:
    from snnctl.recipe import load_recipe
    from snnctl.recipe.plugins import plugins_for_now

    with plugins_for_now():
        path = with_plugin(tmp_path, "noisy")
        with pytest.warns(UserWarning, match="R405"):  # it runs over time in a way of its own
            run = snnctl.train(path, train__epochs=1, out=tmp_path / "run", device="cpu").run
        found = export(run, "p.snnctl")
        assert load_recipe(path).plugins[0].sha256 == found["card"]["plugins"][0]["sha256"]
        expected = snnctl.load(run, device="cpu").predict().snnctl.tolist()
    plugin = tmp_path / "neurons_of_mine.py"
    assert plugin.read_bytes()[:200] not in Path("p.snnctl").read_bytes()
    with plugins_for_now():
        code, message = refused("p.snnctl")
        assert (code, "neurons_of_mine.py" in message) == ("U544", True)
        other = tmp_path / "other.py"
        other.write_text("from pathlib import Path\nPath('executed').mkdir()\n")
        assert refused("p.snnctl", plugins=[other])[0] == "U544"
        assert not Path("executed").exists()  # another file is not even run
        assert refused("p.snnctl", plugins=["nowhere.py"])[0] == "R121"
        assert refused("p.snnctl", plugins=[plugin], allow_plugins=False)[0] == "U544"
    with plugins_for_now():
        model = snnctl.load("p.snnctl", device="cpu", plugins=[plugin])
        rows = pd.read_csv(tmp_path / "series.csv")
        assert model.predict(rows).snnctl.tolist() == pytest.approx(expected)
    code, document = command(capsys, "predict", "p.snnctl", "--input", tmp_path / "series.csv", "--plugin", plugin)
    assert (code, len(document["forecast"])) == (0, 2)


def test_an_interrupted_run(tmp_path: Path) -> None:
    run = trained(tiny(tmp_path), tmp_path / "run", stop_after=1)
    with pytest.raises(DiagnosticError, match=r"U545.*not done"):
        export(run.path)
