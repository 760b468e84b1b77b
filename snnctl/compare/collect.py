"""Finished runs on disk: where they lie, what their recipes say, what they scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from snnctl.compare.recipes import aligned, flatten, unexplained
from snnctl.core.better import ENERGY
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.identity import accepts_changes
from snnctl.engine.belonging import foreign_results, recorded
from snnctl.engine.run_dir import RunDir
from snnctl.engine.run_files import is_finite, read_object
from snnctl.recipe.resolve import load_recipe
from snnctl.recipe.source import parse_yaml, read_file

_DEPTH = 4  # folders below an argument in which runs are looked for


@dataclass(frozen=True)
class Run:
    """One finished run."""

    folder: RunDir  # where it lies
    flat: dict[str, Any]  # its recipe, see `flatten`
    results: dict[str, Any]  # of results.json
    manifest: dict[str, Any] = field(repr=False)  # of manifest.json

    @property
    def path(self) -> str:
        return str(self.folder.path)

    @property
    def seed(self) -> int:
        return int(self.flat["train.seed"])

    @property
    def age(self) -> tuple[str, float]:
        """Later runs compare greater."""
        return str(self.manifest.get("created", "")), (self.folder.path / "results.json").stat().st_mtime

    def value(self, metric: str) -> float | None:
        """What a metric has come to; None if it is not there.

        `test/accuracy` of the results, `val/accuracy` of the epoch whose weights were kept, or joules per sample under
        a table of costs, `energy/horowitz45_fp32`, if `snnctl energy` has estimated it.
        """
        split, _, name = metric.partition("/")
        if split == ENERGY:
            priced = self.costs.get(name)
            return None if priced is None else float(priced["snn_joules"])
        known = self.results["metrics"] if split == self.results["split"] else self._best_epoch
        value = known.get(metric)
        return float(value) if isinstance(value, int | float) else None

    def baseline(self, name: str, metric: str) -> float | None:
        """What a baseline has come to in a metric; None where it was not measured."""
        split, _, short = metric.partition("/")
        if split != self.results["split"]:
            return None
        return self.results["baselines"].get(name, {}).get(short)

    @property
    def headline(self) -> str:
        """The task's first metric."""
        named = self.flat.get("task.metrics") or [name.partition("/")[2] for name in self.results["metrics"]]
        return str(named[0])

    @property
    def metrics(self) -> list[str]:
        """The names that have a value, the headline first."""
        found = dict.fromkeys([f"{self.results['split']}/{self.headline}", *self.results["metrics"]])
        found |= dict.fromkeys(name for name in self._best_epoch if name.startswith("val/"))
        found |= dict.fromkeys(f"{ENERGY}/{name}" for name in self.costs)
        return [name for name in found if self.value(name) is not None]

    @property
    def costs(self) -> dict[str, Any]:
        """The energy by table of costs; empty where none was estimated."""
        return self._energy.get("costs", {})

    def priced(self, table: str) -> tuple[str, ...]:
        """Everything that was decided on the way to an energy, a sentence each."""
        said = f"{self._energy['split']} split, weights `{self._energy['checkpoint']}`"
        return (said, *self.costs[table]["policies"])

    @cached_property
    def _energy(self) -> dict[str, Any]:
        with suppress(DiagnosticError):
            found = read_object(self.folder.path / "energy" / "energy.json", "U413", "the estimate of energy")
            costs = found.get("costs")
            if (
                isinstance(costs, dict)
                and all(_is_cost(one) for one in costs.values())
                and {"split", "checkpoint"} <= set(found)
            ):
                return found
        return {}

    def curve(self, metric: str) -> dict[int, float]:
        """`test/accuracy` on validation, epoch by epoch from 0; epochs without a value are left out."""
        key = f"val/{metric.partition('/')[2]}"
        return {
            int(record["epoch"]): float(value)
            for record in self._records
            if isinstance(value := record.get(key), int | float) and "epoch" in record
        }

    @cached_property
    def _records(self) -> list[dict[str, Any]]:
        return self.folder.metrics()

    @cached_property
    def _best_epoch(self) -> dict[str, Any]:
        return self.folder.kept_epoch()


