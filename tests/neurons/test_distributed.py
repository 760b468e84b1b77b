"""Layers under DistributedDataParallel: every parameter takes part, gradients are averaged."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
import pytest
import torch
from torch.nn.parallel import DistributedDataParallel
from snnctl.backbones import SpikingLinear
from snnctl.neurons import LIF, PLIF

rank, folder = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
torch.manual_seed(0)
network = torch.nn.Sequential(SpikingLinear(6, 8, LIF), SpikingLinear(8, 4, PLIF, norm_gain=2.0)).double()
whole = DistributedDataParallel(network)
x = (torch.rand(2, 4, 5, 3, 6, dtype=torch.float64) < 0.4).double()  # a batch per rank, [T, B, L, D]
for _ in range(2):  # the second pass fails if a parameter had no gradient in the first
    network.zero_grad()
    whole(x[rank]).pow(2).mean().backward()
grads = torch.cat([p.grad.flatten() for p in network.parameters()])
both = [torch.empty_like(grads) for _ in range(2)]
torch.distributed.all_gather(both, grads)
assert torch.equal(*both) and grads.any()
print("same")
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    started = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in started:
        out, err = process.communicate(timeout=120)
        assert out == "same\n", err
