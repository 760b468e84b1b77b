"""A trained classifier: new items in, classes with their probabilities and spikes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, as_warnings
from snnctl.data.anew import Fitted
from snnctl.engine.runtime import Runtime
from snnctl.recipe import Recipe
from snnctl.report.saving import Tell
from snnctl.serving.items import Answered, Passing, Stand, Warn

if TYPE_CHECKING:
    import pandas as pd

    from snnctl.engine.experiment import Network

NEXT = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
MOST = len(NEXT) + 1


@dataclass(frozen=True)
class Classes:
    """What is said of items, batch by batch: nothing but the items of one is held at once.

    Args:
        tables: gives them, in order: see `Classifier.predict` for the columns.
        stand: how many items there were, once all are given.
        how: how the input is read, one line each.
        per_class: how often each class was predicted, once all are given.
    """

    tables: Callable[[], Iterator[dict[str, Any]]]
    stand: Stand
    how: tuple[str, ...]
    per_class: dict[str, int]


class Classifier:
    """A trained classifier, of items or of the steps of sequences.

    Args:
        recipe: as it was trained.
        fitted: what it remembers of its data.
        task, network: with the weights, ready to predict.
        runtime: where it runs.
        facts: which weights they are.
        warn: told of what is odd in new items.
    """

    def __init__(
        self,
        recipe: Recipe,
        fitted: Fitted,
        task: Any,
        network: Network,
        runtime: Runtime,
        facts: dict[str, Any],
        warn: Warn = as_warnings,
    ) -> None:
        self.recipe, self.fitted, self.task, self.facts = recipe, fitted, task, facts
        self.network = network.eval()
        self.passing = Passing(recipe, fitted, task, self.network, runtime, warn)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.fitted.class_names

    @property
    def by_step(self) -> bool:
        """Whether every step of an item has a class of its own."""
        return getattr(self.task, "answers", "") == "step"

    def predict(self, given: Any, *, top: int = 2, skip_bad: bool = False) -> pd.DataFrame:
        """The classes of items, one row each, in order.

        Args:
            given: a path (`pathlib.Path`, or a string where items are no texts) of anything that training reads: a
                file or a folder; or a list of texts, an array of pictures [N, H, W] or [N, H, W, C], of frames
                [N, T, C, H, W] or of sequences, or a list of paths of pictures or recordings.
            top: so many classes are told, the likeliest first, 1 to 10.
            skip_bad: leave out items that cannot be read, and say so, rather than refuse all.

        Returns:
            `item` (a path, or the number in the file from 0), `label` where the input tells classes, `class` and
            `probability` (0..1, the softmax of the scores), `second`, `second_probability`, `third` ..., and `spikes`:
            those of the whole network for this item. Where every step has a class, a row for each, with `step` from 0,
            and no `spikes`. Of several runs there is `spread` behind `probability`, see `snnctl.serving.vote.Vote`.

        Raises:
            DiagnosticError: D1xx and D2xx, an item cannot be read; D310, it is of another shape than those of
                training; U504, `top` is out of bounds.

        Example:
            >>> model = snnctl.load(run)  # a folder that `snnctl train` made of texts
            >>> model.classes
            ('bad', 'good')
            >>> found = model.predict(["a fine film", "a dull film"])
            >>> list(found)
            ['item', 'class', 'probability', 'second', 'second_probability', 'spikes']
            >>> found["item"].tolist()
            ['0', '1']
        """
        import pandas as pd

        found = self.classify(given, top=top, skip_bad=skip_bad)
        return pd.concat([pd.DataFrame(table) for table in found.tables()], ignore_index=True)

    def classify(
        self,
        given: Any = None,
        *,
        split: SplitName | None = None,
        top: int = 2,
        skip_bad: bool = False,
        tell: Tell | None = None,
    ) -> Classes:
        """The same, batch by batch; the network runs when the tables are taken.

        Args:
            given: see `predict`; None = `split`.
            split: the items of a split of the run's own data, by their numbers, with their classes.
            tell: told how far it is, as a share.

        Raises:
            DiagnosticError: as `predict`; D401 the data is not that of training.
        """
        count = min(top, len(self.classes)) if top == 2 else top
        if not 1 <= count <= min(MOST, len(self.classes)):
            message = f"--top must be from 1 to {min(MOST, len(self.classes))}, got {top}"
            raise DiagnosticError(Diagnostic("U504", message, help=f"the run has {len(self.classes):,} classes"))
        stand, per_class = Stand(), dict.fromkeys(self.classes, 0)
        how: tuple[str, ...] = ()
        if split is None:
            items = self.passing.read(given)
            how = items.how
            answers = self.passing.new(items, stand, skip_bad, tell)
        else:
            answers = self.passing.split(split, stand, tell)
        table = self._steps if self.by_step else self._items

        def tables() -> Iterator[dict[str, Any]]:
            for answered in answers:
                made = table(answered, count)
                for name, times in zip(*np.unique(made["class"].astype(str), return_counts=True), strict=True):
                    per_class[str(name)] += int(times)
                yield made

        return Classes(tables, stand, how, per_class)

    def _items(self, answered: Answered, count: int) -> dict[str, Any]:
        found: dict[str, Any] = {"item": _texts(answered.names)}
        if answered.labels is not None:
            found["label"] = _texts(answered.labels)
        found |= self._best(answered.prediction, answered.spread, count)
        found["spikes"] = answered.spikes.numpy().round().astype(np.int64)
        return found

    def _steps(self, answered: Answered, count: int) -> dict[str, Any]:
        items, steps, _ = answered.prediction.shape
        spread = None if answered.spread is None else answered.spread.flatten(0, 1)
        found: dict[str, Any] = {
            "item": _texts(answered.names).repeat(steps),
            "step": np.tile(np.arange(steps), items),
        }
        if isinstance(answered.labels, np.ndarray):
            names = _texts([*self.classes, ""])  # -1: no class counts at this step
            found["label"] = names[answered.labels.ravel()]
        elif answered.labels is not None:
            found["label"] = _texts(answered.labels).repeat(steps)
        return found | self._best(answered.prediction.flatten(0, 1), spread, count)

    def _best(self, scores: Any, spread: Any, count: int) -> dict[str, Any]:
        """The likeliest classes of scores [N, K]; of equal ones the first, as metrics count.

        Args:
            spread: [N, K] of their probabilities between runs, or None.
        """
        order = scores.sort(dim=1, descending=True, stable=True).indices[:, :count]
        shares = scores.double().softmax(1).gather(1, order).numpy()
        names, found = _texts(self.classes), {}
        for place, column in enumerate(order.numpy().T):
            name = "class" if not place else NEXT[place - 1]
            found[name] = names[column]
            found["probability" if not place else f"{name}_probability"] = shares[:, place]
            if spread is not None and not place:
                found["spread"] = spread.gather(1, order[:, :1]).numpy()[:, 0]
        return found


def _texts(values: Any) -> Any:
    """[n] of Python's texts."""
    made = np.empty(len(values), object)
    made[:] = list(values)
    return made
