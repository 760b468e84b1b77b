import inspect
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from snnctl.core.catalog import TASKS
from snnctl.core.params import params_model
from snnctl.core.shapes import SignalSpec
from snnctl.core.signature import defaults, knobs
from snnctl.measure.metrics import METRIC_NAMES
from snnctl.tasks.base import Task
from snnctl.tasks.forecasting import Forecasting


@dataclass(frozen=True)
class Batch:
    inputs: torch.Tensor
    targets: torch.Tensor
    observed: torch.Tensor | None = None


class LastNorm:
    def apply(self, x):
        return x - x[:, -1:], x[:, -1:]

    def undo(self, y, scale):
        return y + scale


class NoNorm:
    def apply(self, x):
        return x, None

    def undo(self, y, scale):
        return y


class Part:
    def __init__(self, batch):
        self.whole = batch

    def __len__(self):
        return len(self.whole.inputs)

    def batch(self, indices):
        observed = None if self.whole.observed is None else self.whole.observed[indices]
        return Batch(self.whole.inputs[indices], self.whole.targets[indices], observed)


class Data:
    window, horizon, channels, season = 5, 4, 3, 2

    def __init__(self, calendar=2, norm=None):
        self.calendar_features = calendar
        self.window_norm = norm or NoNorm()
        generator = torch.Generator().manual_seed(0)
        inputs = torch.randn(40, 5, 3 + calendar, generator=generator, dtype=torch.float64)
        targets = torch.randn(40, 4, 3, generator=generator, dtype=torch.float64)
        self.part = Part(Batch(inputs, targets))

    @property
    def input_signal(self):
        return SignalSpec(steps=0, length=self.window, features=self.channels + self.calendar_features)

    def split(self, name):
        return self.part


class Flat(nn.Module):
    """A network without batch coupling: everything it sees, mapped linearly."""

    def __init__(self, task):
        super().__init__()
        signal = task.input_signal
        self.linear = nn.Linear(signal.length * signal.features, task.outputs, dtype=torch.float64)
        self.seen = []

    def forward(self, x):
        self.seen.append(x)
        return self.linear(x.flatten(1))


def first_batch(data, size=6):
    return data.split("train").batch(torch.arange(size))


@pytest.mark.parametrize(
    ("channels", "calendar", "features", "outputs"),
    [("joint", 2, 5, 12), ("joint", 0, 3, 12), ("independent", 2, 3, 4), ("independent", 0, 1, 4)],
)
def test_sizes(channels, calendar, features, outputs):
    task = Forecasting(Data(calendar), channels=channels)
    assert task.input_signal == SignalSpec(steps=0, length=5, features=features)
    assert task.outputs == outputs


@pytest.mark.parametrize("calendar", [0, 2])
@pytest.mark.parametrize("norm", [NoNorm(), LastNorm()])
def test_independent_folding_equals_one_call_per_channel(calendar, norm):
    data = Data(calendar, norm)
    task = Forecasting(data, channels="independent")
    network, batch = Flat(task), first_batch(data)
    got = task.predict(network, batch)
    assert [tuple(x.shape) for x in network.seen] == [(18, 5, 1 + calendar)]
    for c in range(3):
        series = batch.inputs[..., c : c + 1]
        x, scale = norm.apply(series)
        alone = network(torch.cat((x, batch.inputs[..., 3:]), dim=-1))
        expected = norm.undo(alone.unsqueeze(-1), scale)
        torch.testing.assert_close(got[..., c : c + 1], expected, atol=1e-14, rtol=0)


def test_joint_output_is_step_major():
    data = Data()
    numbers = torch.arange(12.0, dtype=torch.float64)  # output h * C + c
    got = Forecasting(data).predict(lambda x: numbers.expand(len(x), 12), first_batch(data, 2))
    assert got.shape == (2, 4, 3)
    assert got[1].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]


def test_joint_network_gets_normalised_series_and_calendar_as_it_is():
    data = Data(norm=LastNorm())
    task = Forecasting(data)
    network, batch = Flat(task), first_batch(data)
    task.predict(network, batch)
    (x,) = network.seen
    torch.testing.assert_close(x[..., :3], batch.inputs[..., :3] - batch.inputs[:, -1:, :3])
    assert torch.equal(x[..., 3:], batch.inputs[..., 3:])


@pytest.mark.parametrize("channels", ["joint", "independent"])
def test_window_normalisation_is_undone(channels):
    data = Data(norm=LastNorm())
    task = Forecasting(data, channels=channels)
    batch = first_batch(data)
    got = task.predict(lambda x: x.new_zeros(len(x), task.outputs), batch)
    assert torch.equal(got, batch.inputs[:, -1:, :3].expand(-1, 4, -1))


@pytest.mark.parametrize("channels", ["joint", "independent"])
def test_a_half_precision_network_gives_full_precision_forecasts(channels):
    data = Data()
    task = Forecasting(data, channels=channels)
    got = task.predict(lambda x: x.new_zeros(len(x), task.outputs, dtype=torch.bfloat16), first_batch(data))
    assert got.dtype == torch.float64


