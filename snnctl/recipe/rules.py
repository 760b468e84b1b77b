"""Rules that join several sections of a recipe; rules within one component stand on that component."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from snnctl.core.better import better_when
from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import choices
from snnctl.recipe.source import KeyPath

Problem = tuple[KeyPath, str, str]  # where, message, help


def _measured(recipe: dict[str, Any]) -> list[str]:
    return ["val/loss", *(f"val/{name}" for name in recipe["task"].get("metrics", []))]


def watched_metric_exists(recipe: dict[str, Any]) -> Iterator[Problem]:
    """`train.early_stop.metric` must be measured on the validation split, never on test."""
    metric = recipe["train"]["early_stop"]["metric"]
    known = _measured(recipe)
    if metric.startswith("test/"):
        help = choices(metric.replace("test/", "val/"), known)
        yield ("train", "early_stop", "metric"), "the test split must not choose the model", help
    elif metric not in known:
        help = f"{choices(metric, known)}; what else to measure stands in `task.metrics`"
        yield ("train", "early_stop", "metric"), f"`{metric}` is not measured", help


def best_is_not_worst(recipe: dict[str, Any]) -> Iterator[Problem]:
    """`train.early_stop.mode` must be the way in which its metric is better."""
    chosen = recipe["train"]["early_stop"]
    right = better_when(chosen["metric"].removeprefix("val/"))
    if chosen["metric"] in _measured(recipe) and right not in (None, chosen["mode"]):
        word = "higher" if right == "max" else "lower"
        message = f"`{chosen['metric']}` is better when {word}; mode {chosen['mode']} would keep the worst weights"
        yield ("train", "early_stop", "mode"), message, f"set `train.early_stop.mode` to {right}"


def data_fits_task(recipe: dict[str, Any]) -> Iterator[Problem]:
    """A task must find in the data what it learns: a series to go on, or classes."""
    tasks, name, data = REGISTRIES["task"], recipe["task"]["type"], recipe["data"]["type"]
    needs = getattr(tasks.get(name), "needs", None)
    gives = getattr(REGISTRIES["data"].get(data), "gives", None)
    if needs is None or gives is None or needs == gives:  # plug-ins need not say
        return
    fitting = [other for other in tasks.names() if getattr(tasks.get(other), "needs", None) == gives]
    message = f"task `{name}` needs data with {needs}, data `{data}` gives {gives}"
    yield ("task", "type"), message, f"tasks for it: {', '.join(fitting)}" if fitting else ""


def readout_answers_task(recipe: dict[str, Any]) -> Iterator[Problem]:
    """A task asks once per item, at every step or frame by frame, and the read-out must answer likewise."""
    readouts, name, task = REGISTRIES["readout"], recipe["readout"]["type"], recipe["task"]["type"]
    asked = getattr(REGISTRIES["task"].get(task), "answers", "item")
    given = getattr(readouts.get(name), "answers", "item")
    if asked == given or readouts.source(name) != "snnctl":  # plug-ins need not say
        return
    words = {"item": "once per item", "step": "at every step", "frames": "frame by frame"}
    fitting = [other for other in readouts.names() if getattr(readouts.get(other), "answers", "item") == asked]
    message = f"read-out `{name}` answers {words[given]}, task `{task}` asks {words[asked]}"
    yield ("readout", "type"), message, f"read-outs for it: {', '.join(fitting)}"


def warmup_ends_before_training(recipe: dict[str, Any]) -> Iterator[Problem]:
    """The learning rate must reach its full value before the last epoch."""
    warmup = recipe["schedule"].get("warmup_epochs", 0)
    if warmup and warmup >= recipe["train"]["epochs"]:
        message = f"warm-up of {warmup} epochs leaves none to train"
        yield ("schedule", "warmup_epochs"), message, "shorten it, or raise `train.epochs`"


RULES = (data_fits_task, readout_answers_task, watched_metric_exists, best_is_not_worst, warmup_ends_before_training)
