"""Items go through a network batch by batch: new ones, or those of a split of the run's own data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from snnctl.build import load_data
from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.anew import Fitted, NewItem, NewItems
from snnctl.engine.experiment import Network
from snnctl.engine.runtime import Runtime
from snnctl.measure.spikes_each import SpikesEach
from snnctl.recipe import Recipe
from snnctl.report.saving import Tell

Warn = Callable[[Sequence[Diagnostic]], None]
_NAMED = 5  # of items that are left out


@dataclass(frozen=True)
class Answered:
    """A batch that has gone through.

    Args:
        names: of its items.
        labels: their classes by name, of steps as indices [B, T] with -1 where none is scored; None where not told.
        prediction: [B, ...] float32 on the CPU.
        spikes: [B] of the whole network.
        batch: what the network was shown.
        spread: [B, ..., K] standard deviation of probabilities between networks, where several answer.
    """

    names: list[str]
    labels: Any
    prediction: Tensor
    spikes: Tensor
    batch: Any
    spread: Tensor | None = None


@dataclass
class Stand:
    """What happened on the way: how many items there were, and which were left out, with the reason."""

    items: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)


class Passing:
    """A network that items go through.

    Args:
        recipe: as the network was trained.
        fitted: what it remembers of its data.
        task, network: with the weights, in evaluation mode.
        runtime: where it runs.
        warn: told of what is odd.
    """

    def __init__(
        self, recipe: Recipe, fitted: Fitted, task: Any, network: Network, runtime: Runtime, warn: Warn
    ) -> None:
        self.recipe, self.fitted, self._task, self._network = recipe, fitted, task, network
        self._runtime, self._warn = runtime, warn
        self._size = recipe.train.eval_batch_size or 4 * recipe.train.batch_size

    def read(self, given: Any) -> NewItems:
        """New items; raises `DiagnosticError` as `Fitted.new`."""
        if isinstance(given, NewItems):
            return given
        with _as_new():
            return self.fitted.new(Path(given) if isinstance(given, str) and self.fitted.kind != "texts" else given)

    def new(self, items: NewItems, stand: Stand, skip_bad: bool, tell: Tell | None) -> Iterator[Answered]:
        """New items in order; at the end is told what was odd.

        Raises:
            DiagnosticError: an item cannot be read, and is not to be left out; or all were; D251.
        """
        held: list[tuple[NewItem, Any]] = []
        with _as_new():
            for item in items.items:
                try:
                    held.append((item, item.read()))
                except DiagnosticError as error:
                    if not skip_bad:
                        raise
                    stand.left_out.append((item.name, str(error.diagnostics[0].message)))
                if len(held) == self._size:
                    yield self._answered(held, items.labelled)
                    stand.items += len(held)
                    held.clear()
                    if tell is not None and items.count:
                        tell("predicting", min(1.0, (stand.items + len(stand.left_out)) / items.count))
            if held:
                yield self._answered(held, items.labelled)
                stand.items += len(held)
            said = [replace(one, path="") for one in items.doubts()]
        if not stand.items:
            message = "no item is left: none could be read" if stand.left_out else "nothing to predict is in it"
            raise DiagnosticError(Diagnostic("D102", message))
        self._warn([*said, *_left_out(stand, items)])

    def _answered(self, held: list[tuple[NewItem, Any]], labelled: bool) -> Answered:
        batch = self.fitted.batch([content for _, content in held])
        prediction, spikes, spread = self.run(batch)
        labels = [item.label for item, _ in held] if labelled else None
        return Answered([item.name for item, _ in held], labels, prediction, spikes, batch, spread)

    def split(self, name: SplitName, stand: Stand, tell: Tell | None) -> Iterator[Answered]:
        """The items of a split in its order, by their numbers; the data is read as in training.

        Raises:
            DiagnosticError: Dxxx it is not there, D401 it is another one.
        """
        data = load_data(self.recipe)
        known = self.fitted_fingerprint
        if known is not None and data.fingerprint != known:
            raise DiagnosticError(Diagnostic("D401", path="data", help="restore it, or bring items with --input"))
        split, names = data.split(name), self.fitted.class_names
        for first in range(0, len(split), self._size):
            indices = torch.arange(first, min(first + self._size, len(split)))
            batch = split.batch(indices)
            prediction, spikes, spread = self.run(batch)
            labels: Any = None
            if names:
                targets, observed = batch.targets, batch.observed
                labels = targets if observed is None else targets.masked_fill(~observed, -1)
                labels = labels.numpy() if labels.dim() > 1 else [names[index] for index in labels.tolist()]
            yield Answered([str(index) for index in indices.tolist()], labels, prediction, spikes, batch, spread)
            stand.items += len(indices)
            if tell is not None:
                tell("predicting", stand.items / len(split))

    fitted_fingerprint: str | None = None  # of the data of training, where the run knows it

    @torch.no_grad()
    def run(self, batch: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        """Prediction, spikes and spread of a batch, see `Answered`."""
        prediction, spikes, unclear = self._pass(batch)
        if unclear:  # each alone, so that its spikes are its own
            spikes = torch.cat([self._pass(_one(batch, row))[1] for row in range(len(batch))])
        return prediction, spikes, None

    def _pass(self, batch: Any) -> tuple[Tensor, Tensor, bool]:
        network, moved = self._network, batch.to(self._runtime.device)
        sequences = network.encoder.tokens(moved.inputs).sequences if network.ragged else None
        with SpikesEach(network) as spikes, self._runtime.forward_pass():
            spikes.begin(len(batch), sequences)
            prediction = self._task.predict(network, moved)
        return prediction.float().cpu(), spikes.counts, spikes.unclear


def _one(batch: Any, row: int) -> Any:
    """A batch of one item."""
    parts = {name: getattr(batch, name) for name in ("inputs", "targets", "observed", "frames") if name in vars(batch)}
    return replace(batch, **{name: part if part is None else part[row : row + 1] for name, part in parts.items()})


def _left_out(stand: Stand, items: NewItems) -> list[Diagnostic]:
    if not stand.left_out:
        return []
    count = stand.items + len(stand.left_out)
    shown = "; ".join(f"`{name}`: {why}" for name, why in stand.left_out[:_NAMED])
    more = f"; and {len(stand.left_out) - _NAMED:,} more" if len(stand.left_out) > _NAMED else ""
    message = f"{len(stand.left_out):,} of {count:,} items are left out: {shown}{more}"
    return [Diagnostic("D311", message, severity="warning")]


@contextmanager
def _as_new() -> Iterator[None]:
    """Problems of new items name no key of the recipe: it is that of training, and cannot be changed for them."""
    try:
        yield
    except DiagnosticError as error:
        told = []
        for one in error.diagnostics:
            help = one.help
            if "data." in help and not any(word in help for word in ("train with", "or train")):
                help = (
                    "bring it as the data of training: a run reads new items by the settings that it was trained with"
                )
            told.append(replace(one, path="", help=help))
        raise DiagnosticError(told, error.exit_code) from error
