"""The JSON Schema for editors says yes and no where the validator does."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tiny_recipe import TINY, read

from snnctl.core.catalog import REGISTRIES
from snnctl.recipe.describe import json_schema, paste_ready
from snnctl.recipe.shipped import shipped_recipes
from snnctl.recipe.source import parse_yaml

SCHEMA = json_schema()
REFUSED = """
typo_top_level typo_neuron typo_surrogate typo_train typo_split unknown_neuron_upper_case text_for_int below_bound
zero_epochs missing_knob missing_type wrong_schema_version name_with_a_slash number_for_section text_for_list
unknown_metric wrong_choice beta_of_one
"""
BROKEN = Path(__file__).parent / "broken"


def errors(text: str) -> list[Any]:
    return list(Draft202012Validator(SCHEMA).iter_errors(parse_yaml(text, "x.yaml").values))


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["title"] == "snnctl recipe"


@pytest.mark.parametrize("row", shipped_recipes(), ids=lambda row: row["name"])
def test_shipped_recipes_conform(row: dict[str, Any]) -> None:
    assert errors(Path(row["path"]).read_text()) == []


def test_written_and_resolved_recipes_conform() -> None:
    assert errors(TINY) == []
    assert errors(read().to_yaml()) == []
    assert errors(TINY.replace("neuron: lif", "neuron: {tau: 4.0}")) == []  # `type` has a default here


@pytest.mark.parametrize("name", REFUSED.split())
def test_broken_recipes_do_not(name: str) -> None:
    assert errors((BROKEN / f"{name}.yaml").read_text()) != []


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in REGISTRIES for name in REGISTRIES[kind].names()])
def test_what_show_offers_to_paste_conforms(kind: str, name: str) -> None:
    pasted = parse_yaml(paste_ready(kind, name), "x.yaml").values
    (values,) = pasted.values()
    slot = {**SCHEMA, "$ref": f"#/$defs/slot.{'task' if REGISTRIES[kind].in_lists else kind}"}
    for key in ("properties", "required", "additionalProperties", "type"):
        slot.pop(key)
    found = list(Draft202012Validator(slot).iter_errors(values))
    assert (found == []) == ("..." not in str(values))


def test_every_knob_is_described() -> None:
    for name, definition in SCHEMA["$defs"].items():
        for key, knob in definition.get("properties", {}).items():
            assert key == "type" or knob.get("description"), f"{name}.{key}"
