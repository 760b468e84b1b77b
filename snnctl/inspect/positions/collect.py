"""Everything that is found of positions: encodings, what is computed beside them, and what a trained network does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from snnctl.core.choices import SplitName
from snnctl.engine.evaluate import evaluate
from snnctl.engine.runtime import Runtime
from snnctl.finished import FinishedRun
from snnctl.inspect.positions import sensitivity, theory
from snnctl.inspect.positions.attention import AttentionMap, AttentionMaps
from snnctl.inspect.positions.encoding import Encoding
from snnctl.inspect.positions.probe import ProbeScore, probe
from snnctl.inspect.positions.sensitivity import Cell, Sweep
from snnctl.inspect.positions.theory import Integration
from snnctl.positions.base import Disturbance, NoPosition, Position
from snnctl.report.saving import Tell

# Long enough for the failing method to fail, and what the golden figures are measured at.
THEORY_ROWS, MOST_THEORY_ROWS = 672, 4096
THEORY_BASES = (1000.0, 10000.0)
SHUFFLES = (0, 1, 2)  # seeds
_MOST_MAP_ENTRIES = 8_000_000  # of attention maps held at once, for 8 heads
_MOST_SPIKES = 8_000_000  # of a layer's spikes held at once, for 256 channels


@dataclass(frozen=True)
class Disturbed:
    """Metrics with the position as it was trained, taken away or shuffled over positions."""

    kind: str  # `undisturbed`, `removed` or `shuffled`
    values: dict[str, list[float]]  # metric -> one value, or one per shuffle


@dataclass(frozen=True)
class Trained:
    split: str  # on which part of the data
    headline: str  # the task's first metric
    length: int  # L
    # samples of the probe
    fitted: int
    tested: int
    probe: list[ProbeScore]  # scores per layer with the position in place
    probe_removed: list[ProbeScore]  # the same network and layers with the position taken away; its own probe is fitted
    attention: list[AttentionMap]  # maps per block, before scale and bias
    attention_samples: int  # how many samples they are means of
    disturbance: list[Disturbed]  # metrics with the position as it is, removed and shuffled; empty without a position
    notes: list[str]  # what could not be measured, and why

    @property
    def chance(self) -> float:
        """Accuracy of guessing a position."""
        return 1 / self.length


@dataclass(frozen=True)
class Analysis:
    name: str  # heading of the page
    encodings: list[Encoding]  # the one that was asked about first
    cells: list[Cell]  # statistics over base and neurons at its length
    integrations: list[Integration]  # closed form against integration; the first encoding's own base comes first
    theory_neurons: int  # their n
    sweep: Sweep | None = None  # a measured sweep, or None
    trained: Trained | None = None  # what was measured on a trained network, or None
    notes: list[str] = field(default_factory=list)  # what was left out, and why


def oscillator(encodings: Sequence[Encoding]) -> Encoding | None:
    """The first encoding that is spikes of oscillators."""
    return next((e for e in encodings if e.membrane is not None and e.omegas is not None), None)


def analyse(
    name: str,
    encodings: list[Encoding],
    *,
    sweep: Sweep | None = None,
    trained: Trained | None = None,
    notes: Sequence[str] = (),
) -> Analysis:
    """Add to `encodings` what is computed beside them: the grid over base and neurons, and the integration."""
    first, own = encodings[0], oscillator(encodings)
    index, threshold, neurons, base = "TL", 0.8, 40, THEORY_BASES[-1]
    if own is not None:
        index, threshold = own.index, float(own.config.get("threshold", threshold))
        neurons, base = int(own.config.get("neurons", neurons)), float(own.config.get("base", base))
    cells = sensitivity.grid(first.steps, first.tokens, index, threshold)
    length = min(max(first.steps * first.tokens, THEORY_ROWS), MOST_THEORY_ROWS)
    bases = dict.fromkeys((base, *THEORY_BASES))
    integrations = [one for each in bases for one in theory.compare(neurons, each, length, threshold)]
    return Analysis(name, encodings, cells, integrations, neurons, sweep, trained, list(notes))


def measure(run: FinishedRun, *, split: SplitName, samples: int, tell: Tell) -> Trained:
    """Measure the weights of `run`.

    Args:
        samples: at most so many, evenly spread over the split, for probe and attention; two thirds of them, the
            first ones, fit the probe and the others test it.

    Raises:
        DiagnosticError: E410, E411 as `load_weights`.
    """
    experiment = run.experiment
    runtime = Runtime.of(experiment.train)
    network = experiment.network.to(runtime.device).eval()
    run.load()
    data, signal = experiment.data.split(split), network.signals["encoder"]
    positions = [module for module in network.modules() if isinstance(module, Position)]
    has_position = any(not isinstance(position, NoPosition) for position in positions)
    chosen = torch.linspace(0, len(data) - 1, min(samples, len(data))).long().unique()
    fit_on, test_on = chosen[: 2 * len(chosen) // 3], chosen[2 * len(chosen) // 3 :]

    def passes(indices: Tensor, at_once: int, text: str, done: float, share: float) -> None:
        for first in range(0, len(indices), at_once):
            tell(text, done + share * first / len(indices))
            batch = data.batch(indices[first : first + at_once]).to(runtime.device)
            with torch.no_grad(), runtime.forward_pass():
                experiment.task.predict(network, batch)

    notes: list[str] = []
    at_once = max(1, min(64, _MOST_SPIKES // max(1, signal.steps * signal.length * 256)))
    found: list[list[ProbeScore]] = [[], []]
    if network.ragged:
        notes.append("Texts of a batch lie packed in one row: tokens are neither probed, nor is attention by distance.")
    elif signal.length > 1 and len(fit_on) > 1 and len(test_on) > 0:
        tried: tuple[Disturbance | None, ...] = (None, "removed") if has_position else (None,)
        for number, kind in enumerate(tried):
            start = 0.05 + 0.2 * number
            fitting = partial(passes, fit_on, at_once, "probe", start, 0.13)
            testing = partial(passes, test_on, at_once, "probe", start + 0.13, 0.07)
            with _disturbed(positions, kind):
                found[number] = probe(network, signal.length, fitting, testing)
        if not found[0]:
            notes.append("No layer of neurons has one output per token, so there is nothing to probe.")
    else:
        notes.append("The probe needs two tokens and a few samples.")

    maps = AttentionMaps(network)
    if len(maps) and not network.ragged:
        few = max(1, min(32, _MOST_MAP_ENTRIES // (signal.steps * signal.length**2 * 8)))
        with maps:
            passes(test_on if len(test_on) else chosen, few, "attention", 0.45, 0.15)
    elif not network.ragged:
        notes.append("No module of the network has an attention map between positions.")

    disturbance = []
    if has_position:
        plan: tuple[tuple[Disturbance | None, tuple[int, ...]], ...] = (
            (None, (0,)),
            ("removed", (0,)),
            ("shuffled", SHUFFLES),
        )
        for kind, seeds in plan:
            tell(f"metrics {kind or 'undisturbed'}", 0.6)
            values: dict[str, list[float]] = {}
            for seed in seeds:
                with _disturbed(positions, kind, seed):
                    measured = evaluate(network, experiment.task, data, experiment.eval_batch_size, runtime)
                for name, value in {"loss": measured.loss, **measured.metrics}.items():
                    values.setdefault(name, []).append(value)
            disturbance.append(Disturbed(kind or "undisturbed", values))
    else:
        notes.append("The network has no position to disturb.")
    return Trained(
        split=split,
        headline=experiment.task.headline,
        length=signal.length,
        fitted=len(fit_on),
        tested=len(test_on),
        probe=found[0],
        probe_removed=found[1],
        attention=maps.maps(),
        attention_samples=len(test_on) or len(chosen),
        disturbance=disturbance,
        notes=notes,
    )


@contextmanager
def _disturbed(positions: Sequence[Position], kind: Disturbance | None, seed: int = 0) -> Iterator[None]:
    with ExitStack() as stack:
        for position in positions:
            if kind is not None:
                stack.enter_context(position.disturbed(kind, seed=seed))
        yield
