"""Time constants of networks, stage by stage, and `snnctl stats --tau` on runs."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine.tiny_runs import codes, command, tiny, trained
from torch import Tensor, nn

from snnctl.build import build
from snnctl.cli.app import run as run_command
from snnctl.core.diagnostic import DiagnosticError
from snnctl.inspect.time_constants import figures
from snnctl.inspect.time_constants.collect import RunTaus, StageTaus, TauSurvey, quantile, stage_taus
from snnctl.inspect.time_constants.figures import bin_edges
from snnctl.inspect.time_constants.tables import document, tables, verdict
from snnctl.neurons import IF, LIF, SpikingNeuron

LEARNED = "model.neuron={type: plif, tau: 4.0, share: channel, tau_spread: 0.5}"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made, but not rendered: that is most of the time."""
    monkeypatch.setattr("snnctl.report.saving.render", lambda picture: (b"\x89PNG", b"<svg/>"))


class Fixed(SpikingNeuron):
    """A neuron with given leaks, and bounds for them."""

    def __init__(self, channels: int, leak: Tensor | None, bounds: tuple[float, float] | None = None) -> None:
        super().__init__(channels)
        self.leak, self.leak_bounds = leak, bounds

    def leak_per_step(self) -> Tensor | None:
        return self.leak

    def initial_state(self, x0: Tensor) -> Tensor:
        return torch.zeros_like(x0)

    def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return x_t, state