def test_losses_by_hand():
    # errors 0.5 and -2: mse (0.25 + 4)/2, mae 2.5/2, huber (0.125 + (2 - 0.5))/2
    prediction = torch.tensor([[[1.5], [0.0]]])
    batch = Batch(torch.zeros(1, 5, 1), torch.tensor([[[1.0], [2.0]]]))
    for name, value in (("mse", 2.125), ("mae", 1.25), ("huber", 0.8125)):
        assert Forecasting(Data(), loss=name).loss(prediction, batch).item() == pytest.approx(value)


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_masked_targets_neither_count_nor_send_gradients(name):
    task = Forecasting(Data(), loss=name)
    generator = torch.Generator().manual_seed(1)
    prediction = torch.randn(5, 4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    target = torch.randn(5, 4, 3, generator=generator, dtype=torch.float64)
    observed = torch.rand(5, 4, 3, generator=generator) > 0.4
    batch = Batch(torch.zeros(5, 5, 3), target.masked_fill(~observed, torch.nan), observed)
    loss = task.loss(prediction, batch)
    kept = Batch(torch.zeros(0), target[observed])
    assert loss.item() == pytest.approx(task.loss(prediction[observed], kept).item(), rel=1e-12)
    loss.backward()
    assert (prediction.grad[~observed] == 0).all()
    assert (prediction.grad[observed] != 0).all()
    assert task.loss_weight(batch) == int(observed.sum())


def test_a_wholly_masked_batch_costs_nothing_and_trains_nothing():
    prediction = torch.ones(2, 4, 3, requires_grad=True)
    batch = Batch(torch.zeros(2, 5, 3), torch.full((2, 4, 3), torch.nan), torch.zeros(2, 4, 3, dtype=torch.bool))
    task = Forecasting(Data())
    loss = task.loss(prediction, batch)
    loss.backward()
    assert loss.item() == 0.0
    assert prediction.grad.tolist() == torch.zeros(2, 4, 3).tolist()
    assert task.loss_weight(batch) == 0


def test_weighted_batch_losses_make_the_exact_mean():
    task = Forecasting(Data())
    generator = torch.Generator().manual_seed(5)
    p, y = (torch.randn(10, 4, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    seen = torch.rand(10, 4, 3, generator=generator) > 0.5
    whole = Batch(torch.zeros(10), y, seen)
    parts = [(p[a:b], Batch(torch.zeros(b - a), y[a:b], seen[a:b])) for a, b in ((0, 3), (3, 10))]
    mean = sum(task.loss(q, part).item() * task.loss_weight(part) for q, part in parts) / task.loss_weight(whole)
    assert mean == pytest.approx(task.loss(p, whole).item(), rel=1e-12)
    assert task.loss_weight(Batch(torch.zeros(10), y)) == 120


def test_meter_and_headline():
    task = Forecasting(Data(), metrics=["rse", "mse"])
    assert task.headline == "rse"
    meter = task.meter()
    y = torch.randn(8, 4, 3)
    meter.update(y.mean(0).expand_as(y), y)
    assert list(meter.compute()) == ["rse", "mse"]
    assert meter.compute()["rse"] == pytest.approx(1.0)


def test_baselines_are_scored_by_the_tasks_metrics():
    task = Forecasting(Data(), metrics=["mae", "rse"], baselines=["seasonal_naive", "last_value", "ridge"])
    report = task.run_baselines("test", seed=1, batch_size=16)
    assert list(report.scores) == ["seasonal_naive", "last_value", "ridge"]
    assert all(list(scores) == ["mae", "rse"] for scores in report.scores.values())
    assert Forecasting(Data(), baselines=[]).run_baselines().scores == {}


def test_recipe_schema():
    component = TASKS.get("forecasting")
    assert component is Forecasting
    assert [knob.name for knob in knobs(component)] == ["loss", "metrics", "channels", "known_neurons", "baselines"]
    assert all(knob.doc for knob in knobs(component))
    model = params_model(component)
    assert model(metrics=list(METRIC_NAMES)).metrics == list(METRIC_NAMES)
    for wrong in ({"metrics": []}, {"metrics": ["r3"]}, {"loss": "mape"}, {"baselines": ["arima"]}):
        with pytest.raises(ValueError, match="validation error"):
            model(**wrong)
    assert list(Forecasting.rules(defaults(component))) == []
    assert list(Forecasting.rules({"metrics": ["mse", "mse"]})) == [("metrics", "`mse` is named 2 times")]


def test_the_defaults_are_not_shared_with_instances():
    task = Forecasting(Data())
    assert isinstance(task.metrics, tuple)
    assert task.metrics == tuple(inspect.signature(Forecasting).parameters["metrics"].default)


def test_forecasting_is_a_task():
    task: Task = Forecasting(Data())
    assert task.headline == "mse"
