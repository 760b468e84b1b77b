"""`snnctl doctor`: what this machine has, and what snnctl will use of it."""

from __future__ import annotations

import typer

from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic


def doctor(ctx: typer.Context) -> int:
    """Show python, torch, devices, threads, kernels, extras and data, with what to mend."""
    session: Session = ctx.obj
    from importlib.util import find_spec

    from snnctl.data.cache import cache_dir
    from snnctl.data.kinds import KINDS
    from snnctl.engine.environment import environment
    from snnctl.neurons.kernels import available_kernels
    from snnctl.ui.tables import show_doctor

    facts = environment()
    extras = {
        "sweep": "optuna",
        "nir": "nir",
        "tensorboard": "tensorboard",
        "text": "tokenizers",
        "peers": "spikingjelly",
    }
    document = {
        "environment": facts,
        "kernels": available_kernels(),
        "extras": {extra: find_spec(module) is not None for extra, module in extras.items()},
        "cache": str(cache_dir()),
        "prepared": [name for kind in KINDS for name in kind.known if kind.is_prepared(name)],
    }
    session.warn(_advice(facts))
    return session.answer(document, lambda console: show_doctor(console, document))


def _advice(facts: dict[str, object]) -> list[Diagnostic]:
    threads, cores = facts["threads"], facts["cores"]
    if isinstance(threads, int) and isinstance(cores, int) and threads > cores:
        help = f"set OMP_NUM_THREADS={cores}"
        return [Diagnostic("U420", f"{threads} threads on {cores} cores", severity="warning", help=help)]
    return []
