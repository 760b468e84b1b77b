"""Other libraries, if they are installed, set up for the same equations as ours."""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from snnctl.neurons import LIF, ATan


class SpikingJelly(NamedTuple):
    """The parts of spikingjelly that are used."""

    neuron: ModuleType
    layer: ModuleType
    surrogate: ModuleType
    functional: ModuleType

    def lif(self, like: LIF, *, threshold_share: float = 1.0, step_mode: str = "m") -> Any:
        """A LIFNode with the same equation and gradient as `like`, of which `why_not_lif` says "".

        Its threshold is that share of that of `like`, its surrogate narrower by the same share. `step_mode` `m` takes
        [T, B, *], `s` a single step [B, *].
        """
        assert isinstance(like.surrogate, ATan)
        return self.neuron.LIFNode(
            tau=like.tau,
            decay_input=like.decay_input,
            v_threshold=like.v_threshold * threshold_share,
            v_reset=0.0 if like.reset == "hard" else None,
            surrogate_function=self.surrogate.ATan(alpha=like.surrogate.alpha / threshold_share),
            detach_reset=like.detach_reset,
            step_mode=step_mode,
        )

    def reset(self, network: nn.Module) -> None:
        """Membranes back to rest, as has to be done before every batch."""
        self.functional.reset_net(network)


class SnnTorch(NamedTuple):
    """The parts of snntorch that are used."""

    Leaky: Any
    atan: Any

    def leaky(self, like: LIF) -> Any:
        """A Leaky with the same spikes and gradients as `like` (hard reset, detached, constants fixed).

        Leaky does not divide its input by tau; thresholds and surrogates of tau times the width say the same.
        """
        assert isinstance(like.surrogate, ATan)
        width = like.tau if like.decay_input else 1.0
        return self.Leaky(
            beta=1.0 - 1.0 / like.tau,
            threshold=like.v_threshold * width,
            spike_grad=self.atan(alpha=like.surrogate.alpha / width),
            reset_mechanism="zero",
        )


def _import(name: str) -> ModuleType | None:
    """A module, its banners and warnings kept to itself; None if it is absent or broken."""
    silence = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except Exception:
            return None


@cache
def spikingjelly() -> SpikingJelly | None:
    parts = [_import(f"spikingjelly.activation_based.{part}") for part in SpikingJelly._fields]
    return None if None in parts else SpikingJelly(*parts)  # type: ignore[arg-type]


@cache
def snntorch() -> SnnTorch | None:
    package, surrogate = _import("snntorch"), _import("snntorch.surrogate")
    return None if package is None or surrogate is None else SnnTorch(package.Leaky, surrogate.atan)


def absent() -> list[str]:
    """A note if a library that could be compared with is not installed."""
    missing = [name for name, found in (("spikingjelly", spikingjelly()), ("snntorch", snntorch())) if found is None]
    said = f"{' and '.join(missing)} cannot be imported, so no rows: pip install 'snnctl[peers]'"
    return [said] if missing else []


def why_not_lif(neuron: nn.Module) -> str:
    """Why `neuron` has no equal in spikingjelly's LIFNode, or ""."""
    if type(neuron) is not LIF:
        return f"the neuron is {type(neuron).__name__}, not LIF"
    if neuron.taus is not None or neuron.log_threshold is not None:
        return "time constants are spread or the threshold is learned"
    if type(neuron.surrogate) is not ATan:
        return f"the surrogate is {type(neuron.surrogate).__name__}, not ATan"
    if neuron.levels != 1:
        return "spikes have several levels"
    return ""


def torch_scan(leaky: Any, x: Tensor) -> Tensor:
    """A Leaky over [T, B, *], starting from rest."""
    membrane = torch.zeros_like(x[0])
    out = []
    for x_t in x:
        spikes, membrane = leaky(x_t, membrane)
        out.append(spikes)
    return torch.stack(out)
