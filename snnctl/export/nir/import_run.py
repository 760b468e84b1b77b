"""A file of NIR as a run: recipe, weights and manifest, on which everything works that works on a trained one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from snnctl.build import build
from snnctl.core.catalog import READOUTS
from snnctl.core.choices import Channels, SplitName
from snnctl.core.choices import NirReset as Reset
from snnctl.core.choices import NirWriter as Writer
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.engine.checkpoint import save_weights
from snnctl.engine.environment import environment
from snnctl.engine.experiment import Experiment
from snnctl.engine.run_dir import RunDir
from snnctl.engine.runtime import Runtime
from snnctl.engine.train import measure_run, remember
from snnctl.export.nir.graph import Graph, kind, plain, read_graph
from snnctl.export.nir.imported import Imported, imported
from snnctl.export.nir.order import order, shapes
from snnctl.export.nir.writers import as_meant
from snnctl.recipe import Recipe, read_recipe
from snnctl.recipe.resolve import dump_yaml


@dataclass(frozen=True)
class ImportedRun:
    """What an import made.

    Args:
        run: its folder.
        recipe: of it.
        network: what the file became.
        graph: of the file, as its writer means it.
        dt_said: whether the file or the user says how long a step is.
        notes: what was assumed, a sentence each.
        results: what was measured, as `snnctl eval` prints it.
    """

    run: RunDir
    recipe: Recipe
    network: Imported
    graph: Graph
    dt_said: bool
    notes: tuple[str, ...]
    results: dict[str, Any]

    def document(self) -> dict[str, Any]:
        nodes = [
            {"name": name, "kind": kind(self.graph.nodes[name]), "as": self.network.names.get(name, "readout")}
            for name in order(self.graph).names
            if name in self.graph.nodes and kind(self.graph.nodes[name]) not in ("Input", "Output")
        ]
        return {
            "run": str(self.run.path),
            "name": self.recipe.name,
            "dt": self.graph.dt,
            "dt_said": self.dt_said,
            "nodes": nodes,
            "readout": self.recipe.values["readout"]["type"],
            "notes": list(self.notes),
            "split": self.results["split"],
            "metrics": self.results["metrics"],
        }


def read_as_meant(
    path: Path, writer: Writer | None, dt: float | None, reset: Reset | None
) -> tuple[Graph, bool, list[str]]:
    """A graph by NIR's equations, whether its step was said, and what was assumed.

    Args:
        writer: whose conventions hold; None: NIR's equations, and the words that snnctl puts into metadata.
        dt: seconds of a step; None: what the file says, or its writer's own.
        reset: of its neurons, of a writer whose files do not tell.

    Raises:
        DiagnosticError: U496, U497 as `read_graph`; U582, the writer writes for another step; U583, a reset is named
            and no writer.
    """
    graph = read_graph(path)
    for node in graph.nodes.values():
        if getattr(node, "metadata", None):
            node.metadata = {str(key): plain(value) for key, value in node.metadata.items()}
    without_batch(graph)
    if writer is not None:
        notes = as_meant(graph, writer, dt, reset)
        return graph, dt is not None, notes
    if reset is not None:
        raise DiagnosticError(Diagnostic("U583"))
    said = "dt" in graph.told or dt is not None
    if dt is not None:
        graph.told["dt"] = dt
    lasts = any(kind(node) not in ("Input", "Output") and _has_time(node) for node in graph.nodes.values())
    notes = [f"the file does not say how long a step is: {graph.dt:g} s is taken (--dt says otherwise)"]
    return graph, said, [] if said or not lasts else notes


def without_batch(graph: Graph) -> None:
    """Take the batch out of the input's shape, where its writer counted it and nothing else fits."""
    for name in graph.of("Input"):
        shape = np.atleast_1d(graph.nodes[name].input_type["input"])
        if len(shape) < 2:
            continue
        try:
            shapes(graph)
        except DiagnosticError:
            other = graph.copy()
            other.nodes[name].input_type = {"input": shape[1:]}
            try:
                shapes(other)
            except DiagnosticError:
                continue  # whoever asks for the shapes is told what does not fit
            graph.nodes[name].input_type = {"input": shape[1:]}


def _has_time(node: Any) -> bool:
    return any(hasattr(node, name) for name in ("tau", "tau_mem", "delay")) or kind(node) in ("IF", "I")


