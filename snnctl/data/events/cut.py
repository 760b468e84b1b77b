"""Which recordings are train, val and test: whole speakers where they are known, else the same share of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from snnctl.core.seeds import stream_seed
from snnctl.data.cuts import STREAMS, Indices, Share, Splits, cut_parts, draw_share, one_class, refuse_empty
from snnctl.data.events.store import UNKNOWN, Recordings
from snnctl.data.problems import data_error

By = Literal["auto", "speaker", "class", "take"]
OFFICIAL_TAKES = 5  # of the spoken digits, those below it are the test


@dataclass(frozen=True)
class CutSpec:
    """How splits that a source does not have are made.

    Args:
        val, test: share of train, or how many recordings; with speakers, the nearest whole number of speakers.
        by: `speaker` holds whole speakers out, `class` takes the same share of each class, `take` makes the first five
            takes of everything the test, as the makers of the spoken digits did (val by class), `auto` is `speaker`
            where at least three are known, else `class`.
        val_speakers, test_speakers: numbers of the speakers held out; None draws them by `seed`.
        seed: of draws.
    """

    val: Share
    test: Share
    by: By
    val_speakers: Sequence[int] | None
    test_speakers: Sequence[int] | None
    seed: int


def cut_recordings(parts: Mapping[str, Recordings], spec: CutSpec, file: str = "") -> Splits:
    """Split -> (part, indices in it); parts that the makers cut stay, and what is missing is taken from train.

    Raises:
        DiagnosticError: D213 train has one class, R320 an empty split, R323 speakers or takes that are not there, or
            in two splits.
    """
    uncut = len(parts) == 1
    if not {"train", "test"} <= set(parts) and (not uncut or "train" in parts):
        help = "it wants files for train and test (and valid), or one file for all"
        raise data_error("D226", f"it has the parts {', '.join(parts)}", file=file, help=help)

    def take(name: str, rows: Indices, split: str) -> tuple[Indices, Indices]:
        by = _way(parts[name], "class" if spec.by == "take" and not uncut else spec.by, file)
        taken = _taken(parts[name], rows, split, replace(spec, by=by), file)
        return rows[~taken], rows[taken]

    found = cut_parts({name: np.arange(len(part)) for name, part in parts.items()}, take)
    refuse_empty({name: len(indices) for name, (_, indices) in found.items()}, file)
    part, rows = found["train"]
    classes = np.unique(parts[part].labels[rows])
    if len(classes) < 2:
        raise one_class(str(classes[0]), file)
    return found


def _way(part: Recordings, by: By, file: str) -> By:
    """`by`, what `auto` stands for."""
    known = bool(len(part)) and bool((part.speakers != UNKNOWN).all())
    if by == "speaker" and not known:
        raise data_error("R323", "the source names no speakers", file=file, path="data.by", help="set it to class")
    if by == "take" and not (part.takes != UNKNOWN).all():
        raise data_error("R323", "the source numbers no takes", file=file, path="data.by", help="set it to auto")
    return ("speaker" if known and len(np.unique(part.speakers)) >= 3 else "class") if by == "auto" else by


def _taken(part: Recordings, rows: Indices, split: str, spec: CutSpec, file: str) -> Any:
    """Which of `rows` go to `split`, test or val: bool."""
    share, speakers = (spec.test, spec.test_speakers) if split == "test" else (spec.val, spec.val_speakers)
    there = np.unique(part.speakers[rows])
    if speakers is not None:
        for speaker in speakers:
            if speaker not in there:
                known = ", ".join(map(str, there.tolist()))
                message = f"no speaker {speaker} is left for {split}; there are {known}"
                raise data_error("R323", message, file=file, path=f"data.{split}_speakers")
        return np.isin(part.speakers[rows], speakers)
    if spec.by == "take" and split == "test":
        return part.takes[rows] < OFFICIAL_TAKES
    if spec.by == "speaker":
        reserved = (spec.val_speakers or ()) if split == "test" else ()
        free = there[~np.isin(there, reserved)]
        wanted = share / len(rows) if isinstance(share, int) else share
        count = min(max(1, round(wanted * len(there))), len(free) - 1 - (split == "test" and not reserved))
        if count < 1:
            message = f"{len(there)} speakers are too few to hold out whole ones for {split}"
            raise data_error("R323", message, file=file, path="data.by", help="set it to class")
        random = np.random.default_rng(stream_seed(spec.seed, "split", STREAMS[split]))
        return np.isin(part.speakers[rows], random.permutation(free)[:count])
    taken = np.zeros(len(rows), bool)
    taken[draw_share(part.labels[rows], share, spec.seed, STREAMS[split])[1]] = True
    return taken
