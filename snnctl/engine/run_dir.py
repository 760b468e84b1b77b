"""The run directory: where everything about one run lies, under which names; checkpoints name their own files."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.files import finite, system_fault, whole_folder, write_json, write_text
from snnctl.core.owned import locked
from snnctl.engine.run_files import read_lines, read_object, refuse_manifest, refuse_results

SCHEMA = 1
_BLOCK = 4096  # bytes that a file has on disk at least
_LOOK_EVERY = 0.1  # seconds


class RunDir:
    """One run's folder.

    Files: recipe.yaml (resolved, runnable), recipe.source.yaml, manifest.json, environment.json, metrics.jsonl,
    spikes.jsonl, results.json, checkpoints/{last,best}, model/{model.json,bands.safetensors}, log.txt.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    last = property(lambda self: self.path / "checkpoints" / "last")
    best = property(lambda self: self.path / "checkpoints" / "best")
    recipe = property(lambda self: self.path / "recipe.yaml")
    model_file = property(lambda self: self.path / "model" / "model.json")
    bands_file = property(lambda self: self.path / "model" / "bands.safetensors")
    log = property(lambda self: self.path / "log.txt")

    @property
    def begun(self) -> bool:
        """Whether a run lies here, done or not."""
        return (self.path / "manifest.json").is_file()

    @classmethod
    def create(
        cls, parent: Path, name: str, digest: str, fill: Callable[[RunDir], None], out: Path | None = None
    ) -> RunDir:
        """Make `<parent>/<name>/<UTC>-<6 hex of the digest>` (or exactly `out`).

        `fill` writes the first checkpoint into it while it still has a temporary name, so that a kill at any
        moment leaves either no run directory or one that can be resumed.

        Raises:
            DiagnosticError: U412, the folder exists and is not empty, or cannot be made; E412, there is no room, or
                nothing may be written.
        """
        final = out or cls.unused(parent, name, digest)
        try:
            if final.exists() and (not final.is_dir() or any(final.iterdir())):
                what = "exists and is not empty" if final.is_dir() else "exists and is not a folder"
                help = "name another --out, or go on with --resume"
                raise DiagnosticError(Diagnostic("U412", f"`{final}` {what}", help=help))
            with whole_folder(final) as temporary:
                fill(cls(temporary))
        except OSError as error:
            fault = system_fault(error, final)
            if fault is not None:
                raise DiagnosticError(fault) from error
            reason = error.strerror or str(error)
            raise DiagnosticError(Diagnostic("U412", f"run directory `{final}` cannot be made: {reason}")) from error
        return cls(final)

    @staticmethod
    def unused(parent: Path, name: str, digest: str) -> Path:
        """`<parent>/<name>/<UTC>-<6 hex of the digest>`, with a number behind it if there is such a folder."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        path, number = parent / name / f"{stamp}-{digest[:6]}", 2
        while path.exists():
            path = parent / name / f"{stamp}-{digest[:6]}-{number}"
            number += 1
        return path

    @classmethod
    def open(cls, path: Path) -> RunDir:
        """An existing run.

        Raises:
            DiagnosticError: U413, it is not a run directory.
        """
        if not (path / "recipe.yaml").is_file() or not cls(path).begun:
            help = "name a folder that `snnctl train` made, runs/<name>/<time>-<hash>"
            if path.is_file():
                help += "; a bundle predicts (`snnctl predict`), and all else needs its run"
            raise DiagnosticError(Diagnostic("U413", f"`{path}` is not a run directory", help=help))
        return cls(path)

    @contextmanager
    def claimed(self, wait: float = 0.0) -> Iterator[None]:
        """Keep other processes from training in this folder at the same time, until this one leaves or ends.

        Where the system knows no such lock, or the file system none for folders, nothing is kept from anyone.

        Args:
            wait: seconds that another process may take to save and end.

        Raises:
            DiagnosticError: U422, another process trains in it.
        """
        until = time.monotonic() + wait
        while (held := locked(self.path)) is False and time.monotonic() < until:
            time.sleep(_LOOK_EVERY)
        if held is False:
            help = "wait for it, or stop it; it saves on SIGTERM"
            raise DiagnosticError(Diagnostic("U422", facts={"path": self.path}, help=help))
        try:
            yield
        finally:
            if held is not None:
                os.close(held)

    def write_head(self, recipe: str, source: str, environment: dict[str, Any]) -> None:
        """Write the recipe in both forms and the environment."""
        write_text(self.recipe, recipe)
        write_text(self.path / "recipe.source.yaml", source)
        write_json(self.path / "environment.json", environment)

    def extend(self, recipe: str, digest: str) -> None:
        """The run goes on under another recipe (more epochs); a later resume must find that one."""
        self.update_manifest(digest=digest)
        write_text(self.recipe, recipe)

    def manifest(self) -> dict[str, Any]:
        """What is known about the run: status, command line, seed, data fingerprint, timings.

        Raises:
            DiagnosticError: U413, the file is damaged.
        """
        path = self.path / "manifest.json"
        found = read_object(path, "U413", "manifest of the run")
        refuse_manifest(found, path)
        return found

    def update_manifest(self, **changes: Any) -> None:
        """Change some entries of the manifest."""
        path = self.path / "manifest.json"
        now = datetime.now(UTC).isoformat(timespec="seconds")
        old = self.manifest() if path.exists() else {"schema": SCHEMA, "argv": sys.argv[1:], "created": now}
        write_json(path, {**old, "updated": now, **changes})

    def note_failure(self, failure: list[dict[str, Any]]) -> None:
        """In the manifest; where the disk has no room for another one, over the one that is there."""
        try:
            self.update_manifest(status="failed", failure=failure)
        except OSError:
            path = self.path / "manifest.json"
            old = path.read_bytes()
            new = json.dumps({**json.loads(old), "status": "failed", "failure": failure}).encode()
            if len(new) > max(len(old), _BLOCK):
                raise
            with path.open("rb+", buffering=0) as file:
                file.write(new.ljust(len(old)))  # in one call, in a block that it has: no kill comes in between

    def add_metrics(self, record: dict[str, Any]) -> None:
        """One line per epoch."""
        append_json(self.path / "metrics.jsonl", record)

    def add_spikes(self, record: dict[str, Any]) -> None:
        """One line per epoch and layer."""
        append_json(self.path / "spikes.jsonl", record)

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; what of them is damaged is left out, see `lost`."""
        return read_lines(self.path / "metrics.jsonl").found

    def lost(self) -> list[Diagnostic]:
        """A warning U508 for each file of lines of which some are damaged."""
        said = []
        for name in ("metrics.jsonl", "spikes.jsonl"):
            path = self.path / name
            lines = read_lines(path).lost
            if lines:
                shown = ", ".join(map(str, lines[:5])) + (", ..." if len(lines) > 5 else "")
                facts = {"count": len(lines), "lines": shown}
                said.append(Diagnostic("U508", severity="warning", file=str(path), line=lines[0], facts=facts))
        return said

    def kept_epoch(self) -> dict[str, Any]:
        """The line of metrics.jsonl whose weights were kept: the best on validation; the last where none says so."""
        records = self.metrics()
        return ([record for record in records if record.get("best")] or records or [{}])[-1]

    def forget_after(self, epoch: int) -> None:
        """Drop records of `epoch` and later: a resumed run writes them again."""
        for name in ("metrics.jsonl", "spikes.jsonl"):
            path = self.path / name
            if path.exists():
                kept = [record for record in read_lines(path).found if record["epoch"] < epoch]
                write_text(path, "".join(json.dumps(record) + "\n" for record in kept))

    def clear_leftovers(self) -> None:
        """Remove files that a kill left half written."""
        for path in list(self.path.rglob(".*.tmp")):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def begin(self) -> None:
        """Training goes on from here: results of an earlier, shorter run are no longer this run's."""
        (self.path / "results.json").unlink(missing_ok=True)
        self.update_manifest(status="running")

    def write_results(self, results: dict[str, Any]) -> None:
        """The final figures, as `--json` prints them."""
        write_json(self.path / "results.json", results)

    def results(self) -> dict[str, Any] | None:
        """What `write_results` wrote, or None while there is no run, or none that is done.

        Damaged ones are none: measuring again writes them anew.
        """
        try:
            return self.whole_results() if self.begun else None
        except DiagnosticError:
            self.manifest()  # one that is damaged is not written anew
            return None

    def whole_results(self) -> dict[str, Any] | None:
        """The same where damage matters.

        Raises:
            DiagnosticError: U413, the file is damaged, or the manifest is.
        """
        path = self.path / "results.json"
        if self.manifest().get("status") != "done" or not path.exists():
            return None
        found = read_object(path, "U413", "`results.json` of the run")
        refuse_results(found, path)
        return found

    def write_model(self, document: dict[str, Any]) -> None:
        """What the weights need beside the recipe to be used on new data, see `snnctl.data.base.Dataset.remembered`."""
        self.model_file.parent.mkdir(exist_ok=True)
        write_json(self.model_file, document)

    def model(self) -> dict[str, Any] | None:
        """What `write_model` wrote, or None where nothing was.

        Raises:
            DiagnosticError: U506, the file is damaged.
        """
        if not self.model_file.exists():
            return None
        return read_object(self.model_file, "U506", "the model of the run")

    def interrupted(self, epochs_done: int) -> dict[str, Any]:
        """What stands for results when the run was stopped."""
        return {"run": str(self.path), "status": "interrupted", "epochs_done": epochs_done}

    def add_log(self, line: str) -> None:
        """One line of log.txt, with the time."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{now} {line}\n")


def append_json(path: Path, document: Any) -> None:
    """Add one line of JSON."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(finite(document)) + "\n")
