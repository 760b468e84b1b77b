"""Checkpoints, their file names included: weights as safetensors for everyone, trainer state for resuming.

`trainer.pt` holds the weights too. Two files cannot be renamed in one stroke, so each is complete by itself:
whatever moment a kill comes, one consistent moment of training can be read back. It holds tensors and
primitives only and is read with `weights_only=True`; nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from snnctl.core.choices import Checkpoint
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.files import write_atomically
from snnctl.engine.run_dir import RunDir

WEIGHTS, TRAINER = "weights.safetensors", "trainer.pt"
_FACTS, _IDENTITY = "snnctl", "identity"


def weights_folder(run: RunDir, checkpoint: Checkpoint = "best") -> Path:
    """The checkpoint whose weights are asked for; the last where none was the best."""
    best: Path = run.best
    last: Path = run.last
    return best if checkpoint == "best" and (best / WEIGHTS).exists() else last


def save_weights(folder: Path, network: nn.Module, facts: dict[str, int], identity: str | None = None) -> None:
    """Write the weights; `facts` (epoch, step) and the digest of what made them go into the file's metadata.

    The same weights and facts give the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    memory: set[int] = set()
    for name, tensor in network.state_dict().items():
        tensor = tensor.detach().cpu().contiguous()
        address = tensor.untyped_storage().data_ptr()
        tensors[name] = tensor.clone() if address in memory else tensor  # safetensors refuses shared memory
        memory.add(address)
    # one entry: safetensors writes several in any order, and the bytes would differ from run to run
    noted = facts if identity is None else {**facts, _IDENTITY: identity}
    metadata = {_FACTS: json.dumps(noted, sort_keys=True)}
    write_atomically(folder / WEIGHTS, lambda path: save_file(tensors, path, metadata=metadata))


def save_trainer(folder: Path, state: dict[str, Any]) -> None:
    """Write everything that resuming needs."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / TRAINER, lambda path: torch.save(state, path))


def load_trainer(folder: Path) -> dict[str, Any]:
    """Read what `save_trainer` wrote.

    Raises:
        DiagnosticError: E410, absent or damaged.
    """
    path = folder / TRAINER
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError:
        raise DiagnosticError(Diagnostic("E410", "the run has no checkpoint to resume", file=str(path))) from None
    except Exception as error:  # torch raises many types for a damaged file
        message = f"checkpoint is damaged: {type(error).__name__}"
        raise DiagnosticError(Diagnostic("E410", message, file=str(path))) from error


def load_weights(folder: Path, network: nn.Module) -> dict[str, int]:
    """Read weights into `network`; the facts written with them, empty for a file that another program wrote.

    Raises:
        DiagnosticError: E410 absent or damaged, E411 they do not fit the network.
    """
    path = folder / WEIGHTS
    try:
        tensors: dict[str, Tensor] = load_file(path)
        facts = _noted(path)
    except FileNotFoundError:
        raise DiagnosticError(Diagnostic("E410", "no weights there", file=str(path))) from None
    except Exception as error:  # safetensors raises its own and built-in types
        message = f"weights are damaged: {type(error).__name__}"
        raise DiagnosticError(Diagnostic("E410", message, file=str(path))) from error
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        detail = " ".join(str(error).split())[:300]
        raise DiagnosticError(Diagnostic("E411", f"weights do not fit the network: {detail}", file=str(path))) from None
    return {key: value for key, value in facts.items() if key != _IDENTITY}


def weights_identity(path: Path) -> str | None:
    """The digest that a file of weights bears; None if it bears none. Only its header is read.

    Raises:
        DiagnosticError: E410, absent or damaged.
    """
    try:
        found = _noted(path).get(_IDENTITY)
    except FileNotFoundError:
        raise DiagnosticError(Diagnostic("E410", "no weights there", file=str(path))) from None
    except Exception as error:  # safetensors raises its own and built-in types
        message = f"weights are damaged: {type(error).__name__}"
        raise DiagnosticError(Diagnostic("E410", message, file=str(path))) from error
    return None if found is None else str(found)


def restamp(folder: Path, own: Collection[str | None], identity: str) -> None:
    """Weights that bear a digest of `own` bear `identity` from now on; others stay as they are.

    For a run that is only made longer: what it kept so far is what the longer run would have kept.
    """
    path = folder / WEIGHTS
    with suppress(DiagnosticError):  # missing or damaged: whoever loads them says so
        if weights_identity(path) not in own:
            return
        metadata = {_FACTS: json.dumps({**_noted(path), _IDENTITY: identity}, sort_keys=True)}
        tensors = load_file(path)
        write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=metadata))


def _noted(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        return dict(json.loads((file.metadata() or {}).get(_FACTS, "{}")))
