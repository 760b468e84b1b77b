"""Getting named sets ready: what all kinds report of it, and how files are fetched or found."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from snnctl.data.cache import Progress, cache_dir
from snnctl.data.download import download
from snnctl.data.known import Known
from snnctl.data.problems import data_error
from snnctl.data.walk import place_of

Status = Literal["builtin", "ready", "prepared"]


@dataclass(frozen=True)
class Prepared:
    """A set that is ready to use.

    Args:
        name: the known name; "" where it is called after the recipe that uses it.
        path: its folder in the cache, or the file that it is read from.
        facts: sizes, as its kind counts them.
        words: the same in one line.
        bytes: on disk.
        licence: as the source states it; "" where nothing is known.
        note: what to mind when using it.
        status: "builtin", "ready" (it was there, or is now) or "prepared" (by this call, of kinds that tell).
    """

    name: str
    path: Path | str
    facts: Mapping[str, Any]
    words: str
    bytes: int
    licence: str
    note: str = ""
    status: Status = "ready"

    def document(self) -> dict[str, Any]:
        """A row of `snnctl data prep --json`."""
        head = {"name": self.name, "status": self.status, "path": str(self.path)}
        tail = {"bytes": self.bytes, "licence": self.licence or "unknown", "note": self.note}
        return head | dict(self.facts) | tail


class Reports(Protocol):
    """A set that can tell what it holds: a manifest, or what was opened."""

    @property
    def bytes(self) -> int:
        """On disk."""

    @property
    def licence(self) -> str:
        """As its makers state it; "" where nothing is known."""

    def facts(self) -> Mapping[str, Any]:
        """Sizes, as its kind counts them."""

    def words(self) -> str:
        """The same in one line."""


def reported(
    path: Path | str, found: Reports, known: Known | None = None, name: str = "", status: Status = "ready"
) -> Prepared:
    """A set of the cache, as it is reported.

    Args:
        path: where it lies.
        known: what is known of it, if it has a name.
        name, status: see `Prepared`.
    """
    note = known.note if known is not None else ""
    return Prepared(name, path, found.facts(), found.words(), found.bytes, found.licence, note, status)


@contextmanager
def fetched(known: Known, progress: Progress | None) -> Iterator[Path]:
    """The file at the address of a named set, under its own name, which tells its format; removed at the end.

    Raises:
        DiagnosticError: D108, the server or the network failed.
    """
    by_hand = f"fetch it by other means and run: {known.command} --from FILE"
    part = download(known.url, cache_dir() / "downloads", progress=progress, help=by_hand)
    file = part.with_name(known.url.rsplit("/", 1)[1])
    os.replace(part, file)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def brought(source: Path) -> Path:
    """The path, if something is there.

    Raises:
        DiagnosticError: D101, there is nothing; D104, it is neither a file nor a folder.
    """
    place = place_of(str(source))
    if place is None:
        raise data_error("D101", f"nothing is at `{source}`", file=source, path="")
    return place
