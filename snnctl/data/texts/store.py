"""Prepared texts on disk: JSON lines of text and label, one file per part, with a manifest of checksums."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.cache import MANIFEST, DamagedError, Manifest, Store
from snnctl.data.problems import data_error
from snnctl.data.texts.known import KNOWN
from snnctl.data.texts.parts import Parts, Texts


@dataclass(frozen=True, kw_only=True)
class TextManifest(Manifest):
    """What a prepared set is and where it came from.

    Args:
        files, created, schema: see `Manifest`.
        name: the known name.
        source: hub name or path it was made from.
        sizes: texts in each part.
        empty: texts without a character.
    """

    name: str
    source: str
    sizes: dict[str, int]
    empty: int

    licence: ClassVar[str] = "none stated"

    def facts(self) -> dict[str, int]:
        """Sizes, as of a table of texts and labels."""
        return {"rows": sum(self.sizes.values()), "columns": 2, "missing": self.empty}

    def words(self) -> str:
        """The same in one line."""
        return f"{sum(self.sizes.values()):,} rows x 2 columns, {self.empty:,} missing"


STORE = Store("texts", TextManifest)


def write_texts(name: str, parts: Parts, source: str) -> TextManifest:
    """Keep the set `name`; raises D104."""

    def fill(folder: Path) -> TextManifest:
        for part, found in parts.items():
            rows = (json.dumps(pair, ensure_ascii=False) for pair in zip(found.texts, found.labels, strict=True))
            (folder / f"{part}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")
        sizes = {part: len(found) for part, found in parts.items()}
        empty = sum(not text.strip() for found in parts.values() for text in found.texts)
        return TextManifest(name=name, source=source, sizes=sizes, empty=empty)

    return STORE.write(name, fill)


def read_prepared(name: str) -> Parts:
    """The parts of a prepared set.

    Raises:
        DiagnosticError: D101 not prepared, D109 damaged.
    """
    known, folder = KNOWN[name], STORE.path(name)
    try:
        manifest = STORE.read(name)
    except DamagedError as error:
        what = error.what if error.path.name == MANIFEST else f"{error.path.name} is not as it was written"
        raise _damaged(name, error.path, what) from error
    if manifest is None:
        why = f"or: {known.command} --from PATH, for a copy of {known.hub}"
        raise known.absent(f"the texts `{name}` are not prepared", why)
    parts = {}
    for part in manifest.sizes:
        try:
            lines = (folder / f"{part}.jsonl").read_text(encoding="utf-8").split("\n")
            pairs = [json.loads(line) for line in lines if line]
            texts, labels = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
        except (OSError, ValueError, IndexError, TypeError) as error:
            raise _damaged(name, folder, str(error)) from error
        parts[part] = Texts(texts, labels, known.labels)
    return parts


def cache_stamp(name: str) -> str:
    """Another one once the set `name` is prepared anew."""
    manifest = STORE.path(name) / MANIFEST
    return f"{manifest} {manifest.stat().st_mtime_ns}" if manifest.is_file() else "absent"


def _damaged(name: str, path: Path, what: str) -> DiagnosticError:
    help = f"prepare them again: {KNOWN[name].command}"
    return data_error("D109", f"the prepared texts `{name}` are damaged: {what}", file=path, help=help)
