"""Observers that write files: metrics and spikes as JSON lines, a log, TensorBoard curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.run_events import CheckpointSaved, EpochDone, Event, HealthNoted, RunFinished, RunStarted
from snnctl.engine.run_dir import RunDir


def summary_writer() -> type[Any]:
    """TensorBoard's writer.

    Raises:
        DiagnosticError: U414, TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise DiagnosticError(Diagnostic("U414", help="pip install 'snnctl[tensorboard]'")) from None
    return SummaryWriter


class LogFile:
    """Writes one line per event into the run's log.txt."""

    def __init__(self, run: RunDir) -> None:
        self._run = run

    def notify(self, event: Event) -> None:
        """Log `event`, if it is worth a line."""
        match event:
            case RunStarted():
                self._run.add_log(f"started at epoch {event.start_epoch + 1} of {event.epochs}")
            case EpochDone():
                figures = " ".join(f"{name}={value:.6g}" for name, value in event.validation.items())
                self._run.add_log(f"epoch {event.epoch + 1}: train_loss={event.train_loss:.6g} {figures}")
            case HealthNoted():
                self._run.add_log(event.diagnostic.to_line())
            case CheckpointSaved():
                self._run.add_log(f"checkpoint at step {event.step}")
            case RunFinished():
                self._run.add_log(f"finished: {event.status}")


class TensorBoard:
    """Writes curves for TensorBoard; needs the extra `snnctl[tensorboard]`."""

    def __init__(self, folder: Path) -> None:
        self._writer: Any = summary_writer()(str(folder))

    def notify(self, event: Event) -> None:
        """Add the epoch's figures."""
        if isinstance(event, EpochDone):
            figures = {"train/loss": event.train_loss, "lr": event.lr, "rate/mean": event.mean_rate}
            figures |= dict(event.validation) | {f"rate/{name}": rate for name, rate in event.rates.items()}
            for name, value in figures.items():
                self._writer.add_scalar(name, value, event.epoch + 1)
            self._writer.flush()
        elif isinstance(event, RunFinished):
            self.close()

    def close(self) -> None:
        """Finish the file; needed where a run ends without `RunFinished`."""
        self._writer.close()
