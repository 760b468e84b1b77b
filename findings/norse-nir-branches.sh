#!/usr/bin/env bash
# norse 1.1.0 with nirtorch 2.6: `norse.torch.from_nir` goes through a graph depth first. Where two ways part and meet again, the node
# where they meet runs before the second way has; and what ran last, here that second way, is given out as the network's answer. No
# error, no warning (sinabs 3.1.3 uses the same function, nirtorch.load). Residual networks are such graphs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check norse==1.1.0 nirtorch==2.6 nir==1.0.8
cd "$folder"
venv/bin/python - <<'P'
import logging
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
import nir
import numpy as np
import torch
from norse.torch import from_nir


def times(factor):
    return nir.Affine(np.array([[factor]], np.float32), np.zeros(1, np.float32))


# y = 2 x + 10 x, along two ways.
nodes = {
    "input": nir.Input({"input": np.array([1])}), "a": times(1.0), "b": times(2.0), "c": times(10.0), "d": times(1.0),
    "output": nir.Output({"output": np.array([1])}),
}
edges = [("input", "a"), ("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "output")]
y, _ = from_nir(nir.NIRGraph(nodes, edges), dt=1e-3)(torch.ones(1, 1))
print(f"2 + 10 is {float(y.detach()):g}")
assert float(y.detach()) != 12.0, "the behaviour has changed"
P
# Output seen (2026-12-01, Python 3.11.7):
#   2 + 10 is 10
