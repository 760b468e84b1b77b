"""An experiment small enough to train in a blink, and the steps of a run one by one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snnctl.build import build
from snnctl.cli.app import run as run_command
from snnctl.core.run_events import Event, Observer
from snnctl.engine.run_dir import RunDir
from snnctl.engine.runtime import Runtime
from snnctl.engine.train import Head, start_run, train_run
from snnctl.recipe import Recipe, load_recipe

# 150 rows: 90 for training, 30 for validation, 30 for test; 77 training windows are 3 steps of at most 32.
RECIPE = """\
schema: 1
name: tiny
task: {type: forecasting, metrics: [mse, mae], baselines: [last_value]}
data: {type: timeseries, source: ./series.csv, window: 12, horizon: 2, split: {train: 0.6, val: 0.2, test: 0.2}}
encoder: {type: patch, length: 4, dim: 8, steps: 2}
model:
  {type: spikformer, dim: 8, depth: 1, heads: 2, hidden: 16, norm_gain: 3.0, embed_norm: true,
   position: {type: cpg, neurons: 4}, neuron: {type: lif, v_threshold: 0.5}}
readout: flatten_linear
optim: {type: adamw, lr: 1.0e-2}
schedule: constant
train: {epochs: 3, batch_size: 32, seed: 3}
"""
STEPS_PER_EPOCH = 3

# Draws random numbers while it trains, as dropout does, and can be told to go wrong.
PLUGIN = """\
from typing import Annotated

import torch
from annotated_types import Ge

from snnctl.core.catalog import NEURONS
from snnctl.neurons import LIF


@NEURONS.register("noisy")
class Noisy(LIF):
    \"\"\"A LIF neuron with noise on its input while training.

    Args:
        noise: standard deviation of the noise.
    \"\"\"

    def __init__(self, channels: int, *, noise: Annotated[float, Ge(0)] = 0.3) -> None:
        super().__init__(channels, v_threshold=0.5)
        self.noise = noise

    def scan(self, x, state):
        return super().scan(x + self.noise * torch.randn_like(x) if self.training else x, state)


@NEURONS.register("broken")
class Broken(LIF):
    \"\"\"A LIF neuron whose output is NaN.\"\"\"

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def scan(self, x, state):
        spikes, state = super().scan(x, state)
        return spikes * float("nan"), state


@NEURONS.register("hungry")
class Hungry(LIF):
    \"\"\"A LIF neuron that asks for more memory than there is.\"\"\"

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def scan(self, x, state):
        if x.device.type != "meta":
            torch.empty(2**62, dtype=torch.uint8)
        return super().scan(x, state)
"""


def write_recipe(folder: Path, text: str = RECIPE) -> Path:
    """The recipe, its series and the plug-in file in `folder`."""
    values = (math.sin(n / 3) + 0.3 * math.sin(n * n) for n in range(150))
    rows = "".join(f"{value:.6f}\n" for value in values)
    (folder / "series.csv").write_text("value\n" + rows, encoding="utf-8")
    (folder / "neurons_of_mine.py").write_text(PLUGIN, encoding="utf-8")
    path = folder / "tiny.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def with_plugin(folder: Path, neuron: str) -> Path:
    """The recipe with a neuron of the plug-in."""
    text = RECIPE.replace("neuron: {type: lif, v_threshold: 0.5}", f"neuron: {neuron}")
    return write_recipe(folder, text + "plugins: [./neurons_of_mine.py]\n")


class Silent:
    """Takes note of nothing."""

    def notify(self, event: Event) -> None:
        """Drop `event`."""


class Recorder:
    """Keeps every event; may do something at each."""

    def __init__(self, then: Callable[[Event], None] | None = None) -> None:
        self.events: list[Event] = []
        self._then = then

    def notify(self, event: Event) -> None:
        """Keep `event`."""
        self.events.append(event)
        if self._then is not None:
            self._then(event)


def start(recipe: Recipe, out: Path) -> RunDir:
    """A new run directory."""
    head = Head(recipe.to_yaml(), recipe.source.text, recipe.digest(), {})
    return start_run(build(recipe), head, Runtime.of(recipe.train, "cpu"), out.parent, out)


def go_on(recipe: Recipe, run: RunDir, observer: Observer | None = None, **options: Any) -> dict[str, Any]:
    """Train in `run` with everything built anew, as a new process would."""
    runtime = Runtime.of(recipe.train, "cpu")
    return train_run(build(recipe), run, observer or Silent(), runtime, **options)


def trained(recipe: Recipe, out: Path, observer: Observer | None = None, **options: Any) -> RunDir:
    """A run from start to end."""
    run = start(recipe, out)
    go_on(recipe, run, observer, **options)
    return run


def tiny(folder: Path, *sets: str) -> Recipe:
    """The recipe in `folder` with overrides."""
    path = folder / "tiny.yaml"
    return load_recipe(path if path.exists() else write_recipe(folder), sets)


def outcome(run: RunDir) -> dict[str, Any]:
    """Everything of a run that must be the same after a resume: weights byte for byte, all figures."""
    timed = {"run", "seconds", "training_seconds", "samples_per_second"}
    results = run.results()
    assert results is not None
    return {
        "last": (run.last / "weights.safetensors").read_bytes(),
        "best": (run.best / "weights.safetensors").read_bytes(),
        "bands": run.bands_file.read_bytes() if run.bands_file.exists() else None,
        "metrics": (run.path / "metrics.jsonl").read_text(),
        "spikes": (run.path / "spikes.jsonl").read_text(),
        "results": {key: value for key, value in results.items() if key not in timed},
        "status": run.manifest()["status"],
    }


def command(capsys: Any, *arguments: Any) -> tuple[int, dict[str, Any]]:
    """Run one command with --json: its exit code and its document, which must be alone on stdout."""
    code = run_command([*map(str, arguments), "--json"])
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1, printed
    document = json.loads(printed)
    assert document["exit_code"] == code
    assert document["ok"] == (code == 0)
    return code, document


def codes(document: dict[str, Any]) -> list[str]:
    """The codes of a document's diagnostics."""
    return [item["code"] for item in document["diagnostics"]]
