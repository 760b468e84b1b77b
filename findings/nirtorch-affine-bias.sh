#!/usr/bin/env bash
# nirtorch 2.6: `nir_to_torch` without a map of one's own loses the bias of nir.Affine. It is stored as an attribute of the weight
# (`module.weight.bias = ...`), and the layer keeps the random one that it began with: each reading gives another network. Readers that
# bring their own map for Affine, as snntorch 1.0 and spikingjelly 2.0 do, are not touched.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check nirtorch==2.6 nir==1.0.8
cd "$folder"
venv/bin/python - <<'P'
import warnings

warnings.simplefilter("ignore")
import nir
import nirtorch
import numpy as np
import torch

nodes = {
    "input": nir.Input({"input": np.array([1])}),
    "a": nir.Affine(np.zeros((1, 1), np.float32), np.array([7.0], np.float32)),
    "output": nir.Output({"output": np.array([1])}),
}
graph = nir.NIRGraph(nodes, [("input", "a"), ("a", "output")])
found = []
for seed in (1, 2):
    torch.manual_seed(seed)
    found.append(float(nirtorch.nir_to_torch(graph, {})(torch.zeros(1, 1))[0].detach()))
print(f"a bias of 7 is read as {found[0]:.3g}, and again as {found[1]:.3g}")
assert 7.0 not in found, "the behaviour has changed"
P
# Output seen (2026-12-01, Python 3.11.7):
#   a bias of 7 is read as -0.441, and again as -0.238
