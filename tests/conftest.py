"""For all tests: plug-ins that one test loads are unknown to the next, and random weights are the same every time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from snnctl.recipe.plugins import plugins_for_now

# Tests run plug-ins that they have written themselves, in processes of their own too; tests of trust take it back.
os.environ["SNNCTL_TRUST_PLUGINS"] = "1"


@pytest.fixture(autouse=True)
def no_plugins_of_others() -> Iterator[None]:
    """Registries as they ship, before and after."""
    with plugins_for_now():
        yield


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """torch's global generator begins alike in every test, whatever ran before."""
    torch = sys.modules.get("torch")  # tests that need no torch do not wait for it
    if torch is not None:
        torch.manual_seed(0)
