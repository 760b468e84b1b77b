"""The `energy` section of a recipe: what `snnctl energy` uses unless its options say otherwise."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, MinLen
from pydantic import Field

from snnctl.core.choices import RuleName, SplitName
from snnctl.core.training import Section

DEFAULT_COSTS = "horowitz45_fp32,lemaire45"


class Energy(Section):
    """How the energy of a run is estimated; nothing here touches training."""

    costs: Annotated[str, MinLen(1)] = Field(
        DEFAULT_COSTS,
        description="cost tables, separated by commas: shipped names or YAML files; the first is the headline",
    )
    rule: RuleName | None = Field(None, description="how a spike is charged; null = as the table says")
    split: SplitName = Field("test", description="which part of the data is counted on")
    samples: Annotated[int, Ge(1)] = Field(256, description="samples to count on, the first of the split")
