"""`snnctl data info` on files and folders of every kind: what it was read as, what was understood, one picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from snnctl.cli.app import run
from snnctl.commands.data import describe
from snnctl.core.catalog import DATA
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.images.dataset import ImageData
from snnctl.ui.data import show_data

SERIES = "date,load\n" + "".join(f"2020-01-{1 + i // 24:02d} {i % 24:02d}:00:00,{i % 24}.5\n" for i in range(240))
TEXTS = "text,label\n" + "".join(f"so {('dull', 'fine')[i % 2]} a film {i},{i % 2}\n" for i in range(60))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.chdir(tmp_path)
    Path("load.csv").write_text(SERIES)
    Path("reviews.csv").write_text(TEXTS)
    for name, value in (("cat", 40), ("dog", 200)):
        for i in range(20):
            Path("pets", name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((6, 8), value + i, np.uint8)).save(Path("pets", name, f"{i}.png"))
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        for i in range(10):
            Path("spikes", name).mkdir(parents=True, exist_ok=True)
            np.savez(Path("spikes", name, f"{i}.npz"), t=random.uniform(0, 1.3, 30), unit=random.integers(0, 8, 30))
    np.save("clips.npy", random.integers(0, 255, (10, 12, 6, 8), dtype=np.uint8))
    return tmp_path


@pytest.fixture
def info(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*words: str) -> dict[str, Any]:
        assert run(["--json", "data", "info", *words]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)["data"]
        return found

    return call


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(code: int, *words: str) -> dict[str, Any]:
        assert run(["--json", "data", "info", *words]) == code
        (found,) = json.loads(capsys.readouterr().out)["diagnostics"]
        return dict(found)

    return call


VIDEO = ("clips.npy", "--set", "data.layout=nthw", "--set", "data.frames_in=4", "--set", "data.frames_out=4")


@pytest.mark.parametrize(
    ("words", "kind", "component", "facts"),
    [
        (("load.csv",), "series", "timeseries", {"rows": 240, "columns": ["load"]}),
        (("reviews.csv",), "texts", "text", {"classes": ["0", "1"]}),
        (("pets",), "images", "image", {"shape": "6 x 8 x 1", "class_names": ["cat", "dog"]}),
        (("spikes",), "events", "event_spikes", {"units": 8, "spikes": 600}),
        (VIDEO, "video", "video", {"frame": "6 x 8 x 1", "frames_in": 4}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_kind_is_told_and_drawn(
    words: tuple[str, ...], kind: str, component: str, facts: dict[str, Any], info: Any
) -> None:
    found = info(*words, "--plot", "plots/one.png")
    assert (found["read_as"]["kind"], found["read_as"]["component"]) == (kind, component)
    assert found["read_as"]["reason"]
    assert found["warnings"] == []
    assert {key: found[key] for key in facts} == facts
    assert found["plot"] == "plots/one.png"
    with Image.open("plots/one.png") as picture:
        assert picture.width > 1000


def test_a_drawing_is_the_same_file_twice(info: Any) -> None:
    info("load.csv", "--plot", "a.svg")
    info("load.csv", "--plot", "b.SVG")
    assert Path("a.svg").read_bytes() == Path("b.SVG").read_bytes()
    assert Path("a.svg").read_text().startswith("<?xml")


def test_the_first_line_says_what_it_was_read_as(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "info", "load.csv"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "read as series (timeseries): a table of 2 columns, 1 of them numbers"
    assert any("2020-01-01 to 2020-01-10T23:00:00, a row every 1 h" in line for line in lines)
    for i in range(20):
        Path("pets", "cat", f"{i}.png").rename(Path("pets", "cat", f"x{i:04d}.png"))
        Path("pets", "dog", f"{i}.png").rename(Path("pets", "dog", f"x{i:04d}.png"))
    assert run(["data", "info", "pets"]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("read as images (image): a folder with 40 pictures")
    assert second == "it may be something else: --as video reads it so"


def test_as_settles_it(info: Any, refused: Any) -> None:
    sets = ("--set", "data.frames_in=3", "--set", "data.frames_out=3")
    assert info("pets", "--as", "video", *sets)["read_as"]["reason"] == "--as says so"
    assert refused(3, "load.csv", "--as", "images")["code"] == "D105"
    assert refused(2, "load.csv", "--as", "sounds")["code"] == "U434"
    assert refused(2, "co2", "--as", "series")["code"] == "U435"
    Path("strange").write_bytes(bytes(range(256)))
    assert refused(3, "strange")["code"] == "D105"
    assert "read as texts: --as says so" in refused(3, "strange", "--as", "texts")["notes"]


def test_keys_of_the_data_can_be_tried(info: Any, refused: Any) -> None:
    assert "window" not in info("load.csv")
    assert info("load.csv", "--set", "data.window=24")["window"] == 24
    cut = info("load.csv", "--set", "data.split={train: 100, val: 40, test: 100}")["splits"]
    assert [part["rows"] for part in cut.values()] == [100, 40, 100]
    assert info("spikes", "--set", "data.steps=7")["steps"] == 7
    frames = info("spikes", "--set", "data.type=event_spikes", "--set", "data.val=4")
    assert frames["splits"]["val"]["items"] == 4
    assert info("co2", "--set", "data.scaler=max")["scaler"] == "max"
    assert refused(2, "load.csv", "--set", "data.widow=3")["code"] == "R201"
    assert refused(2, "load.csv", "--set", "data.window=0")["code"].startswith("R2")
    for change in ("model.width=3", "data.source=co2", "window=3"):
        assert refused(2, "load.csv", "--set", change)["code"] == "U432"
    assert refused(2, "load.csv", "--unset", "data.window")["code"] == "U432"
    unsaid = refused(2, "clips.npy")
    assert unsaid["code"] == "R333"
    assert "without a recipe: --set data.layout=VALUE" in unsaid["notes"]
    assert unsaid["notes"][0].startswith("read as video: an array of 4 axes")


def test_places_without_a_slash_and_nothing_there(info: Any, refused: Any) -> None:
    Path("co2").mkdir()
    assert info("co2")["read_as"]["reason"] == "a known name"
    assert info("./load.csv")["rows"] == info(str(Path("load.csv").resolve()))["rows"] == 240
    missing = refused(3, "cat.csv")
    assert (missing["code"], "no file or folder `cat.csv`" in missing["message"]) == ("D101", True)
    assert "did you mean `etth1`?" in refused(3, "eth1.csv")["help"]
    assert refused(3, "")["code"] == "D101"
    assert refused(3, "a\0b")["code"] == "D101"
    assert refused(3, "a" * 5000)["code"] == "D101"
    assert refused(3, "etth1")["code"] == "D101"
    assert refused(3, "etth1", "--plot", "x.png")["code"] == "D101"


def test_plots_that_are_refused(refused: Any) -> None:
    assert refused(2, "load.csv", "--plot", "x.gif")["code"] == "U436"
    assert refused(2, "load.csv", "--plot", "load.csv/x.png")["code"] == "U453"


def test_warnings_of_the_data_come_first(
    info: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = Diagnostic("D220", "all pictures are grey", severity="warning", path="data.channels", help="set it to 1")
    monkeypatch.setattr(ImageData, "warnings", (odd,), raising=False)
    assert info("pets")["warnings"] == [odd.to_json()]
    assert run(["data", "info", "pets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = next(i for i, line in enumerate(lines) if "all pictures are grey" in line)
    assert told < next(i for i, line in enumerate(lines) if line.startswith("source"))
    assert "set it to 1" in lines[told + 1]


def test_what_else_is_said_of_splits() -> None:
    def text(**more: Any) -> str:
        console = Console(width=80, record=True, force_terminal=False)
        splits = {name: {"items": 1200, "per_class": [700, 500], **more} for name in ("train", "test")}
        show_data(console, {"data": {"splits": splits}})
        return console.export_text()

    assert "1,200 items, by class: 700, 500; most tokens 31\n" in text(most_tokens=31).replace("  ", "")
    lines = text(most_tokens=31, median_tokens=7.5, repeated=0).splitlines()
    (head,) = (
        i
        for i, line in enumerate(lines)
        if line.split() == ["splits", "most", "tokens", "median", "tokens", "repeated"]
    )
    assert lines[head + 1].split() == ["train", "31", "7.5", "0"]


@pytest.mark.parametrize("width", [80, 120])
def test_any_facts_are_shown(width: int) -> None:
    classes = [f"class {i}" for i in range(30)]
    facts = {
        "source": "[mine]",
        "read_as": {"kind": "", "component": "own", "reason": "the recipe says so", "also": []},
        "class_names": classes,
        "splits": {name: {"items": 60, "per_class": dict.fromkeys(classes, 2)} for name in ("train", "test")},
        "odd": None,
        "columns": {"a": {"role": "target", "unit": "MW", "mean": 1.23456}, "b": {"role": "past", "low": 3}},
        "files": [{"name": "x", "events": 12345}, {"name": "[y]", "events": 2}],
        "deep": {"one": {"two": {"three": [1, 2]}}},
        "empty": {},
        "yes": True,
    }
    console = Console(width=width, record=True, force_terminal=False)
    show_data(console, {"data": facts})
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    for piece in ("[mine]", "class 23", "and 6 more classes", "1.235", "MW", "12,345", "[y]", "three 1, 2", "yes"):
        assert piece in text, piece
    assert "class 24" not in text.split("and 6 more")[0].split("class 23")[1]


def test_data_of_a_plug_in_that_says_nothing_of_itself(tmp_path: Path) -> None:
    Path("own.py").write_text(
        "import torch\n"
        "from snnctl.core.catalog import DATA\n"
        "from snnctl.core.shapes import SignalSpec\n"
        "from snnctl.data.base import Batch\n"
        "class Part:\n"
        "    def __len__(self): return 8\n"
        "    def batch(self, i): return Batch(torch.arange(8.0)[i][:, None, None].expand(-1, 5, 2), i % 2)\n"
        "class Set:\n"
        "    input_signal = SignalSpec(0, 5, 2)\n"
        "    classes = 2\n"
        "    leaks = ()\n"
        "    fingerprint = 'x'\n"
        "    def split(self, name): return Part()\n"
        "@DATA.register('mute')\n"
        "class Mute:\n"
        "    gives = 'classes'\n"
        "    def __init__(self): pass\n"
        "    def probe(self): return Set()\n"
        "    def load(self): return Set()\n"
    )
    Path("own.yaml").write_text(
        "schema: 1\nname: own\nplugins: [own.py]\ntask: classification\ndata: mute\n"
        "encoder: {type: repeat, steps: 2, neuron: if}\nmodel: spike_mlp\ntrain: {epochs: 1}\n"
    )
    found = describe("own.yaml", plot=tmp_path / "own.png")
    assert found["read_as"] == {"kind": "", "component": "mute", "reason": "the recipe says so", "also": []}
    assert found["inputs"] == "L=5 D=2 real"
    assert found["splits"]["val"] == {"items": 8}
    assert (tmp_path / "own.png").stat().st_size > 1000
    assert DATA.source("mute") != "snnctl"
    with pytest.raises(DiagnosticError, match="U435"):
        describe("own.yaml", read_as="series")
