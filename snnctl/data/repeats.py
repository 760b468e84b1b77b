"""Items that stand in more than one split: counted by a digest of each, which is kept beside the set in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snnctl.core.diagnostic import Diagnostic
from snnctl.core.files import write_atomically
from snnctl.data.cuts import Indices

Digests = npt.NDArray[np.uint64]  # [N]; 0 = there is nothing in the item that could be compared
FILE = "digests.npz"  # no file of the set: it is in no manifest, and goes when the set is made anew
_PAIRS = (("test", "train"), ("val", "train"), ("test", "val"))


@dataclass(frozen=True)
class Repeats:
    """How many items of a later split stand in an earlier one as well, equal to the last byte.

    Args:
        counts: (later, earlier) -> how many items of the later one.
        sizes: split -> items.
        what: the items are, as "pictures".
    """

    counts: Mapping[tuple[str, str], int]
    sizes: Mapping[str, int]
    what: str

    def facts(self) -> dict[str, int]:
        """For `snnctl data info`."""
        return {f"{later}_in_{earlier}": count for (later, earlier), count in self.counts.items()}

    def warnings(self, origin: str) -> tuple[Diagnostic, ...]:
        """One, where there are any."""
        found = [
            f"{count:,} of {self.sizes[later]:,} {later} {self.what} also stand in {earlier}"
            for (later, earlier), count in self.counts.items()
            if count
        ]
        if not found:
            return ()
        help = "remove them from one of the two; a score on items that were learned flatters"
        rest = tuple(found[1:])
        return (
            Diagnostic("D280", found[0], severity="warning", file=origin, path="data.source", help=help, notes=rest),
        )


def repeats(
    parts: Mapping[str, Callable[[], Iterable[Any]]],
    cut: Mapping[str, tuple[str, Indices]],
    what: str,
    folder: Path | None = None,
) -> Repeats:
    """Count what stands in two splits.

    Args:
        parts: part -> gives its items, arrays or bytes; one of no bytes is like no other.
        cut: split -> (part, which of its items); a place that is in two splits is no repetition.
        what: the items are, as "pictures".
        folder: of the set in the cache, where digests are kept; None = they are made anew.
    """
    known = _kept(folder, parts)
    if known is None:
        known = {part: _digests(items()) for part, items in parts.items()}
        _keep(folder, known)
    counts = {}
    for later, earlier in _PAIRS:
        (part, rows), (other, others) = cut[later], cut[earlier]
        if part == other:
            rows = np.setdiff1d(rows, others)
        found = known[part][rows]
        counts[later, earlier] = int((np.isin(found, known[other][others]) & (found != 0)).sum())
    return Repeats(counts, {name: len(rows) for name, (_, rows) in cut.items()}, what)


def _digests(items: Iterable[Any]) -> Digests:
    def one(item: Any) -> int:
        data = item if isinstance(item, bytes) else np.ascontiguousarray(item).reshape(-1).data
        return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little") if len(data) else 0

    return np.fromiter((one(item) for item in items), np.uint64)


def _kept(folder: Path | None, parts: Iterable[str]) -> Mapping[str, Digests] | None:
    if folder is None:
        return None
    try:
        with np.load(folder / FILE, allow_pickle=False) as found:
            return {part: found[part] for part in parts}
    except Exception:  # not there, or damaged: it is made anew
        return None


def _keep(folder: Path | None, found: Mapping[str, Digests]) -> None:
    if folder is None:
        return

    def write(path: Path) -> None:
        with path.open("wb") as stream:
            np.savez(stream, **found)  # type: ignore[arg-type]

    try:
        write_atomically(folder / FILE, write)
    except OSError:
        return  # a cache that cannot be written: the next reader counts again
