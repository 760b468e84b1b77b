"""What training gives back: run directories, their results, and the way to the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnctl.core.choices import Checkpoint, Device
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.recipe import Recipe

if TYPE_CHECKING:
    from snnctl.serving.model import Model


@dataclass(frozen=True)
class Trained:
    """What has come of training.

    Args:
        document: of one run its results, `{run, metrics, baselines, spikes, seconds, ...}`; of several seeds every
            figure as `{mean, sd, values}` and `run` a list. With `status: interrupted` only `run` and `epochs_done`:
            then everything is saved, and can be gone on with.
        recipe: as it was resolved, under the first seed.
    """

    document: dict[str, Any]
    recipe: Recipe

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped before its end."""
        return bool(self.document["status"] == "interrupted")

    @property
    def results(self) -> dict[str, Any]:
        """The document: `results["metrics"]["test/mse"]`, `results["baselines"]["last_value"]["mse"]`."""
        return self.document

    @property
    def runs(self) -> tuple[Path, ...]:
        """Run directories: of one run its own, of several seeds theirs in order."""
        named = self.document["run"]
        return tuple(map(Path, [named] if isinstance(named, str) else named))

    @property
    def run(self) -> Path:
        """The run directory.

        Raises:
            DiagnosticError: U531, there are several.
        """
        if len(self.runs) != 1:
            raise DiagnosticError(Diagnostic("U531", facts={"number": len(self.runs)}))
        return self.runs[0]

    def load(self, checkpoint: Checkpoint = "best", *, device: Device = "auto") -> Model:
        """The trained model: see `snnctl.load`.

        Raises:
            DiagnosticError: U531, there are several runs; as `snnctl.load`.
        """
        from snnctl.serving.model import load

        return load(self.run, checkpoint, device=device)
