"""The fixed part of a recipe: its top level. Component sections are open slots."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import Field

from snnctl.core.estimation import Energy
from snnctl.core.training import Section, Train

SCHEMA = 1
PLACEHOLDER = "..."  # what `snnctl show` offers for a value that has no default


class RecipeModel(Section):
    """One experiment."""

    schema_: Literal[1] = Field(alias="schema", description="version of the recipe format; this snnctl reads 1")
    name: Annotated[str, MinLen(1)] = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=100,
        description="names the run directory: letters, digits, `.`, `_`, `-`; the first is a letter or digit",
    )
    summary: str = Field("", description="one line for people")
    plugins: list[str] = Field([], description="Python files that register components")
    task: Any = Field(description="what is learned: loss, metrics, baselines")
    data: Any = Field(description="where the data comes from and how it is cut")
    encoder: Any = Field(description="numbers to spikes over T steps")
    model: Any = Field(description="the backbone, with its neuron and position")
    readout: Any = Field("mean_linear", description="spikes to predictions")
    optim: Any = Field("adam", description="the optimiser")
    schedule: Any = Field("constant", description="the learning rate over time")
    train: Train = Field(Train(), description="how the network is trained")
    energy: Energy = Field(Energy(), description="what `snnctl energy` counts on and which prices it takes")


SLOTS = {
    "task": "task",
    "data": "data",
    "encoder": "encoder",
    "model": "backbone",
    "readout": "readout",
    "optim": "optim",
    "schedule": "schedule",
}
