"""Other simulators as they are used by their own users: a file is read by their function, and run step by step."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

# What is asked for a step: the currents of all steps, and what reads them; the spikes are gathered by hooks.
Loaded = tuple[nn.Module, Callable[[nn.Module, Tensor], Tensor]]


@dataclass(frozen=True)
class Simulated:
    """What a simulator gave: [T, B, *] each.

    Args:
        output: of the network.
        spikes: by name of the node, of those that are asked for and that the simulator has.
    """

    output: Tensor
    spikes: dict[str, Tensor]


def installed(name: str) -> str | None:
    """The version of a simulator, or None where it, or what it reads NIR with, is missing."""
    if any(find_spec(needed) is None for needed in (name, "nirtorch")):
        return None
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@torch.no_grad()
def simulate(name: str, path: Path, x: Tensor, dt: float, spiking: list[str]) -> Simulated:
    """Read a file with a simulator, and run it on input currents from rest.

    Args:
        name: one of `SIMULATORS`.
        path: of the file.
        x: [T, B, *], shaped as the file's input.
        dt: seconds of a step, for those that are told.
        spiking: names of nodes whose spikes are wanted.

    Raises:
        Exception: whatever the simulator raises on a file that it does not take.
    """
    with _quiet():
        network, run = SIMULATORS[name](path, x, dt)
        kept: dict[str, list[Tensor]] = {}
        hooks = [
            module.register_forward_hook(partial(_keep, kept.setdefault(node, [])))
            for node in spiking
            if (module := dict(network.named_children()).get(node)) is not None
        ]
        try:
            output = run(network.eval(), x)
        finally:
            for hook in hooks:
                hook.remove()
    shape = x.shape[:2]
    spikes = {node: _by_step(each, shape) for node, each in kept.items() if each}
    return Simulated(output, spikes)


def _keep(into: list[Tensor], _module: nn.Module, _given: Any, out: Any) -> None:
    into.append((out[0] if isinstance(out, tuple) else out).detach())


def _by_step(each: list[Tensor], shape: torch.Size) -> Tensor:
    """What was given step by step, or [B * T, *] at once."""
    if len(each) > 1 or shape[0] == 1:
        return torch.stack(each)
    return each[0].unflatten(0, (shape[1], shape[0])).transpose(0, 1)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Readers print, warn and log; what counts is what they give."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


def _graph(path: Path) -> Any:
    return import_module("nir").read(str(path), type_check=False)


def _snntorch(path: Path, x: Tensor, dt: float) -> Loaded:
    """Its step is fixed at 1e-4 s; membranes are kept in the modules, new ones for each call of this."""
    network = import_module("snntorch.import_nir").import_from_nir(_graph(path))

    def run(network: nn.Module, x: Tensor) -> Tensor:
        state, out = None, []
        for x_t in x:
            found, state = network(x_t, state)
            out.append(found)
        return torch.stack(out)

    return network, run


def _spikingjelly(path: Path, x: Tensor, dt: float) -> Loaded:
    reader = import_module("spikingjelly.activation_based.nir_exchange")
    network = reader.import_from_nir(_graph(path), dt=dt)
    return network, _stateful


def _norse(path: Path, x: Tensor, dt: float) -> Loaded:
    network = import_module("norse.torch").from_nir(_graph(path), dt=dt, ignore_warnings=True)
    return network, _stateful


def _stateful(network: nn.Module, x: Tensor) -> Tensor:
    state, out = None, []
    for x_t in x:
        found, state = network(x_t, state)
        out.append(found)
    return torch.stack(out)


def _sinabs(path: Path, x: Tensor, dt: float) -> Loaded:
    """It knows no dt; all steps of a sample go in at once."""
    network = import_module("sinabs.nir").from_nir(_graph(path), batch_size=x.shape[1], num_timesteps=len(x))

    def run(network: nn.Module, x: Tensor) -> Tensor:
        found = network(x.transpose(0, 1).flatten(0, 1))
        found = found[0] if isinstance(found, tuple) else found
        return found.unflatten(0, (x.shape[1], len(x))).transpose(0, 1)

    return network, run


SIMULATORS: dict[str, Callable[[Path, Tensor, float], Loaded]] = {
    "snntorch": _snntorch,
    "spikingjelly": _spikingjelly,
    "norse": _norse,
    "sinabs": _sinabs,
}
