"""Starting from the weights of another run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import load_file
from torch import Tensor, nn

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.identity import accepts_changes
from snnctl.engine.belonging import foreign, recorded
from snnctl.engine.checkpoint import WEIGHTS, weights_folder, weights_identity
from snnctl.engine.run_dir import RunDir


@dataclass(frozen=True)
class WarmStart:
    """What was taken over.

    Args:
        file: the weights.
        sha256: of that file.
        loaded: how many tensors.
        fresh: names of the network's tensors that keep their initial values.
        unused: names in the file that the network has no place for.
    """

    file: str
    sha256: str
    loaded: int
    fresh: tuple[str, ...]
    unused: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {**vars(self), "fresh": list(self.fresh), "unused": list(self.unused)}


def warm_start(network: nn.Module, origin: Path, match: Literal["all", "fitting"]) -> WarmStart:
    """Load weights into `network`.

    Args:
        origin: a run directory (its best weights, or the last) or a safetensors file.
        match: all = every tensor of the network has to be there and fit; fitting = those of equal name and shape.

    Raises:
        DiagnosticError: U418, no weights there, damaged, or they do not fit; E413, in a run those of another one.
    """
    file = _weights_file(origin)
    try:
        found: dict[str, Tensor] = load_file(file)
    except Exception as error:  # safetensors raises its own and built-in types
        message = f"weights are damaged: {type(error).__name__}"
        raise _problem("U418", message, file) from error
    _refuse_foreign(origin, file)
    own = network.state_dict()
    fitting = {name: tensor for name, tensor in found.items() if name in own and own[name].shape == tensor.shape}
    fresh = tuple(name for name in own if name not in fitting)
    if match == "all" and fresh:
        known = [name for name in fresh if name in found]
        of = f" (of other shapes: {', '.join(known[:3])})" if known else ""
        message = f"{len(fresh)} of {len(own)} weights are not there: {', '.join(fresh[:3])}{of}"
        raise _problem("U418", message, file, "train.init_match=fitting takes over those that fit")
    if not fitting:
        raise _problem("U418", "no weight there fits this network by name and shape", file)
    network.load_state_dict({**own, **fitting})
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    unused = tuple(name for name in found if name not in fitting)
    return WarmStart(str(file), digest, len(fitting), fresh, unused)


def _refuse_foreign(origin: Path, file: Path) -> None:
    """Weights that lie in a run must be its own."""
    if RunDir(origin).begun and not accepts_changes():
        found = foreign(recorded(RunDir(origin)), file, weights_identity(file))
        if found:
            raise DiagnosticError([replace(one, path="train.init_from") for one in found])


def start_digest(origin: Path) -> str | None:
    """SHA-256 hex of the weights that training would start from; None where they are not there (any more)."""
    try:
        return hashlib.sha256(_weights_file(origin).read_bytes()).hexdigest()
    except (DiagnosticError, OSError):
        return None


def _weights_file(origin: Path) -> Path:
    if origin.is_dir():
        if (origin / WEIGHTS).is_file():
            return origin / WEIGHTS
        return weights_folder(RunDir.open(origin)) / WEIGHTS
    if not origin.is_file():
        raise _problem("U418", "no weights there", origin, "name a run directory or a .safetensors file")
    return origin


def _problem(code: str, message: str, file: Path, help: str = "") -> DiagnosticError:
    return DiagnosticError(Diagnostic(code, message, file=str(file), path="train.init_from", help=help))
