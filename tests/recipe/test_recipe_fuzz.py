"""Damaged recipes and overrides end in a verdict, within limits of time and memory: a few of `fuzz.py`, all in CI."""

import os

import pytest
from recipe_fuzz import run, warm_up

SEED = 7


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    warm_up()


def check(count: int) -> None:
    found = run(SEED, range(count))
    bad = [f"{one.number} {one.what}: {'; '.join(one.ends)}" for one in found if one.bad and "takes" not in one.ends[0]]
    assert not bad  # what takes long on a busy machine is told by `python tests/recipe/recipe_fuzz.py`
    assert len({one.ends for one in found}) > count // 40  # they reach many verdicts


def test_a_few() -> None:
    check(60)


@pytest.mark.slow
def test_many() -> None:
    check(int(os.environ.get("SNNCTL_FUZZ", "2000")))
