"""`--set` and `--unset`: what they change, in which order, and what they say."""

import pytest
from tiny_recipe import read

from snnctl.core.diagnostic import DiagnosticError
from snnctl.recipe.overrides import apply_overrides, parse_path
from snnctl.recipe.source import Source, parse_yaml

TEXT = """\
name: tiny
model:
  neuron: {type: lif, tau: 2.0, reset: soft}
  position: cpg
task:
  metrics: [mse, mae, r2]
"""


def source() -> Source:
    return parse_yaml(TEXT, "x.yaml")


def test_paths() -> None:
    assert parse_path("model.layers[0].tau", "") == ("model", "layers", 0, "tau")
    assert parse_path("a", "") == ("a",)
    assert parse_path("a[10][2]", "") == ("a", 10, 2)


@pytest.mark.parametrize(
    "text", ["", ".", ".a", "a.", "a..b", "a[", "a[]", "a[x]", "a[-1]", "a]b", "a[0]b", "a.[0]", "a[9999999]"]
)
def test_malformed_paths(text: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        parse_path(text, "--set ...")
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.override) == ("R111", "--set ...")


def test_values_are_set_from_left_to_right() -> None:
    edited = source()
    assert apply_overrides(edited, ["name=first", "name=second", "model.neuron.tau=4"], []) == []
    assert edited.values["name"] == "second"
    assert edited.values["model"]["neuron"] == {"type": "lif", "tau": 4, "reset": "soft"}


def test_only_the_first_equals_sign_divides() -> None:
    edited = source()
    apply_overrides(edited, ["summary=a=b"], [])
    assert edited.values["summary"] == "a=b"


def test_every_unset_comes_before_every_set() -> None:
    edited = source()
    apply_overrides(edited, ["model.neuron={type: if}"], ["model.neuron"])
    assert edited.values["model"]["neuron"] == {"type": "if"}


def test_missing_sections_are_made() -> None:
    edited = source()
    apply_overrides(edited, ["train.early_stop.patience=3"], [])
    assert edited.values["train"] == {"early_stop": {"patience": 3}}
    assert edited.key_mark(("train",)).override == "--set train.early_stop.patience=3 (1st override)"


def test_a_component_by_name_becomes_a_mapping() -> None:
    edited = source()
    apply_overrides(edited, ["model.position.neurons=8"], [])
    assert edited.values["model"]["position"] == {"type": "cpg", "neurons": 8}
    assert edited.items["model", "position", "type"].line == 4
    assert edited.items["model", "position", "neurons"].override


def test_list_items_are_replaced_and_appended() -> None:
    edited = source()
    apply_overrides(edited, ["task.metrics[0]=rse", "task.metrics[3]=mape", "plugins[0]=./a.py"], [])
    assert edited.values["task"]["metrics"] == ["rse", "mae", "r2", "mape"]
    assert edited.values["plugins"] == ["./a.py"]


def test_a_component_is_replaced_whole_and_says_what_it_dropped() -> None:
    edited = source()
    (warning,) = apply_overrides(edited, ["model.neuron=if"], [])
    assert (warning.code, warning.severity, warning.path) == ("R114", "warning", "model.neuron")
    assert warning.message == "`model.neuron` is replaced whole; dropped: tau, reset"
    assert edited.values["model"]["neuron"] == "if"
    assert ("model", "neuron", "tau") not in edited.items


def test_a_component_replaced_with_all_its_knobs_drops_nothing() -> None:
    assert apply_overrides(source(), ["model.neuron={type: if, tau: 1, reset: hard}"], []) == []


def test_removing_a_list_item_moves_up_the_places_of_those_behind() -> None:
    edited = source()
    r2 = edited.items["task", "metrics", 2]
    apply_overrides(edited, [], ["task.metrics[0]"])
    assert edited.values["task"]["metrics"] == ["mae", "r2"]
    assert edited.items["task", "metrics", 1] == r2
    assert ("task", "metrics", 2) not in edited.items


def test_every_bad_override_is_reported() -> None:
    with pytest.raises(DiagnosticError) as caught:
        apply_overrides(source(), ["model", "a..b=1", "name.x[0=1"], ["mode"])
    assert [d.code for d in caught.value.diagnostics] == ["R113", "R112", "R111", "R111"]
    assert caught.value.diagnostics[0].help.startswith("did you mean `model`?")


def test_numbers_beyond_the_third() -> None:
    with pytest.raises(DiagnosticError) as caught:
        apply_overrides(source(), ["a=1", "b=1", "c=1", "d"], [])
    assert caught.value.diagnostics[0].override == "--set d (4th override)"


def test_a_knob_of_a_default_component_can_be_set() -> None:
    assert read(sets=["optim.lr=0.5"]).values["optim"]["lr"] == 0.5  # the recipe has no `optim`
    assert read(sets=["encoder.neuron.tau=3.0"]).values["encoder"]["neuron"]["tau"] == 3.0


def test_a_warning_travels_with_the_recipe() -> None:
    recipe = read(sets=["encoder=repeat"])
    assert [w.code for w in recipe.warnings] == ["R114"]
    assert recipe.values["encoder"]["type"] == "repeat"
