"""The resolved recipe: complete, runnable, the same again when it is resolved again."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_recipe import TINY, read, write

from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import DiagnosticError
from snnctl.recipe import load_recipe, read_recipe
from snnctl.recipe.resolve import components
from snnctl.recipe.shipped import shipped_recipes
from snnctl.recipe.source import path_text


def problems(text: str = TINY, sets: list[str] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(DiagnosticError) as caught:
        read(text, sets)
    return [(d.code, d.path) for d in caught.value.diagnostics]


def test_every_default_is_filled_in() -> None:
    values = read().values
    assert values["readout"]["type"] == "mean_linear"
    assert values["schedule"]["type"] == "constant"
    assert values["model"]["neuron"]["surrogate"] == {"type": "atan", "alpha": 2.0, "sharpen": 1.0}
    assert values["data"]["scaler"] == {"type": "standard", "fit_on": "train"}
    assert values["train"]["early_stop"] == {"metric": "val/loss", "mode": "min", "patience": None}


def test_resolving_again_changes_nothing() -> None:
    rows = [row for row in shipped_recipes() if "/grid/" not in row["name"]]  # those are alike
    for recipe in [read(), *(load_recipe(row["path"]) for row in rows)]:
        again = read_recipe(recipe.to_yaml(), "recipe.yaml")
        assert again.values == recipe.values
        assert again.digest() == recipe.digest()
        assert again.to_yaml() == recipe.to_yaml()


names = st.sampled_from


@given(
    neuron=names(REGISTRIES["neuron"].names()),
    surrogate=names(REGISTRIES["surrogate"].names()),
    position=names(REGISTRIES["position"].names()),
    scaler=names(REGISTRIES["scaler"].names()),
    optim=names(REGISTRIES["optim"].names()),
    lr=st.floats(1e-12, 10.0),
    summary=st.text(max_size=30),
)
@settings(max_examples=20, deadline=None)
def test_any_mixture_resolves_to_itself(**chosen: Any) -> None:
    def quoted(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    printable = "".join(c for c in chosen["summary"] if c.isprintable())
    sets = [
        f"model.neuron={chosen['neuron']}",
        *(["model.neuron.steps=2"] if chosen["neuron"] in ("psn", "masked_psn") else []),
        f"model.neuron.{'host.' if chosen['neuron'] == 'stc' else ''}surrogate={chosen['surrogate']}",
        f"model.position={chosen['position']}",
        f"data.scaler={chosen['scaler']}",
        f"optim={{type: {chosen['optim']}, lr: {chosen['lr']!r}}}",
        f"summary={quoted(printable)}",
    ]
    recipe = read(sets=sets)
    assert recipe.values["summary"] == printable
    assert recipe.values["optim"]["lr"] == chosen["lr"]
    again = read_recipe(recipe.to_yaml(), "recipe.yaml")
    assert again.digest() == recipe.digest()


def test_the_digest_is_of_the_experiment_not_of_the_text() -> None:
    reordered = TINY.replace("  window: 12\n  horizon: 3\n", "  horizon: 3\n  window: 12\n") + "# a comment\n"
    spelled_out = TINY.replace("neuron: lif", "neuron: {type: lif, tau: 2.0}")
    assert read(reordered).digest() == read(spelled_out).digest() == read().digest()
    assert read(sets=["train.seed=1"]).digest() != read().digest()


def test_paths_are_relative_to_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    assert load_recipe(recipe).values["data"]["source"] == str(tmp_path / "table.csv")
    assert load_recipe(os.path.relpath(recipe)).values["data"]["source"] == str(tmp_path / "table.csv")


def test_paths_of_set_are_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    found = load_recipe(recipe, ["data.source=./table.csv"])
    assert found.values["data"]["source"] == str(elsewhere / "table.csv")


def test_home_is_expanded_and_known_names_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    assert read(sets=["data.source=~/a.csv"]).values["data"]["source"] == "/nowhere/a.csv"
    assert read(sets=["data.source=elnino"]).values["data"]["source"] == "elnino"


def test_origins() -> None:
    recipe = read(sets=["model.neuron.tau=4.0"])
    origins = {path_text(path): recipe.origin(path) for path, _ in recipe.leaves()}
    assert origins["name"] == "line 2"
    assert origins["model.neuron.type"] == "line 15"
    assert origins["model.neuron.tau"] == "--set model.neuron.tau=4.0 (1st override)"
    assert origins["encoder.type"] == "line 9"
    assert origins["train.seed"] == "default"
    assert origins["readout.type"] == "default"
    short = read(TINY.replace("neuron: lif", "position: none"))
    assert short.origin(("model", "position", "type")) == "line 15"  # the bare name stands for {type: none}


def test_components_are_found_at_every_depth() -> None:
    found = {path_text(path): (kind, config["type"]) for kind, config, path in components(read().values)}
    assert found["model"] == ("backbone", "spikformer")
    assert found["model.neuron.surrogate"] == ("surrogate", "atan")
    assert found["encoder.neuron"] == ("neuron", "lif")
    assert found["data.scaler"] == ("scaler", "standard")


def test_problems_come_in_the_order_of_the_file() -> None:
    text = TINY.replace("name: tiny", "name: a/b").replace("window: 12", "window: 0").replace("epochs: 1", "epochs: x")
    assert problems(text) == [("R206", "name"), ("R204", "data.window"), ("R203", "train.epochs")]


def test_one_mistake_is_one_problem() -> None:
    assert problems(TINY.replace("  window: 12", "  widnow: 12")) == [("R201", "data.widnow")]
    assert problems(TINY.replace("model:", "modle:")) == [("R201", "modle")]
    assert problems(sets=["data.split={train: a, val: 0.1, test: 0.2}"]) == [("R203", "data.split.train")]
    assert problems(sets=["train.clip_norm=x"]) == [("R203", "train.clip_norm")]


def test_rules_wait_until_the_values_are_sound() -> None:
    assert problems(sets=["model.heads=3", "train.epochs=0"]) == [("R204", "train.epochs"), ("R301", "model.heads")]
    assert problems(sets=["model.heads=3", "model.dim=x"]) == [("R203", "model.dim")]
    assert problems(sets=["train.early_stop.metric=val/rse", "name=a/b"]) == [("R206", "name")]


def test_a_rule_tells_the_values_it_compares() -> None:
    with pytest.raises(DiagnosticError) as caught:
        read(sets=["model.heads=3"])
    (problem,) = caught.value.diagnostics
    assert problem.notes == ("model.heads is 3 (--set model.heads=3 (1st override)), model.dim is 8 (line 12)",)


def test_no_recipe_beside_a_misspelt_name(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(DiagnosticError) as caught:
        load_recipe(tmp_path / "tinny.yaml")
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.help) == ("R101", "recipes there: tiny.yaml")
