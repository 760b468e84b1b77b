"""snnctl: train, evaluate and measure spiking neural networks from one recipe file.

From Python: `train`, `validate` and `load`, which do what the commands do; each is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnctl.commands.train import train
    from snnctl.commands.validate import validate
    from snnctl.serving.model import load

__version__ = "0.1.0"
__all__ = ["load", "train", "validate"]

_PLACES = {"load": "snnctl.serving.model", "train": "snnctl.commands.train", "validate": "snnctl.commands.validate"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module `snnctl` has no attribute `{name}`")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
