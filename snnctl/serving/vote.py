"""Several trained classifiers of the same task as one: the mean of their probabilities, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.serving.classifier import Classifier
from snnctl.serving.items import Passing


class Vote(Classifier):
    """The mean of several runs, of the same recipe with other seeds as a rule.

    The class is the one of the highest mean probability; a column `spread` is the standard deviation (n - 1) of its
    probability between the runs; `spikes` are those of a run in the mean.

    Args:
        members: at least two, which read items alike: the same classes, sizes, vocabulary.
        names: of the runs, for messages.

    Raises:
        DiagnosticError: U523, they differ, or are fewer than two.
    """

    def __init__(self, members: Sequence[Classifier], names: Sequence[str]) -> None:
        if len(members) < 2:
            raise DiagnosticError(Diagnostic("U523", "an ensemble is of at least two runs"))
        self.members, self.names = tuple(members), tuple(names)
        first = members[0]
        for member, name in zip(members[1:], names[1:], strict=True):
            what = _difference(first, member)
            if what:
                message = f"the runs cannot be averaged: {what} in `{names[0]}`, not in `{name}`"
                raise DiagnosticError(Diagnostic("U523", message, file=name))
        self.recipe, self.fitted, self.task, self.facts = first.recipe, first.fitted, first.task, first.facts
        self.network = first.network
        self.passing = _Together([member.passing for member in members])


class _Together(Passing):
    """Items go through several networks; what is read, and told of it, is the first one's."""

    def __init__(self, members: Sequence[Passing]) -> None:
        vars(self).update(vars(members[0]))
        self._members = tuple(members)

    @torch.no_grad()
    def run(self, batch: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        answers = [member.run(batch) for member in self._members]
        shares = torch.stack([prediction.double().softmax(-1) for prediction, _, _ in answers])
        spikes = torch.stack([spikes.double() for _, spikes, _ in answers]).mean(0)
        # Scores whose softmax the mean is: probabilities that vanish in double precision stay in order.
        return shares.mean(0).clamp_min(torch.finfo(torch.float64).tiny).log(), spikes, shares.std(0)


def _difference(first: Classifier, other: Classifier) -> str:
    """What differs first, in words; "" where items are read alike."""
    mine, own = (one.fitted.to_json() for one in (first, other))
    if first.by_step != other.by_step:
        return "classes of steps"
    for key in ("kind", "classes", *sorted(mine.keys() | own.keys())):
        if key not in _ALONE and mine.get(key) != own.get(key):
            return f"{key} {str(mine.get(key))[:80]}"
    return ""


_ALONE = ("fingerprint", "source")  # of the data, which may lie elsewhere, or be split by another seed
