"""Numbers that go wrong end the run with a diagnostic that names the layer, and leave a usable checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import codes, command, go_on, outcome, start, tiny, trained, with_plugin, write_recipe
from torch import nn

from snnctl.core.diagnostic import DiagnosticError
from snnctl.engine.loop import Trainer
from snnctl.engine.numerics import first_non_finite, non_finite_gradient, non_finite_weights, out_of_memory
from snnctl.engine.run_dir import RunDir


def test_broken_neuron_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = with_plugin(tmp_path, "broken")
    code, document = command(capsys, "train", path, "--out", tmp_path / "run")
    assert (code, codes(document)) == (4, ["R405", "E401"])  # it runs in a way of its own
    message = document["diagnostics"][1]["message"]
    assert "in epoch 1 at step 1" in message
    assert "output of `backbone.embed.neuron` (Broken)" in message
    manifest = RunDir(tmp_path / "run").manifest()
    assert manifest["status"] == "failed"
    assert manifest["failure"] == document["diagnostics"][1:]


def test_learning_rate_beyond_all_bounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_recipe(tmp_path)
    # without a norm after the embedding nothing fires, so that only the read-out's bias grows
    sets = ("--set", "optim={type: sgd, lr: 1.0e+30}", "--set", "model.embed_norm=false", "--out", tmp_path / "run")
    # and with the kernel whose rounding the norms do not amplify to infinity at that rate
    sets += ("--set", "train.kernel=reference")
    code, document = command(capsys, "train", path, *sets)
    assert code == 4
    assert codes(document) == ["E401"]
    assert "largest output: `" in document["diagnostics"][0]["message"]
    assert command(capsys, "eval", tmp_path / "run")[0] == 0


@pytest.mark.parametrize("clip", ["null", "1.0"])
def test_bad_gradient_is_found_with_and_without_clipping(
    clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A NaN below the spikes does not reach the loss: only gradients tell."""
    recipe = tiny(tmp_path, f"train.clip_norm={clip}")
    run = start(recipe, tmp_path / "run")
    whole = Trainer._step

    def step(self: Trainer, indices: torch.Tensor) -> None:
        if self.state.step == 4:
            weight = self.network.get_parameter("backbone.blocks.0.mlp.widen.linear.weight")
            weight.register_hook(lambda gradient: gradient * float("nan"))
        whole(self, indices)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", step)
        with pytest.raises(DiagnosticError) as caught:
            go_on(recipe, run)
    (found,) = caught.value.diagnostics
    assert found.code == "E402"
    assert "in epoch 2 at step 2" in found.message
    assert "`backbone.blocks.0.mlp.widen.linear.weight`" in found.message
    go_on(recipe, run, resume=True)  # the checkpoint before is whole
    assert outcome(run) == outcome(trained(recipe, tmp_path / "straight"))


def test_bad_weights_never_reach_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight of NaN below a spike: the loss stays finite, for a NaN membrane just never fires."""
    recipe = tiny(tmp_path)
    run = start(recipe, tmp_path / "run")
    whole = Trainer._step

    def step(self: Trainer, indices: torch.Tensor) -> None:
        whole(self, indices)
        if self.state.step == 5:
            with torch.no_grad():
                self.network.get_parameter("backbone.blocks.0.mlp.widen.linear.weight")[0, 0] = float("nan")

    monkeypatch.setattr(Trainer, "_step", step)
    with pytest.raises(DiagnosticError, match=r"E402.*epoch 2.*widen\.linear\.weight"):
        go_on(recipe, run)
    assert len(run.metrics()) == 1


def test_out_of_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = with_plugin(tmp_path, "hungry")
    code, document = command(capsys, "train", path, "--out", tmp_path / "run")
    assert (code, codes(document)) == (4, ["R405", "E403"])
    assert document["diagnostics"][1]["path"] == "train.batch_size"
    assert RunDir(tmp_path / "run").manifest()["status"] == "failed"


def test_what_counts_as_out_of_memory() -> None:
    for error in (MemoryError(), torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("can't allocate memory")):
        found = out_of_memory(error)
        assert found is not None
        assert found.code == "E403"
    assert out_of_memory(RuntimeError("size mismatch")) is None


def test_defect_is_noted_and_not_swallowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(*_: Any) -> None:
        raise LookupError("no such thing")

    monkeypatch.setattr(Trainer, "_step", step)
    code, document = command(capsys, "train", write_recipe(tmp_path), "--out", tmp_path / "run")
    assert (code, codes(document)) == (70, ["E700"])
    run = RunDir(tmp_path / "run")
    assert run.manifest()["status"] == "failed"
    assert "LookupError: no such thing" in run.log.read_text()
    assert "Traceback" in run.log.read_text()


class Chain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x).log())


def test_first_place_that_is_not_finite() -> None:
    network = Chain()
    nn.init.zeros_(network.first.weight)
    nn.init.constant_(network.first.bias, -1.0)  # the logarithm of -1 is NaN
    x = torch.ones(1, 2)
    assert first_non_finite(network, lambda: network(x)) == "output of `second` (Linear)"
    assert first_non_finite(network, lambda: None) == "loss"
    assert first_non_finite(network, lambda: network.first(2 * x)) == "loss; largest output: `first` (Linear) with 1"
    assert not any(m._forward_hooks for m in network.modules())
    assert non_finite_weights(network, 0) is None
    with torch.no_grad():
        network.second.bias[1] = float("inf")
    assert first_non_finite(network, lambda: None) == "weight `second.bias`"
    found = non_finite_weights(network, 4)
    assert found is not None
    assert "epoch 5; first: `second.bias`" in found.message


def test_gradients_flow_backwards() -> None:
    """The last in module order went wrong first; a norm may overflow although each gradient is finite."""
    network = Chain()
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    assert network.second.weight.grad is not None
    network.second.weight.grad[0, 0] = 1e30  # its square is above the largest float32
    message = non_finite_gradient(network, 0, 0).message
    assert message == "gradient norm overflowed in epoch 1 at step 1; largest at `second.weight`"
    assert network.first.bias.grad is not None
    network.first.bias.grad[0] = float("nan")
    network.second.weight.grad[0, 0] = float("inf")
    assert non_finite_gradient(network, 0, 0).message.endswith("first at `second.weight`")


def test_a_batch_of_one_that_cannot_be_normalised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_recipe(tmp_path)
    sets = ("--set", "model={type: spike_mlp}", "--set", "encoder={type: repeat, steps: 1}")
    sets += ("--set", "readout=mean_linear", "--set", "data.window=1", "--set", "train.batch_size=87")
    code, document = command(capsys, "train", path, *sets, "--out", tmp_path / "run")
    assert (code, codes(document)[-1]) == (4, "E404")
