"""What a run would cost, measured on a few real steps: shapes, parameters, time, memory. Writes nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from snnctl.engine.environment import keep_freed_memory
from snnctl.engine.evaluate import evaluate
from snnctl.engine.experiment import Experiment
from snnctl.engine.feed import batches, epoch_order, steps_per_epoch, training_batch
from snnctl.engine.runtime import Runtime
from snnctl.engine.update import Update

_TIMED_STEPS = 5
_EVAL_BATCHES = 3
_FORWARD = 0.3  # share of a step that its forward pass is taken for
_LONG = 10.0  # seconds; after a step that takes longer no other is waited for

Tell = Callable[[str, float], None]  # what is being done, and which share of all of it is


def forecast(
    experiment: Experiment,
    runtime: Runtime,
    tell: Tell = lambda *_: None,
    now: Callable[[], float] = perf_counter,
) -> dict[str, Any]:
    """Shapes per layer, parameters, steps per epoch, measured time and memory of a training step.

    The time forecast is the median of five real training steps after one warm-up, times the steps of the
    run, plus a measured validation pass per epoch; early stopping is not foreseen. Where a step takes over 10 s,
    it is the last one: validation is then reckoned from its forward pass. The memory forecast counts
    the tensors kept for the backward pass, weights, gradients and optimiser state. torch's global random
    state is put back afterwards.

    Args:
        tell: told what is being done.
        now: seconds of a clock that never goes back.
    """
    keep_freed_memory()  # as training does
    with torch.random.fork_rng(devices=[]):
        return _forecast(experiment, runtime, tell, now)


def _forecast(experiment: Experiment, runtime: Runtime, tell: Tell, now: Callable[[], float]) -> dict[str, Any]:
    settings, task = experiment.train, experiment.task
    split, validation = experiment.data.split("train"), experiment.data.split("val")
    network = copy.deepcopy(experiment.network)
    optimizer = experiment.make_optimizer(network)
    network_, optimizer = runtime.prepare(network, optimizer)
    update = Update(network_, optimizer, runtime, settings.clip_norm)
    order = epoch_order(len(split), settings.seed, 0)
    drawn = [i for _, i in zip(range(_TIMED_STEPS + 1), batches(order, settings.batch_size), strict=False)]
    layers: list[dict[str, Any]] = []
    kept = {t.untyped_storage().data_ptr() for t in (*network.parameters(), *network.buffers())}
    saved: dict[int, int] = {}
    seconds: list[float] = []
    parts = len(drawn) + 1  # validation is the last

    def tell_step(number: int, done: float = 0.0) -> None:
        tell(f"step {number + 1} of up to {len(drawn)}", (number + done) / parts)

    for number, indices in enumerate(drawn):
        tell_step(number)
        begun = now()
        batch = training_batch(split, indices, settings.seed, 0, number).to(runtime.device)
        # Watched modules run apart where they would run as one: memory is counted in a step that nobody watches.
        hooks = _watch_shapes(network, layers, partial(tell_step, number)) if number == 0 else []
        saved = {} if number <= 1 else saved
        with _count_saved(saved, kept) if number <= 1 else nullcontext():
            with runtime.forward_pass():
                prediction = task.predict(network_, batch)
            loss = task.loss(prediction.float(), batch)
        float(loss.detach())  # as training does; an accelerator works on behind the clock otherwise
        forward_seconds = now() - begun
        for hook in hooks:
            hook.remove()
        update.gradients(loss)
        update.step()
        seconds.append(now() - begun)
        if seconds[-1] > _LONG:
            break
    step_seconds = median(seconds[1:] or seconds)
    tell("validation", len(drawn) / parts)
    cut_short = seconds[-1] > _LONG
    if cut_short:
        per_item = forward_seconds / len(indices)
    else:
        limit, size = _EVAL_BATCHES * experiment.eval_batch_size, experiment.eval_batch_size
        measured = evaluate(network, task, validation, size, runtime, go_on=lambda done: done < limit)
        per_item = 1 / max(measured.items_per_second, 1e-9)
    per_epoch = steps_per_epoch(len(split), settings.batch_size)
    epoch_seconds = per_epoch * step_seconds + len(validation) * per_item
    weights = _bytes(list(network.parameters()) + list(network.buffers()))
    gradients = _bytes([p.grad for p in network.parameters() if p.grad is not None])
    state = _bytes([v for s in optimizer.state.values() for v in s.values() if isinstance(v, Tensor)])
    return {
        "name": experiment.name,
        "device": str(runtime.device),
        "parameters": experiment.parameters,
        "signals": {
            "input": task.input_signal.describe(),
            **{name: signal.describe() for name, signal in experiment.network.signals.items()},
            "outputs": task.outputs,
        },
        "layers": layers,
        "items": {name: len(experiment.data.split(name)) for name in ("train", "val", "test")},
        "steps_per_epoch": per_epoch,
        "epochs": settings.epochs,
        "steps_timed": len(seconds[1:] or seconds),
        "cut_short": cut_short,
        "step_seconds": step_seconds,
        "samples_per_second": min(settings.batch_size, len(split)) / step_seconds,
        "epoch_seconds": epoch_seconds,
        "seconds": epoch_seconds * settings.epochs,
        "memory": {
            "saved_for_backward": sum(saved.values()),
            "weights": weights,
            "gradients": gradients,
            "optimizer": state,
            "total": sum(saved.values()) + weights + gradients + state,
        },
        "leaks": list(experiment.data.leaks),
        "data_warnings": experiment.data_warnings,
    }


def _bytes(tensors: list[Tensor]) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def _count_saved(saved: dict[int, int], kept: set[int]) -> torch.autograd.graph.saved_tensors_hooks:
    """Count each storage once, however many operations keep it; weights, which stay anyway, are left out."""

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in kept:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    return torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)


def _watch_shapes(network: nn.Module, layers: list[dict[str, Any]], told: Callable[[float], None]) -> list[Any]:
    """Note what each layer gives, and tell which share of them has been met in the forward pass."""

    def watch(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            told(min(1.0, (len(layers) + 1) / len(leaves)) * _FORWARD)
            tensor = output[0] if isinstance(output, tuple) else output
            if isinstance(tensor, Tensor):
                own = sum(p.numel() for p in module.parameters(recurse=False))
                facts = {"name": name, "type": type(module).__name__, "shape": list(tensor.shape), "parameters": own}
                layers.append(facts)

        return hook

    leaves = [(n, m) for n, m in network.named_modules() if n and not any(True for _ in m.children())]
    return [module.register_forward_hook(watch(name)) for name, module in leaves]
