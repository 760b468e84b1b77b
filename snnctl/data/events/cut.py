"""Which recordings are train, val and test: whole speakers where they are known, else the same share of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from snnctl.core.seeds import stream_seed
from snnctl.data.cuts import Indices, Share, Splits, draw_share, refuse_empty
from snnctl.data.events.store import UNKNOWN, Recordings
from snnctl.data.problems import data_error

By = Literal["auto", "speaker", "class", "take"]
OFFICIAL_TAKES = 5  # of the spoken digits, those below it are the test


def cut_recordings(
    parts: Mapping[str, Recordings],
    val: Share,
    test: Share,
    by: By,
    val_speakers: Sequence[int] | None,
    test_speakers: Sequence[int] | None,
    seed: int,
    file: str = "",
) -> Splits:
    """Split -> (part, indices in it); parts that the makers cut stay, and what is missing is taken from train.

    Args:
        val, test: share of train, or how many recordings; with speakers, the nearest whole number of speakers.
        by: `speaker` holds whole speakers out, `class` takes the same share of each class, `take` makes the first five
            takes of everything the test, as the makers of the spoken digits did (val by class), `auto` is `speaker`
            where at least three are known, else `class`.
        val_speakers, test_speakers: numbers of the speakers held out; None draws them by `seed`.

    Raises:
        DiagnosticError: R320 an empty split, R323 speakers or takes that are not there, or in two splits.
    """
    every: dict[str, tuple[str, Indices]] = {name: (name, np.arange(len(part))) for name, part in parts.items()}
    if "train" not in parts and len(parts) == 1:
        ((whole, (_, indices)),) = every.items()
        cut = _Taking(parts[whole], by, seed, file)
        rest, tested = cut.out(indices, test, test_speakers, "test", 0, val_speakers)
        kept, drawn = cut.out(rest, val, val_speakers, "val", 1, None)
        found = {"train": (whole, kept), "val": (whole, drawn), "test": (whole, tested)}
    elif "train" in parts and "test" in parts:
        found = every
        if "val" not in parts:
            cut = _Taking(parts["train"], "class" if by == "take" else by, seed, file)
            kept, drawn = cut.out(every["train"][1], val, val_speakers, "val", 1, None)
            found = {"train": ("train", kept), "val": ("train", drawn), "test": every["test"]}
    else:
        help = "it wants files for train and test (and valid), or one file for all"
        raise data_error("D226", f"it has the parts {', '.join(parts)}", file=file, help=help)
    refuse_empty({name: len(indices) for name, (_, indices) in found.items()}, file)
    return found


class _Taking:
    """Takes recordings out of one part."""

    def __init__(self, part: Recordings, by: By, seed: int, file: str) -> None:
        self.part, self.seed, self.file = part, seed, file
        known = bool(len(part)) and bool((part.speakers != UNKNOWN).all())
        if by == "speaker" and not known:
            raise data_error("R323", "the source names no speakers", file=file, path="data.by", help="set it to class")
        if by == "take" and not (part.takes != UNKNOWN).all():
            raise data_error("R323", "the source numbers no takes", file=file, path="data.by", help="set it to auto")
        self.by = ("speaker" if known and len(np.unique(part.speakers)) >= 3 else "class") if by == "auto" else by

    def out(
        self,
        rows: Indices,
        share: Share,
        speakers: Sequence[int] | None,
        name: str,
        stream: int,
        reserved: Sequence[int] | None,
    ) -> tuple[Indices, Indices]:
        """Indices (kept, taken out)."""
        if speakers is not None:
            self._known(speakers, rows, name)
            taken = np.isin(self.part.speakers[rows], speakers)
            return rows[~taken], rows[taken]
        if self.by == "speaker":
            held = self._draw(rows, share, name, stream, reserved or ())
            taken = np.isin(self.part.speakers[rows], held)
            return rows[~taken], rows[taken]
        if self.by == "take" and name == "test":
            taken = self.part.takes[rows] < OFFICIAL_TAKES
            return rows[~taken], rows[taken]
        kept, drawn = draw_share(self.part.labels[rows], share, self.seed, stream)
        return rows[kept], rows[drawn]

    def _draw(self, rows: Indices, share: Share, name: str, stream: int, reserved: Sequence[int]) -> Any:
        of = np.unique(self.part.speakers[rows])
        free = of[~np.isin(of, reserved)]
        wanted = share / len(rows) if isinstance(share, int) else share
        count = min(max(1, round(wanted * len(of))), len(free) - 1 - (stream == 0 and not reserved))
        if count < 1:
            message = f"{len(of)} speakers are too few to hold out whole ones for {name}"
            raise data_error("R323", message, file=self.file, path="data.by", help="set it to class")
        return np.random.default_rng(stream_seed(self.seed, "split", stream)).permutation(free)[:count]

    def _known(self, speakers: Sequence[int], rows: Indices, name: str) -> None:
        there = np.unique(self.part.speakers[rows]).tolist()
        for speaker in speakers:
            if speaker not in there:
                message = f"no speaker {speaker} is left for {name}; there are {', '.join(map(str, there))}"
                raise data_error("R323", message, file=self.file, path=f"data.{name}_speakers")
