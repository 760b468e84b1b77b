"""The fixed part of a recipe: its top level and the `energy` section. Component sections are open slots."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen
from pydantic import Field

from snnctl.core.choices import RuleName, SplitName
from snnctl.core.training import Section, Train

SCHEMA = 1
PLACEHOLDER = "..."  # what `snnctl show` offers for a value that has no default


class Energy(Section):
    """How the energy of a run is estimated; nothing here touches training."""

    costs: Annotated[str, MinLen(1)] = Field(
        "horowitz45_fp32,lemaire45",
        description="cost tables, separated by commas: shipped names or YAML files; the first is the headline",
    )
    rule: RuleName | None = Field(None, description="how a spike is charged; null = as the table says")
    split: SplitName = Field("test", description="which part of the data is counted on")
    samples: Annotated[int, Ge(1)] = Field(256, description="samples to count on, the first of the split")


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


_SECTIONS = ("task", "data", "encoder", "model", "readout", "optim", "schedule")
SLOTS = {section: {"model": "backbone"}.get(section, section) for section in _SECTIONS}  # -> kind of component
