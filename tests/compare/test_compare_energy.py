"""Energies as a metric of a comparison: read from the estimates that lie in runs, less is better, one way only."""

import json
from pathlib import Path
from typing import Any

import pytest
from compare.run_folders import write_run

from snnctl.compare.comparison import compare
from snnctl.compare.figures import curves
from snnctl.compare.tables import document
from snnctl.core.diagnostic import DiagnosticError

ENERGY = "energy/table_a"


def estimate(folder: Path, joules: float, rule: str = "event", split: str = "test") -> None:
    (folder / "energy").mkdir()
    costs = {"table_a": {"snn_joules": joules, "policies": [f"Spikes: rule {rule}.", "Memory: not charged."]}}
    found = {"split": split, "checkpoint": "best", "costs": costs}
    (folder / "energy" / "energy.json").write_text(json.dumps(found))


def grid(folder: Path, **more: Any) -> None:
    """Two bits and two steps; energy is 1 nJ * bits * steps, and 1 % more for the second seed."""
    for bits in (1, 2):
        for steps in (1, 4):
            for seed in (1, 2):
                run = write_run(
                    folder / f"{bits}x{steps}" / f"seed-{seed}",
                    seed,
                    0.8 + 0.01 * bits + 0.02 * steps,
                    model__bits=bits,
                    encoder__steps=steps,
                )
                estimate(run, 1e-9 * bits * steps * (1 + 0.01 * (seed - 1)), **more)


def test_less_energy_is_better(tmp_path: Path) -> None:
    grid(tmp_path)
    found = compare([tmp_path], ["test/accuracy", ENERGY], "steps=1")
    pairs = [pair for pair in found.pairs if pair.metric == ENERGY]
    assert [pair.found.better for pair in pairs] == [0, 0]  # four steps cost more
    assert pairs[0].found.differences == pytest.approx((3e-9, 3.03e-9))
    assert document(found)["groups"][0]["metrics"][ENERGY]["mean"] == pytest.approx(1.005e-9)
    assert ENERGY in found.runs[0].metrics


def test_trade_joins_what_differs_in_one_key(tmp_path: Path) -> None:
    grid(tmp_path)
    found = compare([tmp_path], ["test/accuracy", ENERGY])
    (axes,) = curves.trade(found, "test/accuracy", ENERGY).figure.axes
    assert axes.get_xscale() == "log"  # 1 to 8 nJ
    joined = [line for line in axes.lines if line.get_marker() == "None" and len(line.get_xdata()) == 2]
    drawn = sorted(tuple(line.get_xdata()) for line in joined)
    assert drawn[0] == pytest.approx((1.005e-9, 2.01e-9))  # one and two bits at one step
    assert drawn[1] == pytest.approx((4.02e-9, 8.04e-9))
    assert axes.get_xlabel() == "energy per sample, table_a (lower is better)"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["steps=1", "steps=4"]


@pytest.mark.parametrize("other", [{"rule": "unary"}, {"split": "val"}])
def test_energies_counted_in_another_way_are_refused(tmp_path: Path, other: dict[str, str]) -> None:
    grid(tmp_path / "a")
    run = write_run(tmp_path / "b", 1, 0.9, model__bits=3)
    estimate(run, 2e-9, **other)
    with pytest.raises(DiagnosticError) as caught:
        compare([tmp_path], [ENERGY])
    (told,) = caught.value.diagnostics
    assert told.code == "U488"
    assert any(next(iter(other.values())) in note for note in told.notes)
    assert len(compare([tmp_path], ["test/accuracy"]).groups) == 5  # it is of no concern to other metrics


def test_runs_without_an_estimate(tmp_path: Path) -> None:
    grid(tmp_path / "a")
    bare = write_run(tmp_path / "b", 1, 0.9, model__bits=3)
    found = compare([tmp_path], [ENERGY])
    (told,) = found.warnings
    assert (told.code, told.notes) == ("U487", (str(bare),))
    (bare / "energy").mkdir()
    (bare / "energy" / "energy.json").write_text("{ torn")
    assert compare([tmp_path], [ENERGY]).warnings[0].code == "U487"


def test_an_energy_that_no_run_has_says_how_to_get_it(tmp_path: Path) -> None:
    write_run(tmp_path / "a", 1, 0.9)
    with pytest.raises(DiagnosticError) as caught:
        compare([tmp_path], ["energy/horowitz45_fp32"])
    (told,) = caught.value.diagnostics
    assert told.code == "U485"
    assert "snnctl energy RUN --costs" in (told.help or "")
