"""Evaluation: exact means whatever the batch size, and no trace left in the network."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from tiny_runs import Recorder, go_on, start, tiny, trained, write_recipe

from snnctl.build import build
from snnctl.core.run_events import HealthNoted
from snnctl.engine.evaluate import evaluate
from snnctl.engine.experiment import Experiment
from snnctl.engine.runtime import Runtime
from snnctl.readouts import FlattenLinear


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """Untrained; one row of the validation split is missing, so that items count differently."""
    write_recipe(tmp_path)
    rows = (tmp_path / "series.csv").read_text().splitlines()
    rows[105] = "nan"
    (tmp_path / "series.csv").write_text("\n".join(rows) + "\n")
    return build(tiny(tmp_path, "data.missing=hold"))


def test_mean_does_not_depend_on_the_batch_size(experiment: Experiment) -> None:
    split, runtime = experiment.data.split("val"), Runtime("fp32", "cpu")
    found = {size: evaluate(experiment.network, experiment.task, split, size, runtime) for size in (1, 7, 1000)}
    experiment.network.eval()
    with torch.no_grad():
        batch = split.batch(torch.arange(len(split)))
        prediction = experiment.task.predict(experiment.network, batch)
    error = (prediction.double() - batch.targets.double()).square()
    counted = error if batch.observed is None else error[batch.observed]
    for size, evaluation in found.items():
        assert evaluation.loss == pytest.approx(counted.mean().item(), rel=1e-6), size
        assert evaluation.metrics["mse"] == pytest.approx(counted.mean().item(), rel=1e-6)
        assert evaluation.layers == found[1].layers  # spikes are whole numbers: equal, not close
        assert evaluation.named("val")["val/mse"] == evaluation.metrics["mse"]
        assert evaluation.items_per_second > 0


@pytest.mark.parametrize("training", [True, False])
def test_network_is_left_as_it_was(training: bool, experiment: Experiment) -> None:
    network = experiment.network.train(training)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    evaluate(network, experiment.task, experiment.data.split("val"), 8, Runtime("fp32", "cpu"))
    assert all(module.training is training for module in network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())


def test_mode_comes_back_after_a_failure(experiment: Experiment) -> None:
    class Torn:
        def __len__(self) -> int:
            return 5

        def batch(self, indices: torch.Tensor) -> None:
            raise OSError("gone")

    network = experiment.network.train()
    with pytest.raises(OSError, match="gone"):
        evaluate(network, experiment.task, Torn(), 2, Runtime("fp32", "cpu"))
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


def test_no_gradients_are_kept(experiment: Experiment) -> None:
    seen = []
    experiment.network.readout.register_forward_hook(lambda module, inputs, output: seen.append(output.requires_grad))
    evaluate(experiment.network, experiment.task, experiment.data.split("val"), 1000, Runtime("fp32", "cpu"))
    assert seen == [False]


def test_a_pass_can_be_cut_short(experiment: Experiment) -> None:
    told: list[int] = []

    def go_on(done: int) -> bool:
        told.append(done)
        return done < 6

    split = experiment.data.split("val")
    short = evaluate(experiment.network, experiment.task, split, 3, Runtime("fp32", "cpu"), go_on=go_on)
    assert told == [3, 6]

    class FirstSix:
        def __len__(self) -> int:
            return 6

        batch = staticmethod(split.batch)

    whole = evaluate(experiment.network, experiment.task, FirstSix(), 3, Runtime("fp32", "cpu"))
    assert (short.loss, short.metrics, short.layers) == (whole.loss, whole.metrics, whole.layers)


def test_a_split_without_items_has_no_loss(experiment: Experiment) -> None:
    class Empty:
        def __len__(self) -> int:
            return 0

    found = evaluate(experiment.network, experiment.task, Empty(), 3, Runtime("fp32", "cpu"))
    assert found.loss != found.loss
    assert found.layers == []


def test_a_skip_is_named_and_scored_alone(tmp_path: Path) -> None:
    recipe = tiny(tmp_path, "readout={type: flatten_linear, skip: linear}")
    results = trained(recipe, tmp_path / "run").results()
    assert results is not None
    assert results["skip"] is True
    alone = results["baselines"]["skip_alone"]
    assert math.isfinite(alone["mse"])
    assert alone["mse"] != results["metrics"]["test/mse"]
    without = trained(tiny(tmp_path, "task.baselines=[]"), tmp_path / "without").results()
    assert without is not None
    assert without["skip"] is False
    assert "skip_alone" not in without["baselines"]


def test_skip_alone_is_the_network_with_every_spike_taken_away(tmp_path: Path) -> None:
    network = build(tiny(tmp_path, "readout={type: flatten_linear, skip: linear}")).network.eval()
    readout = network.readout
    assert isinstance(readout, FlattenLinear)
    assert readout.skip is not None
    x = torch.randn(5, 12, 1)
    with torch.no_grad():
        readout.skip.weight.normal_()
        by_hand = x.flatten(1) @ readout.skip.weight.T + readout.linear.bias
        torch.testing.assert_close(network.skip_alone(x), by_hand)


def test_an_empty_series_is_told_before_any_layer(tmp_path: Path) -> None:
    write_recipe(tmp_path)
    train = "".join(f"{math.sin(n / 3):.6f}\n" for n in range(106))
    (tmp_path / "series.csv").write_text("value\n" + train + "0\n" * 44, encoding="utf-8")
    recipe = tiny(tmp_path, "data.scaler=none", "train.epochs=1", "model.neuron.v_threshold=9")
    recorder = Recorder()
    run = start(recipe, tmp_path / "run")
    results = go_on(recipe, run, recorder)
    assert [one["code"] for one in results["health"]] == ["E506"]
    assert results["input"] == {"nonzero": 0.0, "empty_items": 1.0}
    told = [event.diagnostic.code for event in recorder.events if isinstance(event, HealthNoted)]
    assert "E506" not in told  # neither training nor validation was empty
    assert "E501" in told
