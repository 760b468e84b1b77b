"""snnctl: train, evaluate and measure spiking neural networks from one recipe file.

From Python, `train`, `validate` and `load` do what the commands do, without a process:

    >>> import snnctl
    >>> snnctl.validate(recipe).ok  # a file, the name of a shipped recipe ("quickstart"), or the values of one
    True
    >>> trained = snnctl.train(recipe, train__epochs=1, out=folder)
    >>> trained.results["metrics"]["test/mse"] < 2
    True
    >>> model = snnctl.load(folder)  # a run directory, or a bundle
    >>> model.predict(last=2).shape  # a pandas frame in the data's own units: a row a window, step and column
    (4, 4)

What goes wrong is a `DiagnosticError`, whose `diagnostics` carry code, place and way out; what is odd is one of
Python's own warnings. A `Listener` is told of warnings and progress in their place.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnctl.commands.listener import Listener
    from snnctl.commands.train import train
    from snnctl.commands.validate import validate
    from snnctl.core.diagnostic import DiagnosticError
    from snnctl.serving.model import load

__version__ = "0.1.0"
__all__ = ["DiagnosticError", "Listener", "load", "train", "validate"]

_PLACES = {
    "DiagnosticError": "snnctl.core.diagnostic",
    "Listener": "snnctl.commands.listener",
    "load": "snnctl.serving.model",
    "train": "snnctl.commands.train",
    "validate": "snnctl.commands.validate",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module `snnctl` has no attribute `{name}`")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
