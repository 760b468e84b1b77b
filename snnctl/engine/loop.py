"""The training loop. Reads top to bottom; everything a resumed run needs is in `LoopState`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.run_events import CheckpointSaved, EpochDone, HealthNoted, Observer, RunFinished, RunStarted, StepDone
from snnctl.core.seeds import stream_seed
from snnctl.data.base import ChangingSplit
from snnctl.engine.average import MovingAverage
from snnctl.engine.checkpoint import TRAINER, load_trainer, save_trainer, save_weights
from snnctl.engine.environment import keep_freed_memory
from snnctl.engine.evaluate import Evaluation, evaluate
from snnctl.engine.experiment import Experiment
from snnctl.engine.feed import a_core_is_free, ahead, batches, epoch_order, steps_per_epoch, training_batch
from snnctl.engine.interrupt import StopRequest
from snnctl.engine.numerics import first_non_finite, non_finite_gradient, non_finite_loss, non_finite_weights
from snnctl.engine.run_dir import RunDir
from snnctl.engine.runtime import Runtime
from snnctl.engine.update import Update
from snnctl.measure.gradients import GradientMeter, LayerGradients
from snnctl.measure.inputs import InputMeter, Inputs
from snnctl.measure.spikes import SpikeMeter
from snnctl.neurons.base import penalised, penalty

_STEP_EVENTS_PER_SECOND = 10


@dataclass
class LoopState:
    """Where training stands. `epoch` and `step_in_epoch` name the next step to do."""

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int = -1
    since_best: int = 0
    loss_sum: float = 0.0
    loss_weight: float = 0.0
    seconds: float = 0.0
    finished: bool = False


class Trainer:
    """Trains one experiment in one run directory.

    Args:
        experiment: what to train; its network is moved to the runtime's device.
        run: where checkpoints and metrics go.
        observer: told of every event.
        runtime: device, precision, processes.
    """

    def __init__(self, experiment: Experiment, run: RunDir, observer: Observer, runtime: Runtime) -> None:
        self.experiment, self.run, self.observer, self.runtime = experiment, run, observer, runtime
        keep_freed_memory()
        self.settings = experiment.train
        self.split = experiment.data.split("train")
        self.per_epoch = steps_per_epoch(len(self.split), self.settings.batch_size)
        optimizer = experiment.make_optimizer(experiment.network)
        self.network, self.optimizer = runtime.prepare(experiment.network, optimizer)
        self._bare = runtime.unwrap(self.network)
        self._update = Update(self.network, self.optimizer, runtime, self.settings.clip_norm)
        self.schedule = experiment.make_schedule(self.optimizer, self.settings.epochs, self.per_epoch)
        self.average = MovingAverage(self._bare, self.settings.average) if self.settings.average else None
        self._penalised = penalised(self.network)
        self._changing = [m for m in self.network.modules() if hasattr(m, "training_step_progress")]
        self.state = LoopState()
        self.saved_epochs = 0
        # Only where making a batch takes time of its own: a thread that hands over a view costs more than it saves.
        self._feeds_ahead = isinstance(self.split, ChangingSplit) and a_core_is_free(runtime.device)
        self._rng: Tensor | None = None
        self._live_rate = float("nan")
        self._begun = 0.0  # when training would have begun, had it never been interrupted

    @property
    def kept(self) -> nn.Module:
        """What is evaluated and saved: the average of the weights where one is made, else the weights."""
        if self.average is not None:
            return self.average.module
        return self._bare

    @property
    def items_done(self) -> int:
        """Training items seen so far, over all epochs."""
        here = min(self.state.step_in_epoch * self.settings.batch_size, len(self.split))
        return self.state.epoch * len(self.split) + here

    def save(self) -> None:
        """Write the checkpoint `last`."""
        state = {
            "loop": asdict(self.state),
            "network": self._bare.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": torch.get_rng_state(),
            "identity": self.experiment.identity.digest,
        }
        save_trainer(self.run.last, state)
        self._save_weights(self.run.last)
        self.saved_epochs = self.state.epoch
        self.observer.notify(CheckpointSaved(str(self.run.last), self.state.epoch, self.state.step))

    def _save_weights(self, folder: Path) -> None:
        state, made_by = self.state, self.experiment.identity.digest
        save_weights(folder, self.kept, {"epoch": state.epoch, "step": state.step}, made_by)

    def resume(self, check: Callable[[Path, str | None], None] = lambda *_: None) -> None:
        """Take up the checkpoint `last`; `check` is given it first, with its digest or None. `tidy` then writes.

        Raises:
            DiagnosticError: E410 absent or damaged, E411 it does not fit the experiment; what `check` raises.
        """
        state = load_trainer(self.run.last)
        check(self.run.last / TRAINER, state.get("identity"))
        try:
            self._bare.load_state_dict(state["network"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.state = LoopState(**state["loop"])
            self.saved_epochs = self.state.epoch
            # Between two epochs nothing is taken up: each begins with a seed of its own.
            self._rng = state["rng"] if self.state.step_in_epoch else None
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            detail = " ".join(str(error).split())[:300]
            message = f"checkpoint does not fit the experiment: {type(error).__name__}: {detail}"
            raise DiagnosticError(Diagnostic("E411", message, file=str(self.run.last / TRAINER))) from error

    def tidy(self) -> None:
        """Make the run's files those of the checkpoint that was taken up."""
        self.run.clear_leftovers()
        self.run.forget_after(self.state.epoch)
        self._save_weights(self.run.last)  # a kill after `trainer.pt` has left the weights of the checkpoint before

    def fit(self, stop: StopRequest, stop_after: int | None = None) -> str:
        """Train until done, early stopping, or a stop request; "done", "early_stop" or "interrupted".

        Args:
            stop: asked after every step.
            stop_after: stop as if interrupted after so many epochs of this call.

        torch's global random state is used within and put back afterwards.
        """
        with torch.random.fork_rng(devices=[]):
            return self._fit(stop, stop_after)

    def _fit(self, stop: StopRequest, stop_after: int | None) -> str:
        self._begun = perf_counter() - self.state.seconds
        first = self.state.epoch
        self.observer.notify(
            RunStarted(
                name=self.experiment.name,
                directory=str(self.run.path),
                epochs=self.settings.epochs,
                steps_per_epoch=self.per_epoch,
                train_items=len(self.split),
                parameters=self.experiment.parameters,
                start_epoch=first,
                device=str(self.runtime.device),
                seed=self.settings.seed,
            )
        )
        status = "early_stop" if self.state.finished else "done"
        while self.state.epoch < self.settings.epochs and not self.state.finished:
            finished_epoch = self._epoch(stop)
            self.state.seconds = perf_counter() - self._begun
            if not finished_epoch:
                status = "interrupted"
                self.save()
                break
            last = self.state.epoch >= self.settings.epochs or self.state.finished
            stopping = stop.wanted or (stop_after is not None and self.state.epoch - first >= stop_after)
            if last or stopping or self.state.epoch % self.settings.checkpoint_every == 0:
                self.save()
            if self.state.finished:
                status = "early_stop"
            elif stopping and not last:
                status = "interrupted"
                break
        self.observer.notify(RunFinished(status, self.state.epoch, self.state.seconds))
        return status

    def _epoch(self, stop: StopRequest) -> bool:
        state, settings = self.state, self.settings
        begun = perf_counter()
        if self._rng is not None:  # resumed within the epoch: go on with the dropout masks where they were
            torch.set_rng_state(self._rng)
            self._rng = None
        else:
            torch.manual_seed(stream_seed(settings.seed, "dropout", state.epoch))
        self.network.train()
        self._tell_progress()
        order = epoch_order(len(self.split), settings.seed, state.epoch)
        gradients: list[LayerGradients] = []
        inputs: Inputs | None = None
        items, told = 0, 0.0
        jobs = list(enumerate(batches(order, settings.batch_size)))[state.step_in_epoch :]
        for (number, indices), batch in ahead(jobs, self._make_batch, threaded=self._feeds_ahead):
            if number == 0:
                given = InputMeter(getattr(self._bare, "encoder", None))
                with GradientMeter(self.network) as meter, SpikeMeter(self.network) as spikes, given:
                    self._step(batch)
                gradients, inputs = meter.summary(), given.summary()
                self._live_rate = spikes.totals().mean_rate
            else:
                self._step(batch)
            state.step += 1
            state.step_in_epoch += 1
            items += len(indices)
            now = perf_counter()
            if now - told > 1 / _STEP_EVENTS_PER_SECOND:
                told = now
                self._tell_step(items, now - begun)
            if stop.wanted and state.step_in_epoch < self.per_epoch:
                return False
        self._validate(gradients, inputs, items / max(perf_counter() - begun, 1e-9), begun)
        return True

    def _tell_progress(self) -> None:
        """Tell modules that change while training, in `training_progress`, what share of it is done.

        A function of the epoch alone: a resumed run says the same.
        """
        share = self.state.epoch / self.settings.epochs
        for module in self.network.modules():
            told = getattr(module, "training_progress", None)
            if told is not None:
                told(share)

    def _tell_step_progress(self) -> None:
        """The same at every step, for modules with `training_step_progress`."""
        share = (self.state.epoch + self.state.step_in_epoch / self.per_epoch) / self.settings.epochs
        for module in self._changing:
            module.training_step_progress(share)  # type: ignore[operator]

    def _make_batch(self, job: tuple[int, Tensor]) -> Any:
        number, indices = job
        rank, epoch = self.runtime.rank, self.state.epoch
        return training_batch(self.split, self.runtime.my_share(indices), self.settings.seed, epoch, number, rank)

    def _step(self, batch: Any) -> None:
        state, task = self.state, self.experiment.task
        self._tell_step_progress()
        batch = batch.to(self.runtime.device)
        with self.runtime.forward_pass():
            prediction = task.predict(self.network, batch)
        loss = task.loss(prediction.float(), batch)
        value = float(loss.detach())
        if not math.isfinite(value):
            where = first_non_finite(self.network, lambda: task.predict(self.network, batch))
            raise DiagnosticError(non_finite_loss(where, value, state.epoch, state.step_in_epoch))
        norm = self._update.gradients(loss + penalty(self._penalised) if self._penalised else loss)
        if not math.isfinite(norm):
            raise DiagnosticError(non_finite_gradient(self.network, state.epoch, state.step_in_epoch))
        self._update.step()
        self.schedule.step()
        if self.average is not None:
            self.average.update()
        weight = task.loss_weight(batch)
        state.loss_sum += value * weight
        state.loss_weight += weight

    def _tell_step(self, items: int, seconds: float) -> None:
        state = self.state
        steps_here = max(items / self.settings.batch_size, 1.0)
        left = (self.settings.epochs - state.epoch) * self.per_epoch - state.step_in_epoch
        self.observer.notify(
            StepDone(
                epoch=state.epoch,
                step=state.step_in_epoch,
                loss=state.loss_sum / max(state.loss_weight, 1),
                items_per_second=items / seconds,
                mean_rate=self._live_rate,
                seconds_left=left * seconds / steps_here,
            )
        )

    def _validate(self, gradients: list[LayerGradients], inputs: Inputs | None, speed: float, begun: float) -> None:
        state, settings = self.state, self.settings
        sick = non_finite_weights(self.network, state.epoch)
        if sick is not None:  # before anything is saved: the checkpoints stay usable
            raise DiagnosticError(sick)
        experiment, validation = self.experiment, self.experiment.data.split("val")
        found = evaluate(self.kept, experiment.task, validation, experiment.eval_batch_size, self.runtime)
        named = found.named("val")
        watched = settings.early_stop.metric
        value = named[watched]
        best = settings.early_stop.better(value, state.best)
        self.schedule.epoch(value)
        epoch = state.epoch
        train_loss = state.loss_sum / max(state.loss_weight, 1)
        if best:
            state.best, state.best_epoch, state.since_best = value, epoch, 0
        else:
            state.since_best += 1
            patience = settings.early_stop.patience
            state.finished = patience is not None and state.since_best >= patience
        state.epoch, state.step_in_epoch, state.loss_sum, state.loss_weight = epoch + 1, 0, 0.0, 0.0
        self._live_rate = found.totals.mean_rate
        self._record(epoch, train_loss, found, best)
        if best:
            self._save_weights(self.run.best)
        self._tell_epoch(epoch, train_loss, found, best, speed, begun)
        for verdict in found.verdicts(gradients, inputs):
            self.observer.notify(HealthNoted(epoch, verdict))

    def _record(self, epoch: int, train_loss: float, found: Evaluation, best: bool) -> None:
        head = {"epoch": epoch, "step": self.state.step, "train/loss": train_loss}
        self.run.add_metrics({**head, **found.named("val"), "lr": self._lr(), "best": best})
        for layer in found.per_layer():
            self.run.add_spikes({"epoch": epoch, "split": "val", **layer})

    def _tell_epoch(
        self, epoch: int, train_loss: float, found: Evaluation, best: bool, speed: float, begun: float
    ) -> None:
        now = perf_counter()
        per_epoch = (now - self._begun) / max(self.state.step / self.per_epoch, 1e-9)
        self.observer.notify(
            EpochDone(
                epoch=epoch,
                epochs=self.settings.epochs,
                step=self.state.step,
                train_loss=train_loss,
                validation=found.named("val"),
                watched=self.settings.early_stop.metric,
                best=best,
                lr=self._lr(),
                mean_rate=found.totals.mean_rate,
                items_per_second=speed,
                seconds=now - begun,
                seconds_left=per_epoch * (self.settings.epochs - epoch - 1),
                rates={layer.name: layer.rate for layer in found.layers},
            )
        )

    def _lr(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])
