"""Pictures, tables and arrays of autaptic circuits in `snnctl stats`."""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine.tiny_runs import command, tiny, trained
from saved_arrays import saved_circuits
from torch import nn

from snnctl.cli.app import run
from snnctl.inspect.activity.page import SECTIONS
from snnctl.inspect.circuits import page as figures
from snnctl.inspect.circuits.collect import EDGES, STEPS_SHOWN, Circuits, MapRecorder
from snnctl.inspect.circuits.page import sections
from snnctl.inspect.circuits.tables import document, tables
from snnctl.measure.circuits import ModulatorMeter
from snnctl.neurons import STC, STCLIF
from snnctl.report.style import render

VIDEO = """\
schema: 1
name: small-video
task: {type: video_prediction, metrics: [mse], baselines: []}
data: {type: moving_digits, canvas: [16, 24], digit_size: 8, frames_in: 4, frames_out: 5, train: 8, val: 6, test: 2}
encoder: none
model: {type: video_stack, dim: 16, layers: 2, patch: 4, norm_groups: 2, kernel: 3, neuron: {type: stc_lif, kernel: 3}}
readout: frames
train: {epochs: 1, batch_size: 4, seed: 3}
"""


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other figures are left out, and those of circuits are made but not rendered: that is most of the time."""
    own = tuple(make for make in SECTIONS if make.__name__ == "_circuits")
    monkeypatch.setattr("snnctl.inspect.activity.page.SECTIONS", own)
    monkeypatch.setattr("snnctl.report.saving.render", lambda picture: (b"\x89PNG", b"<svg/>"))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)


def spatial(circuit: Any = "both") -> STC:
    neuron = STCLIF(8, groups=4, kernel=3, circuit=circuit)
    neuron.over_space(2)
    return neuron


@torch.no_grad()
def made(circuit: Any = "both", steps: int = 9) -> Circuits:
    torch.manual_seed(1)
    network = nn.ModuleDict({"a": spatial(circuit), "flat": STCLIF(8, groups=2, circuit=circuit)})
    image, flat = 3 * torch.randn(steps, 2, 3, 5, 8), 3 * torch.randn(steps, 2, 7, 8)
    recorder = MapRecorder(network, {"a": [5, 2], "flat": [0]})
    meter = ModulatorMeter(network)
    with meter, meter.batch():
        network["a"](image)
        network["flat"](flat)
    with recorder:
        network["a"](image)
        network["flat"](flat)
    return Circuits(2, "val", meter.summary(), recorder.maps(), (4, 7))


@torch.no_grad()
def test_maps_are_those_of_the_first_sample() -> None:
    torch.manual_seed(2)
    neuron = spatial()
    x = 2 * torch.randn(9, 3, 4, 6, 8)
    with MapRecorder(nn.ModuleDict({"n": neuron}), {"n": [5, 2]}) as recorder:
        spikes, state = neuron(x[:4], return_state=True)  # two calls are strung together
        more, _ = neuron(x[4:], state, return_state=True)
    neuron(x)  # not watched any more
    (found,) = recorder.maps()
    assert (found.name, found.of_steps, found.channels) == ("n", 9, [5, 2])
    assert len(found.steps) == STEPS_SHOWN
    assert (found.steps[0], found.steps[-1]) == (0, 8)
    before = torch.cat((torch.zeros_like(spikes[:1]), spikes, more))[:-1]
    for column, step in enumerate(found.steps):
        assert np.allclose(found.spikes[column], before[step, 0].mean(-1), atol=1e-6)
        for name, factor in zip(("beta", "gamma"), neuron.modulation(before[step]), strict=True):
            assert factor is not None
            values = found.factors[name][:, column]
            assert values.shape == (3, 4, 6)
            assert np.allclose(values[0], factor[0].mean(-1), atol=1e-5)
            assert np.allclose(values[1], factor[0, ..., 5], atol=1e-5)
            assert np.allclose(values[2], factor[0, ..., 2], atol=1e-5)


def test_layers_without_space_have_no_maps() -> None:
    found = made()
    assert [layer.name for layer in found.layers] == ["a", "flat"]
    assert [one.name for one in found.maps] == ["a"]


def test_pictures_show_what_was_counted() -> None:
    found = made()
    panels = figures.histograms(found).figure.axes
    assert [axes.get_title(loc="left") for axes in panels] == ["a", "flat"]
    for axes, layer in zip(panels, found.layers, strict=True):
        outlines = [patch for patch in axes.patches if not patch.get_fill()]
        for outline, one in zip(outlines, layer.factors.values(), strict=True):
            values, edges, _ = outline.get_data()  # type: ignore[attr-defined]
            assert np.allclose(edges, np.linspace(0, 2, 42))
            assert values.sum() == pytest.approx(100)
            assert np.allclose(values, 100 * one.counts.sum(0).numpy() / int(one.counts.sum()))
    for axes, layer in zip(figures.over_time(found).figure.axes, found.layers, strict=True):
        lines = {line.get_label(): line for line in axes.lines}
        assert layer.beta is not None
        assert layer.gamma is not None
        assert np.allclose(lines["β"].get_ydata(), layer.beta.mean)
        assert np.allclose(lines["γ"].get_ydata(), layer.gamma.mean)
    (axes,) = figures.membranes(found).figure.axes
    assert axes.get_yscale() == "log"
    for line, layer in zip(axes.lines, found.layers, strict=False):
        assert np.allclose(line.get_ydata(), layer.largest)


def test_maps_have_a_row_for_each_factor_and_a_column_for_each_step() -> None:
    found = made()
    picture = figures.maps(found, found.maps[0])
    drawn = [axes for axes in picture.figure.axes if len(axes.images) == STEPS_SHOWN]
    assert len(drawn) == 1 + 3 + 3
    texts = [[text.get_text() for text in axes.texts] for axes in drawn]
    assert texts[0][1:] == [f"t = {step}" for step in found.maps[0].steps]
    assert [text for (text,) in texts[1:]] == [
        f"{letter}, {what}" for letter in "βγ" for what in ("mean\nover channels", "channel 5", "channel 2")
    ]
    for row, factor in ((2, "beta"), (5, "gamma")):
        image = drawn[row].images[3]
        assert np.allclose(image.get_array(), found.maps[0].factors[factor][1, 3])
        assert image.get_clim() == (0, 2)
    for row, factor in ((1, "beta"), (4, "gamma")):
        values = found.maps[0].factors[factor][0]
        assert drawn[row].images[0].get_clim()[1] >= values.max()
    assert "Sample 4 (class 7) of the val split at 6 of 9 steps" in picture.caption
    assert "Channel 5 is the busiest, 2 one of middling rate" in picture.caption


@pytest.mark.parametrize(("circuit", "steps"), [("temporal", 2), ("spatial", 1)])
def test_one_circuit_and_few_steps_draw(circuit: str, steps: int) -> None:
    found = made(circuit, steps)
    (section,) = sections(found)
    assert [picture.name for picture in section.pictures][:3] == [
        "circuits-histograms",
        "circuits-over-time",
        "circuits-membranes",
    ]
    letter = "β" if circuit == "temporal" else "γ"
    assert [line.get_label() for line in section.pictures[1].figure.axes[0].lines].count(letter) == 1
    for picture in section.pictures:
        assert render(picture)[0].startswith(b"\x89PNG")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [0.0, math.inf, 1e30])
def test_membranes_that_no_logarithm_can_show(size: float) -> None:
    found = made(steps=2)
    for layer in found.layers:
        layer.largest.fill_(size)
    render(figures.membranes(found))


def test_pictures_are_drawn_anew_from_saved_arrays(tmp_path: Path) -> None:
    for found in (made(), made("spatial", 2), Circuits(3, "test", made().layers, [], (1, None))):
        path = tmp_path / "circuits.npz"
        path.write_bytes(found.to_bytes())
        again = saved_circuits(path)
        assert (again.samples, again.split, again.sample) == (found.samples, found.split, found.sample)
        assert again.totals == found.totals
        assert again.to_bytes() == found.to_bytes()
    first, second = (sections(one)[0].pictures for one in (found, again))
    assert [render(picture) for picture in first] == [render(picture) for picture in second]


def test_tables_and_document() -> None:
    found = made()
    written = tables(found)
    rows = list(csv.DictReader(str(written["circuits.csv"]).splitlines()))
    counted = sum(int(row["count"]) for row in rows if (row["layer"], row["factor"]) == ("a", "beta"))
    assert counted == 9 * 2 * 3 * 5 * 8  # steps, samples, places, channels
    assert {(float(row["from"]) >= 0, float(row["below"]) <= 2) for row in rows} == {(True, True)}
    steps = list(csv.DictReader(str(written["circuits_by_step.csv"]).splitlines()))
    assert [row["step"] for row in steps if row["layer"] == "flat"] == [str(step) for step in range(9)]
    assert [(float(row["mean_beta"]), float(row["sd_gamma"])) for row in steps if row["step"] == "0"] == [(1, 0)] * 2
    one = document(found.layers[0])
    assert one["histogram"]["edges"] == EDGES.tolist()
    assert sum(one["histogram"]["gamma"]) == counted
    assert one["largest_membrane"] == max(one["by_step"]["largest_membrane"])
    assert one["mean_beta"] == pytest.approx(sum(one["by_step"]["mean_beta"]) / 9)
    alone = document(made("temporal").layers[0])
    assert (alone["mean_gamma"], alone["sd_gamma"], alone["histogram"]["gamma"]) == (None, None, None)
    assert "mean_gamma" not in alone["by_step"]


def test_networks_without_circuits_say_nothing() -> None:
    assert sections(Circuits()) == []
    assert tables(Circuits()) == {}


@pytest.mark.usefixtures("undrawn", "elsewhere")
def test_a_video_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("video.yaml").write_text(VIDEO)
    assert run(["train", "video.yaml", "--out", "run", "--quiet"]) == 0
    capsys.readouterr()
    _, found = command(capsys, "stats", "run")
    _, evaluated = command(capsys, "eval", "run", "--split", "val", "--no-baselines")
    for layer, known in zip(found["layers"], evaluated["spikes"]["layers"], strict=True):
        circuits = layer["circuits"]
        for name in ("largest_membrane", "mean_beta", "mean_gamma"):
            assert circuits[name] == pytest.approx(known[name], rel=1e-6)
        assert len(circuits["by_step"]["mean_beta"]) == 4 + 5 - 1
        assert sum(circuits["histogram"]["beta"]) == 6 * 8 * 4 * 6 * 16  # samples, steps, places, channels
        assert circuits["by_step"]["mean_gamma"][0] == pytest.approx(1, abs=0.1)
        assert circuits["by_step"]["sd_beta"][-1] > 0.1
    names = {Path(name).name for name in found["files"]}
    assert names >= {
        "circuits.npz",
        "circuits.csv",
        "circuits_by_step.csv",
        "circuits-histograms.png",
        "circuits-over-time.png",
        "circuits-membranes.svg",
        "circuits-maps-backbone.cells.0.neuron.png",
        "circuits-maps-backbone.cells.1.neuron.svg",
    }
    saved = saved_circuits(Path(found["out"]) / "circuits.npz")
    assert [one.spikes.shape for one in saved.maps] == [(6, 4, 6)] * 2
    assert "Autaptic circuits" in Path(found["page"]).read_text()
    _, one = command(capsys, "stats", "run", "--layers", "*.0.neuron", "--out", "one")
    assert [Path(name).name for name in one["files"] if "maps" in name and name.endswith("png")] == [
        "circuits-maps-backbone.cells.0.neuron.png"
    ]


@pytest.mark.usefixtures("undrawn", "elsewhere")
def test_a_run_that_is_no_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    neuron = "model.neuron={type: stc_lif, groups: 2}"
    folder = trained(tiny(tmp_path, neuron), tmp_path / "run", stop_after=1)
    _, found = command(capsys, "stats", folder.path)
    with_circuits = [layer for layer in found["layers"] if layer["circuits"]]
    assert with_circuits
    for layer in with_circuits:
        assert 0 < layer["circuits"]["mean_beta"] < 2
    names = {Path(name).name for name in found["files"]}
    assert "circuits-histograms.png" in names
    assert not any("circuits-maps" in name for name in names)
