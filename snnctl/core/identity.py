"""What a result was made by, as one digest: the recipe, the data, the plug-in files, the version of snnctl.

The same digest stands in everything that a run leaves behind, so that a file of another run, or a run of other data, is
known for what it is. `--accept-changes` goes on with what has changed all the same, and writes down what that was.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

# Words, reporting, and where plug-ins lie: their content is a part of the identity by itself.
_NO_MATTER = ("schema", "name", "summary", "plugins", "energy")
_NO_MATTER_IN_TRAINING = ("log_every", "checkpoint_every")
_SOMEWHERE = "(path)"

_accepts: ContextVar[bool] = ContextVar("accepts", default=False)


@dataclass(frozen=True)
class Identity:
    """What made a result.

    Args:
        recipe: see `recipe_digest`.
        data: fingerprint of the data.
        plugins: SHA-256 hex of each plug-in file, in the recipe's order.
        snnctl: version of the package.
        start: SHA-256 hex of the weights that training started from; None where it started from none.
    """

    recipe: str
    data: str
    plugins: tuple[str, ...]
    snnctl: str
    start: str | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 hex over all of it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As it stands in manifests: its parts, and `digest`."""
        return {"digest": self.digest, **asdict(self), "plugins": list(self.plugins)}

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> Identity:
        """What `to_json` gave.

        Raises:
            KeyError, TypeError: it is something else.
        """
        parts = {key: document[key] for key in ("recipe", "data", "snnctl", "start")}
        return cls(plugins=tuple(str(one) for one in document["plugins"]), **parts)


def recipe_digest(values: Mapping[str, Any]) -> str:
    """SHA-256 hex over what a resolved recipe says that changes results.

    Names, reporting and prices are left out, and so is where data and starting weights lie: their content has a
    fingerprint of its own, and the same file elsewhere is the same experiment.
    """
    kept = {key: value for key, value in values.items() if key not in _NO_MATTER}
    if isinstance(train := kept.get("train"), Mapping):
        kept["train"] = {key: value for key, value in train.items() if key not in _NO_MATTER_IN_TRAINING}
        if kept["train"].get("init_from") is not None:
            kept["train"]["init_from"] = _SOMEWHERE
    kept["data"] = _without_places(kept.get("data"))
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()


def _without_places(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_places(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_places(one) for one in value]
    return _SOMEWHERE if isinstance(value, str) and os.path.isabs(value) else value


@contextmanager
def accepting(every: bool = True) -> Iterator[None]:
    """Within the block, what has changed since a run was made is told and noted, and no reason to stop."""
    before = _accepts.set(every)
    try:
        yield
    finally:
        _accepts.reset(before)


def accepts_changes() -> bool:
    """Whether what has changed is accepted now."""
    return _accepts.get()
