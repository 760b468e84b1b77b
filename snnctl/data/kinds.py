"""The table of data kinds: what `data prep`, `data info`, `doctor` and completion know of each.

A new kind of data is a folder here, a line in `KINDS`, and its components in `snnctl.core.catalog`. Its modules are
called alike in every kind; `tests/contract/test_data_kinds.py` says which there are and what has to be in them.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, choices
from snnctl.data.cache import Progress
from snnctl.data.known import Known
from snnctl.data.prepare import Prepared
from snnctl.data.problems import data_error


@dataclass(frozen=True)
class DataKind:
    """One kind of data. Its modules are imported when they are asked for, and torch with none of these.

    Args:
        folder: of `snnctl.data` that it lies in.
        components: names in the catalog.
        named: whether some of its sets have names: modules `known` (the table `KNOWN`), `store` and `prepare`.
        info: whether `data info NAME` looks into such a set without windows: `look_into(name)` in `prepare`.
        texts: whether its sets are text files: `prepare` then takes an `encoding`.
        least: knobs that a recipe has to give, at values for those who only look into data.
    """

    folder: str
    components: tuple[str, ...]
    named: bool = True
    info: bool = False
    texts: bool = False
    least: Mapping[str, Any] = field(default_factory=dict)

    @property
    def known(self) -> Mapping[str, Known]:
        """What is known of its named sets, by name."""
        return self._module("known").KNOWN if self.named else {}

    def prepare(
        self, name: str, source: Path | None = None, progress: Progress | None = None, encoding: str | None = None
    ) -> Prepared:
        """Make the set `name` ready.

        Args:
            source: where its files lie; None = they are fetched.
            encoding: of text files; None = UTF-8, or as their first bytes tell.

        Raises:
            DiagnosticError: D1xx, it cannot be had, or is not what it should be; U433, `encoding` without text files.
        """
        more: dict[str, Any] = {}
        if encoding is not None:
            if not self.texts or source is None:
                raise DiagnosticError(Diagnostic("U433", facts={"name": name}))
            more["encoding"] = encoding
        return self._module("prepare").prepare(name, source, progress=progress, **more)

    def is_prepared(self, name: str) -> bool:
        """Whether the set `name` lies in the cache with all its files."""
        store = self._module("store").STORE
        return store.sound(store.named(name)) is not None

    def look_into(self, name: str) -> Any:
        """The set `name` as it lies in the cache: something with `describe()`.

        Raises:
            DiagnosticError: D101 not prepared, D109 damaged.
        """
        return self._module("prepare").look_into(name)

    def _module(self, name: str) -> Any:
        return importlib.import_module(f"snnctl.data.{self.folder}.{name}")


KINDS = (
    DataKind("series", ("timeseries",), texts=True, least={"window": 1, "horizon": 1}),
    DataKind("images", ("image", "sequential_image")),
    DataKind("texts", ("text",), texts=True),
    DataKind("events", ("event_spikes", "event_frames")),
    DataKind("video", ("video", "moving_digits"), info=True),
    DataKind("made", ("order", "mts_xor"), named=False),
)


def known_names() -> list[str]:
    """Every name that `data prep` takes."""
    return [name for kind in KINDS for name in kind.known]


def kind_of(name: str) -> DataKind:
    """The kind that knows the name.

    Raises:
        DiagnosticError: D101, none does.
    """
    for kind in KINDS:
        if name in kind.known:
            return kind
    tables = [name for kind in KINDS if kind.folder in ("series", "texts") for name in kind.known]
    raise data_error("D101", f"unknown data `{name}`", help=choices(name, tables))


def kind_called(folder: str) -> DataKind:
    """The kind of that folder, which there is."""
    return next(kind for kind in KINDS if kind.folder == folder)
