"""A run as one archive that can be handed on: weights, recipe, what it remembers of its data, and a card.

The same run gives the same bytes: members in one order, without times, uncompressed.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from snnctl import __version__
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.files import finite, write_atomically, writing
from snnctl.engine.checkpoint import WEIGHTS
from snnctl.engine.run_files import read_object
from snnctl.export.card import card_text, make_card
from snnctl.finished import FinishedRun
from snnctl.recipe.plugins import Plugin
from snnctl.recipe.resolve import dump_yaml
from snnctl.serving.bundle import CARD, CARD_TEXT, FORMAT, MANIFEST, RECIPE, SUFFIX, VERSION, read_bundle
from snnctl.serving.left_out import moved_within, without_paths
from snnctl.serving.model import load

Warn = Callable[[Sequence[Diagnostic]], None]
_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a ZIP can tell
_LONGEST_LICENCE = 200


@dataclass(frozen=True)
class Bundled:
    """A bundle that was written, read back, and whose model was loaded."""

    path: Path
    sha256: str
    members: dict[str, Any]
    card: dict[str, Any]
    tensors: int  # of the weights, equal to those of the run bit for bit

    def document(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "file": str(self.path),
            "format": "bundle",
            "bytes": self.path.stat().st_size,
            "sha256": self.sha256,
            "members": self.members,
            "tensors": self.tensors,
            "card": self.card,
        }


def default_path(run: FinishedRun) -> Path:
    """`RUN/export/NAME.snnctl`."""
    return run.folder.path / "export" / f"{run.recipe.name}{SUFFIX}"


def check_licence(licence: str | None) -> None:
    """Refuse what is no line of text.

    Raises:
        DiagnosticError: U408.
    """
    if licence is not None and (not licence.strip() or len(licence) > _LONGEST_LICENCE or not licence.isprintable()):
        message = f"--license takes one line of at most {_LONGEST_LICENCE} characters, such as CC-BY-4.0"
        raise DiagnosticError(Diagnostic("U408", message))


def bundle(
    run: FinishedRun, path: Path, *, licence: str | None = None, energy: Mapping[str, Any] | None = None, warn: Warn
) -> Bundled:
    """Write `run` to `path`, all or nothing; none of its data is read.

    Args:
        licence: for the card.
        energy: document of an energy estimate of the best weights; None: the one in the run, if it is of these.
        warn: told where that is not.

    Raises:
        DiagnosticError: U545, it is not done, or does not know what a model needs; U453 `path` cannot be written; U408,
            as `check_licence`; E410 its weights are damaged.
    """
    check_licence(licence)
    members, card = _members(run, licence, _energy_of(run, warn) if energy is None else energy)
    named = {name: {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)} for name, raw in members.items()}
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "snnctl": __version__,
        "name": run.recipe.name,
        "checkpoint": run.weights.name,
        "plugins": _plugins(run.recipe.plugins),
        "members": named,
    }
    tensors = 0

    def write(temporary: Path) -> None:
        nonlocal tensors
        _write(temporary, {MANIFEST: _json(manifest), **members})
        tensors = _read_back(temporary, run)

    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, write)
    return Bundled(path, read_bundle(path).sha256, named, card, tensors)


def _members(
    run: FinishedRun, licence: str | None, energy: Mapping[str, Any] | None
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Members by name, but for the manifest; and the card."""
    results, model = run.folder.whole_results(), run.folder.model()
    if results is None:
        raise _unfit("it is not done", f"snnctl train --resume {run.folder.path}")
    if model is None:
        raise _unfit("it keeps no `model/`: it is of an older snnctl, or of a task that cannot predict yet", "")
    values, moved = without_paths(run.recipe)
    head, environment = run.folder.manifest(), _environment(run)
    results = moved_within(finite(results), moved)
    model = moved_within(model, moved)
    data = values["data"]
    try:
        card = make_card(
            run.recipe,
            results,
            model,
            made={"created": head.get("created"), **environment},
            fingerprint=head.get("data_fingerprint"),
            source=Path(str(data.get("source", data["type"]))).name,
            energy=energy,
            licence=licence,
            plugins=_plugins(run.recipe.plugins),
        )
        text = card_text(card)
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # what stands there was changed by hand
        message = f"results, model or manifest of the run are damaged: {type(error).__name__}: {error}"
        raise DiagnosticError(Diagnostic("U413", message, file=str(run.folder.path))) from error
    members = {
        CARD_TEXT: text.encode(errors="replace"),
        CARD: _json(card),
        RECIPE: dump_yaml(values).encode(),
        WEIGHTS: (run.weights / WEIGHTS).read_bytes(),
        **dict(_model_files(run, moved)),
    }
    return members, card


def _model_files(run: FinishedRun, moved: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """What lies in `model/`, in order; documents without paths of this machine."""
    for file in sorted((run.folder.path / "model").iterdir()):
        name, raw = f"model/{file.name}", file.read_bytes()
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\.(json|safetensors)", file.name):
            if file.name.startswith("."):
                continue  # left half written by a kill
            raise _unfit(f"`{name}` is neither JSON nor safetensors", "take it out of the run")
        if file.suffix == ".json":
            raw = _json(moved_within(read_object(file, "U506", f"`{name}` of the run"), dict(moved)))
        yield name, raw


def _environment(run: FinishedRun) -> dict[str, Any]:
    file = run.folder.path / "environment.json"
    found = read_object(file, "U413", "`environment.json` of the run") if file.exists() else {}
    return {name: found[name] for name in ("snnctl", "torch", "python") if isinstance(found.get(name), str)}


def _energy_of(run: FinishedRun, warn: Warn) -> Mapping[str, Any] | None:
    """The estimate that lies in the run, if it is of the weights as they are."""
    file = run.folder.path / "energy" / "energy.json"
    try:
        if not file.exists():
            return None
        found = read_object(file, "U413", "the estimate of energy")
        reason = ""
        if found["checkpoint"] != run.weights.name:
            reason = f"it is of the {found['checkpoint']} weights"
        elif found["provenance"]["created"] < run.folder.manifest()["updated"]:
            reason = "the run was trained on after it"
    except DiagnosticError as error:
        reason = error.diagnostics[0].message
    except (LookupError, TypeError) as error:
        reason = f"it cannot be read ({type(error).__name__})"
    if reason:
        warn([Diagnostic("U547", severity="warning", file=str(file), facts={"reason": reason})])
        return None
    return found


def _plugins(plugins: Sequence[Plugin]) -> list[dict[str, str]]:
    return [{"name": Path(one.path).name, "sha256": one.sha256} for one in plugins]


def _write(path: Path, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, raw in members.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = 3  # Unix, wherever it is written
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, raw)


def _read_back(path: Path, run: FinishedRun) -> int:
    """How many tensors the model in the archive has, all of them those of the run."""
    model = load(path, device="cpu", plugins=[plugin.path for plugin in run.recipe.plugins])
    ours, theirs = load_file(run.weights / WEIGHTS), model.network.state_dict()
    equal = ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    if not equal:
        raise _unfit("what was read back has other weights", "")
    return len(ours)


def _unfit(reason: str, help: str) -> DiagnosticError:
    return DiagnosticError(Diagnostic("U545", facts={"reason": reason}, help=help))


def _json(document: Any) -> bytes:
    return (json.dumps(finite(document), indent=1) + "\n").encode()
