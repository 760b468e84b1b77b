"""Whether a run, its files and what is at hand now belong together: each question gives a diagnostic, or none.

`settle` is what becomes of the answers: they stop the command, or, with `--accept-changes`, are told and written down.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.identity import Identity, accepts_changes, recipe_digest
from snnctl.engine.run_dir import RunDir

Warn = Callable[[Sequence[Diagnostic]], None]

_ACCEPT = "--accept-changes goes on all the same and notes it"


@dataclass(frozen=True)
class Record:
    """What a run's manifest says of what made it.

    Args:
        identity: the last one that it had; None for runs that were made before there was one.
        earlier: those that it had before, the first one first: longer training or accepted changes made it another.
            None stands for one that was not noted.
        data: fingerprint of the data; None where there is no word of it.
        plugins: SHA-256 hex of each plug-in file; None where there is no word of them.
    """

    identity: Identity | None
    earlier: tuple[Identity | None, ...]
    data: str | None
    plugins: tuple[str, ...] | None

    @property
    def start(self) -> str | None:
        """SHA-256 hex of the weights that training started from."""
        return None if self.identity is None else self.identity.start

    @property
    def known(self) -> Collection[str | None]:
        """Digests that files of this run may bear; None if they may bear none."""
        return [None if one is None else one.digest for one in (self.identity, *self.earlier)]


def recorded(run: RunDir) -> Record:
    """What the manifest says.

    Raises:
        DiagnosticError: U413, it is damaged.
    """
    manifest = run.manifest()
    try:
        found = manifest.get("identity")
        identity = None if found is None else Identity.of_json(found)
        listed = manifest.get("earlier", ())
        earlier = tuple(None if one["recipe"] is None else Identity.of_json(one) for one in listed)
        named = manifest.get("plugins")
        plugins = None if named is None else tuple(str(one["sha256"]) for one in named)
    except (KeyError, TypeError, AttributeError) as error:
        file = str(run.path / "manifest.json")
        raise DiagnosticError(Diagnostic("U413", "manifest of the run is damaged", file=file)) from error
    data = manifest.get("data_fingerprint")
    return Record(identity, earlier, None if data is None else str(data), plugins)


def adopt(run: RunDir, now: Identity, plugins: Sequence[tuple[str, str]]) -> None:
    """The run goes on as something else, if it is; what its files bear until they are written anew is kept."""
    record = recorded(run)
    if record.identity == now:
        return
    listed = list(run.manifest().get("earlier", ()))
    listed.append({"recipe": None} if record.identity is None else record.identity.to_json())
    facts = [{"path": path, "sha256": sha256} for path, sha256 in plugins]
    run.update_manifest(identity=now.to_json(), earlier=listed, data_fingerprint=now.data, plugins=facts)


def changed_data(record: Record, now: str) -> list[Diagnostic]:
    """D401 if the data is not the data that the run was made with."""
    if record.data in (None, now):
        return []
    notes = (f"then {str(record.data)[:12]}, now {now[:12]}",)
    help = f"restore it, or start a new run; {_ACCEPT}"
    return [Diagnostic("D401", path="data", help=help, notes=notes)]


def changed_plugins(record: Record, now: Sequence[tuple[str, str]] | None) -> list[Diagnostic]:
    """U423 if plug-in files, (path, SHA-256 hex) each, are not those that the run was made with; None: not known."""
    if record.plugins is None or now is None or record.plugins == tuple(sha256 for _, sha256 in now):
        return []
    there = [path for path, sha256 in now if sha256 not in record.plugins]
    then = ", ".join(sha256[:12] for sha256 in record.plugins) or "none"
    notes = (f"then {then}, now {', '.join(sha256[:12] for _, sha256 in now) or 'none'}",)
    help = f"restore what it was, or start a new run; {_ACCEPT}"
    file = there[0] if there else ""
    return [Diagnostic("U423", path="plugins", file=file, help=help, notes=notes)]


def changed_recipe(record: Record, run: RunDir, values: Mapping[str, Any]) -> list[Diagnostic]:
    """U424 if `values` of the run's recipe.yaml are not what it was made by."""
    # Longer training writes the manifest before the recipe: a kill in between leaves the recipe of before.
    recipes = [one.recipe for one in (record.identity, *record.earlier) if one is not None]
    if record.identity is None or recipe_digest(values) in recipes:
        return []
    help = f"restore it; another experiment is a run of its own; {_ACCEPT}"
    return [Diagnostic("U424", file=str(run.recipe), help=help)]


def changed_start(record: Record, now: str | None) -> list[Diagnostic]:
    """U418 if the weights to start from are not those that the run was started from; None: not known."""
    if now is None or record.identity is None or record.start == now:
        return []
    notes = (f"then {str(record.start)[:12]}, now {now[:12]}",)
    message = "the weights to start from are not those that this run was started from"
    help = f"restore them, or name another --out; {_ACCEPT}"
    return [Diagnostic("U418", message, path="train.init_from", help=help, notes=notes)]


def foreign(record: Record, file: Path, digest: str | None) -> list[Diagnostic]:
    """E413 if a file of the run bears the digest of another one."""
    if digest in record.known:
        return []
    bears = "it bears no digest" if digest is None else f"it bears {str(digest)[:12]}"
    own = "none" if record.identity is None else record.identity.digest[:12]
    help = f"put back the run's own; {_ACCEPT}"
    facts = {"name": file.name}
    return [Diagnostic("E413", file=str(file), facts=facts, help=help, notes=(f"{bears}, the run {own}",))]


def foreign_results(record: Record, run: RunDir, results: Mapping[str, Any]) -> list[Diagnostic]:
    """E413 if results.json is of another run."""
    return foreign(record, run.path / "results.json", results.get("identity"))


def foreign_model(record: Record, run: RunDir, model: Mapping[str, Any]) -> list[Diagnostic]:
    """E413 if model/model.json was fitted to other data than the run's."""
    known = {record.data, *(one.data for one in record.earlier if one is not None)}
    fitted = model.get("fingerprint")
    if fitted is None or record.data is None or fitted in known:
        return []  # an earlier snnctl did not note it
    notes = (f"it is of data {str(fitted)[:12]}, the run of {record.data[:12]}",)
    help = f"put back the run's own; {_ACCEPT}"
    return [Diagnostic("E413", file=str(run.model_file), facts={"name": "model.json"}, help=help, notes=notes)]


def settle(run: RunDir, changed: Iterable[Diagnostic], warn: Warn) -> None:
    """Stop where something has changed; where that is accepted, tell it and note it in the run's manifest.

    Raises:
        DiagnosticError: whatever has changed.
    """
    found = list(changed)
    if not found:
        return
    if not accepts_changes():
        raise DiagnosticError(found)
    warn([replace(one, severity="warning", help="") for one in found])
    with suppress(OSError):  # a run may lie where nobody may write; it was told
        note_accepted(run, found)


def note_accepted(run: RunDir, found: Sequence[Diagnostic]) -> None:
    """Write down what was accepted, each thing once."""
    listed = list(run.manifest().get("accepted", ()))
    new = [{"code": one.code, "message": one.message, "notes": list(one.notes)} for one in found]
    missing = [one for one in new if one not in listed]
    if missing:
        run.update_manifest(accepted=[*listed, *missing])
