"""Optimisers take torch's steps; learning-rate curves go through points computed by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import ReduceLROnPlateau

from snnctl.core.catalog import OPTIMS, SCHEDULES
from snnctl.core.signature import knobs
from snnctl.engine.schedule import Schedule

# name -> (torch's class, knobs, torch's arguments where they differ)
SAME: dict[str, tuple[type[Optimizer], dict[str, Any], dict[str, Any]]] = {
    "adam": (Adam, {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}, {"fused": True}),
    "adamw": (AdamW, {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}, {"fused": True}),
    "sgd": (SGD, {"lr": 0.1, "momentum": 0.5, "nesterov": True, "weight_decay": 0.1}, {}),
    "rmsprop": (RMSprop, {"lr": 0.1, "alpha": 0.9, "eps": 1e-3, "momentum": 0.5, "weight_decay": 0.1}, {}),
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "adam": {"fused": True},
    "adamw": {"fused": True},
    "sgd": {"lr": 1e-2, "momentum": 0.9},
    "rmsprop": {},
}


def stepped(make: Any, steps: int = 4) -> torch.Tensor:
    """A parameter after some steps down x^4 from 1, 2, 3."""
    parameter = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    optimizer = make([parameter])
    for _ in range(steps):
        optimizer.zero_grad()
        (parameter**4).sum().backward()
        optimizer.step()
    return parameter.detach()


def test_every_optimiser_is_compared() -> None:
    assert set(OPTIMS.names()) == set(SAME) == set(DEFAULTS)


@pytest.mark.parametrize("name", SAME)
def test_steps_are_those_of_torch(name: str) -> None:
    whole, given, other = SAME[name]
    assert {knob.name for knob in knobs(OPTIMS.get(name))} == set(given)
    component = OPTIMS.get(name)
    assert torch.equal(stepped(lambda p: component(p, **given)), stepped(lambda p: whole(p, **{**given, **other})))
    assert torch.equal(stepped(component), stepped(lambda p: whole(p, **DEFAULTS[name])))
    assert type(component([torch.nn.Parameter(torch.zeros(1))])) is whole


@pytest.mark.parametrize("name", SAME)
def test_weights_at_once_take_the_steps_of_weights_one_by_one(name: str) -> None:
    """Adam to the rounding of float64, the others to the bit; complex weights, which cannot go at once, one by one."""
    whole: Any
    whole, given, _ = SAME[name]
    at_once = stepped(lambda p: OPTIMS.get(name)(p, **given))
    one_by_one = stepped(lambda p: whole(p, **given, foreach=False))
    torch.testing.assert_close(at_once, one_by_one, rtol=1e-12 if name.startswith("adam") else 0, atol=0)
    complex_one = torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))
    optimizer = OPTIMS.get(name)([{"params": [complex_one]}], **given)
    complex_one.grad = torch.ones_like(complex_one)
    optimizer.step()
    assert not torch.equal(complex_one.detach(), torch.ones_like(complex_one))


@pytest.mark.parametrize("name", SAME)
def test_run_begun_one_by_one_goes_on_so(name: str) -> None:
    """Checkpoints of versions before weights went at once: the rest of the run is what it would have been."""
    whole, given, _ = SAME[name]

    def gone_on(second: Any) -> torch.Tensor:
        parameter = torch.nn.Parameter(torch.linspace(-1, 1, 7))
        first: Optimizer = whole([parameter], **given)
        for optimizer in (first, second([parameter])):
            if optimizer is not first:
                optimizer.load_state_dict(first.state_dict())
            for step in range(5):
                parameter.grad = torch.linspace(0.1, 0.9, 7).mul_(step + 1)
                optimizer.step()
        return parameter.detach()

    there = gone_on(lambda p: whole(p, **given))
    assert torch.equal(gone_on(lambda p: OPTIMS.get(name)(p, **given)), there)


def test_nesterov_without_momentum_is_plain_descent() -> None:
    sgd = OPTIMS.get("sgd")
    plain = stepped(lambda p: SGD(p, lr=0.01))
    assert torch.equal(stepped(lambda p: sgd(p, momentum=0.0, nesterov=True)), plain)


def curve(name: str, epochs: int, per_epoch: int, watched: list[float] | None = None, **given: Any) -> list[float]:
    """The learning rate at each step of a run that begins with rate 1, and after the last."""
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule: Schedule = SCHEDULES.get(name)(optimizer, epochs, per_epoch, **given)
    rates = []
    for epoch in range(epochs):
        for _ in range(per_epoch):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        schedule.epoch(watched[epoch] if watched else 0.0)
    return [*rates, optimizer.param_groups[0]["lr"]]


def test_constant() -> None:
    assert curve("constant", 2, 3) == [1.0] * 7
    # two epochs of two steps: quarters, the first step has one
    assert curve("constant", 3, 2, warmup_epochs=2) == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0])


def test_cosine() -> None:
    """Over 4 steps (1 + cos(pi k / 4)) / 2 = 1, 0.8536, 0.5, 0.1464, 0."""
    root = math.sqrt(0.5)
    whole = [1.0, (1 + root) / 2, 0.5, (1 - root) / 2, 0.0]
    assert curve("cosine", 2, 2) == pytest.approx(whole)
    assert curve("cosine", 2, 2, final=0.2) == pytest.approx([0.2 + 0.8 * rate for rate in whole])
    assert curve("cosine", 3, 2, warmup_epochs=1) == pytest.approx([0.5, 1.0, *whole])
    assert curve("cosine", 2, 2, final=1.0) == pytest.approx([1.0] * 5)
    # a rise from 0.2: the first step of two has half of what is missing
    assert curve("cosine", 3, 2, warmup_epochs=1, start=0.2) == pytest.approx([0.6, 1.0, *whole])


def test_step() -> None:
    assert curve("step", 5, 2, every=2, factor=0.1) == pytest.approx([1.0] * 4 + [0.1] * 4 + [0.01] * 3)
    # warm-up takes the first epoch; drops are counted from the beginning of the run
    assert curve("step", 3, 2, every=1, warmup_epochs=1) == pytest.approx([0.5, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125])


def test_one_cycle() -> None:
    """Ten steps: from 1/25 up to 1 at place 0.5 * 11 - 1 = 4.5, down to 1/25 * 1e-4 at place 10."""
    rates = curve("one_cycle", 2, 5, rise=0.5, anneal="linear")
    assert rates[0] == pytest.approx(0.04)
    assert rates[3] == pytest.approx(0.04 + 0.96 * 3 / 4.5)
    assert rates[10] == pytest.approx(4e-6)
    assert max(rates) <= 1.0
    assert rates.index(max(rates)) in (4, 5)
    smooth = curve("one_cycle", 2, 5, rise=0.5)
    assert smooth[3] == pytest.approx(1.0 - 0.96 * (1 + math.cos(math.pi * 3 / 4.5)) / 2)


def test_plateau() -> None:
    """Patience 1: the second epoch without improvement halves the rate; NaN is no improvement."""
    watched = [3.0, 3.0, 3.0, 2.0, float("nan"), 2.0]
    assert curve("plateau", 6, 1, watched, patience=1) == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]
    assert curve("plateau", 3, 1, [1.0, 2.0, 2.0], patience=0, mode="max", factor=0.1) == [1.0, 1.0, 1.0, 0.1]
    theirs = ReduceLROnPlateau(SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0), factor=0.5, patience=1)
    for value in watched:
        theirs.step(value)
    assert theirs.get_last_lr() == [0.25]


KNOBS: dict[str, dict[str, Any]] = {
    "constant": {"warmup_epochs": 1},
    "cosine": {"warmup_epochs": 1, "start": 0.1, "final": 0.1},
    "step": {"every": 1, "factor": 0.5},
    "one_cycle": {"rise": 0.4},
    "plateau": {"patience": 0},
}


@pytest.mark.parametrize("name", KNOBS)
@pytest.mark.parametrize("place", [0, 3, 5, 9])
def test_going_on_from_any_place(name: str, place: int) -> None:
    assert set(SCHEDULES.names()) == set(KNOBS)

    def begin() -> tuple[Optimizer, Schedule]:
        optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
        return optimizer, SCHEDULES.get(name)(optimizer, 4, 3, **KNOBS[name])

    def go(optimizer: Optimizer, schedule: Schedule, steps: range) -> list[float]:
        rates = []
        for step in steps:
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
            if step % 3 == 2:
                schedule.epoch(1.0)
        return rates

    straight = go(*begin(), range(12))
    optimizer, schedule = begin()
    first = go(optimizer, schedule, range(place))
    saved = optimizer.state_dict(), schedule.state_dict()
    optimizer, schedule = begin()
    optimizer.load_state_dict(saved[0])
    schedule.load_state_dict(saved[1])
    assert first + go(optimizer, schedule, range(place, 12)) == straight
