"""Shell completion knows the registries."""

import os
import subprocess
import sys

import pytest

from snnctl.cli.options import complete_component, complete_kind, complete_override
from snnctl.core.catalog import REGISTRIES


def test_functions_give_registry_names() -> None:
    assert list(complete_kind("sc")) == ["scaler", "schedule"]
    assert list(complete_component("spikf")) == ["spikformer"]
    assert set(REGISTRIES) <= set(complete_component(""))
    neurons = [f"model.neuron={name}" for name in REGISTRIES["neuron"].names()]
    assert list(complete_override("model.neuron=")) == neurons
    assert {"model.neuron=if", "model.neuron=lif"} <= set(neurons)
    assert list(complete_override("model=spikf")) == ["model=spikformer"]
    assert list(complete_override("data.scaler=stan")) == ["data.scaler=standard"]
    assert list(complete_override("train.epochs=")) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("snnctl val", ["validate"]),
        ("snnctl show spikf", ["spikformer"]),
        ("snnctl show neuron li", ["lif"]),
        ("snnctl list surro", ["surrogate"]),
        ("snnctl data info etth", ["etth1", "etth2"]),
        ("snnctl eval r --split v", ["val"]),
        ("snnctl convert r --offset n", ["none"]),
        ("snnctl train r.yaml --set model.neuron=li", ["model.neuron=lif"]),
    ],
)
def test_bash_completes(line: str, expected: list[str]) -> None:
    words = line.split()
    environment = {
        **os.environ,
        "_SNNCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    code = "import sys; sys.argv = ['snnctl']; from snnctl.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.split() == expected
