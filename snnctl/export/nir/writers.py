"""What programs mean by the files of NIR that they write, where that is not what NIR's equations say.

NIR has no word for the length of a step, for a reset that takes the threshold off, for a neuron that fires at its
threshold, nor for where membranes begin. A graph is brought to what its writer's own network does; words that NIR lacks
go into the metadata of its nodes (`fires`, `reset`, `levels`, `starts`), from where `imported` takes them.

Source: the export functions of norse 1.1, snntorch 1.0, spikingjelly 2.0 and sinabs 3.1, and their neurons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snnctl.backbones.parts.graph_nodes import MOST_AT_ONCE
from snnctl.core.choices import NirReset as Reset
from snnctl.core.choices import NirWriter as Writer
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.export.nir.graph import FIRING, LEAKING, Graph, kind, nir
from snnctl.export.nir.order import order, shapes

# Seconds of a step that a program writes for, unless its user said otherwise.
STEPS: dict[Writer, float] = {"norse": 1e-3, "snntorch": 1e-4, "spikingjelly": 1e-4, "sinabs": 1.0}
FIXED: tuple[Writer, ...] = ("snntorch", "sinabs")  # whose users cannot say otherwise


def as_meant(graph: Graph, writer: Writer, dt: float | None = None, reset: Reset | None = None) -> list[str]:
    """Change a graph to what its writer's own network does.

    Args:
        graph: as it was read; it gets `dt`.
        writer: the program.
        dt: seconds of a step that it was written for; None: the program's own.
        reset: of its neurons, which no file tells; None: the program's default.

    Returns:
        What was assumed and cannot be known from the file, a sentence each.

    Raises:
        DiagnosticError: U582, the program writes for another step.
    """
    own = STEPS[writer]
    if dt is not None and writer in FIXED and abs(dt - own) > 1e-6 * own:
        what = "counts time in steps, so that dt is 1" if writer == "sinabs" else f"writes for steps of {own:g} s alone"
        raise DiagnosticError(Diagnostic("U582", facts={"writer": writer, "what": what}))
    graph.told["dt"] = own if dt is None else dt
    _MEANT[writer](graph)
    default: Reset = {"norse": "hard", "snntorch": "delayed", "spikingjelly": "hard", "sinabs": "soft"}[writer]  # type: ignore[assignment]
    for name in graph.of(*FIRING):
        say(graph.nodes[name], reset=reset or default)
    if reset is None and graph.of(*FIRING) and writer != "spikingjelly":  # which refuses to write any but hard ones
        return [f"the file does not tell how neurons are reset: {_RESETS[writer]} (--reset says otherwise)"]
    return []


_RESETS = {
    "norse": "hard, norse's default",
    "snntorch": "delayed, as snntorch's `subtract` with its reset a step later",
    "sinabs": "soft, sinabs's default, with several spikes a step",
}


def say(node: Any, **words: Any) -> None:
    """Put words into a node's metadata."""
    node.metadata = {**(getattr(node, "metadata", None) or {}), **words}


def _array(node: Any, attribute: str) -> Any:
    return np.asarray(getattr(node, attribute), dtype=np.float64)


def _norse(graph: Graph) -> None:
    """It writes dt times the time constant; its current jumps by the whole input; membranes begin at v_leak."""
    dt = graph.dt
    for name in graph.of(*FIRING, *LEAKING):
        node = graph.nodes[name]
        for attribute in ("tau", "tau_mem", "tau_syn"):
            if hasattr(node, attribute):
                setattr(node, attribute, _array(node, attribute) / dt)
        if kind(node) == "CubaLIF":
            node.w_in = node.tau_syn / dt
        if kind(node) == "IF":
            node.r = np.ones_like(_array(node, "r")) / dt
        if hasattr(node, "v_leak"):
            say(node, starts="v_leak")


def _snntorch(graph: Graph) -> None:
    """Recurrent weights with biases act in the first step too: their biases go to what comes in from before."""
    steps, sizes = order(graph), shapes(graph)
    for source, neuron in sorted(steps.delayed):
        node = graph.nodes[source]
        if kind(node) != "Affine":
            continue
        bias, graph.nodes[source] = node.bias, nir().Linear(node.weight)
        before = next(a for a in graph.sources(neuron) if (a, neuron) not in steps.delayed)
        rows = nir().Affine(np.zeros((len(bias), *sizes[before][-1:])), bias)
        graph.add(f"{source}_bias", rows, after=[before], before=[neuron])


def _spikingjelly(graph: Graph) -> None:
    """It fires from the threshold on, and membranes begin at v_reset."""
    for name in graph.of(*FIRING):
        say(graph.nodes[name], fires="at", starts="v_reset")


def _sinabs(graph: Graph) -> None:
    """Its membranes leak by exp(-1/tau); they fire as often as the threshold fits in."""
    for name in graph.of("LIF", "LI"):
        node = graph.nodes[name]
        node.tau = 1.0 / (1.0 - np.exp(-1.0 / _array(node, "tau")))
    for name in graph.of(*FIRING):
        say(graph.nodes[name], fires="at", levels=MOST_AT_ONCE)


_MEANT: dict[Writer, Callable[[Graph], None]] = {
    "norse": _norse,
    "snntorch": _snntorch,
    "spikingjelly": _spikingjelly,
    "sinabs": _sinabs,
}
