"""Writing a run in another format, reading the file back, and comparing what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from snnctl.build import build
from snnctl.core.choices import ExportFormat
from snnctl.core.files import writing
from snnctl.core.owned import scratch
from snnctl.engine.checkpoint import WEIGHTS, save_weights
from snnctl.engine.experiment import Experiment
from snnctl.export.chain import chain
from snnctl.export.nir.export import Portable, told, write_portable
from snnctl.export.nir.graph import read_graph
from snnctl.export.nir.readers import readings
from snnctl.export.nir_file import run_nir, write_nir
from snnctl.export.onnx_file import run_onnx, write_onnx
from snnctl.finished import FinishedRun
from snnctl.recipe import Recipe

SAMPLES = 64


@dataclass(frozen=True)
class Exported:
    """A file that was written and read back."""

    path: Path
    format: str
    samples: int  # of the validation split that were compared
    worst: float  # largest difference of a prediction
    different: int | None  # predictions whose largest class differs; None without classes
    facts: dict[str, Any]  # what else to tell

    def document(self) -> dict[str, Any]:
        return {
            "file": str(self.path),
            "format": self.format,
            "bytes": self.path.stat().st_size,
            "compared_samples": self.samples,
            "worst_difference": self.worst,
            "different_predictions": self.different,
            **self.facts,
        }


def export(
    run: FinishedRun,
    format: ExportFormat,
    path: Path,
    *,
    samples: int = SAMPLES,
    portable: Portable | None = Portable(),  # noqa: B008  # a frozen value
) -> Exported:
    """Write the best weights of `run` to `path`.

    Args:
        samples: of the validation split to compare, >= 1.
        portable: how NIR is written so that simulators read it alike; None writes time constants in steps and
            resistances as the neurons have them.

    Raises:
        DiagnosticError: U495 for what the format cannot express, U496 a package is missing, U453 the file cannot be
            written, E410 and E411 as `load_weights`; of NIR before anything is written: U491, U494, U499 as
            `snnctl.export.nir.verify.chosen`.
    """
    experiment = run.experiment
    run.load()
    network = experiment.network.eval()
    data = experiment.data.split("val")
    wanted = max(samples, 0 if portable is None else portable.evidence)
    batch = data.batch(torch.arange(min(wanted, len(data))))
    with torch.no_grad():
        ours = experiment.task.predict(network, batch)
    if format == "safetensors":
        theirs, facts = _safetensors(run.recipe, experiment, path, batch)
    elif format == "nir" and portable is not None:
        theirs, facts = write_portable(experiment, path, batch, ours, portable)
    else:
        theirs, facts = _graph(experiment, path, batch, "ONNX" if format == "onnx-step" else "NIR")
    different = None
    if getattr(experiment.task, "needs", "") in ("classes", "step_classes"):
        different = int((ours.argmax(-1) != theirs.argmax(-1)).sum())
    worst = float((ours.double() - theirs.double()).abs().max())
    facts["identity"] = experiment.identity.digest
    return Exported(path, format, len(ours), worst, different, facts)


def _graph(
    experiment: Experiment, path: Path, batch: Any, format: Literal["NIR", "ONNX"]
) -> tuple[Tensor, dict[str, Any]]:
    network = experiment.network
    made = chain(network, format, any_neuron=format == "ONNX")
    noted = {"name": experiment.name, "identity": experiment.identity.digest}
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        (write_nir if format == "NIR" else write_onnx)(made, path, noted)
    with torch.no_grad():
        currents = network.encoder(batch.inputs)
    if len(made.inputs) == 3:  # tokens row by row become images
        currents = currents.movedim(-1, 2)
    given = (run_nir if format == "NIR" else run_onnx)(path, currents)
    answer = given.mean(0) if made.averaged else given.transpose(0, 1)
    facts: dict[str, Any] = {"nodes": len(made.links) + 2, "steps": made.steps}
    if format == "NIR":
        facts |= {"form": "exact", **told(readings(read_graph(path)), [])}
    return answer, facts


def _safetensors(recipe: Recipe, experiment: Experiment, path: Path, batch: Any) -> tuple[Tensor, dict[str, Any]]:
    """The weights alone, under the names of snnctl; read into a network that is built anew."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch(parent=path.parent) as folder:
            save_weights(folder, experiment.network, {}, experiment.identity.digest)
            (folder / WEIGHTS).replace(path)
    from safetensors.torch import load_file

    fresh = build(recipe)
    fresh.network.load_state_dict(load_file(path))
    with torch.no_grad():
        answer = experiment.task.predict(fresh.network.eval(), batch)
    return answer, {"tensors": len(fresh.network.state_dict())}
