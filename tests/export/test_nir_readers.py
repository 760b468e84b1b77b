"""The rules about readers hold what the readers do, where they are installed; the portable form means the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nir_graphs import DT, GRAPHS, N, chain, dense, full, inputs, layered, lif, looped, random_graph

from snnctl.core.diagnostic import DiagnosticError
from snnctl.export.nir.features import features
from snnctl.export.nir.graph import Graph, inlined, nir, read_graph, write_graph
from snnctl.export.nir.order import order, shapes
from snnctl.export.nir.portable import portable
from snnctl.export.nir.readers import readers, readings, table
from snnctl.export.nir.reference import Run, run_graph
from snnctl.export.nir.simulators import SIMULATORS, installed, simulate

pytest.importorskip("nir")

THERE = [name for name in SIMULATORS if installed(name)]


def done(reader: str, path: Path, graph: Graph, reference: Run) -> str:
    """What a reader really does: reads, refuses, or changes."""
    try:
        found = simulate(reader, path, inputs(graph), graph.dt, [])
    except Exception:
        return "refuses"
    same = found.output.shape == reference.output.shape
    return "reads" if same and float((found.output - reference.output).abs().max()) < 1e-3 else "changes"


@pytest.mark.skipif(not THERE, reason="no simulator is installed")
@pytest.mark.parametrize("form", ["as it is", "portable"])
@pytest.mark.parametrize("name", GRAPHS)
def test_rules_are_what_readers_do(name: str, form: str, tmp_path: Path) -> None:
    graph = GRAPHS[name]() if form == "as it is" else portable(GRAPHS[name]())
    path = tmp_path / "graph.nir"
    write_graph(graph, path)
    graph = read_graph(path)
    reference = run_graph(graph, inputs(graph))
    for reading in readings(graph, THERE):
        found = done(reading.reader, path, graph, reference)
        # What a network cut in two does depends on where it is cut: it may stop as well.
        allowed = {reading.verdict, "refuses"} if reading.verdict == "changes" else {reading.verdict}
        assert found in allowed, f"{reading.reader}: {[finding.text() for finding in reading.findings]}"


@pytest.mark.parametrize("name", GRAPHS)
def test_the_portable_form_means_the_same(name: str) -> None:
    graph = GRAPHS[name]()
    first, second = run_graph(graph, inputs(graph)), run_graph(portable(graph), inputs(graph))
    assert (first.output - second.output).abs().max() < 1e-2 * first.output.abs().max()  # weights of float32
    assert first.output.std() > 0.1
    for spikes, others in zip(first.spikes.values(), second.spikes.values(), strict=True):
        assert 0.02 < spikes.mean() < 0.98
        assert torch.equal(spikes, others)


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs(seed: int, tmp_path: Path) -> None:
    graph = random_graph(seed)
    made = portable(graph)
    wanted, found = run_graph(graph, inputs(graph)).output, run_graph(made, inputs(graph)).output
    scale = max(1.0, float(wanted.abs().max()))
    assert ((wanted - found).abs() > 1e-3 * scale).double().mean() < 0.02  # a spike may part by rounding of weights
    path = tmp_path / "graph.nir"
    write_graph(made, path)
    made = read_graph(path)
    assert torch.equal(run_graph(made, inputs(graph)).output, found)
    for reading in readings(made, THERE):
        if reading.verdict == "reads":
            theirs = simulate(reading.reader, path, inputs(graph), made.dt, []).output
            assert ((theirs - found).abs() > 1e-2 * scale).double().mean() < 0.02


def test_the_portable_form_is_for_nearly_all() -> None:
    """What readers still refuse or change when a graph is portable, and nothing more."""
    left: dict[str, set[str]] = {}
    for name, make in GRAPHS.items():
        for reading in readings(portable(make()), ["snntorch", "spikingjelly", "norse"]):
            if reading.verdict != "reads":
                left.setdefault(name, set()).add(reading.reader)
    every = {"snntorch", "spikingjelly", "norse"}
    unknown = dict.fromkeys(("delay", "threshold", "li", "i", "cuba_li", "reset_to", "rest_moved"), every)
    varied = {name: {"spikingjelly"} for name in ("tau_varies", "cuba_tau_varies")}
    assert left == {**unknown, **varied, "branches": {"norse"}, "two_ends": {"norse"}, "conv1d": {"norse"}}


def test_the_table_names_what_there_is() -> None:
    known = set().union(*(features(make()) for make in GRAPHS.values()))
    for name, rules in table().items():
        assert rules["otherwise"][0] in ("refuses", "changes")
        for feature, (verdict, reason) in rules["features"].items():
            assert verdict in ("refuses", "changes")
            assert reason
            assert feature in known or feature in ("several_inputs", "several_outputs"), f"{name}: {feature}"
        assert "FILE" in rules["call"]
        assert rules["versions"][name]
    assert set(readers()) == set(SIMULATORS)
    with pytest.raises(DiagnosticError) as caught:
        readings(GRAPHS["plain"](), ["brian"])
    assert caught.value.diagnostics[0].code == "U499"


def test_recurrence_over_write_read_write_read(tmp_path: Path) -> None:
    graph = portable(looped(None))
    wanted = run_graph(graph, inputs(graph))
    for number in range(3):
        write_graph(graph, tmp_path / f"{number}.nir")
        graph = portable(read_graph(tmp_path / f"{number}.nir"))
        found = run_graph(graph, inputs(graph))
        assert torch.equal(found.output, wanted.output)
        assert list(found.spikes) == list(wanted.spikes)
        assert all(torch.equal(found.spikes[name], wanted.spikes[name]) for name in wanted.spikes)
    assert len(order(graph).delayed) == 1


def test_graphs_within_graphs() -> None:
    inner = looped(None).nir_graph()
    ends = {
        "input": nir().Input({"input": full(N, (1,)).astype(int)}),
        "output": nir().Output({"output": full(N, (1,))}),
    }
    outer = nir().NIRGraph(
        {"input": ends["input"], "first": dense(8), "within": inner, "last": dense(9), "output": ends["output"]},
        [("input", "first"), ("first", "within"), ("within", "last"), ("last", "output")],
        type_check=False,
    )
    graph = inlined(outer)
    assert "within.n1" in graph.nodes
    assert ("first", "within.n0") in graph.edges
    assert ("within.n2", "last") in graph.edges
    assert not [n for n in graph.nodes if n.endswith((".input", ".output"))]
    run = run_graph(portable(graph), inputs(graph))
    assert run.output.shape[2] == N
    assert len(run.spikes) == 1


def test_delays_of_each_element() -> None:
    graph = chain(nir().Delay(np.array([0.0, DT, 2 * DT, 0.0, 0.0, 5 * DT])), outputs=(N,))
    x = inputs(graph)
    found = run_graph(graph, x).output
    for element, late in enumerate((0, 1, 2, 0, 0, 5)):
        assert torch.equal(found[late:, :, element], x[: len(x) - late, :, element].double())
        assert not found[:late, :, element].any()


def bad(graph: Graph) -> Graph:
    graph.nodes["n2"] = dense(3, 4, 5)
    return graph


def test_what_cannot_run_is_named() -> None:
    with pytest.raises(DiagnosticError) as caught:
        shapes(bad(layered(lif())))
    assert caught.value.diagnostics[0].code == "U498"
    assert "n2" in caught.value.diagnostics[0].message
    stuck = layered(lif())
    stuck.edges.remove(("n0", "n1"))
    stuck.edges += [("n1", "n1_r"), ("n1_r", "n1"), ("n0", "n9"), ("n9", "n1")]
    stuck.nodes |= {"n1_r": dense(4), "n9": dense(4)}
    assert order(stuck).delayed == {("n1_r", "n1")}
    circle = Graph({**stuck.nodes, "a": dense(1), "b": dense(1)}, [*stuck.edges, ("n2", "a"), ("a", "b"), ("b", "a")])
    assert ("b", "a") in order(circle).delayed


@pytest.mark.parametrize("content", [b"", b"not HDF5", None])
def test_files_that_are_none(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "graph.nir"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DiagnosticError) as caught:
        read_graph(path)
    assert caught.value.diagnostics[0].code == "U497"


def test_edges_to_nowhere(tmp_path: Path) -> None:
    graph = layered(lif())
    graph.edges.append(("n1", "gone"))
    write_graph(graph, tmp_path / "graph.nir")
    with pytest.raises(DiagnosticError, match="gone"):
        read_graph(tmp_path / "graph.nir")


def test_how_long_a_step_is() -> None:
    assert GRAPHS["steps"]().dt == 1.0
    assert GRAPHS["milliseconds"]().dt == 1e-3
    assert Graph(layered(lif()).nodes, [], {}).dt == 1e-4  # time constants below 1 are seconds
