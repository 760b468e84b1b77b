#!/usr/bin/env bash
# snntorch 1.0.0: `import_from_nir` takes a neuron with recurrent weights (LIF -> Linear -> LIF) for a layer of its own kind, and leads
# the layer's input into the recurrent weights in place of the neuron. With recurrent weights of 0 the neuron, which should fire at
# every step, is silent. No error. With a third node in the loop it is read as written.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check snntorch==1.0.0 nirtorch==2.6 nir==1.0.8
cd "$folder"
venv/bin/python - <<'P'
import warnings

warnings.simplefilter("ignore")
import nir
import numpy as np
import torch
from snntorch.import_nir import import_from_nir


def spikes(third):
    one = np.ones(1)
    nodes = {
        "input": nir.Input({"input": np.array([1])}),
        "a": nir.Affine(np.array([[4.0]], np.float32), np.zeros(1, np.float32)),
        "b": nir.LIF(2e-4 * one, one, 0 * one, one, 0 * one),
        "c": nir.Linear(np.zeros((1, 1), np.float32)),
        "output": nir.Output({"output": np.array([1])}),
    }
    edges = [("input", "a"), ("a", "b"), ("b", "output"), ("b", "c")]
    if third:
        nodes["d"] = nir.Linear(np.ones((1, 1), np.float32))
        edges += [("c", "d"), ("d", "b")]
    else:
        edges += [("c", "b")]
    network, state, count = import_from_nir(nir.NIRGraph(nodes, edges)), None, 0
    for _ in range(5):
        y, state = network(torch.ones(1, 1), state)
        count += int(y)
    return count


pair, third = spikes(False), spikes(True)
print(f"spikes in 5 steps: {pair} of a pair, {third} with a third node in the loop")
assert third == 5 and pair != 5, "the behaviour has changed"
P
# Output seen (2026-12-01, Python 3.11.7):
#   spikes in 5 steps: 0 of a pair, 5 with a third node in the loop