def imported_recipe(
    base: Recipe, network: Imported, name: str, channels: Channels, *, allow_plugins: bool = True
) -> Recipe:
    """The recipe of an imported network: data, task and encoder of `base`, and a model that the file describes.

    Raises:
        DiagnosticError: U584, the task wants frames; R1xx to R3xx, its sections do not go together.
    """
    answers = getattr(READOUTS.get(base.values["readout"]["type"]), "answers", "item")
    if answers == "frames":
        raise DiagnosticError(
            Diagnostic("U584", facts={"text": "the recipe's task wants frames, and a graph gives none"})
        )
    kinds = {"item": ("mean_linear", "mean"), "step": ("step_linear", "each_step")}[answers]
    readout = {"type": kinds[0] if network.reads else kinds[1]}
    encoder = dict(base.values["encoder"])
    if encoder.get("neuron") is not None:
        encoder["neuron"] = None
    train = {**base.values["train"], "groups": [], "init_from": None}
    model = {**network.model, "channels": channels}
    values = {**base.values, "name": name, "encoder": encoder, "model": model, "readout": readout, "train": train}
    return read_recipe(dump_yaml(values), "the imported recipe", allow_plugins=allow_plugins)


def filled(recipe: Recipe, network: Imported) -> Experiment:
    """The experiment with the file's weights.

    Raises:
        DiagnosticError: U584, the encoder has weights, which the file does not bring; as `snnctl.build.build`.
    """
    made = build(recipe)
    learned = [name for name, _ in made.network.encoder.named_parameters()]
    if learned:
        kind_ = recipe.values["encoder"]["type"]
        text = f"the encoder `{kind_}` has weights ({learned[0]}), and the file brings none for it"
        raise DiagnosticError(Diagnostic("U584", facts={"text": text}))
    own = made.network.state_dict()
    with torch.no_grad():
        made.network.load_state_dict({**own, **network.tensors})
    return made


def import_file(
    path: Path,
    base: Recipe,
    *,
    writer: Writer | None = None,
    dt: float | None = None,
    reset: Reset | None = None,
    channels: Channels | None = None,
    parent: Path = Path("runs"),
    out: Path | None = None,
    split: SplitName = "test",
    allow_plugins: bool = True,
) -> ImportedRun:
    """Make a run of a file, and measure it.

    Args:
        path: the file.
        base: what the network is used on: its data, task and encoder.
        writer, dt, reset: as `read_as_meant`.
        channels: of a flat input that stands for several channels; None: as the file says, else channel by channel.
        parent, out: where the run goes, as for training.
        split: what is measured on.

    Raises:
        DiagnosticError: before anything is written: as `read_as_meant`, `imported`, `imported_recipe` and `filled`;
            U412 as `RunDir.create`.
    """
    graph, said, notes = read_as_meant(path, writer, dt, reset)
    network = imported(graph)
    runs_by: Channels = channels or ("last" if graph.told.get("channels") == "last" else "first")
    recipe = imported_recipe(base, network, _name(path), runs_by, allow_plugins=allow_plugins)
    experiment = filled(recipe, network)

    def fill(run: RunDir) -> None:
        run.write_head(recipe.to_yaml(), recipe.to_yaml(), environment())
        for folder in (run.last, run.best):
            save_weights(folder, experiment.network, {"epoch": 0, "step": 0})
        run.update_manifest(
            name=experiment.name,
            status="running",
            seed=experiment.train.seed,
            data_fingerprint=experiment.data.fingerprint,
            leaks=list(experiment.data.leaks),
            digest=recipe.digest(),
            plugins=[{"path": plugin.path, "sha256": plugin.sha256} for plugin in recipe.plugins],
            imported={"from": str(path), "written_by": writer, "dt": graph.dt, "reset": reset, "notes": notes},
        )
        remember(experiment, run)

    run = RunDir.create(parent, experiment.name, recipe.digest(), fill, out)
    results = measure_run(experiment, run, Runtime.of(recipe.train), split=split, baselines=False)
    run.write_results({**results, "status": "done", "imported_from": str(path)})
    run.update_manifest(status="done", metrics=results["metrics"])
    return ImportedRun(run, recipe, network, graph, said, tuple(notes), results)


def _name(path: Path) -> str:
    """A name for the run, of the file's."""
    plain_name = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in path.stem)
    return plain_name.strip("-_.") or "imported"
