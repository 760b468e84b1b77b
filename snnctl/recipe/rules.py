"""Rules that join several sections of a recipe; rules within one component stand on that component."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from snnctl.core.diagnostic import choices
from snnctl.recipe.source import KeyPath

Problem = tuple[KeyPath, str, str]  # where, message, help
Rule = Callable[[dict[str, Any]], Iterator[Problem]]


def watched_metric_exists(recipe: dict[str, Any]) -> Iterator[Problem]:
    """`train.early_stop.metric` must be measured on the validation split, never on test."""
    metric = recipe["train"]["early_stop"]["metric"]
    known = ["val/loss", *(f"val/{name}" for name in recipe["task"].get("metrics", []))]
    if metric.startswith("test/"):
        yield (
            ("train", "early_stop", "metric"),
            "the test split must not choose the model",
            choices(metric.replace("test/", "val/"), known),
        )
    elif metric not in known:
        help = f"{choices(metric, known)}; what else to measure stands in `task.metrics`"
        yield ("train", "early_stop", "metric"), f"`{metric}` is not measured", help


def warmup_ends_before_training(recipe: dict[str, Any]) -> Iterator[Problem]:
    """The learning rate must reach its full value before the last epoch."""
    warmup = recipe["schedule"].get("warmup_epochs", 0)
    if warmup and warmup >= recipe["train"]["epochs"]:
        yield (
            ("schedule", "warmup_epochs"),
            f"warm-up of {warmup} epochs leaves none to train",
            "shorten it, or raise `train.epochs`",
        )


RULES: tuple[Rule, ...] = (watched_metric_exists, warmup_ends_before_training)
