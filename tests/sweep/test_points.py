"""What a sweep varies: how it is written, what points are called, and what is refused before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.recipe.shipped import shipped_folder
from snnctl.recipe.source import parse_value
from snnctl.sweep.points import Axis, Case, Checked, Point, check_points, make_points, read_axis, read_case, setting

QUICKSTART = shipped_folder() / "quickstart.yaml"
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["C"]), max_size=20),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abcdefgh_", min_size=1, max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def problem(call: Callable[[], object]) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        call()
    (found,) = caught.value.diagnostics
    return found


@given(VALUES)
def test_values_reach_a_recipe_as_they_are(value: Any) -> None:
    assert parse_value(setting(value), "") == value


def test_words_stay_words_and_components_become_mappings() -> None:
    assert setting("cpg") == "cpg"
    assert setting("true") == '"true"'  # the word, not the truth value
    assert setting({"type": "lif", "tau": 2.5}) == '{"type": "lif", "tau": 2.5}'


def test_points_are_all_combinations_and_the_last_axis_varies_fastest() -> None:
    points = make_points(
        [read_axis("model.neuron.tau=[2, 4.0]"), read_axis("model.position=[none, {type: cpg, neurons: 8}]")], []
    )
    assert [point.label for point in points] == [
        "tau=2, position=none",
        "tau=2, position=cpg(neurons=8)",
        "tau=4, position=none",
        "tau=4, position=cpg(neurons=8)",
    ]
    assert points[3].sets == ["model.neuron.tau=4.0", 'model.position={"type": "cpg", "neurons": 8}']


def test_cases_are_changes_that_belong_together() -> None:
    cases = [read_case(""), read_case("twin: model.spiking=false model.neuron='{type: if, reset: soft}'")]
    cases.append(read_case("model.dim=64 model.heads=8"))
    points = make_points([Axis("train.epochs", (1, 2))], cases)
    assert [point.label for point in points[::2]] == [
        "epochs=1",
        "twin, epochs=1",
        "dim=64, heads=8, epochs=1",
    ]
    assert points[2].changes == {
        "model.spiking": False,
        "model.neuron": {"type": "if", "reset": "soft"},
        "train.epochs": 1,
    }
    assert make_points([], cases)[0] == Point("as it is", {})


def test_labels_are_as_short_as_they_may_be() -> None:
    (point,) = make_points([Axis("model.neuron.tau", (2,)), Axis("encoder.neuron.tau", (3,))], [])
    assert point.label == "model.neuron.tau=2, encoder.neuron.tau=3"


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: read_axis("model.dim"), "U440"),
        (lambda: read_axis("model.dim=32"), "U440"),
        (lambda: read_axis("model.dim=[]"), "U440"),
        (lambda: read_axis("model.dim=[32, 64, 32]"), "U441"),
        (lambda: read_axis("model..dim=[32]"), "R111"),
        (lambda: read_axis("model.dim=[32"), "R100"),
        (lambda: read_case("twin: model.spiking"), "U442"),
        (lambda: read_case("model.neuron='lif"), "U442"),
        (lambda: make_points([Axis("a", (1,)), Axis("a", (2,))], []), "U443"),
        (lambda: make_points([Axis("a", (1,))], [Case("", {"a": 2})]), "U443"),
    ],
)
def test_what_cannot_be_read(call: Callable[[], object], code: str) -> None:
    assert problem(call).code == code


def checked(axes: list[str], *, path: Path = QUICKSTART, sets: tuple[str, ...] = ()) -> Checked:
    return check_points(path, make_points([read_axis(text) for text in axes], []), sets, [], allow_plugins=True)


def test_everything_that_is_wrong_is_told_once_with_its_points() -> None:
    found = checked(["model.neuron.tua=[2, 4]", "model.dim=[31, 32]"])
    assert (len(found.resolved), len(found.refused)) == (0, 4)
    said = {one.code: one for one in found.problems()}
    assert said["R201"].help.startswith("did you mean `tau`?")
    assert said["R201"].notes[-1] == "at tua=2, dim=31 and 3 more"
    assert said["R301"].notes[-1] == "at tua=2, dim=31 and 1 more"


def test_valid_points_are_kept_beside_invalid_ones() -> None:
    found = checked(["model.heads=[3, 4]"])
    assert [one.point.label for one in found.resolved] == ["heads=4"]
    assert [point.label for point, _ in found.refused] == ["heads=3"]


def test_two_points_that_are_one_experiment_are_refused() -> None:
    points = [Point("written", {"model.heads": 4}), Point("as it is", {})]
    found = problem(lambda: check_points(QUICKSTART, points, [], [], allow_plugins=True))
    assert (found.code, found.message) == ("U444", "`written` and `as it is` are the same experiment")


def test_folders_have_the_name_of_the_experiment_whatever_stands_beside_it() -> None:
    one, two = checked(["model.neuron.tau=[2.5, 4.0]"]).resolved
    (again,) = checked(["model.neuron.tau=[4.0]"]).resolved
    assert one.folder != two.folder == again.folder
    assert two.folder.startswith("tau=4-")
    (other,) = checked(["model.neuron.tau=[4.0]"], sets=("train.epochs=3",)).resolved
    assert other.folder != two.folder  # what all points share is part of the experiment
