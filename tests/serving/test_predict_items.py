"""Classes and frames of new items: every form they may have, what is odd or does not fit, nothing written by half."""

from __future__ import annotations

import csv
import doctest
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine.tiny_runs import codes, command
from PIL import Image
from serving.item_runs import CLASSES, QUIET, recording, texts, write

import snnctl
from snnctl.commands.predict import predict
from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.cache import caching_in
from snnctl.measure.spikes import SpikeMeter
from snnctl.serving import classifier as serving

Runs = Callable[[str], tuple[Path, Path]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """A run of a kind, trained when it is first asked for, and its test items."""
    made: dict[str, tuple[Path, Path]] = {}
    home = tmp_path_factory.mktemp("items")

    def run(name: str) -> tuple[Path, Path]:
        if name not in made:
            recipe, items = write(home / name, name, home / f"{name}-brought")
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(os, "fsync", lambda _: None)
                snnctl.train(recipe, out=home / name / "run", device="cpu", listener=QUIET)
            made[name] = home / name / "run", items
        return made[name]

    with caching_in(home / "cache"):
        yield run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    yield
    assert not list(tmp_path.rglob(".*.tmp*"))


def model(runs: Runs, name: str) -> Any:
    return snnctl.load(runs(name)[0], device="cpu")


def refused(call: Callable[[], Any], code: str, words: str = "") -> str:
    with pytest.raises(DiagnosticError) as caught:
        call()
    (problem,) = caught.value.diagnostics
    assert problem.code == code, problem
    assert words in problem.message
    assert not problem.path  # no key of the recipe is to blame
    return problem.help


class _Stdin:
    def __init__(self, raw: bytes) -> None:
        self.buffer = io.BytesIO(raw)


FILES = {
    "labelled.csv": "text,label\n{}\n",
    "bare.csv": "text\n{}\n",
    "bare.jsonl": '{{"text": "{}"}}\n',
    "lines.txt": "{}\n",
    "two.tsv": "sentence\tlabel\n{}\t\n",
}


def test_texts_in_every_form_are_the_same(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "a lovely film"
    known = model(runs, "text").predict([said])
    assert list(known) == ["item", "class", "probability", "second", "second_probability", "spikes"]
    for name, form in FILES.items():
        (tmp_path / name).write_text(form.format(said + (",good" if name == "labelled.csv" else "")))
        found = model(runs, "text").predict(tmp_path / name)
        assert found["probability"].tolist() == known["probability"].tolist(), name
        assert ("label" in found) == (name == "labelled.csv")
    for raw in (said, f"text\n{said}", f'{{"text": "{said}"}}\n'):
        monkeypatch.setattr(sys, "stdin", _Stdin(raw.encode()))
        answer = predict(runs("text")[0], "-", device="cpu")
        assert [row["probability"] for row in answer["predictions"]] == known["probability"].tolist()
    folder = tmp_path / "mails" / "good"
    folder.mkdir(parents=True)
    (folder / "1.txt").write_text(said)
    found = model(runs, "text").predict(tmp_path / "mails")
    assert found[["item", "label"]].to_numpy().tolist() == [["good/1.txt", "good"]]
    assert found["probability"].tolist() == known["probability"].tolist()


def test_odd_texts_are_told_and_others_refused(runs: Runs, tmp_path: Path) -> None:
    one = model(runs, "text")
    with pytest.warns(UserWarning, match="D279.*1 of 2 texts are empty"):
        assert len(one.predict(["", "a film"])) == 2
    with pytest.warns(UserWarning, match="D276.*unknown to the model"):
        one.predict(["xyzzy plugh frobnicate"])
    refused(lambda: one.predict([]), "D102")
    refused(lambda: one.predict("a film"), "D310", "one text")
    refused(lambda: one.predict([3]), "D310", "int")
    refused(lambda: one.predict(tmp_path / "nowhere.csv"), "D101")
    (tmp_path / "other.csv").write_text("id,body\n1,a film\n")
    help = refused(lambda: one.predict(tmp_path / "other.csv"), "D210")
    assert "data." not in help
    (tmp_path / "empty.csv").write_text("text,label\n")
    refused(lambda: one.predict(tmp_path / "empty.csv"), "D102")
    for top in (0, 3):
        refused(lambda top=top: one.predict(["a film"], top=top), "U504", "from 1 to 2")
    assert list(one.predict(["a film"], top=1)) == ["item", "class", "probability", "spikes"]


def test_pictures_in_every_form_are_the_same(runs: Runs, tmp_path: Path) -> None:
    one, (_, folder) = model(runs, "image"), runs("image")
    known = one.predict(folder)
    assert known["item"].tolist()[:2] == ["bad/000.png", "bad/002.png"]
    assert set(known["label"]) == set(CLASSES)
    files = [folder / name for name in known["item"]]
    assert one.predict(files)["probability"].tolist() == pytest.approx(known["probability"].tolist())
    single = one.predict(files[3])
    assert single["item"].tolist() == [files[3].name]
    assert single["probability"][0] == pytest.approx(known["probability"][3], abs=1e-6)
    # Training scales to 8 x 8; an array is taken as it is.
    resized = [Image.open(io.BytesIO(file.read_bytes())) for file in files]
    from PIL import ImageOps

    array = np.stack([np.asarray(ImageOps.fit(each, (8, 8), Image.Resampling.BICUBIC)) for each in resized])
    np.savez(tmp_path / "all.npz", images=array, labels=np.array([label == "good" for label in known["label"]], int))
    np.save(tmp_path / "all.npy", array)
    for given in (array, tmp_path / "all.npz", tmp_path / "all.npy"):
        found = one.predict(given)
        assert found["probability"].tolist() == pytest.approx(known["probability"].tolist(), abs=1e-6)
    assert one.predict(tmp_path / "all.npz")["label"].tolist() == known["label"].tolist()
    assert one.predict(array[0])["item"].tolist() == ["0"]


def test_pictures_that_do_not_fit(runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, (run, _) = model(runs, "image"), runs("image")
    refused(lambda: one.predict(np.zeros((2, 9, 9, 3), np.uint8)), "D310", "8 x 8 x 3")
    refused(lambda: one.predict(np.zeros((2, 8, 8, 1), np.uint8)), "D310", "8 x 8 x 1")
    refused(lambda: one.predict(np.full((2, 8, 8, 3), 0.5)), "D202")
    refused(lambda: one.predict(np.zeros(3)), "D310")
    Image.new("L", (8, 8)).save(tmp_path / "grey.png")
    assert "data.channels" in refused(lambda: one.predict(tmp_path / "grey.png"), "D310", "8 x 8 x 1")
    folder = tmp_path / "some"
    folder.mkdir()
    refused(lambda: one.predict(folder), "D222")
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    (folder / "b.png").write_bytes(b"no picture")
    Image.new("RGB", (8, 8)).save(folder / "c.png")
    out = tmp_path / "out.csv"
    code, document = command(capsys, "predict", run, "--input", folder, "--output", out)
    assert (code, codes(document), out.exists()) == (3, ["D220"], False)
    assert "b.png" in document["diagnostics"][0]["message"]
    code, document = command(capsys, "predict", run, "--input", folder, "--output", out, "--skip-bad")
    assert (code, codes(document)) == (0, ["D311"])
    assert [one["item"] for one in document["left_out"]] == ["b.png"]
    with out.open(newline="") as file:
        assert [row["item"] for row in csv.DictReader(file)] == ["a.png", "c.png"]
    with pytest.raises(DiagnosticError, match=r"D102.*could be read"):
        one.predict([folder / "b.png"], skip_bad=True)


def test_recordings_that_are_late_or_of_another_sensor(runs: Runs, tmp_path: Path) -> None:
    one, (_, folder) = model(runs, "event_spikes"), runs("event_spikes")
    known = one.predict(folder)
    assert set(known["label"]) == set(CLASSES)
    assert one.predict(folder / known["item"][4])["probability"][0] == pytest.approx(known["probability"][4], abs=1e-6)
    events = recording(0, np.random.default_rng(5))
    np.savez(tmp_path / "late.npz", **{**events, "t": events["t"] * 2})
    with pytest.warns(UserWarning, match=r"D250.*longer \(`late.npz`\)"):
        one.predict(tmp_path / "late.npz")
    np.savez(tmp_path / "later.npz", **{**events, "t": events["t"] + 10**9})
    refused(lambda: one.predict(tmp_path / "later.npz"), "D251", "100%")
    np.savez(tmp_path / "wide.npz", **{**events, "x": events["x"] + 8})
    refused(lambda: one.predict(tmp_path / "wide.npz"), "D224", "outside 8 x 8")
    np.savez(tmp_path / "units.npz", t=events["t"], unit=events["x"])
    refused(lambda: one.predict(tmp_path / "units.npz"), "D310", "units")
    np.savez(tmp_path / "none.npz", **{name: values[:0] for name, values in events.items()})
    with pytest.warns(UserWarning, match="D254"):
        one.predict(tmp_path / "none.npz")
    (tmp_path / "notes.txt").write_text("no recording")
    refused(lambda: one.predict(tmp_path / "notes.txt"), "D105")


def test_frames_ahead_in_every_form(runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, (run, clips) = model(runs, "video"), runs("video")
    array = np.load(clips)
    frames = one.predict(clips)
    assert frames.shape == (5, 2, 8, 12, 1)
    np.testing.assert_allclose(one.predict(array[0]), frames[:1], atol=1e-6)
    longer = np.concatenate((array[:, :1], array), axis=1)  # the last frames count
    np.testing.assert_allclose(one.predict(longer), frames, atol=1e-6)
    folder = tmp_path / "clip"
    folder.mkdir()
    for number, picture in enumerate(array[1]):
        Image.fromarray(picture).save(folder / f"{number}.png")
    np.testing.assert_allclose(one.predict(folder), frames[1:2], atol=1e-6)
    refused(lambda: one.predict(array[:, :1]), "D233", "1 frames")
    refused(lambda: one.predict(array[:, :, :4]), "D310", "4 x 12 x 1")
    for name in ("x.npz", "x.npy"):
        code, document = command(
            capsys, "predict", run, "--input", clips, "--output", name, "--plot", f"{name}.gif", "--plot", f"{name}.png"
        )
        assert (code, document["items"], document["frames_out"]) == (0, 5, 2)
    found = np.load("x.npz")
    assert found["items"].tolist() == ["0", "1", "2", "3", "4"]
    np.testing.assert_array_equal(found["frames"], np.load("x.npy"))
    assert command(capsys, "predict", run, "--input", clips, "--plot", "x.gif")[0] == 0
    with Image.open("x.gif") as film:
        assert film.n_frames == 4
    assert codes(command(capsys, "predict", run, "--input", clips, "--output", "x.csv")[1]) == ["U505"]


def test_what_is_asked_has_to_go_together(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = runs("text")
    for words, code in (
        ((), "U510"),
        (("--input", "x.csv", "--split", "test"), "U504"),
        (("--input", "x.csv", "--horizon", "3"), "U504"),
        (("--input", "x.csv", "--all"), "U504"),
        (("--split", "test", "--plot", "x.png"), "U504"),
        (("--split", "test", "--output", "x.xlsx"), "U505"),
        (("--split", "tset"), "U408"),
    ):
        assert codes(command(capsys, "predict", run, *words)[1]) == [code], words
    image, _ = runs("image")
    assert codes(command(capsys, "predict", image, "--input", "-")[1]) == ["U504"]


def test_a_model_that_was_changed_by_hand_is_refused(runs: Runs, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(runs("text")[0], tmp_path / "run")
    file = tmp_path / "run" / "model" / "model.json"
    document = json.loads(file.read_text())
    for change in ({"classes": ["one"]}, {"length": 3}, {"tokenizer": {}}, {"kind": "images"}, {"schema": 9}):
        file.write_text(json.dumps(document | change))
        with pytest.raises(DiagnosticError, match="U506"):
            snnctl.load(tmp_path / "run")
    file.unlink()  # as of an older snnctl: from the data, which is still there
    assert snnctl.load(tmp_path / "run", device="cpu").classes == CLASSES


@pytest.mark.parametrize("name", ["text", "image", "event_spikes"])
def test_spikes_are_those_of_each_alone(runs: Runs, name: str) -> None:
    one, (_, items) = model(runs, name), runs(name)
    found = one.predict(items)
    assert found["spikes"].sum() > 0
    new = one.fitted.new(items)
    for number, item in enumerate(new.items):
        batch = one.fitted.batch([item.read()])
        with SpikeMeter(one.network) as meter:
            one.task.predict(one.network, batch)
        alone = sum(n * k for layer in meter.summary() for n, k in enumerate(layer.histogram))
        assert found["spikes"][number] == alone
        if number == 5:
            break


def test_examples_run(runs: Runs) -> None:
    found = doctest.testmod(serving, extraglobs={"run": runs("text")[0], "snnctl": snnctl})
    assert (found.attempted >= 5, found.failed) == (True, 0)
    assert [label for _, label in texts(2, 0)] == list(CLASSES)
