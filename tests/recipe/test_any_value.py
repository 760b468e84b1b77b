"""Whatever stands at whichever key, the check ends in a verdict and never in an internal error."""

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_recipe import TINY, read

from snnctl.build import check
from snnctl.core.diagnostic import DiagnosticError
from snnctl.recipe.resolve import dump_yaml

PATHS = [path for path, _ in read().leaves()] + [
    ("model",),
    ("data",),
    ("train",),
    ("data", "split"),
    ("model", "neuron"),
]
# Sizes stay small here: a sound recipe of absurd size is built, and that takes its time.
NUMBERS = st.integers(-2, 9) | st.floats() | st.sampled_from([0.0, 1.0, 0.5, 1e-3])
ATOMS = (
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8) | st.sampled_from(["none", "lif", "cpg", "co2", "mse"])
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "tau", "train", "metric", "x"]), inner, max_size=3)
    ),
    max_leaves=4,
)


def changed(path: tuple[Any, ...], value: Any) -> str:
    values = yaml.safe_load(TINY)
    here = values
    for part in path[:-1]:
        below = here.get(part)
        here[part] = below if isinstance(below, dict) else {"type": below} if isinstance(below, str) else {}
        here = here[part]
    here[path[-1]] = value
    return dump_yaml(values)


@given(path=st.sampled_from(PATHS), value=VALUES)
@settings(max_examples=60, deadline=None)
def test_a_verdict_is_reached(path: tuple[Any, ...], value: Any) -> None:
    text = changed(path, value)
    try:
        recipe = read(text)
    except DiagnosticError as error:
        found = list(error.diagnostics)
        assert found
    else:
        found = check(recipe)
        assert read(recipe.to_yaml()).digest() == recipe.digest()
    for problem in found:
        assert problem.code[0] in "RD"
        assert problem.message
        assert problem.file == "tiny.yaml" or problem.code[0] == "D"
        assert 1 <= problem.line <= text.count("\n") + 1