class Backbone(nn.Module):
    def __init__(self, *stages: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(stages)

    @property
    def stages(self) -> list[nn.Module]:
        return list(self.layers)


class Whole(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.encoder, self.backbone = LIF(3), backbone  # the encoder's neurons are no stage


def survey(*medians: list[float], initial: float | None = 5.0, dt_ms: float = 0.0) -> TauSurvey:
    """Runs whose stages have three neurons each, around these medians."""

    def stages(values: list[float]) -> list[StageTaus]:
        spread = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64)
        return [StageTaus(f"backbone.layers.{n}", n + 1, value * spread) for n, value in enumerate(values)]

    begun = None if initial is None else [initial] * len(medians[0])
    runs = [
        RunTaus(f"run{seed}", seed, {"path": "best"}, stages(values), None if begun is None else stages(begun))
        for seed, values in enumerate(medians, 1)
    ]
    return TauSurvey("made-up", dt_ms, runs)


def test_stages_pool_their_neurons_and_count_channels() -> None:
    leaks = torch.tensor([0.5, 0.9, 0.98], dtype=torch.float64)
    first = nn.Sequential(Fixed(3, leaks), nn.Linear(3, 2), Fixed(2, torch.tensor(0.25, dtype=torch.float64)))
    network = Whole(Backbone(first, IF(4), nn.Sequential(LIF(5, tau=10.0), IF(2))))
    found = stage_taus(network)
    assert [(stage.name, stage.number, len(stage.steps)) for stage in found] == [
        ("backbone.layers.0", 1, 5),
        ("backbone.layers.2", 3, 5),  # the second stage has none, and the depth of the third stays
    ]
    wanted = [-1 / math.log(leak) for leak in (0.5, 0.9, 0.98, 0.25, 0.25)]
    assert found[0].steps.tolist() == pytest.approx(wanted)
    assert found[1].steps.tolist() == pytest.approx([-1 / math.log(0.9)] * 5, rel=1e-6)
    assert (found[0].at_low, found[0].at_high, found[0].longest) == (None, None, None)


def test_share_at_the_bounds() -> None:
    bounds = (1e-5, 0.98)
    leaks = torch.tensor([1e-5, 0.3, 0.98, 0.98, 0.979])
    network = Whole(Backbone(Fixed(5, leaks, bounds), nn.Sequential(Fixed(1, torch.tensor(0.5), bounds), LIF(1))))
    first, second = stage_taus(network)
    assert (first.at_low, first.at_high) == (1, 2)
    assert first.longest == pytest.approx(49.498, abs=1e-3)  # 495 ms in steps of 10 ms
    assert (second.at_low, second.at_high, second.longest) == (None, None, None)  # one neuron has no bounds
    written = document(TauSurvey("x", 10.0, [RunTaus("run", 1, {}, [first], None)]))
    (stage,) = written["stages"]
    assert (stage["at_low_share"], stage["at_high_share"]) == (0.2, 0.4)
    assert stage["drift_steps"] is stage["initial_median_steps"] is written["test"] is None


def test_networks_without_time_constants() -> None:
    for backbone, words in (
        (nn.Identity(), "does not say what its stages are"),
        (Backbone(nn.Linear(2, 2)), "nothing in it spikes"),
        (Backbone(IF(2), Fixed(1, None)), "its neurons (Fixed, IF) have none"),
    ):
        with pytest.raises(DiagnosticError) as caught:
            stage_taus(Whole(backbone))
        (diagnostic,) = caught.value.diagnostics
        assert (diagnostic.code, caught.value.exit_code) == ("U471", 2)
        assert words in diagnostic.message


def test_quantiles() -> None:
    values = torch.tensor([4.0, 1.0, 3.0, 2.0, 7.0], dtype=torch.float64)
    for share in (0.15, 0.5, 0.85):
        assert quantile(values, share) == pytest.approx(np.quantile(values.numpy(), share))
    assert quantile(torch.tensor([1.0, math.inf, math.inf]), 0.85) == math.inf


def test_pooled_numbers_drift_and_units() -> None:
    found = survey([1.0, 2.0], [3.0, 8.0], dt_ms=10.0)
    written = document(found)
    assert (written["unit"], written["dt_ms"], written["preliminary"]) == ("ms", 10.0, True)
    pooled = [0.5, 1.0, 3.0, 1.5, 3.0, 9.0]
    first = written["stages"][0]
    assert (first["number"], first["name"], first["neurons"]) == (1, "backbone.layers.0", 6)
    assert first["steps"] == pytest.approx(
        {
            "median": 2.25,
            "q15": np.quantile(pooled, 0.15),
            "q50": 2.25,
            "q85": np.quantile(pooled, 0.85),
            "min": 0.5,
            "max": 9.0,
        }
    )
    assert first["ms"] == pytest.approx({name: 10 * value for name, value in first["steps"].items()})
    assert first["initial_median_steps"] == 5.0
    assert first["drift_steps"] == pytest.approx(-2.75)
    assert [stage["steps"]["median"] for stage in written["runs"][1]["stages"]] == [3.0, 8.0]
    assert written["test"] == {"statistic": 1.0, "p": 0.25, "arrangements": 4, "draws": None, "exact": True}
    assert (written["rising"], written["spearman"], written["mean_spearman"]) == (2, 1.0, 1.0)
    in_steps = document(survey([1.0, 2.0], initial=None))
    assert (in_steps["unit"], in_steps["dt_ms"], in_steps["stages"][0]["ms"]) == ("steps", None, None)
    assert in_steps["stages"][0]["drift_steps"] is None


def test_published_medians_and_sentences() -> None:
    written = document(survey([46.0, 46.0, 101.0]))
    assert written["runs"][0]["spearman"] == pytest.approx(0.8660254)
    assert written["rising"] == 0
    rising = document(survey(*[[97.0, 186.0, 189.0]] * 5))
    assert rising["test"]["p"] == pytest.approx(1 / 7776)
    assert any("p = 0.00013 (all 7,776 arrangements counted); preliminary, 5 of 10" in line for line in verdict(rising))
    many = document(survey(*[[1.0, 2.0, 3.0, 4.0, 5.0]] * 10))
    assert not many["preliminary"]
    assert any("p = 0.0001 (10,000 of 6.2e+20 arrangements drawn)." in line for line in verdict(many))
    assert "no order to test" in verdict(document(survey([4.0])))[0]


def test_tables() -> None:
    made = tables(survey([1.0, 2.0], [3.0, 8.0]))
    rows = list(csv.DictReader(made["tau.csv"].splitlines()))
    assert [(row["run"], row["seed"], row["stage"]) for row in rows] == [
        ("run1", "1", "1"),
        ("run1", "1", "2"),
        ("run2", "2", "1"),
        ("run2", "2", "2"),
        ("all", "", "1"),
        ("all", "", "2"),
    ]
    assert float(rows[3]["median_steps"]) == 8.0
    assert float(rows[3]["drift_steps"]) == 3.0
    assert rows[3]["median_ms"] == ""
    neurons = list(csv.DictReader(made["tau_neurons.csv"].splitlines()))
    assert len(neurons) == 12
    assert [float(row["tau_steps"]) for row in neurons[-3:]] == [4.0, 8.0, 24.0]
    assert [float(row["initial_tau_steps"]) for row in neurons[-3:]] == [2.5, 5.0, 15.0]


def test_figures() -> None:
    found = survey([1.0, 2.0, 4.0], [3.0, 8.0, 5.0], dt_ms=10.0)
    (axes,) = figures.by_stage(found).figure.axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert lines["median"] == pytest.approx([10 * stage.median for stage in found.pooled])
    assert lines["median before training"] == [50.0] * 3
    thin = [list(line.get_ydata()) for line in axes.lines if line.get_linewidth() == 0.8]
    assert thin == [[10.0, 20.0, 40.0], [30.0, 80.0, 50.0]]
    assert axes.get_ylabel() == "membrane time constant (ms)"
    panels = [one for one in figures.histograms(found).figure.axes if one.axison]
    assert [sum(bar.get_height() for bar in one.patches if hasattr(bar, "get_x")) for one in panels] == [6, 6, 6]
    figures.by_stage(survey([4.0], initial=None))
    figures.histograms(survey([4.0], initial=None))


def test_bins_hold_every_finite_value() -> None:
    for values in ([3.0] * 4, [0.1, 5.0, 400.0], [1.0, 2.0, 2.5], [1.0, math.inf]):
        stage = StageTaus("x", 1, torch.tensor(values, dtype=torch.float64))
        edges = bin_edges([stage], 10.0)
        finite = [10 * value for value in values if math.isfinite(value)]
        assert np.histogram(finite, bins=edges)[0].sum() == len(finite)
        assert len(edges) == 25


@pytest.mark.usefixtures("undrawn")
def test_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnctl.inspect.activity.page.SECTIONS", ())  # figures of the spikes are no matter here
    recipe = tiny(tmp_path, LEARNED, "train.epochs=1")
    made = trained(recipe, tmp_path / "run")
    _, plain = command(capsys, "stats", made.path, "--out", "plain")
    code, found = command(capsys, "stats", made.path, "--tau")
    assert code == 0
    written = found.pop("tau")
    same = {key for key in plain if key not in ("files", "out", "page", "provenance")}
    assert {key: plain[key] for key in same} == {key: found[key] for key in same}  # all else is as it was
    assert "tau" not in plain
    more = {Path(name).name for name in found["files"]} - {Path(name).name for name in plain["files"]}
    assert more == {
        "tau.csv",
        "tau_neurons.csv",
        *(f"tau-{name}.{kind}" for name in ("by-stage", "histograms") for kind in ("png", "svg")),
    }
    assert "Time constants" in Path(found["page"]).read_text()
    assert "Time constants" not in Path(plain["page"]).read_text()
    assert json.loads((made.path / "stats" / "stats.json").read_text())["tau"] == written
    untrained = {name: part for name, part in build(recipe).network.named_modules() if hasattr(part, "w")}
    weights = torch.load(made.last / "trainer.pt", weights_only=True)["network"]
    (run,) = written["runs"]
    assert (run["seed"], run["run"]) == (3, str(made.path))
    rows = list(csv.DictReader((made.path / "stats" / "tau_neurons.csv").read_text().splitlines()))
    by_stage = {stage["number"]: stage["name"] for stage in run["stages"]}
    for number, name in by_stage.items():
        parts = [part for part in untrained if part.startswith(f"{name}.")]
        own = [row for row in rows if int(row["stage"]) == number]
        before = torch.cat([1 - untrained[part].w.detach().sigmoid() for part in parts])
        after = torch.cat([1 - weights[f"{part}.w"].sigmoid() for part in parts])
        assert [float(row["initial_tau_steps"]) for row in own] == pytest.approx((-1 / before.log()).tolist(), rel=1e-5)
        assert [float(row["tau_steps"]) for row in own] == pytest.approx((-1 / after.log()).tolist(), rel=1e-5)
    assert any(stage["drift_steps"] != 0 for stage in run["stages"])


@pytest.mark.usefixtures("undrawn")
def test_several_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnctl.inspect.activity.page.SECTIONS", ())
    for seed in (1, 2):
        trained(tiny(tmp_path, LEARNED, "train.epochs=1", f"train.seed={seed}"), tmp_path / "many" / f"seed-{seed}")
    code, found = command(capsys, "stats", "many", "--tau")
    assert (code, found["diagnostics"], found["out"]) == (0, [], "stats")
    assert found["runs"] == ["many/seed-1", "many/seed-2"]
    assert {Path(name).name for name in found["files"]} == {path.name for path in Path("stats").iterdir()}
    assert {"tau.html", "tau.json", "tau.csv"} <= {path.name for path in Path("stats").iterdir()}
    stages = found["tau"]["stages"]
    singles = [command(capsys, "stats", f"many/seed-{seed}", "--tau", "--samples", "4")[1]["tau"] for seed in (1, 2)]
    assert found["tau"]["runs"] == [one["runs"][0] for one in singles]
    assert [stage["neurons"] for stage in stages] == [2 * stage["neurons"] for stage in singles[0]["stages"]]
    assert run_command(["stats", "many/seed-1", "many/seed-2", "--tau"]) == 0
    out = capsys.readouterr().out
    assert "time constants (steps)" in out
    assert "seed 2" in out
    assert "p = " in out
    assert "stats/tau.html" in out


def test_what_is_refused_with_tau(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made: dict[str, Any] = {}
    for name, sets in (("lif", []), ("if", ["model.neuron=if"]), ("twin", ["model.spiking=false"])):
        made[name] = trained(tiny(tmp_path, *sets, "train.epochs=1"), tmp_path / name).path
    for words, names in (
        (["stats", made["lif"], made["if"]], ["U472"]),
        (["stats", made["lif"], made["if"], "--tau"], ["U473"]),
        (["stats", made["if"], "--tau"], ["U471"]),
        (["stats", made["twin"], "--tau"], ["U471"]),
        (["stats", tmp_path / "nowhere", "--tau"], ["U480"]),
        (["stats", made["lif"], made["lif"], "--tau", "--samples", "3"], ["U472"]),
        (["stats"], ["U400"]),
    ):
        found = command(capsys, *words)
        assert (found[0], codes(found[1])) == (2, names), words
    assert not (made["if"] / "stats").exists()
    assert "snnctl compare" in command(capsys, "stats", made["lif"], made["if"])[1]["diagnostics"][0]["help"]
    assert not Path("stats").exists()
