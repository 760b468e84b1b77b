"""The grid over base and neurons, sweeps from files, and the closed form against integration."""

from pathlib import Path

import pytest
from golden.test_cpg_codes import COLLISIONS, LENGTHS

from snnctl.core.diagnostic import DiagnosticError
from snnctl.inspect.positions.sensitivity import BASES, NEURONS, grid, read_sweep
from snnctl.inspect.positions.theory import TITLE, compare


@pytest.mark.parametrize("tokens", [3, 12, 42, 168])
def test_grid_is_the_golden_table_and_monotone(tokens: int) -> None:
    found = {(cell.neurons, cell.base): cell for cell in grid(4, tokens)}
    for neurons, base, expected, prefix in COLLISIONS:
        cell = found[neurons, float(base)]
        assert (cell.unique, cell.collisions) == expected[LENGTHS.index(4 * tokens)]
        assert cell.longest_prefix == min(prefix, 4 * tokens)
    for base in BASES:
        uniques = [found[neurons, base].unique for neurons in NEURONS]
        assert uniques == sorted(uniques)
    for neurons in NEURONS:
        uniques = [found[neurons, base].unique for base in BASES]
        assert uniques == sorted(uniques, reverse=True)


def test_sweeps_are_read_and_averaged(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    path.write_text("base,neurons,rse\n100,10,0.4\n1000,20,0.3\n1000,20,0.5\n")
    found = read_sweep(path)
    assert found.metric == "rse"
    assert found.values == {(100.0, 10): 0.4, (1000.0, 20): pytest.approx(0.4)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("base,rse\n1,2\n", "no column `neurons`"),
        ("base,neurons\n1,2\n", "no column `<metric>`"),
        ("base,neurons,rse\n1,2,x\n", "no numbers"),
        ("base,neurons,rse\n1\n", "no numbers"),
    ],
)
def test_broken_sweeps_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    path.write_text(text)
    with pytest.raises(DiagnosticError, match=message) as refused:
        read_sweep(path)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("base", [1000.0, 10000.0])
def test_integration_agrees_with_the_closed_form(base: float) -> None:
    found = {one.method: one for one in compare(40, base, 672)}
    assert (found["rk4"].worst < 1e-6, found["rk4"].wrong) == (True, 0)
    assert (found["rotation"].worst < 1e-10, found["rotation"].wrong) == (True, 0)
    assert 1e-3 < found["symplectic"].worst < 2e-2
    assert found["euler"].worst > 10
    assert found["euler"].wrong > 500
    assert TITLE == "working model, not the paper's proof"
