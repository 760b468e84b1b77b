"""snnctl: train, evaluate and measure spiking neural networks from one recipe file.

From Python, `train`, `validate` and `load` do what the commands do, without a process:

    import snnctl

    trained = snnctl.train("quickstart", train__epochs=5)  # a file, a shipped name, or the values of a recipe
    trained.results["metrics"]["test/mse"]
    model = snnctl.load(trained.run)                        # a run directory, or a bundle
    model.predict(frame)                                    # a pandas frame in the data's own units, and out

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
