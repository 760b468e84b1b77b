"""For all tests: plug-ins that one test loads are unknown to the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from snnctl.recipe.plugins import plugins_for_now


@pytest.fixture(autouse=True)
def no_plugins_of_others() -> Iterator[None]:
    """Registries as they ship, before and after."""
    with plugins_for_now():
        yield
