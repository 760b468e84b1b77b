"""What this machine has, and what snnctl will use of it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from snnctl.commands.listener import NOBODY, Listener
from snnctl.commands.lookup import kernel_of
from snnctl.core.catalog import NEURONS
from snnctl.core.diagnostic import Diagnostic
from snnctl.data.cache import cache_dir
from snnctl.data.kinds import KINDS
from snnctl.engine import environment
from snnctl.neurons.kernels import available_kernels

_EXTRAS = {
    "sweep": "optuna",
    "nir": "nir",
    "tensorboard": "tensorboard",
    "text": "tokenizers",
    "peers": "spikingjelly",
    "statistical": "statsforecast",
}


def doctor(listener: Listener = NOBODY) -> dict[str, Any]:
    """`{environment, kernels, neurons, extras, cache, prepared}`: the machine, what is installed and ready."""
    facts = environment.environment()
    threads, cores = facts["threads"], facts["cores"]
    if isinstance(threads, int) and isinstance(cores, int) and threads > cores:
        help = f"set OMP_NUM_THREADS={cores}"
        listener.warn([Diagnostic("U420", facts={"threads": threads, "cores": cores}, severity="warning", help=help)])
    return {
        "environment": facts,
        "kernels": available_kernels(),
        "neurons": {name: kernel_of(name) for name in NEURONS.names()},
        "extras": {extra: find_spec(module) is not None for extra, module in _EXTRAS.items()},
        "cache": str(cache_dir()),
        "prepared": [name for kind in KINDS for name in kind.known if kind.is_prepared(name)],
    }