def run_folders(paths: Sequence[Path]) -> list[RunDir]:
    """Run directories: those named, and those that lie in named folders; each once.

    Raises:
        DiagnosticError: U480, there are none in one of `paths`.
    """
    found: dict[Path, RunDir] = {}
    for path in paths:
        inside = list(_inside(path, _DEPTH))
        if not inside:
            what = "holds no run" if path.is_dir() else "is not a folder"
            help = "name run directories, or a folder that holds some, as `snnctl train --seeds ... --out FOLDER` makes"
            raise DiagnosticError(Diagnostic("U480", facts={"path": path, "what": what}, help=help))
        for folder in inside:
            found.setdefault(folder.path.resolve(), folder)
    return list(found.values())


def _inside(path: Path, depth: int) -> Iterator[RunDir]:
    if (path / "manifest.json").is_file() and (path / "recipe.yaml").is_file():
        yield RunDir(path)
    elif depth and path.is_dir():
        for child in sorted(path.iterdir(), key=lambda one: (len(one.name), one.name)):  # seed-2 before seed-10
            if child.is_dir() and not child.name.startswith("."):
                yield from _inside(child, depth - 1)


def finished(folders: Sequence[RunDir]) -> tuple[list[Run], list[Diagnostic]]:
    """The runs that are done, and a warning U482 for each that is not, U508 where lines of its epochs are damaged.

    Recipes of runs that an earlier snnctl made may lack keys that the others have; then all are read again with
    today's defaults filled in.

    Raises:
        DiagnosticError: U481, none is done; U413, a manifest is damaged; R1xx, a recipe is.
    """
    left_out, read = [], []
    for folder in folders:
        manifest, results = folder.manifest(), None
        notes: tuple[str, ...] = ()
        try:
            results = folder.whole_results()
        except DiagnosticError as error:
            notes = tuple(f"{one.place()}: {one.message}" for one in error.diagnostics)
        if results is None:
            status = manifest.get("status", "unknown")
            why = "its results.json is missing or damaged" if status == "done" else f"not finished ({status})"
            message = f"`{folder.path}` is left out: {why}"
            help = f"snnctl train --resume {folder.path}" if status in ("interrupted", "failed") else ""
            left_out.append(Diagnostic("U482", message, severity="warning", help=help, notes=notes))
            continue
        strange = foreign_results(recorded(folder), folder, results)
        if strange and not accepts_changes():
            message = f"`{folder.path}` is left out: its results.json belongs to another run"
            left_out.append(Diagnostic("U482", message, severity="warning", notes=strange[0].notes))
            continue
        left_out += folder.lost()
        flat = flatten(parse_yaml(read_file(folder.recipe), str(folder.recipe)).values)
        read.append((folder, flat, results, manifest))
    if not read:
        raise DiagnosticError([*left_out, Diagnostic("U481")])
    flats = aligned([flat for _, flat, _, _ in read])
    if unexplained(flats):
        flats = aligned([_today(folder, flat) for folder, flat, _, _ in read])
    runs = []
    for flat, (folder, _, results, manifest) in zip(flats, read, strict=True):
        # A fingerprint of each plug-in file is a key of its own: code that changed is another experiment.
        plugins = {f"plug-in {Path(one['path']).name}": one["sha256"][:8] for one in manifest.get("plugins", ())}
        runs.append(Run(folder, flat | plugins, results, manifest))
    return runs, left_out


def _is_cost(value: Any) -> bool:
    return isinstance(value, dict) and is_finite(value.get("snn_joules")) and isinstance(value.get("policies"), list)


def _today(folder: RunDir, flat: dict[str, Any]) -> dict[str, Any]:
    with suppress(DiagnosticError):  # what today's snnctl no longer reads stays as it was written
        return flatten(load_recipe(folder.recipe, allow_plugins=False).values)
    return flat
