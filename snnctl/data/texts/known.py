"""Sets of texts that have a name: where `datasets` finds them, and what a genuine copy holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from snnctl.data.known import Known


@dataclass(frozen=True, kw_only=True)
class KnownTexts(Known):
    """One named set.

    Args:
        name, summary, licence, note: see `Known`.
        hub: its name for `datasets.load_dataset`.
        labels: names of the classes, by number.
        text, label: columns.
        sizes: texts in each split of a genuine copy; empty where that is not known for certain.
    """

    hub: str
    labels: tuple[str, ...]
    text: str = "text"
    label: str = "label"
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def fetchable(self) -> bool:
        """`datasets` fetches them all."""
        return True


_POLARITY = ("negative", "positive")
_FOLDS = "the literature before 2018 uses 10 folds (`data.folds: 10`), which are not comparable with this split"

_SETS = (
    KnownTexts(
        "mr",
        "movie reviews, one sentence each",
        hub="cornell-movie-review-data/rotten_tomatoes",
        labels=_POLARITY,
        sizes={"train": 8530, "val": 1066, "test": 1066},
        note=_FOLDS,
    ),
    KnownTexts(
        "sst2",
        "Stanford sentiment treebank, whole sentences, two classes",
        hub="SetFit/sst2",
        labels=_POLARITY,
        sizes={"train": 6920, "val": 872, "test": 1821},
        note="the 1,821 test sentences are those of papers; GLUE has another test split, without labels",
    ),
    KnownTexts(
        "sst5",
        "Stanford sentiment treebank, whole sentences, five classes",
        hub="SetFit/sst5",
        labels=("very negative", "negative", "neutral", "positive", "very positive"),
        sizes={"train": 8544, "val": 1101, "test": 2210},
    ),
    KnownTexts(
        "subj",
        "subjective and objective sentences on movies",
        hub="SetFit/subj",
        labels=("objective", "subjective"),
        note=f"it has no validation split, part of train serves; {_FOLDS}",
    ),
    KnownTexts(
        "chnsenti",
        "Chinese reviews of hotels, books and computers",
        hub="lansinuote/ChnSentiCorp",
        labels=_POLARITY,
        sizes={"train": 9600, "val": 1200, "test": 1200},
    ),
    KnownTexts(
        "waimai",
        "Chinese reviews of food delivery",
        hub="XiangPan/waimai_10k",
        labels=_POLARITY,
        note="it has no splits, and every paper draws its own; one positive text to two negative ones",
    ),
)

KNOWN: dict[str, KnownTexts] = {known.name: known for known in _SETS}
